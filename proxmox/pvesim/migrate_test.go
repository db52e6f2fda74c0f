package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// migrationWorld is volumesWorld with guests that can and cannot move between pve1 and pve2; pve3 is off.
func migrationWorld() *World {
	w := volumesWorld()
	for vmid, config := range map[int]Object{
		7010: {"hostpci0": "0000:01:00.0", "serial0": "socket"},
		7011: {"usb0": "mapping=stick", "memory": "64"},
		7012: {"ide2": "files:iso/x.iso,media=cdrom"},
		7013: {"net0": "virtio=AA:BB:CC:00:00:03,bridge=vmbr7"},
		7014: {"cpu": "Skylake-Client"},
	} {
		w.testGuest(typeQEMU, vmid, "scsi0", "nas", "qcow2", config)
	}
	w.Cluster.Lists["mapping_usb"] = []Object{{"id": "stick", "map": []any{"node=pve1,id=1234:5678"}}}
	w.testGuest(typeLXC, 7110, "rootfs", "nas", "raw", Object{"hostname": "shared"})
	network, _ := objects(w.Nodes[0].Info["network"])
	w.Nodes[0].Info["network"] = anyList(append(network, Object{"iface": "vmbr7", "type": "bridge"}))
	for _, vmid := range []int{7005, 7013, 7014, 7110} {
		w.SetStatus(vmid, "running")
	}
	return w
}

