package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// agents switches the guest agent of all VMs on, so that nothing is left to say of them.
func (w *world) agents() {
	for _, g := range w.guests {
		if g.typ == pve.Qemu {
			g.config["agent"] = "1"
		}
	}
}

func ssd(dev string, health, left string) pve.DiskRow {
	return pve.DiskRow{DevPath: pve.Text(dev), Model: "SSD 1", Type: "ssd", Health: pve.Text(health), Wearout: pve.Text(left)}
}

func hdd(dev string) pve.DiskRow {
	return pve.DiskRow{DevPath: pve.Text(dev), Model: "HDD 1", Type: "hdd", Health: "PASSED", Wearout: "N/A"}
}

// withHealth is a world of three nodes in which every check has something sound to look at.
func withHealth(t *testing.T) (*world, *rig) {
	t.Helper()
	w := newWorld(3, 6)
	w.agents()
	for _, n := range sortedNames(w.nodes) {
		h := w.onHost(n)
		h.disks = []pve.DiskRow{ssd("/dev/sda", "PASSED", "97")}
		h.zfs = []pve.ZFSRow{{Name: "tank", Health: "ONLINE"}}
		h.thin = []pve.ThinPoolRow{{VG: "pve", LV: "data", Size: pve.Ptr(pve.Int(100)), Used: pve.Ptr(pve.Int(50)), MetadataSize: pve.Ptr(pve.Int(100)), MetadataUsed: pve.Ptr(pve.Int(5))}}
		h.certs = []pve.CertificateRow{{Filename: "pve-ssl.pem", NotAfter: pve.Ptr(pve.Int(time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC).Unix()))}}
	}
	w.extra = []pve.Resource{{ID: "storage/pve1/thin", Type: "storage", Node: "pve1", Storage: "thin", PluginType: "lvmthin", Status: "available",
		Disk: pve.Ptr(pve.Int(50)), MaxDisk: pve.Ptr(pve.Int(100))}}
	w.repl = []pve.ReplicationJob{{ID: "101-0", Guest: 101, Source: "pve2", Target: "pve3", FailCount: pve.Ptr(pve.Int(0))}}
	r := newRig(t, w)
	values := map[string]float64{}
	w.samples = func(of pve.Sampled, _, _ string) pve.Series {
		s := pve.Series{Times: []int64{r.clock.now().Add(-5 * time.Minute).Unix()}, Values: map[string][]float64{"loadavg": {1}, "maxcpu": {8}}}
		if of.Node == "pve1" {
			for k, v := range values {
				s.Values[k] = []float64{v}
			}
		}
		return s
	}
	w.pressure = values
	r.sync()
	return w, r
}

// later lets all answers grow old and the cluster be observed again.
func (r *rig) later(d time.Duration) {
	r.t.Helper()
	r.clock.advance(d)
	r.sync()
}

func (h Health) find(code string) []Finding {
	return slices.DeleteFunc(slices.Clone(h.Findings), func(f Finding) bool { return f.Code != code })
}

