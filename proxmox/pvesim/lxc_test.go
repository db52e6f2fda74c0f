package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ctWorld is a demo cluster with a storage for containers (rooms), one for other things (shelf) and one without files
// (pool), a template, and the containers 9101 (stopped), 9102 (running) and 9103 (slow to shut down, running).
func ctWorld() *World {
	w := DemoWorld(time.Now())
	n := w.Nodes[0]
	n.Info["network"] = []any{Object{"iface": "vmbr0", "type": "bridge"}}
	for id, def := range map[string]Object{
		"rooms": {"type": "dir", "path": "/rooms", "content": "rootdir,images"},
		"shelf": {"type": "dir", "path": "/shelf", "content": "vztmpl,iso"},
		"pool":  {"type": "zfspool", "pool": "tank", "content": "rootdir"},
	} {
		def["storage"] = id
		w.Storages = append(w.Storages, def)
		n.Storage = append(n.Storage, Object{"storage": id, "type": def["type"], "active": 1, "enabled": 1, "content": def["content"]})
	}
	n.Content["shelf"] = []Object{
		{"volid": "shelf:vztmpl/debian-12-standard_12.7-1_arm64.tar.zst", "content": "vztmpl", "format": "tzst", "size": 100 << 20},
		{"volid": "shelf:vztmpl/mine.tar.gz", "content": "vztmpl", "format": "tgz", "size": 1 << 20}}
	for id := 9101; id <= 9103; id++ {
		volid, _ := w.addVolume(n, "rooms", volumeSpec{vmid: id, kind: contentRootDir, format: "raw", size: gib})
		w.AddGuest(&Guest{VMID: id, Type: typeLXC, Node: n.Name, Config: Object{"rootfs": volid + ",size=1G", "memory": 128, "swap": 64,
			"hostname": "ct", "ostype": "alpine", "arch": "amd64", "unprivileged": 1, "net0": "name=eth0,bridge=vmbr0,hwaddr=AA:BB:CC:00:00:01,ip=10.0.0.5/24,type=veth"}})
	}
	w.Guest(9103).Behaviour.Shutdown = 30 * time.Second
	w.SetStatus(9102, "running")
	w.SetStatus(9103, "running")
	return w
}