// TestMigrations: what moves, what stays, and what is refused at once or in the task. The outcome of a task that was begun
// is its exit status.
func TestMigrations(t *testing.T) {
	const ab, problems, need = "migration aborted", "migration problems", "400 Parameter verification failed."
	for name, steps := range map[string][]string{
		"offline, with its disk": {"POST /qemu/7001/migrate?target=pve2 -> OK", "= 7001 home -> pve2 pve2/files:7001/vm-7001-disk-0.qcow2", "= 7001 lock -> ",
			"GET /qemu/7001/config -> 500 Configuration file 'nodes/pve1/qemu-server/7001.conf' does not exist"},
		"to another storage": {"POST /qemu/7003/migrate?target=pve2&targetstorage=local-lvm -> OK", "= 7003 home -> pve2 pve2/local-lvm:vm-7003-disk-0",
			"= 7003 scsi0 -> local-lvm:vm-7003-disk-0,size=1G"},
		"between types of storages": {"POST /qemu/7001/migrate?target=pve2&targetstorage=files:thin -> " + ab, "= 7001 home -> pve1 pve1/files:7001/vm-7001-disk-0.qcow2",
			"= 7001 lock -> "},
		"a shared disk stays": {"POST /qemu/7005/migrate?target=pve2 -> 500 can't migrate running VM without --online", "POST /qemu/7005/migrate?target=pve2&online=1 -> OK",
			"= 7005 home -> pve2 pve1/nas:7005/vm-7005-disk-0.qcow2 pve2/nas:7005/vm-7005-disk-0.qcow2", "= 7005 status -> running"},
		"local disks of a VM that runs": {"POST /qemu/7006/migrate?target=pve2&online=1 -> " + ab, "= 7006 lock -> ", "= 7006 status -> running",
			"POST /qemu/7006/migrate?target=pve2&online=1&with-local-disks=1&targetstorage=thin -> OK", "= 7006 home -> pve2 pve2/thin:vm-7006-disk-0"},
		"snapshots go with qcow2 and ZFS only": {"POST /qemu/7001/snapshot?snapname=s1 -> OK", "POST /qemu/7001/migrate?target=pve2 -> OK",
			"POST /qemu/7003/snapshot?snapname=s1 -> OK", "POST /qemu/7003/migrate?target=pve2 -> " + ab, "= 7003 home -> pve1 pve1/thin:vm-7003-disk-0"},
		"templates and their clones": {"POST /qemu/7004/clone?newid=8001 -> OK", "POST /qemu/7004/migrate?target=pve2 -> " + ab, "POST /qemu/8001/migrate?target=pve2 -> " + ab,
			"DELETE /qemu/8001 -> OK", "POST /qemu/7004/migrate?target=pve2 -> OK",
			"= 7004 home -> pve2 pve2/files:7004/base-7004-disk-0.raw pve2/files:7004/vm-7004-cloudinit.qcow2"},
		"targets": {"POST /qemu/7001/migrate?target=pve1 -> " + need, "POST /qemu/7001/migrate?target=pve9 -> 500 no such cluster node 'pve9'",
			"POST /qemu/7001/migrate?target=pve3 -> " + ab,
			"POST /qemu/7001/migrate?target=pve2&targetstorage=off -> 500 storage 'off' is disabled",
			"POST /qemu/7001/migrate?target=pve2&targetstorage=a1,b1 -> " + need, "POST /qemu/9999/migrate?target=pve2 -> 500 Configuration file 'nodes/pve1/qemu-server/9999.conf' does not exist"},
		"devices": {"POST /qemu/7010/migrate?target=pve2 -> " + ab, "POST /qemu/7011/migrate?target=pve2 -> " + ab, "POST /qemu/7012/migrate?target=pve2 -> 500 files:iso/x.iso: content type 'iso' is not available on storage 'files'",
			"POST /qemu/7013/migrate?target=pve2&online=1 -> " + problems, "= 7013 home -> pve1 pve1/nas:7013/vm-7013-disk-0.qcow2 pve2/nas:7013/vm-7013-disk-0.qcow2",
			"= 7013 status -> running", "= 7013 lock -> ", "POST /qemu/7014/migrate?target=pve2&online=1 -> OK"},
		"containers": {"POST /lxc/7100/migrate?target=pve2 -> OK", "= 7100 home -> pve2 pve2/zfs:subvol-7100-disk-0",
			"POST /lxc/7103/migrate?target=pve2 -> 500 can't migrate running container without --online or --restart", "POST /lxc/7103/migrate?target=pve2&online=1 -> " + ab,
			"POST /lxc/7103/migrate?target=pve2&restart=1 -> OK", "= 7103 home -> pve2 pve2/zfs:subvol-7103-disk-0", "= 7103 status -> running",
			"POST /lxc/7102/migrate?target=pve2 -> " + ab, "POST /lxc/7110/migrate?target=pve2&restart=1 -> OK", "= 7110 status -> running",
			"POST /lxc/7100/migrate?target=pve2 -> 500 Configuration file 'nodes/pve1/lxc/7100.conf' does not exist"},
		"containers to another storage": {"POST /lxc/7110/migrate?target=pve2&restart=1&target-storage=thin -> OK", "= 7110 rootfs -> nas:7110/vm-7110-disk-0.raw,size=1G",
			"POST /lxc/7100/migrate?target=pve2&target-storage=thin -> " + ab, "= 7100 lock -> "},
	} {
		t.Run(name, func(t *testing.T) { follow(t, migrationWorld(), steps...) })
	}
}

// TestMigrationLog: the log tells what happens, and a process that went on elsewhere is a new one.
func TestMigrationLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, migrationWorld())
		defer r.stop()
		pid := r.sim.world.Guest(7006).Live.PID
		r.sim.Update(func(w *World) { w.Guest(7006).Live.NetIn = 99 })
		if got := r.act("POST /qemu/7006/migrate?target=pve2&online=1&with-local-disks=1"); got != "OK" {
			t.Fatal(got, r.sim.world.Nodes[0].Tasks[0].Log)
		}
		r.sim.Update(func(w *World) {
			log := strings.Join(w.Nodes[0].Tasks[0].Log, "\n")
			for _, want := range []string{" starting migration of VM 7006 to node 'pve2' (192.168.1.12)", " found local disk 'files:7006/vm-7006-disk-0.qcow2' (attached)",
				" starting VM 7006 on remote node 'pve2'", " scsi0: start migration to nbd:unix:", " migration status: completed", "drive-scsi0: mirror-job finished",
				" migration finished successfully (duration 00:00:0", "\nTASK OK"} {
				if !strings.Contains(log, want) {
					t.Errorf("%q is not in\n%s", want, log)
				}
			}
			live := w.Guest(7006).Live
			if live.PID == pid || live.NetIn != 0 || w.Now().Sub(live.Since) > time.Minute {
				t.Errorf("%+v", live)
			}
			if task := w.Nodes[1].Tasks[0]; task.Type != "qmstart" || task.Exit != "OK" || task.User != rootUser {
				t.Errorf("the task on the target: %+v", task)
			}
		})
	})
}