// TestFindings: each finding appears with its cause, names evidence, object and what to do, is silenced by an intent on its object, and
// disappears with its cause.
func TestFindings(t *testing.T) {
	smart := func(node string, change func(h *host)) func(*world, time.Time) {
		return func(w *world, _ time.Time) { change(w.onHost(node)) }
	}
	for _, c := range []struct {
		code, object, says, on string
		severity               Severity
		cause                  func(w *world, now time.Time)
		cure                   func(w *world, now time.Time)
	}{
		{"disk_failing", "disk pve1:/dev/sda", "SMART health FAILED!", "pve1", Critical,
			smart("pve1", func(h *host) { h.disks[0].Health = "FAILED!" }), smart("pve1", func(h *host) { h.disks[0].Health = "PASSED" })},
		{"disk_worn", "disk pve2:/dev/sda", "wearout 9", "node/pve2", Warn,
			smart("pve2", func(h *host) { h.disks[0].Wearout = "9" }), smart("pve2", func(h *host) { h.disks[0].Wearout = "99" })},
		{"zfs_pool", "zfs pool pve1:tank", "DEGRADED", "pve1", Critical,
			smart("pve1", func(h *host) { h.zfs[0].Health = "DEGRADED" }), smart("pve1", func(h *host) { h.zfs = nil })},
		{"thin_pool", "thin pool pve1:pve/data", "metadata 97 %", "pve1", Critical,
			smart("pve1", func(h *host) { h.thin[0].MetadataUsed = pve.Ptr(pve.Int(97)) }), smart("pve1", func(h *host) { h.thin = nil })},
		{"updates", "node pve3", "pve-manager 9.2.14", "pve3", Info,
			smart("pve3", func(h *host) {
				h.updates = []pve.UpdateRow{{Package: "libc6", Version: "2"}, {Package: "pve-manager", Version: "9.2.14", Origin: "Proxmox"}}
			}), smart("pve3", func(h *host) { h.updates = nil })},
		{"certificate", "certificate pve2:pve-ssl.pem", "valid until 2026-11-", "pve2", Warn,
			func(w *world, now time.Time) {
				w.onHost("pve2").certs[0].NotAfter = pve.Ptr(pve.Int(now.Add(8 * daily).Unix()))
			},
			func(w *world, now time.Time) {
				w.onHost("pve2").certs[0].NotAfter = pve.Ptr(pve.Int(now.Add(99 * daily).Unix()))
			}},
		{"clock_skew", "node pve1", "nodes/pve1/time", "pve1", Critical,
			smart("pve1", func(h *host) { h.ahead = -412 * time.Second }), smart("pve1", func(h *host) { h.ahead = 0 })},
		{"host_pressure", "node pve1", "IO wait 45 %", "pve1", Warn,
			func(w *world, _ time.Time) { w.pressure["iowait"] = 0.45 }, func(w *world, _ time.Time) { w.pressure["iowait"] = 0.01 }},
		{"ha_error", "guest 100 vm100", "error", "100", Critical,
			func(w *world, _ time.Time) {
				w.ha = []pve.HAEntry{{ID: "service:vm:100", Type: "service", Node: "pve1", State: "error", CRMState: "error"}, {ID: "quorum", Type: "quorum", Status: "OK"}}
			}, func(w *world, _ time.Time) { w.ha = nil }},
		{"replication", "guest 101 vm101", "no route to host", "vm101", Warn,
			func(w *world, now time.Time) {
				w.repl[0].FailCount, w.repl[0].Error, w.repl[0].LastSync = pve.Ptr(pve.Int(4)), "no route to host", pve.Ptr(pve.Int(now.Add(-9*time.Hour).Unix()))
			},
			func(w *world, _ time.Time) { w.repl[0].FailCount, w.repl[0].Error = pve.Ptr(pve.Int(0)), "" }},
		{"memory_overcommit", "node pve2", "16.5 GiB of 16 GiB", "pve2", Warn,
			func(w *world, _ time.Time) { w.guests[101].maxmem = 15<<30 + 1<<29 }, func(w *world, _ time.Time) { w.guests[101].maxmem = 0 }},
		{"no_agent", "guest 100 vm100", "agent", "guest/100", Info,
			func(w *world, _ time.Time) {
				delete(w.guests[100].config, "agent")
				w.guests[100].config["digest"] = "a"
			},
			func(w *world, _ time.Time) {
				w.guests[100].config["agent"] = "enabled=1"
				w.guests[100].config["digest"] = "b"
			}},
		{"old_snapshot", "guest 100 vm100", "before-upgrade", "100", Info,
			func(w *world, now time.Time) {
				w.guests[100].snaps = []pve.Snapshot{{Name: "before-upgrade", SnapTime: pve.Ptr(pve.Int(now.Add(-40 * daily).Unix()))}}
				w.guests[100].config["parent"] = "before-upgrade"
			},
			func(w *world, _ time.Time) { w.guests[100].snaps = nil; delete(w.guests[100].config, "parent") }},
		{"backup_failed", "guest 100 vm100", "no space left; last good", "100", Warn,
			func(w *world, now time.Time) {
				w.task("pve1", "vzdump", "100", now.Add(-50*time.Hour), now.Add(-49*time.Hour), "OK")
				w.task("pve1", "vzdump", "100", now.Add(-30*time.Hour), now.Add(-29*time.Hour), "no space left")
			},
			func(w *world, now time.Time) {
				w.task("pve1", "vzdump", "100", now.Add(-2*time.Hour), now.Add(-time.Hour), "OK")
			}},
		{"no_backup", "guest 100 vm100", "not-backed-up", "100", Warn,
			func(w *world, _ time.Time) { w.noJob = []int{100} }, func(w *world, _ time.Time) { w.noJob = nil }},
		{"guest_locked", "guest 100 vm100", "lock=backup", "100", Warn,
			func(w *world, _ time.Time) { w.guests[100].lock = "backup" }, func(w *world, _ time.Time) { w.guests[100].lock = "" }},
		{"onboot_stopped", "guest 100 vm100", "onboot=1", "100", Warn,
			func(w *world, _ time.Time) { w.guests[100].status = "stopped" }, func(w *world, _ time.Time) { w.guests[100].status = "running" }},
		{"task_failed", "guest 100 vm100", "boom", "100", Warn,
			func(w *world, now time.Time) { w.task("pve1", "qmstart", "100", now, now.Add(time.Minute), "boom") }, func(*world, time.Time) {}},
		{"storage_full", "storage pve1/nas", "96 B of 100 B", "pve1/nas", Critical,
			func(w *world, _ time.Time) {
				w.extra = append(w.extra, pve.Resource{ID: "storage/pve1/nas", Type: "storage", Node: "pve1", Storage: "nas", Status: "available",
					Disk: pve.Ptr(pve.Int(96)), MaxDisk: pve.Ptr(pve.Int(100))})
			}, func(w *world, _ time.Time) { w.extra[1].Disk = pve.Ptr(pve.Int(9)) }},
		{"node_offline", "node pve3", "online=0", "pve3", Critical,
			func(w *world, _ time.Time) { w.nodes["pve3"].online = false }, func(w *world, _ time.Time) { w.nodes["pve3"].online = true }},
		{"stats_stale", "node pve3", "node online", "pve3", Warn,
			func(w *world, _ time.Time) { w.nodes["pve3"].stale = true }, func(w *world, _ time.Time) { w.nodes["pve3"].stale = false }},
	} {
		t.Run(c.code, func(t *testing.T) {
			w, r := withHealth(t)
			if f := r.health().find(c.code); len(f) != 0 && c.code != "storage_full" {
				t.Fatalf("without its cause: %+v", f)
			}
			change := func(f func(*world, time.Time)) Health {
				r.clock.advance(25 * time.Hour)
				w.set(func() { f(w, r.clock.now()) })
				r.later(25 * time.Minute)
				return r.health()
			}
			h := change(c.cause)
			at := slices.IndexFunc(h.Findings, func(f Finding) bool { return f.Code == c.code && f.Object == c.object })
			if at < 0 {
				t.Fatalf("no %s %s in %v", c.code, c.object, findingLines(h))
			}
			if f := h.Findings[at]; f.Severity != c.severity || !strings.Contains(f.Evidence, c.says) || f.Title == "" || f.Hint == "" || f.On.ID == "" {
				t.Errorf("%+v", f)
			}
			if _, err := r.SetIntent(t.Context(), IntentRequest{Object: c.on, Want: store.WantMaintenance, Who: "local:1"}); err != nil {
				t.Fatal(err)
			}
			quiet := r.health()
			if slices.ContainsFunc(quiet.Findings, func(f Finding) bool { return f.Code == c.code && f.Object == c.object }) || quiet.Silenced[c.code] != 1 {
				t.Errorf("not silenced: %v, %v", findingLines(quiet), quiet.Silenced)
			}
			if _, err := r.ClearIntent(t.Context(), "", c.on); err != nil {
				t.Fatal(err)
			}
			h = change(c.cure)
			if slices.ContainsFunc(h.Findings, func(f Finding) bool { return f.Code == c.code && f.Object == c.object }) || len(h.Silenced) != 0 {
				t.Errorf("stays without its cause: %v", findingLines(h))
			}
		})
	}
}

