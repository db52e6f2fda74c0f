package pvesim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// send makes a request anywhere below /api2/json ("PUT /path?key=value") and gives its data or its error with all details.
func (r *rig) send(line string) string {
	r.t.Helper()
	method, rest, _ := strings.Cut(line, " ")
	path, form, _ := strings.Cut(rest, "?")
	got := r.form(method, path, form)
	if got.code == 200 {
		return fmt.Sprint(got.data)
	}
	return got.status + " " + got.body
}

// walk goes through steps: "wait 20s", a method of steps' own world ("off pve2"), or a request with a text of its answer
// behind " -> "; with "!> " the text must not be in it.
func (r *rig) walk(steps []string) {
	r.t.Helper()
	for _, step := range steps {
		what, arg, _ := strings.Cut(step, " ")
		switch what {
		case "wait":
			d, err := time.ParseDuration(arg)
			if err != nil {
				r.t.Fatal(err)
			}
			time.Sleep(d)
			continue
		case "on", "off":
			r.sim.Update(func(w *World) { w.SetNodeOnline(arg, what == "on") })
			continue
		case "crash":
			r.sim.Update(func(w *World) { w.SetStatus(9001, "stopped") })
			continue
		case "break": // the guest cannot start on any node any more
			r.sim.Update(func(w *World) { w.SetConfig(9001, "net0", "virtio,bridge=nowhere") })
			continue
		}
		request, want, wanted := strings.Cut(step, " -> ")
		if !wanted {
			request, want, _ = strings.Cut(step, " !> ")
		}
		if got := r.send(request); strings.Contains(got, want) != wanted {
			r.t.Errorf("%s: got %s", step, got)
		}
	}
}

// haWorld is lifeWorld with three nodes that are on and storage that all of them have: 9001 and the container 9101 have
// their disks there, 9002 is without one and 9003 has one on its node alone.
func haWorld() *World {
	w := lifeWorld()
	w.SetNodeOnline("pve3", true)
	for _, list := range append([]string{"ha_resources", "ha_rules"}, sdnLists...) {
		w.Cluster.Lists[list] = nil
	}
	w.ApplySDN()
	w.Storages = append(w.Storages, Object{"storage": "san", "type": "nfs", "content": "images,rootdir", "shared": 1})
	for _, n := range w.Nodes {
		n.Info["network"] = []any{Object{"iface": "vmbr0", "type": "bridge"}}
		n.Storage = append(n.Storage, Object{"storage": "san", "type": "nfs", "active": 1, "enabled": 1, "shared": 1, "content": "images,rootdir"})
	}
	first := w.Nodes[0]
	_, _ = w.addVolume(first, "san", volumeSpec{vmid: 9001, kind: contentImages, format: "raw", size: 1 << 30})
	_, _ = w.addVolume(first, "san", volumeSpec{vmid: 9101, kind: contentRootDir, format: "raw", size: 1 << 30})
	_, _ = w.addVolume(first, "disks", volumeSpec{vmid: 9003, kind: contentImages, format: "raw", size: 1 << 30})
	w.SetConfig(9001, "scsi0", "san:9001/vm-9001-disk-0.raw,size=1G")
	w.SetConfig(9003, "scsi0", "disks:9003/vm-9003-disk-0.raw,size=1G")
	w.AddGuest(&Guest{VMID: 9101, Type: typeLXC, Node: first.Name, Config: Object{"hostname": "ct", "rootfs": "san:9101/vm-9101-disk-0.raw,size=1G",
		"net0": "name=eth0,bridge=vmbr0"}})
	w.Nodes = []*Node{w.Nodes[2], w.Nodes[0], w.Nodes[1]} // pve3 is asked, so that the others can go
	return w
}

