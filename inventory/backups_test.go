package inventory

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// storageRow is a row of cluster/resources for a storage of the test.
func storageRow(node, name, typ, content string, shared bool) pve.Resource {
	return pve.Resource{ID: "storage/" + node + "/" + name, Type: "storage", Node: pve.Text(node), Storage: pve.Text(name), PluginType: pve.Text(typ),
		Content: pve.Text(content), Status: "available", Shared: pve.Ptr(pve.Bool(shared)), Disk: pve.Ptr(pve.Int(40)), MaxDisk: pve.Ptr(pve.Int(100))}
}

func dump(storage string, vmid int, kind string, at time.Time) pve.VolumeRow {
	return pve.VolumeRow{VolID: pve.Text(fmt.Sprintf("%s:backup/vzdump-%s-%d-%s.vma.zst", storage, kind, vmid, at.Format("2006_01_02-15_04_05"))), Content: "backup",
		Subtype: pve.Text(kind), VMID: pve.Ptr(pve.Int(vmid)), CTime: pve.Ptr(pve.Int(at.Unix())), Size: pve.Ptr(pve.Int(1 << 30)), Format: "vma.zst"}
}

// backupWorld: a shared storage nas on all three nodes and one disk for backups in pve2; guests 100 to 105. 100 has a young backup, 101 an old one and a
// young one whose verification failed, 102 none, 103 is a container with a backup of the machine that once had its id, 104 is a template.
func backupWorld(now time.Time) *world {
	w := newWorld(3, 6)
	all := map[string]bool{}
	for _, p := range []string{"VM.Audit", "Datastore.Audit", "Datastore.Allocate", "Sys.Audit", "Pool.Audit"} {
		all[p] = true
	}
	w.perms = map[string]map[string]bool{"/": all}
	day := 24 * time.Hour
	bad := dump("nas", 101, "qemu", now.Add(-day))
	bad.Verification = &pve.Verification{State: "failed"}
	rows := []pve.VolumeRow{dump("nas", 100, "qemu", now.Add(-day)), dump("nas", 100, "qemu", now.Add(-9*day)), dump("nas", 101, "qemu", now.Add(-20*day)), bad,
		dump("nas", 103, "qemu", now.Add(-day)), dump("nas", 999, "lxc", now.Add(-day))}
	w.host.content = map[string][]pve.VolumeRow{"pve2/usb": {dump("usb", 105, "qemu", now.Add(-2*day))}}
	for _, n := range []string{"pve1", "pve2", "pve3"} {
		w.extra = append(w.extra, storageRow(n, "nas", "nfs", "backup,iso", true))
		w.host.content[n+"/nas"] = rows
	}
	w.extra = append(w.extra, storageRow("pve2", "usb", "dir", "backup", false))
	w.guests[104].template, w.guests[104].status = true, "stopped"
	w.host.jobs = []pve.Config{{"id": "nightly", "all": "1", "exclude": "102", "storage": "nas", "schedule": "02:30", "next-run": fmt.Sprint(now.Add(8 * time.Hour).Unix())},
		{"id": "off", "enabled": "0", "vmid": "102", "next-run": fmt.Sprint(now.Add(time.Hour).Unix())}}
	return w
}