// config is a container's configuration file in lines "key: value", with the pending ones as "+key" and "-key".
func (r *rig) config(vmid int) string {
	var lines []string
	r.sim.Update(func(w *World) {
		g := w.Guest(vmid)
		if g == nil {
			return
		}
		for k, v := range g.Config {
			lines = append(lines, k+": "+text(v))
		}
		for k, v := range g.Pending {
			lines = append(lines, "+"+k+": "+text(v))
		}
		for _, k := range g.Deleted {
			lines = append(lines, "-"+k)
		}
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// check runs steps: "request -> outcome", "9101 has line" and "9101 lacks word" about a configuration, "volumes of 9101 -> ...".
func (r *rig) check(steps []string) {
	r.t.Helper()
	for _, step := range steps {
		step = strings.ReplaceAll(step, "NODE", r.sim.firstNode())
		request, want, asks := strings.Cut(step, " -> ")
		id, rest, _ := strings.Cut(step, " ")
		word, line, _ := strings.Cut(rest, " ")
		vmid := int(integer(id))
		switch {
		case strings.HasPrefix(step, "volumes of "):
			if got := r.volumesOf(int(integer(strings.TrimPrefix(request, "volumes of ")))); got != want {
				r.t.Errorf("%s: got %s, want %s", request, got, want)
			}
		case asks:
			if got := r.act(request); got != want {
				r.t.Errorf("%s: got %q, want %q", request, got, want)
			}
		default:
			if config := "\n" + r.config(vmid) + "\n"; strings.Contains(config, "\n"+line+"\n") != (word == "has") {
				r.t.Errorf("%s, but it is%s", step, config)
			}
		}
	}
}

func (r *rig) volumesOf(vmid int) string {
	var list []string
	r.sim.Update(func(w *World) {
		for _, v := range w.Nodes[0].guestVolumes(vmid) {
			list = append(list, fmt.Sprint(v["volid"], "=", printSize(integer(v["size"]))))
		}
	})
	return strings.Join(list, " ")
}

// ctCases are requests with what they come to. The caller is a token of root@pam, which is not root@pam.
var ctCases = map[string][]string{
	"made by defaults": {"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/debian-12-standard_12.7-1_arm64.tar.zst&storage=rooms&description=a%0Ab -> OK",
		"9110 has hostname: CT9110", "9110 has memory: 512", "9110 has swap: 512", "9110 has unprivileged: 1", "9110 has ostype: debian", "9110 has arch: arm64",
		"9110 has rootfs: rooms:9110/vm-9110-disk-0.raw,size=4G", "volumes of 9110 -> rooms:9110/vm-9110-disk-0.raw=4G"},
	"made with volumes": {"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&ostype=fedora&rootfs=pool:1.5&mp1=rooms:0,mp=/d&mp0=rooms:0.25,mp=x,ro=1&unprivileged=0 -> OK",
		"9110 has rootfs: pool:subvol-9110-disk-0,size=1536M", "9110 has mp0: rooms:9110/vm-9110-disk-0.raw,mp=/x,ro=1,size=256M", "9110 has ostype: fedora",
		"9110 lacks unprivileged: 1"},
	"made and started": {"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1&start=1 -> OK", "POST /lxc/9110/status/start -> 500 CT 9110 already running"},
	"refused": {"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz -> 400 Parameter verification failed.",
		"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&storage=shelf -> 400 Parameter verification failed.",
		"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&mp0=rooms:1,mp=/x -> 500 mount points configured, but 'rootfs' not set - aborting",
		"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1&mp0=/etc,mp=/x -> 403 Permission check failed (mount point type bind is only allowed for root@pam)",
		"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1&dev0=/dev/null -> 403 Permission check failed (configuring device passthrough is only allowed for root@pam)",
		"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1&unprivileged=0&features=nesting=1 -> 403 Permission check failed (changing feature flags for privileged container is only allowed for root@pam)",
		"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1&ssh-public-keys=nonsense -> 500 SSH public key validation error",
		"POST /lxc?vmid=9110&ostemplate=rooms:9101/vm-9101-disk-0.raw&rootfs=rooms:1 -> 500 unable to use volume rooms:9101/vm-9101-disk-0.raw - content type needs to be 'vztmpl'",
		"GET /lxc/9110/config -> 500 Configuration file 'nodes/NODE/lxc/9110.conf' does not exist"},
	"failed and gone": {"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/gone.tar.gz&rootfs=rooms:1 -> unable to create CT 9110 - volume 'shelf:vztmpl/gone.tar.gz' does not exist",
		"volumes of 9110 -> ", "POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1 -> OK"},
	"changed while it runs": {"PUT /lxc/9102/config?memory=256&swap=0&cores=2&hostname=new&net1=name=eth1,bridge=vmbr0,hwaddr=AA:BB:CC:00:00:02 -> <nil>",
		"9102 has memory: 256", "9102 has cores: 2", "9102 has hostname: new", "9102 has net1: name=eth1,bridge=vmbr0,hwaddr=AA:BB:CC:00:00:02,type=veth",
		"PUT /lxc/9102/config?mp0=rooms:0.25,mp=/hot -> <nil>", "9102 has mp0: rooms:9102/vm-9102-disk-1.raw,mp=/hot,size=256M",
		"PUT /lxc/9102/config?mp0=rooms:0.5,mp=/hot&nameserver=10.0.0.1%3B10.0.0.2 -> <nil>", "9102 has +mp0: rooms:0.5,mp=/hot", "9102 has +nameserver: 10.0.0.1 10.0.0.2",
		"PUT /lxc/9102/config?net2=name=eth2,bridge=nope -> 400 Parameter verification failed.", "9102 lacks +net2: name=eth2,bridge=nope",
		"PUT /lxc/9102/config?revert=nameserver -> <nil>", "9102 lacks +nameserver: 10.0.0.1 10.0.0.2",
		"POST /lxc/9102/status/reboot -> OK", "9102 has mp0: rooms:9102/vm-9102-disk-2.raw,mp=/hot,size=512M", "9102 has unused0: rooms:9102/vm-9102-disk-1.raw"},
	"deleted while it runs": {"PUT /lxc/9102/config?mp0=rooms:0.25,mp=/hot&tags=b%3Ba&description=x -> <nil>", "9102 has tags: a;b", "9102 has description: x",
		"PUT /lxc/9102/config?delete=mp0,tags,swap,description -> <nil>", "9102 has -mp0", "9102 lacks tags: a;b", "9102 lacks swap: 64",
		"POST /lxc/9102/status/stop -> OK", "POST /lxc/9102/status/start -> OK", "9102 has unused0: rooms:9102/vm-9102-disk-1.raw", "9102 lacks -mp0",
		"PUT /lxc/9102/config?delete=unused0 -> <nil>", "volumes of 9102 -> rooms:9102/vm-9102-disk-0.raw=1G"},
	"an unused volume comes back": {"PUT /lxc/9101/config?mp0=rooms:0.25,mp=/a -> <nil>", "PUT /lxc/9101/config?delete=mp0 -> <nil>",
		"PUT /lxc/9101/config?mp3=rooms:9101/vm-9101-disk-1.raw,mp=/b&delete=unused0 -> <nil>", "9101 has mp3: rooms:9101/vm-9101-disk-1.raw,mp=/b",
		"volumes of 9101 -> rooms:9101/vm-9101-disk-0.raw=1G rooms:9101/vm-9101-disk-1.raw=256M"},
	"nothing is kept of what fails": {"PUT /lxc/9101/config?cores=2&mp0=rooms:0.25,mp=/a&mp1=shelf:1,mp=/b -> 500 storage 'shelf' does not allow content type 'rootdir' (Container)",
		"9101 lacks cores: 2", "PUT /lxc/9101/config?cores=2&delete=cores -> 400 Parameter verification failed.", "volumes of 9101 -> rooms:9101/vm-9101-disk-0.raw=1G"},
	"kept": {"PUT /lxc/9101/config?protection=1 -> <nil>", "PUT /lxc/9101/config?mp0=rooms:1,mp=/a -> 500 can't update CT 9101 drive 'mp0' - protection mode enabled",
		"DELETE /lxc/9101 -> 500 can't remove CT 9101 - protection mode enabled", "PUT /lxc/9101/config?delete=protection,ostype -> 500 unable to delete required option 'ostype'",
		"PUT /lxc/9101/config?delete=unprivileged -> 500 unable to delete read-only option: 'unprivileged'", "9101 has protection: 1"},
	"resized": {"PUT /lxc/9101/resize?disk=rootfs&size=1G -> 500 disk is already at specified size", "PUT /lxc/9101/resize?disk=rootfs&size=%2b0.5G -> OK",
		"9101 has rootfs: rooms:9101/vm-9101-disk-0.raw,size=1536M", "PUT /lxc/9101/resize?disk=rootfs&size=2G&digest=x -> 500 detected modified configuration - file changed by other user? Try again."},
	"moved": {"POST /lxc/9101/move_volume?volume=rootfs -> 400 Parameter verification failed.", "POST /lxc/9102/move_volume?volume=rootfs&storage=pool -> 500 cannot move volumes of a running container",
		"POST /lxc/9101/move_volume?volume=rootfs&storage=shelf -> content type 'rootdir' is not available on storage 'shelf'", "9101 lacks lock: disk",
		"POST /lxc/9101/move_volume?volume=rootfs&storage=pool&delete=1 -> OK", "9101 has rootfs: pool:subvol-9101-disk-0,size=1G", "volumes of 9101 -> pool:subvol-9101-disk-0=1G"},
	"given away": {"PUT /lxc/9101/config?mp0=rooms:0.25,mp=/a -> <nil>", "POST /lxc/9101/move_volume?volume=mp0&target-vmid=9101 -> 400 Parameter verification failed.",
		"POST /lxc/9101/move_volume?volume=mp1&target-vmid=9102 -> 500 volume 'mp1' for container '9101' does not exist",
		"POST /lxc/9101/move_volume?volume=mp0&target-vmid=77777 -> 500 could not find CT 77777", "POST /lxc/9101/move_volume?volume=mp0&target-vmid=9102&target-volume=unused3 -> OK",
		"9102 has unused3: rooms:9102/vm-9102-disk-1.raw", "POST /lxc/9102/move_volume?volume=unused3&target-vmid=9101&target-volume=mp0 -> 500 Moving an unused volume to a used one is not possible"},
	"slow to shut down": {"POST /lxc/9103/status/shutdown?timeout=5 -> container did not stop", "POST /lxc/9103/status/stop -> OK", "POST /lxc/9103/status/stop -> 500 CT 9103 not running",
		"POST /lxc/9103/status/start -> OK", "POST /lxc/9103/status/shutdown?timeout=5&forceStop=1 -> OK", "POST /lxc/9103/status/suspend -> 500 CT 9103 not running",
		"POST /lxc/9103/status/start?skiplock=1 -> 400 Parameter verification failed."},
	"destroyed": {"PUT /lxc/9101/config?mp0=rooms:0.25,mp=/a -> <nil>", "PUT /lxc/9101/config?delete=mp0 -> <nil>", "DELETE /lxc/9101 -> OK", "volumes of 9101 -> ",
		"DELETE /lxc/9102 -> 500 unable to destroy CT 9102 - container is running", "DELETE /lxc/9102?force=1 -> OK", "POST /lxc/9102/status/start -> Configuration file 'nodes/NODE/lxc/9102.conf' does not exist"},
}

func TestContainers(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(ctCases)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, ctWorld())
				defer r.stop()
				r.check(ctCases[name])
			})
		})
	}
}