// TestHAManager: what the manager does, step by step in virtual time.
func TestHAManager(t *testing.T) {
	const (
		ha     = "/cluster/ha/resources"
		add    = "POST " + ha + "?sid=vm:9001 -> <nil>"
		status = "GET /cluster/ha/status/current"
		on1    = "GET /nodes/pve1/qemu/9001/status/current"
		on2    = "GET /nodes/pve2/qemu/9001/status/current"
	)
	up := []string{add, status + " -> vm:9001 (pve1, queued)", "wait 25s", status + " -> vm:9001 (pve1, started)", on1 + " -> status:running"}
	for name, steps := range map[string][]string{
		"a new service is started": append(up, status+" -> pve1 (active, ", status+" -> pve2 (idle, ", status+" -> armed (CRM watchdog active)"),
		"a crashed one as well":    append(up, "crash", status+" -> (pve1, starting)", "wait 15s", on1+" -> status:running"),
		"stop is done by the manager": append(up, "POST /nodes/pve1/qemu/9001/status/stop -> hastop", on1+" -> status:running", "wait 25s", on1+" -> status:stopped",
			"GET "+ha+"/vm:9001 -> state:stopped", "POST /nodes/pve1/qemu/9001/status/start -> hastart", "wait 30s", on1+" -> status:running"),
		"late": append(up, "fault F26:by=60s", "POST /nodes/pve1/qemu/9001/status/stop -> hastop", "wait 50s", on1+" -> status:running", "wait 40s",
			on1+" -> status:stopped"),
		"never": append(up, "fault F26:never=1", "POST /nodes/pve1/qemu/9001/status/stop -> hastop", "wait 5h", on1+" -> status:running"),
		"migrated": append(up, "POST "+ha+"/vm:9001/migrate?node=pve2 -> requested-node:pve2", on1+" -> running", "wait 12s", status+" -> vm:9001 (pve1, migrate)",
			"wait 20s", on2+" -> uptime:26", status+" -> vm:9001 (pve2, started)"),
		"relocated": append(up, "POST "+ha+"/vm:9001/relocate?node=pve2 -> sid:vm:9001", "wait 60s", on2+" -> uptime:34"),
		"moves nowhere": append(up, "POST "+ha+"/vm:9001/migrate?node=pve9 -> 500 no such cluster node 'pve9'",
			"POST "+ha+"/vm:1/migrate?node=pve2 -> 500 cannot migrate service 'vm:1', not HA managed!"),
		"with its node gone": append(up, "off pve1", "wait 30s", status+" -> vm:9001 (pve1, started)", status+" -> pve1 (active, ", "wait 40s",
			status+" -> vm:9001 (pve1, fence)", status+" -> pve1 (old timestamp - dead?", "GET /cluster/ha/status/manager_status -> pve1:fence", "wait 90s",
			status+" -> vm:9001 (pve2, started)", on2+" -> status:running", "GET /cluster/ha/status/manager_status -> pve1:unknown", "on pve1", "wait 20s",
			on2+" -> status:running"),
		"local disks": {"POST " + ha + "?sid=9003 -> <nil>", "wait 20s", status + " -> vm:9003 (pve1, started)", "off pve1", "wait 140s",
			status + " -> vm:9003 (pve2, starting)", "wait 60s", status + " -> vm:9003 (pve2, error)", "POST " + ha + "/vm:9003/migrate?node=pve2 -> in error state",
			"PUT " + ha + "/vm:9003?state=started -> in error state, must be disabled and fixed first", "PUT " + ha + "/vm:9003?state=disabled -> <nil>",
			status + " -> clearing error flag", "wait 20s", status + " -> (pve2, disabled)"},
		"cannot start": append(up, "break", "crash", "wait 40s", status+" -> (pve2, starting)", "wait 40s", status+" -> vm:9001 (pve2, error)",
			"GET /cluster/resources -> hastate:error"),
		"a container": {"POST " + ha + "?sid=ct:9101&max_restart=0 -> <nil>", "wait 30s", "GET /nodes/pve1/lxc/9101/status/current -> running",
			"POST " + ha + "/ct:9101/migrate?node=pve3 -> ct:9101", "wait 60s", "GET /nodes/pve3/lxc/9101/status/current -> running"},
		"affinity": append(up, "POST /cluster/ha/rules?rule=r1&type=node-affinity&resources=vm:9001&nodes=pve2:2,pve3:1&strict=1 -> <nil>", "wait 40s",
			on2+" -> running", "off pve2", "wait 160s", status+" -> vm:9001 (pve3, started)", "on pve2", "wait 40s", status+" -> vm:9001 (pve2, started)"),
		"apart": append(up, "POST "+ha+"?sid=ct:9101 -> <nil>", "POST /cluster/ha/rules?rule=r1&type=resource-affinity&affinity=negative&resources=vm:9001,ct:9101 -> <nil>",
			"POST "+ha+"/ct:9101/migrate?node=pve2 -> requested-node", "wait 60s", "POST "+ha+"/vm:9001/migrate?node=pve2 -> blocking-resources:[map[cause:resource-affinity sid:ct:9101]]"),
		"nobody to decide": append(up, "quorum", "crash", "wait 60s", on1+" -> status:stopped"),
		"left alone":       append(up, "PUT "+ha+"/vm:9001?state=ignored -> <nil>", "wait 20s", "crash", "wait 60s", on1+" -> status:stopped", on1+" -> ha:map[managed:0]"),
		"off and forgotten": append(up, "PUT "+ha+"/vm:9001?state=stopped -> <nil>", "wait 30s", status+" -> (pve1, stopped)", "DELETE "+ha+"/vm:9001 -> <nil>",
			"wait 20s", status+" !> vm:9001"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, haWorld())
				defer r.stop()
				for step := range slices.Values(steps) {
					switch what, arg, _ := strings.Cut(step, " "); what {
					case "fault":
						r.sim.AddFault(parsed(t, arg))
					case "quorum":
						r.sim.AddFault(NoQuorum())
					default:
						r.walk([]string{step})
					}
				}
			})
		})
	}
}

