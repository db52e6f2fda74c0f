package inventory

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// TestLeftOut: what a backup does not hold, by the rules of machines and of containers.
func TestLeftOut(t *testing.T) {
	for want, c := range map[string]struct {
		t pve.GuestType
		c pve.Config
	}{
		"scsi1":   {pve.Qemu, pve.Config{"scsi0": "a:1,size=1G", "scsi1": "a:2,backup=0", "ide2": "none,media=cdrom", "unused0": "a:3", "efidisk0": "a:4"}},
		"mp0,mp2": {pve.LXC, pve.Config{"rootfs": "a:1,size=1G", "mp0": "a:2,mp=/a", "mp1": "a:3,mp=/b,backup=1", "mp2": "/host,mp=/c"}},
	} {
		if got := strings.Join(leftOut(c.t, c.c), ","); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestRank: before the wanted time goes before after it, then the nearer; what is in doubt and what holds no data go last.
func TestRank(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	point := func(kind, id string, after time.Duration, doubt string) RecoveryPoint {
		return RecoveryPoint{Kind: kind, ID: id, At: at.Add(after), Doubt: doubt}
	}
	s := &search{out: Recovery{At: at}, points: []RecoveryPoint{point(PointConfig, "config", -time.Minute, ""), point(PointBackup, "after", time.Minute, ""),
		point(PointBackup, "failed", -time.Minute, "failed"), point(PointBackup, "far", -9*time.Hour, ""), {Kind: PointSnapshot, ID: "undated"},
		point(PointBackup, "near", -time.Hour, ""), point(PointSnapshot, "snap", -time.Hour, "")}}
	s.rank()
	var got []string
	for _, p := range s.points {
		got = append(got, p.ID)
	}
	if diff := cmp.Diff([]string{"snap", "near", "far", "after", "undated", "failed", "config"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestRecovery: the points of a guest with its snapshot, of one that is gone, and refusals.
func TestRecovery(t *testing.T) {
	r, at := pastRig(t)
	ask := func(q RecoveryQuery) Recovery {
		t.Helper()
		got, err := r.Recovery(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	changed := ask(RecoveryQuery{Guest: "vm101", At: at[1]})
	if len(changed.Rows) != 1 || changed.Rows[0].Kind != PointConfig || strings.Join(changed.Rows[0].Keys, ",") != "cores,onboot,tags" {
		t.Errorf("%+v", changed)
	}
	gone := ask(RecoveryQuery{Guest: "vm105"})
	if !gone.GoneAt.Equal(at[3]) || !gone.Known || len(gone.Rows) != 1 || gone.Rows[0].ID != "1" {
		t.Errorf("gone: %+v", gone)
	}
	r.w.mu.Lock() // a tick that a question began may read
	r.w.guests[102].config["parent"] = "clean"
	r.w.guests[102].snaps = []pve.Snapshot{{Name: "clean", SnapTime: pve.Ptr(pve.Int(at[0].Unix()))}, {Name: "current"}}
	r.w.guests[102].config["cores"] = "8"
	r.w.mu.Unlock()
	r.sync()
	got102 := ask(RecoveryQuery{Guest: "102"})
	if len(got102.Rows) == 0 {
		t.Fatalf("%+v", got102)
	}
	if p := got102.Rows[0]; p.Kind != PointSnapshot || p.ID != "clean" || !p.At.Equal(at[0]) || !p.KeysKnown || strings.Join(p.Keys, ",") != "cores,parent" {
		t.Errorf("%+v", p)
	}
	for guest, code := range map[string]fault.Code{"nosuch": fault.NotFound, "999": fault.NotFound} {
		if _, err := r.Recovery(t.Context(), RecoveryQuery{Guest: guest}); fault.CodeOf(err) != code {
			t.Errorf("%s: %v", guest, err)
		}
	}
	if _, err := r.Recovery(t.Context(), RecoveryQuery{Guest: "102", At: r.clock.now().Add(time.Hour)}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("the future: %v", err)
	}
}