// TestOffMeans: an object that is meant to be off is not missed, and what else is wrong with it is said as ever.
func TestOffMeans(t *testing.T) {
	w, r := withHealth(t)
	w.set(func() {
		w.guests[100].status, w.noJob = "stopped", []int{100}
		w.nodes["pve3"].online = false
	})
	r.later(time.Minute)
	for _, on := range []string{"100", "pve3"} {
		if _, err := r.SetIntent(t.Context(), IntentRequest{Object: on, Want: store.WantOff, Until: r.clock.now().Add(time.Hour), Note: "spare"}); err != nil {
			t.Fatal(err)
		}
	}
	h := r.health()
	want := []string{"warning quorum_at_risk cluster lab", "warning storage_full storage ceph1", "warning no_backup guest 100 vm100"}
	if diff := cmp.Diff(want, findingLines(h)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"onboot_stopped": 1, "node_offline": 1, "guests_unknown": 2}, h.Silenced); diff != "" {
		t.Error(diff)
	}
	if s := strings.Join(h.Skipped, "\n"); !strings.Contains(s, "pve3: intentionally off") {
		t.Error(s)
	}
	if d := r.guest("100"); d.Intent != "intentionally off until 2026-11-20 13:01 (spare)" {
		t.Error(d.Intent)
	}
	r.later(time.Hour)
	if h := r.health(); len(h.Silenced) != 0 || len(h.find("node_offline")) != 1 {
		t.Errorf("an intent outlives its time: %v", findingLines(h))
	}
}