// TestRecordedContainers: where containers have no control groups, memory and mount points cannot be changed while they
// run, and nothing of the request is kept (07/072, 07/075).
func TestRecordedContainers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ctWorld()
		w.recorded = true
		r := newRig(t, w)
		defer r.stop()
		r.check([]string{"PUT /lxc/9102/config?memory=256&cores=2 -> 400 Parameter verification failed.", "9102 lacks cores: 2",
			"PUT /lxc/9102/config?mp0=rooms:0.25,mp=/a -> 400 Parameter verification failed.", "volumes of 9102 -> rooms:9102/vm-9102-disk-0.raw=1G"})
	})
}

// TestContainerRights: what an administrator of one container may do with it and what not.
func TestContainerRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ctWorld()
		w.AddUser("carl@pve", "")
		w.AddACL("/vms/9101", "user", "carl@pve", "PVEVMAdmin", true)
		r := newRig(t, w)
		defer r.stop()
		r.sim.Update(func(w *World) { r.token = w.AddToken("carl@pve", "t", "5f3ee4b1-0000-4000-8000-000000000001", false) })
		r.check([]string{"PUT /lxc/9101/config?memory=256&hostname=x&description=y&tags=z&features=nesting=1 -> <nil>",
			"PUT /lxc/9101/config?mp0=rooms:1,mp=/a -> 403 Permission check failed (/storage/rooms, Datastore.AllocateSpace)",
			"PUT /lxc/9101/config?net1=name=eth1,bridge=vmbr0 -> 403 Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)",
			"PUT /lxc/9101/config?features=nesting=1,keyctl=1 -> 403 Permission check failed (changing feature flags (except nesting) is only allowed for root@pam)",
			"PUT /lxc/9101/config?hookscript=shelf:snippets/x -> 403 Permission check failed (changing the hookscript is only allowed for root@pam)",
			"PUT /lxc/9101/config?delete=dev0 -> 403 Permission check failed (configuring device passthrough is only allowed for root@pam)",
			"PUT /lxc/9101/resize?disk=rootfs&size=2G -> 403 Permission check failed (/storage/rooms, Datastore.AllocateSpace)",
			"POST /lxc/9101/move_volume?volume=rootfs&storage=pool -> 403 Permission check failed (/storage/pool, Datastore.AllocateSpace)",
			"POST /lxc/9101/move_volume?volume=rootfs&target-vmid=9102 -> 403 Permission check failed (/vms/9102, VM.Config.Disk)",
			"POST /lxc/9102/status/start -> 403 Permission check failed (/vms/9102, VM.PowerMgmt)", "DELETE /lxc/9102 -> 403 Permission check failed (/vms/9102, VM.Allocate)",
			"POST /lxc?vmid=9110&ostemplate=shelf:vztmpl/mine.tar.gz&rootfs=rooms:1 -> 403 Permission check failed",
			"POST /lxc/9101/status/start -> OK", "DELETE /lxc/9101?force=1 -> OK"})
	})
}