// TestHARefusals: what is refused, and how rules are kept in order.
func TestHARefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, haWorld())
		defer r.stop()
		r.walk([]string{
			"POST /cluster/ha/resources?sid=9001&type=ct -> types does not match", "POST /cluster/ha/resources?sid=9001&comment=x -> <nil>",
			"PUT /cluster/ha/resources/vm:9001?digest=00 -> update resource failed: detected modified configuration",
			"PUT /cluster/ha/resources/vm:9002?state=stopped -> update resource failed: no such resource 'vm:9002'",
			"PUT /cluster/ha/resources/vm:9001?delete=sid -> no such option 'sid'",
			"POST /cluster/ha/rules?rule=aa&type=node-affinity&resources=vm:9002&nodes=pve1 -> cannot use unmanaged resource(s) vm:9002.",
			"POST /cluster/ha/rules?rule=aa&type=node-affinity&resources=vm:9001&nodes=pve7 -> no such cluster node 'pve7'",
			"POST /cluster/ha/rules?rule=aa&type=node-affinity&resources=vm:9001&nodes=pve2,pve1 -> <nil>", "GET /cluster/ha/rules/aa -> nodes:pve1,pve2",
			"POST /cluster/ha/rules?rule=bb&type=node-affinity&resources=vm:9001&nodes=pve2 -> 400 Rule 'bb' is invalid.",
			"PUT /cluster/ha/rules/aa?type=node-affinity&strict=1&delete=comment -> <nil>", "GET /cluster/ha/rules/aa -> strict:1",
			"DELETE /cluster/ha/resources/vm:9001 -> <nil>", "GET /cluster/ha/rules -> []",
		})
	})
}

// TestHAAtRest: a cluster whose services run costs nothing while a day goes by.
func TestHAAtRest(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	w := DemoWorld(now)
	w.Cluster.Lists["backup_jobs"], w.Cluster.Lists[replications] = nil, nil
	s := New(w, WithClock(func() time.Time { return now }))
	for range 3 {
		now = now.Add(24 * time.Hour)
		before := s.world.eventSeq
		s.Update(func(*World) {})
		if planned := s.world.eventSeq - before; planned > 2 {
			t.Errorf("a day had %d events", planned)
		}
	}
}