// TestIntentOfAnotherLife: what was said of a guest is not said of the next one under its vmid.
func TestIntentOfAnotherLife(t *testing.T) {
	w, r := withHealth(t)
	w.set(func() { w.guests[100].status = "stopped" })
	r.later(time.Minute)
	in, err := r.SetIntent(t.Context(), IntentRequest{Object: "vm100", Want: store.WantOff, Who: "local:1"})
	if err != nil || in.Object != "guest 100 vm100" || in.State != "holds" {
		t.Fatalf("%+v, %v", in, err)
	}
	w.set(func() {
		w.guests[100].config["smbios1"], w.guests[100].config["meta"] = "uuid=11111111-0000-0000-0000-000000000100", "creation-qemu=9.0.2,ctime=1790000000"
		w.guests[100].config["digest"], w.guests[100].config["scsi0"] = "new", "local-zfs:vm-100-disk-9,size=8G"
		w.task("pve1", "qmcreate", "100", r.clock.now(), r.clock.now().Add(time.Second), "OK")
	})
	r.later(time.Minute)
	all, err := r.Intents(t.Context(), "")
	if err != nil || len(all) != 1 || all[0].State != "void" || len(r.health().find("onboot_stopped")) != 1 {
		t.Errorf("%+v, %v, %v", all, err, findingLines(r.health()))
	}
}

// TestBadIntents: what cannot be said is refused with the reason.
func TestBadIntents(t *testing.T) {
	_, r := withHealth(t)
	for _, c := range []struct {
		q    IntentRequest
		code fault.Code
		says string
	}{
		{IntentRequest{Object: "nobody", Want: store.WantOff}, fault.NotFound, "nobody"},
		{IntentRequest{Object: "storage/ceph1", Want: store.WantOff}, fault.Invalid, "only guests and nodes"},
		{IntentRequest{Object: "100", Want: store.WantAwake}, fault.Invalid, "node"},
		{IntentRequest{Object: "100", Want: "gone"}, fault.Invalid, "off, maintenance or awake"},
		{IntentRequest{Object: "100", Want: store.WantOff, Until: r.clock.now()}, fault.Invalid, "future"},
	} {
		_, err := r.SetIntent(t.Context(), c.q)
		if fault.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err, fault.Of(err).Hint), c.says) {
			t.Errorf("%+v: %v", c.q, err)
		}
	}
	if _, err := r.ClearIntent(t.Context(), "", "100"); fault.CodeOf(err) != fault.NotFound {
		t.Error(err)
	}
}
