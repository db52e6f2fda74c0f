package change

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// firstOf are the samples that begin with a snapshot where the owner wants one.
func firstOf() []sample {
	var out []sample
	for _, s := range samples() {
		if s.action != nil && s.action.Needs().Savable {
			out = append(out, s)
		}
	}
	return out
}

// TestSnapshotFirst: every change that a snapshot can take back begins with one, which the undo removes again; the plan is the same for the
// same state, what only describes a guest goes without, and where there is no way back the snapshot is named.
func TestSnapshotFirst(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.Caps, r.sheriff.Rules.SnapshotFirst = Caps{}, true
		list := firstOf()
		if len(list) < 8 {
			t.Fatalf("only %d samples", len(list))
		}
		for k, s := range list {
			s.make(r, 1000+k)
			p, err := r.Propose(t.Context(), s.request(r, 1000+k))
			if err != nil {
				t.Fatal(err)
			}
			again, err := r.Propose(t.Context(), s.request(r, 1000+k))
			if err != nil || again.Hash != p.Hash || len(p.Body.Steps) != 2 || p.Body.Steps[0].Action != "snapshot.create" {
				t.Errorf("%s: %v, %+v", s.name, err, p.Body.Steps)
			}
			if !s.undo {
				continue
			}
			r.sim.Update(func(w *pvesim.World) { w.RemoveGuest(1000 + k) })
			takeBack(t, r, &s, 1000+k)
		}
		for name, a := range map[string]Action{"notes": Configure{Set: map[string]string{"description": "x"}}, "power": Power{Verb: "stop"},
			"roll-back": Snapshot{Verb: "rollback", Snapshot: "pre-upgrade-18"}} {
			if p := r.propose(likeSnapshot, a); len(p.Body.Steps) != 1 {
				t.Errorf("%s: %+v", name, p.Body.Steps)
			}
		}
		p := r.do(208, Configure{Set: map[string]string{"cipassword": "secret:ci", "memory": "3072"}})
		_, err := r.Undo(t.Context(), p.ID, agent)
		if name := p.Body.Steps[0].Want.Snapshot; fault.CodeOf(err) != fault.Conflict || name == "" || !strings.Contains(err.Error(), name) {
			t.Errorf("the snapshot %s is not named: %v", name, err)
		}
	})
}

// TestNoSnapshotPossible: a guest that cannot be snapshotted is named, and an operator decides.
func TestNoSnapshotPossible(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.SnapshotFirst = true
		p := r.propose(104, Configure{Set: map[string]string{"memory": "3072"}}) // a directory of the node is mounted in it
		if p.State != Waiting || len(p.Body.Steps) != 1 || len(p.Body.Blast.Unsaved) != 1 {
			t.Errorf("%s %+v %+v", p.State, p.Verdict, p.Body)
		}
	})
}

// TestBackupForAll: a roll-back, a deleted snapshot and an erased volume are allowed with a young backup and refused with an old one, as a
// destruction is.
func TestBackupForAll(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.BackupWithin = 48 * time.Hour
		r.sim.Update(func(w *pvesim.World) { w.SetConfig(likeSnapshot, "unused0", "local-lvm:vm-206-disk-9") })
		for _, a := range []Action{Snapshot{Verb: "rollback", Snapshot: "pre-upgrade-18"}, Snapshot{Verb: "delete", Snapshot: "pre-upgrade-18"},
			Configure{Delete: []string{"unused0"}}} {
			old, young := time.Now().Add(-49*time.Hour), time.Now().Add(-time.Hour)
			r.guests.backup = &old
			r.refused(t, likeSnapshot, a, "demands a backup of the last 48h")
			r.guests.backup = &young
			if p := r.propose(likeSnapshot, a); p.State != Waiting || p.Body.Blast.LastBackup == nil {
				t.Errorf("%s: %s %+v", a.Title(), p.State, p.Verdict)
			}
		}
	})
}