func (r *rig) backups(q BackupQuery) BackupPage {
	r.t.Helper()
	p, err := r.Backups(context.Background(), q)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

func backupLines(p BackupPage) []string {
	out := []string{}
	for _, g := range p.Guests {
		s := fmt.Sprintf("%d %d", g.VMID, len(g.Backups))
		for _, word := range []struct {
			on   bool
			text string
		}{{g.Template, "template"}, {g.Gone, "gone"}, {g.Unsure, "unsure"}, {len(g.Excluded) > 0, "excluded by " + strings.Join(g.Excluded, ",")},
			{len(g.Jobs) > 0, "by " + strings.Join(g.Jobs, ",")}} {
			if word.on {
				s += " " + word.text
			}
		}
		out = append(out, s)
	}
	return out
}

func TestBackups(t *testing.T) {
	w := newWorld(1, 1)
	r := newRig(t, w)
	*w = *backupWorld(r.clock.now())
	r.sync()
	week := r.clock.now().Add(-7 * 24 * time.Hour)
	before := w.Calls()
	p := r.backups(BackupQuery{MissingSince: week})
	// Golden: jobs, permissions, the shared storage once, the local one once.
	if n := w.Calls() - before; n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
	want := []string{"102 0 excluded by nightly", "103 0 by nightly", "101 2 by nightly", "104 0 template by nightly"}
	if diff := cmp.Diff(want, backupLines(p)); diff != "" {
		t.Error(diff)
	}
	if p.Total != 4 || p.Templates != 1 || p.Excluded != 1 || p.Unsure != 0 || len(p.Warnings) != 0 || p.All != 6 || !p.JobsKnown {
		t.Errorf("%+v", p)
	}
	if next := p.Guests[1].NextRun; !next.Equal(r.clock.now().Add(8 * time.Hour)) {
		t.Errorf("next run %v", next)
	}
	everything := []string{"102 0 excluded by nightly", "103 0 by nightly", "101 2 by nightly", "105 1 by nightly", "100 2 by nightly", "104 0 template by nightly", "999 1 gone"}
	if diff := cmp.Diff(everything, backupLines(r.backups(BackupQuery{}))); diff != "" {
		t.Error(diff)
	}
	if n := w.Calls() - before; n != 4 {
		t.Errorf("a young answer was asked for again: %d calls", n)
	}
	if diff := cmp.Diff([]string{"999 1 gone"}, backupLines(r.backups(BackupQuery{Guest: "999"}))); diff != "" {
		t.Error(diff)
	}
	if _, err := r.Backups(t.Context(), BackupQuery{Guest: "998"}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("neither guest nor backup: %v", err)
	}
	if _, err := r.Backups(t.Context(), BackupQuery{Storage: "nsa"}); fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.Of(err).Hint, "did you mean nas") {
		t.Errorf("a storage that nobody knows: %v", err)
	}
	if p := r.backups(BackupQuery{Storage: "local-zfs"}); !hasWarning(p.Warnings, "scope") {
		t.Errorf("a storage that takes no backups: %+v", p.Warnings)
	}
}

// TestBackupsUnseen: what the token may not see is unknown, not missing; that an auditor sees backups is believed when one is seen.
func TestBackupsUnseen(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world)
		want []string
		code string
	}{
		{"an auditor who sees nothing", func(w *world) {
			delete(w.perms["/"], "Datastore.Allocate")
			clear(w.host.content)
		}, []string{"100 0 unsure", "101 0 unsure", "102 0 unsure", "103 0 unsure", "105 0 unsure", "104 0 template unsure"}, "forbidden"},
		{"an auditor who sees some", func(w *world) { delete(w.perms["/"], "Datastore.Allocate") }, []string{"102 0", "103 0", "101 2", "104 0 template"}, ""},
		{"a storage that fails", func(w *world) {
			w.fail = func(call, _ string, _ int) error {
				if call == "content nas" {
					return fault.New(fault.Upstream, "storage 'nas' is not online")
				}
				return nil
			}
		}, []string{"100 0 unsure", "101 0 unsure", "102 0 unsure", "103 0 unsure", "104 0 template unsure"}, "partial"},
		{"a node that is off", func(w *world) { w.nodes["pve2"].online = false },
			[]string{"102 0 unsure", "103 0 unsure", "104 0 unsure", "105 0 unsure", "101 2 unsure"}, "node_silent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(1, 1)
			r := newRig(t, w)
			*w = *backupWorld(r.clock.now())
			w.host.jobs = nil
			c.do(w)
			r.sync()
			p := r.backups(BackupQuery{MissingSince: r.clock.now().Add(-7 * 24 * time.Hour)})
			if diff := cmp.Diff(c.want, backupLines(p)); diff != "" {
				t.Error(diff)
			}
			if c.code == "" && len(p.Warnings) > 0 || c.code != "" && !hasWarning(p.Warnings, c.code) {
				t.Errorf("warnings %v", p.Warnings)
			}
		})
	}
}

