package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// act sends "METHOD /path?form" below the first node, waits for the task that it starts, and gives the status line of an
// error, or the task's exit and how long it took, or the data of an answer without a task.
func (r *rig) act(line string) string {
	r.t.Helper()
	method, rest, _ := strings.Cut(line, " ")
	path, form, _ := strings.Cut(rest, "?")
	got := r.form(method, "/nodes/"+r.sim.firstNode()+path, form)
	upid, _ := got.data.(string)
	if got.code != 200 || !strings.HasPrefix(upid, "UPID:") {
		if got.code == 200 {
			return fmt.Sprint(got.data)
		}
		return got.status
	}
	return r.exit(upid)
}

func (r *rig) exit(upid string) string {
	for range 1000 {
		status, _ := r.get("/nodes/" + r.sim.firstNode() + "/tasks/" + upid + "/status").data.(map[string]any)
		if status["status"] == "stopped" {
			return fmt.Sprint(status["exitstatus"])
		}
		time.Sleep(200 * time.Millisecond)
	}
	return "runs for ever"
}

// lifeWorld is a demo cluster with the VMs 9001 (an ordinary one with a disk), 9002 (its guest ignores ACPI) and 9003 (an
// agent is configured and dead).
func lifeWorld() *World {
	w := DemoWorld(time.Now())
	n := w.Nodes[0]
	n.Info["network"] = []any{Object{"iface": "vmbr0", "type": "bridge"}}
	n.Storage = append(n.Storage, Object{"storage": "disks", "type": "dir", "active": 1, "enabled": 1, "content": "images"})
	w.Storages = append(w.Storages, Object{"storage": "disks", "type": "dir", "path": "/disks", "content": "images"})
	for id, config := range map[int]Object{
		9001: {"name": "one", "net0": "virtio=AA:BB:CC:00:00:01,bridge=vmbr0", "scsi0": "disks:9001/vm-9001-disk-0.qcow2,size=1G"},
		9002: {"name": "two"},
		9003: {"name": "three", "agent": "1"},
	} {
		w.AddGuest(&Guest{VMID: id, Type: typeQEMU, Node: n.Name, Config: config})
	}
	w.Guest(9002).Behaviour.IgnoresACPI = true
	w.Guest(9003).Behaviour.IgnoresACPI = true
	_, _ = w.addVolume(n, "disks", volumeSpec{vmid: 9001, kind: contentImages, format: "qcow2", size: 1 << 30})
	return w
}

// TestPower: what becomes of each action in each state; lines before " -> " of one case follow each other.
func TestPower(t *testing.T) {
	const one, two, three = "POST /qemu/9001/status/", "POST /qemu/9002/status/", "POST /qemu/9003/status/"
	for _, tt := range []struct {
		name  string
		steps []string // request -> outcome
	}{
		{"an ordinary guest shuts down", []string{one + "start -> OK", one + "shutdown -> OK", one + "shutdown -> OK",
			one + "reboot -> 500 VM 9001 not running"}},
		{"a deaf guest", []string{two + "start -> OK", two + "shutdown?timeout=5 -> VM quit/powerdown failed - got timeout",
			two + "shutdown?timeout=5&forceStop=1 -> OK", two + "reset -> 500 VM 9002 not running"}},
		{"a dead agent", []string{three + "start -> OK", three + "shutdown?timeout=5 -> VM quit/powerdown failed - got timeout"}},
		{"paused", []string{one + "start -> OK", one + "suspend -> OK", one + "shutdown -> 500 VM is paused - cannot shutdown",
			one + "reboot -> 500 VM is paused - cannot shutdown", one + "resume -> OK", one + "shutdown -> OK"}},
		{"paused, by force", []string{one + "start -> OK", one + "suspend -> OK", one + "shutdown?forceStop=1 -> OK", one + "suspend -> 500 VM 9001 not running"}},
		{"on disk", []string{one + "start -> OK", one + "suspend?todisk=1 -> OK", one + "suspend -> 500 VM 9001 not running",
			one + "resume -> OK", one + "start -> VM 9001 already running"}},
		{"destroyed on disk", []string{one + "start -> OK", one + "suspend?todisk=1 -> OK", "DELETE /qemu/9001 -> OK", "GET /storage/disks/content -> []"}},
		{"nothing there", []string{"POST /qemu/77777/status/start -> Configuration file 'nodes/%s/qemu-server/77777.conf' does not exist",
			"POST /qemu/77777/status/stop -> unable to find configuration file for VM 77777 on node '%s'",
			"POST /qemu/77777/status/resume -> 500 unable to find configuration file for VM 77777 on node '%s'"}},
		{"for root alone", []string{one + "start?skiplock=1 -> 400 Parameter verification failed.", one + "stop?keepActive=1 -> 400 Parameter verification failed.",
			one + "stop?skiplock=0 -> OK"}},
		{"monitor", []string{"POST /qemu/9001/monitor?command=info+status -> ERROR: VM 9001 not running\n", one + "start -> OK",
			"POST /qemu/9001/monitor?command=info+status -> VM status: running\r\n", "POST /qemu/9001/monitor?command=device_del+x -> 403 Permission check failed (user != root@pam)",
			"POST /qemu/9001/monitor?command=stop -> ", "POST /qemu/9001/monitor?command=info+status -> VM status: paused\r\n"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, lifeWorld())
				defer r.stop()
				for _, step := range tt.steps {
					request, want, _ := strings.Cut(strings.ReplaceAll(step, "%s", r.sim.firstNode()), " -> ")
					if got := r.act(request); got != want {
						t.Errorf("%s: got %q, want %q", request, got, want)
					}
				}
			})
		})
	}
}