// TestMigrationMeanwhile: while a guest moves it is locked, its lock file is held, and it is where it was; an interrupted
// migration leaves it there.
func TestMigrationMeanwhile(t *testing.T) {
	for _, tt := range []struct {
		path  string
		after time.Duration
		want  string
		said  string
	}{
		{"/qemu/7001/migrate?target=pve2&bwlimit=1024", 10 * time.Second, "migration aborted", "aborting phase 1 - cleanup resources"},
		{"/qemu/7006/migrate?target=pve2&online=1&with-local-disks=1&bwlimit=1024", 20 * time.Second, "migration problems", "ERROR: online migrate failure - interrupted by signal"},
		{"/lxc/7103/migrate?target=pve2&restart=1&bwlimit=1024", 10 * time.Second, "migration aborted", "start container on source node"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, migrationWorld())
			defer r.stop()
			path, query, _ := strings.Cut(tt.path, "?")
			id := strings.Split(path, "/")[2]
			before := r.look(id+" home") + r.look(id+" status")
			upid := text(r.form("POST", "/nodes/pve1"+path, query).data)
			time.Sleep(tt.after)
			if got := r.look(id + " lock"); got != "migrate" {
				t.Errorf("%s: lock %q", tt.path, got)
			}
			kind := strings.Split(path, "/")[1]
			if got := r.act(fmt.Sprintf("POST /%s/%s/migrate?target=pve2", kind, id)); kind == "qemu" && got != "500 VM is locked (migrate)" {
				t.Errorf("%s again: %s", tt.path, got)
			}
			r.sim.Update(func(w *World) {
				task := w.Nodes[0].task(upid)
				w.abort(task)
				if log := strings.Join(task.Log, "\n"); task.Exit != tt.want || !strings.Contains(log, tt.said) {
					t.Errorf("%s: %s\n%s", tt.path, task.Exit, log)
				}
			})
			if got := r.look(id+" home") + r.look(id+" status"); got != before || r.look(id+" lock") != "" {
				t.Errorf("%s: %q, before %q", tt.path, got, before)
			}
		})
	}
}

// TestMigrationHA: HA's guests are moved by HA, a little later.
func TestMigrationHA(t *testing.T) {
	w := migrationWorld()
	w.Cluster.Lists["ha_resources"] = []Object{{"sid": "vm:7005", "type": "vm", "state": "started"}}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, w)
		defer r.stop()
		if got := r.act("POST /qemu/7005/migrate?target=pve2&online=1"); got != "OK" || !strings.HasPrefix(r.look("7005 home"), "pve1") {
			t.Errorf("%s %s", got, r.look("7005 home"))
		}
		time.Sleep(time.Minute)
		if got := r.look("7005 home") + r.look("7005 status"); !strings.HasPrefix(got, "pve2") || !strings.HasSuffix(got, "running") {
			t.Error(got)
		}
	})
}

// TestMigrateAll: guests move one after the other, and those that cannot are told.
func TestMigrateAll(t *testing.T) {
	follow(t, migrationWorld(), "POST /migrateall?target=pve1 -> 400 Parameter verification failed.", "POST /migrateall?target=pve2&vms=7001,7005,7006,7010,7103 -> OK",
		"= 7001 home -> pve2 pve2/files:7001/vm-7001-disk-0.qcow2", "= 7005 status -> running", "= 7006 home -> pve1 pve1/files:7006/vm-7006-disk-0.qcow2",
		"= 7103 home -> pve2 pve2/zfs:subvol-7103-disk-0", "= 7103 status -> running", "POST /migrateall?target=pve2&vms=7006&with-local-disks=1 -> OK",
		"= 7006 home -> pve2 pve2/files:7006/vm-7006-disk-0.qcow2")
}