// TestBackupsHang (F39): a storage that hangs costs one answer 3 s and is then left alone; the others are read.
func TestBackupsHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := backupWorld(time.Now())
		inv := open(t, hangs{w}, newMemStore(time.Now), time.Now)
		defer inv.Close()
		if _, err := inv.Sync(t.Context(), SyncRequest{}); err != nil {
			t.Fatal(err)
		}
		// The first question gives up, the second one joins it 8 s after it was put, until its limit of 10 s; then it rests for a minute.
		for k, want := range []time.Duration{askBudget, askLimit - askBudget - 5*time.Second, 0} {
			began := time.Now()
			p, err := inv.Backups(t.Context(), BackupQuery{Guest: "105"})
			if err != nil || len(p.Guests) != 1 || len(p.Guests[0].Backups) != 1 || !p.Guests[0].Unsure || !hasWarning(p.Warnings, "partial") {
				t.Errorf("%d: %+v, %v", k, p, err)
			}
			if took := time.Since(began); took != want {
				t.Errorf("%d: took %s, want %s", k, took, want)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

// hangs is a world whose storage nas answers nothing.
type hangs struct{ *world }

func (h hangs) StorageContent(ctx context.Context, node, storage, content string) ([]pve.VolumeRow, error) {
	if storage == "nas" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.world.StorageContent(ctx, node, storage, content)
}

// TestBackupChoice: who lacks a recent backup, templates left out; each node's storage with the most room; what no job covers.
func TestBackupChoice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, backupWorld(time.Now()))
		got, err := r.BackupChoice(t.Context(), BackupAsk{MissingSince: time.Now().Add(-7 * 24 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"101", "102", "103"}, got.Guests); diff != "" {
			t.Error(diff)
		}
		if got.Sizes[101] != 1<<30 || len(got.Uncovered) != 0 {
			t.Errorf("%+v", got)
		}
		for node, p := range got.Places {
			if p.Storage != "nas" || p.Free == nil || *p.Free != 60 {
				t.Errorf("%s: %+v", node, p)
			}
		}
		if _, err := r.BackupChoice(t.Context(), BackupAsk{Guest: "100", Storage: "local"}); fault.CodeOf(err) != fault.NotFound && fault.CodeOf(err) != fault.Invalid {
			t.Errorf("a storage for other things: %v", err)
		}
	})
}

// A job's overlap with others is judged with the settings that it is to get: those of the same guests, and whether both prune one storage.
func TestJobShares(t *testing.T) {
	w := backupWorld(time.Now())
	w.host.jobs[0]["prune-backups"] = "keep-weekly=4"
	r := newRig(t, w)
	r.sync()
	st, err := r.Job(t.Context(), JobQuery{ID: "all", Set: map[string]string{"all": "1", "storage": "nas", "prune-backups": "keep-last=7"}})
	want := []SharedGuests{{Job: "nightly", Schedule: "02:30", Keep: "keep-weekly=4", Guests: 5, Prunes: true}}
	if diff := cmp.Diff(want, st.Others); diff != "" || fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v %s", err, diff)
	}
	st, err = r.Job(t.Context(), JobQuery{ID: "one", Set: map[string]string{"vmid": "102", "storage": "nas"}})
	if len(st.Others) != 0 || fault.CodeOf(err) != fault.NotFound {
		t.Errorf("%v %+v", err, st.Others)
	}
}

// TestQueryByBackupAge: a query for the age of backups goes by the same listings as list_backups, names the guests without any, and writes
// that take a query select the same guests.
func TestQueryByBackupAge(t *testing.T) {
	w := newWorld(1, 1)
	r := newRig(t, w)
	*w = *backupWorld(r.clock.now())
	r.sync()
	for q, want := range map[string][]int{"backup>7d": {101}, "backup<7d": {100, 105}, "backup>1d": {101, 105}, "backup>30d": {}} {
		p := r.find(q)
		if diff := cmp.Diff(want, vmids(p)); diff != "" {
			t.Errorf("%s: %s", q, diff)
		}
		if !strings.Contains(fmt.Sprint(p.Warnings), "102") || !strings.Contains(fmt.Sprint(p.Warnings), "103") {
			t.Errorf("%s: guests without any backup are not named: %v", q, p.Warnings)
		}
		list, err := r.Targets(t.Context(), "", "", q)
		if err != nil || len(list) != len(want) {
			t.Errorf("%s: a write would select %d guests, %v", q, len(list), err)
		}
	}
	before := w.Calls()
	if r.find("state:running"); w.Calls() != before {
		t.Error("a query that does not ask for backups asked for them")
	}
	w.fail = func(call, _ string, _ int) error {
		if strings.HasPrefix(call, "content ") {
			return fault.New(fault.Upstream, "storage is away")
		}
		return nil
	}
	r.clock.advance(time.Minute)
	again := &rig{t: t, w: w, st: r.st, clock: r.clock, Inventory: open(t, w, r.st, r.clock.now)}
	if p := again.find("backup>7d"); !strings.Contains(fmt.Sprint(p.Warnings), "are not known: they match no age") {
		t.Errorf("nothing could be read, and that is not told: %v", p.Warnings)
	}
}