// TestStartFails: what QEMU cannot be started with.
func TestStartFails(t *testing.T) {
	for _, tt := range []struct{ key, value, want string }{
		{"cores", "9999", "MAX"},
		{"net0", "virtio=AA:BB:CC:00:00:01,bridge=nope", "bridge 'nope' does not exist"},
		{"net0", "e1000=AA:BB:CC:00:00:01,bridge=nope", "start failed: QEMU exited with code 1"},
		{"net1", "virtio=AA:BB:CC:00:00:02", "WARNINGS: 1"},
		{"scsi1", "nowhere:1/vm-1-disk-0.raw,size=1G", "storage 'nowhere' does not exist"},
		{"ide2", "disks:iso/gone.iso,media=cdrom", "volume 'disks:iso/gone.iso' does not exist"},
		{"ide2", "none,media=cdrom", "OK"},
		{"lock", "backup", "VM is locked (backup)"},
		{"template", "1", "you can't start a vm if it's a template"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := lifeWorld()
			w.SetConfig(9001, tt.key, tt.value)
			r := newRig(t, w)
			defer r.stop()
			if got := r.act("POST /qemu/9001/status/start"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s=%s: %q, want %q", tt.key, tt.value, got, tt.want)
			}
		})
	}
}

// TestReboot: the guest is shut down by the task and started again by another one; a stop in between wins.
func TestReboot(t *testing.T) {
	for _, stopped := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lifeWorld())
			defer r.stop()
			r.act("POST /qemu/9001/status/start")
			if got := r.act("POST /qemu/9001/status/reboot"); got != "OK" {
				t.Fatal(got)
			}
			if stopped {
				r.act("POST /qemu/9001/status/stop")
			}
			time.Sleep(time.Minute)
			r.sim.Update(func(w *World) {
				if got := w.Guest(9001).Live.Running; got == stopped {
					t.Errorf("stopped in between %v: running %v", stopped, got)
				}
			})
		})
	}
}

// TestStopAfterReboot: whenever a stop comes after a reboot, the VM is off afterwards and can be started.
func TestStopAfterReboot(t *testing.T) {
	for ms := 0; ms <= 800; ms += 10 {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lifeWorld())
			defer r.stop()
			r.act("POST /qemu/9001/status/start")
			r.act("POST /qemu/9001/status/reboot")
			time.Sleep(time.Duration(ms) * time.Millisecond)
			for _, verb := range []string{"stop", "start"} {
				if got := r.act("POST /qemu/9001/status/" + verb); got != "OK" {
					t.Errorf("%d ms after the reboot: %s: %s", ms, verb, got)
				}
			}
		})
	}
}

