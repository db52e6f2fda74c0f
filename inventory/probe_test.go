package inventory

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// asked is how many calls check_health makes of a cluster that was just synced.
func (r *rig) asked() int64 {
	r.t.Helper()
	before := r.w.Calls()
	r.health()
	return r.w.Calls() - before
}

// TestHealthCalls: golden numbers. Three nodes cost 7 calls each and the list of disks twice where nothing spins (8), a thin pool on one,
// the cluster two and one for the node that replicates; nothing is asked twice, by whom ever, before its time.
func TestHealthCalls(t *testing.T) {
	w, r := withHealth(t)
	if n := r.asked(); n != 3*7+1+3 {
		t.Errorf("first: %d calls", n)
	}
	again := &rig{t: t, w: w, st: r.st, clock: r.clock, Inventory: open(t, w, r.st, r.clock.now)}
	if first, other := r.asked(), again.asked(); first != 0 || other != 0 {
		t.Errorf("at once: %d calls, from another process %d", first, other)
	}
	for _, c := range []struct {
		pass time.Duration
		want int64
	}{
		{2 * time.Minute, 3},                  // ha, replication and its node
		{6 * time.Minute, 3 + 3},              // and pressure
		{time.Hour, 3 + 3 + 3 + 1},            // and clocks, the thin pool
		{23 * time.Hour, 3 + 3 + 3 + 1 + 3*5}, // and all the rest, once a day
		{30 * time.Second, 0},
	} {
		r.later(c.pass)
		if n := again.asked(); n != c.want {
			t.Errorf("after %s: %d calls, want %d", c.pass, n, c.want)
		}
	}
	if n := w.count("disks"); n != 2*2*3 {
		t.Errorf("disks were asked %d times in a day and an hour", n)
	}
	before := w.count("disks")
	if _, err := r.Health(t.Context(), HealthQuery{ReadOptions: ReadOptions{Fresh: true}}); err != nil || w.count("disks") != before {
		t.Errorf("a fresh look asks disks: %v", err)
	}
}

