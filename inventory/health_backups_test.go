package inventory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TestBackupAge: how old backups are is not claimed before they were listed; then guests with an old one are named, whatever covers them, and
// no call is made for it.
func TestBackupAge(t *testing.T) {
	w := newWorld(1, 1)
	r := newRig(t, w)
	*w = *backupWorld(r.clock.now())
	w.noJob = []int{102, 103}
	r.sync()
	h := r.health()
	if i := slices.IndexFunc(h.Skipped, func(s string) bool { return strings.HasPrefix(s, "backup_old: ") }); i < 0 || !strings.Contains(h.Skipped[i], "list_backups") || len(h.find("backup_old")) > 0 {
		t.Errorf("before they were listed: skipped %q, found %+v", h.Skipped, h.find("backup_old"))
	}
	lines := func() (out []string) {
		all, err := r.Health(t.Context(), HealthQuery{Code: "backup_old"})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all.Findings {
			out = append(out, f.Object+": "+f.Title)
		}
		return out
	}
	r.backups(BackupQuery{Storage: "usb"}) // one storage alone says nothing of the newest
	if got := lines(); got != nil {
		t.Errorf("of one storage: %q", got)
	}
	r.backups(BackupQuery{})
	before := w.Calls()
	// 102 and 103 have none and no job: that is no_backup's.
	if diff := cmp.Diff([]string{"guest 101 vm101: newest backup seen 20d ago"}, lines()); diff != "" || w.Calls() != before {
		t.Errorf("%d calls: %s", w.Calls()-before, diff)
	}
	w.noJob = []int{101}
	r.later(8 * 24 * time.Hour)
	r.backups(BackupQuery{})
	h = r.health()
	if f := h.find("backup_old"); len(f) != 1 || f[0].Count != 5 || !strings.Contains(f[0].Evidence, "101 vm101 28d") || !strings.Contains(f[0].Title, "older than 7d") {
		t.Errorf("a group: %+v", f)
	}
	w.task("pve1", "vzdump", "101", r.clock.now().Add(-time.Hour), r.clock.now().Add(-time.Minute), "OK")
	r.later(time.Minute)
	if f := r.health().find("backup_old"); len(f) != 1 || f[0].Count != 4 {
		t.Errorf("after a backup: %+v", f)
	}
	r.later(2 * 24 * time.Hour)
	if h := r.health(); len(h.find("backup_old")) > 0 || !strings.Contains(fmt.Sprint(h.Skipped), "was read 2d ago") {
		t.Errorf("an old listing: %q", h.Skipped)
	}
}

// TestFailedJobNamesItsGuests: a failed job over several guests is told with those that failed in it, read of its log once; without the log
// the finding names the task.
func TestFailedJobNamesItsGuests(t *testing.T) {
	w, r := withHealth(t)
	r.health()
	at := r.clock.now()
	upid := w.task("pve2", "vzdump", "", at.Add(-2*time.Hour), at.Add(-time.Hour), "job errors")
	w.logs[upid] = []string{"INFO: Starting Backup of VM 100 (qemu)", "INFO: Finished Backup of VM 100 (00:01:00)", "INFO: Starting Backup of VM 101 (qemu)",
		"ERROR: Backup of VM 101 failed - no space left", "ERROR: Backup of VM 999 failed - unable to find VM '999'", "INFO: Backup job finished with errors"}
	r.tick()
	w.fail = func(call, _ string, _ int) error {
		if call == "tasklog" {
			return fault.New(fault.NodeSilent, "no answer")
		}
		return nil
	}
	if f := r.health().find("task_failed"); len(f) != 1 || f[0].Title != "vzdump failed 60m ago" || !strings.Contains(f[0].Hint, "get_task t-") {
		t.Errorf("without its log: %+v", f)
	}
	w.fail = nil
	for range 3 {
		f := r.health().find("task_failed")
		if len(f) != 1 || f[0].Title != "vzdump failed 60m ago: 101 vm101, 999" || f[0].Evidence != "no space left" {
			t.Errorf("%+v", f)
		}
	}
	if n := w.count("tasklog"); n != 2 {
		t.Errorf("its log was read %d times, once of them in vain", n)
	}
}
