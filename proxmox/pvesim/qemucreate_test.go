package pvesim

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDefaultBoot: the first disk, then the first CD drive, then the first network device.
func TestDefaultBoot(t *testing.T) {
	for _, tt := range []struct {
		keys string
		want string
	}{
		{"", " "}, {"net1 net3", "order=net1"}, {"sata0 scsi1 net0", "order=scsi1;net0"}, {"ide2=cd scsi0 net0", "order=scsi0;ide2;net0"},
		{"virtio0 ide0", "order=ide0"}, {"efidisk0 tpmstate0", " "},
	} {
		config := Object{}
		for word := range strings.FieldsSeq(tt.keys) {
			key, cd, _ := strings.Cut(word, "=")
			if config[key] = "local:1/vm-1-disk-0.raw"; cd != "" {
				config[key] = "none,media=cdrom"
			}
		}
		if got := defaultBoot(config); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.keys, got, tt.want)
		}
	}
}

// TestCreateDiesClean: a create that is ended half-way leaves nothing.
func TestCreateDiesClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, lifeWorld())
		defer r.stop()
		got := r.form("POST", "/nodes/"+r.sim.firstNode()+"/qemu", "vmid=9100&scsi0=disks:1")
		upid, _ := got.data.(string)
		time.Sleep(createTime) // it began after forkTime and is at work
		r.sim.Update(func(w *World) {
			n := w.Nodes[0]
			if w.Guest(9100) == nil || text(w.Guest(9100).Config["lock"]) != "create" || len(n.guestVolumes(9100)) != 1 {
				t.Error("the create is not at work", got.status)
			}
			w.abort(n.task(upid))
			if exit := n.task(upid).Exit; w.Guest(9100) != nil || len(n.guestVolumes(9100)) > 0 || exit != "unable to create VM 9100 - received interrupt" {
				t.Errorf("something is left, or %q", exit)
			}
		})
	})
}

// TestCreateRights: what somebody who may make VMs in a pool alone is refused, in the order of the real one.
func TestCreateRights(t *testing.T) {
	for _, tt := range []struct{ form, want string }{
		{"vmid=9100", "403 Permission check failed"},
		{"vmid=9001", "403 Permission check failed"}, // rights come before the look whether it is there
		{"vmid=9100&pool=nowhere", "403 Permission check failed (pool 'nowhere' does not exist)"},
		{"vmid=9001&pool=p", "500 unable to create VM 9001 - VM 9001 already exists on node '%s'"},
		{"vmid=9100&pool=p&memory=32&name=x", "OK"},
		{"vmid=9100&pool=p&scsi0=disks:1", "403 Permission check failed (/storage/disks, Datastore.AllocateSpace)"},
		{"vmid=9100&pool=p&cores=1", "403 Permission check failed (/vms/9100, VM.Config.CPU)"},
		{"vmid=9100&pool=p&args=-x", "500 only root can set 'args' config"},
		{"vmid=9100&pool=p&serial0=/dev/ttyS0", "500 only root can set 'serial0' config for real devices"},
		{"vmid=9100&pool=p&net0=virtio,bridge=vmbr0", "403 Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"},
		{"vmid=9100&pool=p&ha-managed=1", "403 Permission check failed (/, Sys.Console)"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := lifeWorld()
			w.Pools = append(w.Pools, &Pool{ID: "p"})
			w.Access.Roles = append(w.Access.Roles, Object{"roleid": "Some", "privs": "VM.Allocate,VM.Config.Memory,VM.Config.Options,VM.Config.HWType,VM.Config.Network,VM.Audit"})
			w.AddUser("u@pve", "")
			w.AddACL("/pool/p", "user", "u@pve", "Some", true)
			token := w.AddToken("u@pve", "t", "5e2d3b6a-0000-4000-8000-000000000001", false)
			r := newRig(t, w)
			defer r.stop()
			r.token = token
			got := r.act("POST /qemu?" + tt.form)
			if want := strings.ReplaceAll(tt.want, "%s", r.sim.firstNode()); got != want {
				t.Errorf("%s: got %q, want %q", tt.form, got, want)
			}
		})
	}
}

// TestNextID: the datacenter may bound the search for a free vmid.
func TestNextID(t *testing.T) {
	for _, tt := range []struct {
		option any
		want   string
	}{
		{nil, "100"}, {"lower=9001", "9004"}, {Object{"lower": 9002, "upper": 9004}, "500 unable to get any free VMID in range [9002, 9004]"},
	} {
		w := lifeWorld()
		w.RemoveGuest(100)
		if w.Cluster.Options = clone(w.Cluster.Options); tt.option != nil {
			w.Cluster.Options["next-id"] = tt.option
		}
		r := newRig(t, w)
		got := r.get("/cluster/nextid")
		if have, _ := got.data.(string); have != tt.want && got.status != tt.want {
			t.Errorf("%v: %q %q, want %q", tt.option, got.status, have, tt.want)
		}
		r.stop()
	}
}