// TestHealthAtOnce: several processes that ask at the same time ask Proxmox VE once.
func TestHealthAtOnce(t *testing.T) {
	w, r := withHealth(t)
	w.delay = 5 * time.Millisecond
	var wg sync.WaitGroup
	for range 4 {
		inv := open(t, w, r.st, r.clock.now)
		wg.Go(func() {
			if _, err := inv.Health(t.Context(), HealthQuery{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.count("disks"); n != 6 {
		t.Errorf("disks were listed %d times", n)
	}
}

// TestSleepingDisks: a disk that may sleep is never asked, and named as not checked, until a person says that it never sleeps (F50).
func TestSleepingDisks(t *testing.T) {
	w, r := withHealth(t)
	h := w.onHost("pve1")
	h.disks = []pve.DiskRow{hdd("/dev/sdb"), ssd("/dev/sda", "PASSED", "90"), {DevPath: "/dev/nvme0n1", Type: "nvme"}}
	h.smart = map[string]pve.SMART{
		"/dev/sda":     {Health: "PASSED", Attributes: []pve.SMARTAttribute{{Name: "Media_Wearout_Indicator", Value: "7", Raw: "0"}}},
		"/dev/nvme0n1": {Health: "PASSED", Text: "Available Spare: 100%\nPercentage Used: 98%\n"},
		"/dev/sdb":     {Health: "PASSED", Attributes: []pve.SMARTAttribute{{Name: "Current_Pending_Sector", Value: "100", Raw: "24"}}},
	}
	r.later(25 * time.Hour)
	got := r.health()
	if len(w.awoke) != 0 {
		t.Fatalf("woke %v", w.awoke)
	}
	want := []string{"critical disk_worn disk pve1:/dev/nvme0n1", "warning disk_worn disk pve1:/dev/sda"}
	if diff := cmp.Diff(want, findingLines(Health{Findings: got.find("disk_worn")})); diff != "" {
		t.Error(diff)
	}
	if s := strings.Join(got.Skipped, "\n"); !strings.Contains(s, "disk_health on pve1: spinning disks") || !slices.Contains(got.Checked, "disk_health") {
		t.Errorf("checked %v\nskipped %s", got.Checked, s)
	}
	r.clock.advance(time.Second)
	if _, err := r.SetIntent(t.Context(), IntentRequest{Object: "pve1", Want: store.WantAwake}); err != nil {
		t.Fatal(err)
	}
	if n := r.asked(); n != 2+3 { // the list twice, and each disk
		t.Errorf("%d calls, want 5", n)
	}
	if got = r.health(); len(got.find("disk_failing")) != 1 || strings.Contains(strings.Join(got.Skipped, "\n"), "spinning") {
		t.Errorf("%v, %v", findingLines(got), got.Skipped)
	}
}

// TestNeverHealthyUnread: whatever cannot be read, the answer says so: the check is named with the reason, or its absence is a warning.
func TestNeverHealthyUnread(t *testing.T) {
	checksOf := map[string]string{"disks": "disk_health", "zfs": "zfs_pool", "thin": "thin_pool", "updates": "updates", "certificates": "certificate",
		"time": "clock_skew", "samples": "host_pressure", "ha": "ha", "replicationjobs": "replication", "replication": "replication", "notbackedup": "no_backup"}
	calls := append([]string{"status", "resources", "clustertasks", "nodestatus", "nodetasks", "permissions", "storage", "config"}, sortedNames(checksOf)...)
	for _, call := range calls {
		for _, code := range []fault.Code{fault.Forbidden, fault.NodeSilent, fault.Upstream, fault.Timeout, fault.Unsupported} {
			t.Run(call+" "+string(code), func(t *testing.T) {
				w, r := withHealth(t)
				r.health()
				r.clock.advance(25 * time.Hour)
				w.set(func() {
					w.fail = func(c, _ string, _ int) error {
						if c == call {
							return fault.New(code, "u@pve!t may not do this: Sys.Audit is missing on /")
						}
						return nil
					}
				})
				_, _ = r.Sync(t.Context(), SyncRequest{})
				h := r.health()
				said := strings.Join(h.Skipped, "\n")
				if name := checksOf[call]; name != "" && !strings.Contains(said, name) && !(call == "notbackedup" && code == fault.Unsupported) {
					t.Errorf("%s is not named: %s", name, said)
				}
				if checksOf[call] == "" && code != fault.Unsupported && len(h.Warnings) == 0 {
					t.Errorf("no warning: %v, %s", findingLines(h), said)
				}
			})
		}
	}
}

// TestSilentNodeUnchecked: what cannot be asked of a node that is away is one line, and its last known trouble stays.
func TestSilentNodeUnchecked(t *testing.T) {
	w, r := withHealth(t)
	w.set(func() { w.onHost("pve2").zfs[0].Health = "FAULTED" })
	r.health()
	w.set(func() { w.nodes["pve2"].silent = true })
	r.later(26 * time.Hour)
	h := r.health()
	if len(h.find("zfs_pool")) != 1 || h.find("zfs_pool")[0].Since.IsZero() {
		t.Error(findingLines(h))
	}
	want := "disk_health, zfs_pool, host_pressure, clock_skew, certificate, updates on pve2: does not answer"
	if !slices.Contains(h.Skipped, want) {
		t.Errorf("skipped %q", h.Skipped)
	}
}

// TestFindingCodes: one code lists every object by itself; an unknown code is refused with all that there are.
func TestFindingCodes(t *testing.T) {
	w, r := withHealth(t)
	w.set(func() {
		for _, id := range []int{100, 101, 102} {
			delete(w.guests[id].config, "agent")
			w.guests[id].config["digest"] = "x"
		}
	})
	r.later(time.Minute)
	if h := r.health(); len(h.find("no_agent")) != 1 || h.find("no_agent")[0].Count != 3 || !strings.Contains(h.find("no_agent")[0].Evidence, "100 vm100, 101 vm101, 102 vm102") {
		t.Errorf("%+v", h.find("no_agent"))
	}
	h, err := r.Health(t.Context(), HealthQuery{Code: "no_agent"})
	if err != nil || len(h.Findings) != 3 {
		t.Errorf("%v, %v", findingLines(h), err)
	}
	if _, err := r.Health(t.Context(), HealthQuery{Code: "nope"}); fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "zfs_pool") {
		t.Error(err)
	}
}