// TestOverrule: a stop waits for the lock that a shutdown holds, unless it ends the shutdown.
func TestOverrule(t *testing.T) {
	for _, tt := range []struct{ form, stop, shutdown string }{
		{"", "can't lock file '/var/lock/qemu-server/lock-9002.conf' - got timeout", "VM quit/powerdown failed - got timeout"},
		{"?overrule-shutdown=1", "OK", "received interrupt"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, lifeWorld())
			defer r.stop()
			r.act("POST /qemu/9002/status/start")
			upid, _ := r.do("POST", "/nodes/"+r.sim.firstNode()+"/qemu/9002/status/shutdown", strings.NewReader("timeout=30")).data.(string)
			time.Sleep(time.Second)
			if got := r.act("POST /qemu/9002/status/stop" + tt.form); got != tt.stop {
				t.Errorf("stop%s: %q", tt.form, got)
			}
			if got := r.exit(upid); got != tt.shutdown {
				t.Errorf("shutdown with stop%s: %q", tt.form, got)
			}
		})
	}
}

// TestDestroy: what a destroy removes, and what it leaves.
func TestDestroy(t *testing.T) {
	build := func() *World {
		w := lifeWorld()
		n := w.Nodes[0]
		_, _ = w.addVolume(n, "disks", volumeSpec{vmid: 9001, kind: contentImages, format: "raw", size: 1 << 20}) // no drive names it
		w.AddACL("/vms/9001", "user", "x@pve", "PVEVMUser", true)
		w.Cluster.Lists["backup_jobs"] = []Object{{"id": "only", "vmid": "9001"}, {"id": "both", "vmid": "9001,9002"}, {"id": "all", "all": 1}}
		return w
	}
	for _, tt := range []struct {
		form    string
		volumes int
		jobs    string
	}{
		{"", 1, "9001|9001,9002|"},
		{"?purge=1", 1, "9002|"},
		{"?destroy-unreferenced-disks=1", 0, "9001|9001,9002|"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, build())
			defer r.stop()
			if got := r.act("DELETE /qemu/9001" + tt.form); got != "OK" {
				t.Fatal(got)
			}
			r.sim.Update(func(w *World) {
				var jobs []string
				for _, j := range w.Cluster.Lists["backup_jobs"] {
					jobs = append(jobs, text(j["vmid"]))
				}
				got := []any{len(w.Nodes[0].guestVolumes(9001)), strings.Join(jobs, "|"), w.Guest(9001) == nil, len(w.Access.ACL) > 0 && w.Access.ACL[len(w.Access.ACL)-1]["path"] == "/vms/9001"}
				if diff := cmp.Diff([]any{tt.volumes, tt.jobs, true, false}, got); diff != "" {
					t.Errorf("DELETE%s:\n%s", tt.form, diff)
				}
			})
		})
	}
}

// TestDestroyRefused: what keeps a VM from being destroyed.
func TestDestroyRefused(t *testing.T) {
	for _, tt := range []struct {
		prepare    func(*World)
		form, want string
	}{
		{func(w *World) { w.SetConfig(9001, "protection", 1) }, "?purge=1", "500 can't remove VM 9001 - protection mode enabled"},
		{func(w *World) { w.SetStatus(9001, "running") }, "", "500 VM 9001 is running - destroy failed"},
		{func(w *World) { w.SetConfig(9001, "lock", "clone") }, "", "VM is locked (clone)"},
		{func(w *World) { w.manage(w.Guest(9001), false) }, "", "500 unable to remove VM 9001 - used in HA resources and purge parameter not set."},
		{func(w *World) { w.manage(w.Guest(9001), false) }, "?purge=1", "OK"},
		{func(w *World) { w.Cluster.Lists["replication"] = []Object{{"id": "9001-0", "guest": 9001}} }, "",
			"500 There is a replication job '9001-0' for guest '9001' - please remove that first."},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := lifeWorld()
			tt.prepare(w)
			r := newRig(t, w)
			defer r.stop()
			if got := r.act("DELETE /qemu/9001" + tt.form); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
