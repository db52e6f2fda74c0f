package change

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// someGuests are guests of one node that carry the tag "save": a VM, a container, a template and a locked one.
func someGuests(r *rig) {
	for k, of := range []int{likeRunning, likeContainer, likeStopped, likeStopped} {
		s := sample{of: of}
		s.make(r, 1000+k)
	}
	r.sim.Update(func(w *pvesim.World) {
		for k := range 4 {
			w.SetConfig(1000+k, "tags", "save")
		}
		w.SetConfig(1002, "template", 1)
		w.SetConfig(1003, "lock", "migrate")
	})
}

func saveAll(b BackupGuests) Request {
	b.Places = map[string]BackupPlace{home: {Storage: nas}}
	return Request{Tool: "test", Query: "tag:save", Action: b, Caller: agent}
}

// TestBackupTogether: the guests of a node are one task; templates and what is locked are left out and named; an undo removes the backups
// that were made and leaves the older one.
func TestBackupTogether(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		someGuests(r)
		r.do(1000, BackupGuests{Places: map[string]BackupPlace{home: {Storage: nas}}})
		p, err := r.Propose(t.Context(), saveAll(BackupGuests{}))
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Body.Steps) != 1 || p.Body.Steps[0].Call.Params[0].Value != "1000,1001" || p.Verdict.Decision != RunNow {
			t.Errorf("%+v %+v", p.Body.Steps, p.Verdict)
		}
		if got := skipped(p.Body.Skipped); !strings.Contains(got, "1002") || !strings.Contains(got, "a template") || !strings.Contains(got, "locked (migrate)") {
			t.Errorf("left out: %s", got)
		}
		if done := r.apply(p.ID); done.State != Done {
			t.Fatalf("%s: %s", done.State, done.Note)
		}
		u, err := r.Undo(t.Context(), p.ID, agent)
		if err != nil || len(u.Body.Steps) != 2 || u.Verdict.Decision != Confirm || len(u.Body.Lost) != 2 { // it takes backups away: its requester looks at it first
			t.Fatalf("%v %+v", err, u.Body.Steps)
		}
		if done := r.apply(u.ID); done.State != Done {
			t.Fatalf("%s: %s", done.State, done.Note)
		}
		r.sim.Update(func(w *pvesim.World) {
			if a, b := hasBackups(w, 1000), hasBackups(w, 1001); a != 1 || b != 0 {
				t.Errorf("left are %d and %d backups", a, b)
			}
		})
	})
}

// TestBackupFailsForOne: one guest of a task that cannot be saved is named, and those that were saved are, too.
func TestBackupFailsForOne(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		someGuests(r)
		r.sim.Update(func(w *pvesim.World) { w.Guest(1000).Behaviour = pvesim.Behaviour{IgnoresACPI: true} })
		p, err := r.Propose(t.Context(), saveAll(BackupGuests{Mode: "stop"}))
		if err != nil || p.Body.Tier != Disruptive {
			t.Fatalf("%v, %s", err, p.Body.Tier)
		}
		done := r.apply(p.ID)
		if done.State != Failed || !strings.Contains(done.Note, "no new backup of 1000") || !strings.Contains(done.Note, "1001: "+nas+":backup/vzdump-lxc-1001") {
			t.Errorf("%s: %s", done.State, done.Note)
		}
	})
}

// TestVolumeInUse: a disk that its guest refers to is not removed, also when that became so after it was planned.
func TestVolumeInUse(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		s := sample{of: likeStopped}
		s.make(r, 1000)
		disk, _, _ := strings.Cut(fmt.Sprint(r.config(1000, "scsi0")), ",")
		q := Request{Tool: "test", Cluster: "home", Guest: "1000", Direct: DeleteVolume{Cluster: "home", Node: home, VolID: disk}, Caller: agent}
		p, err := r.Propose(t.Context(), q)
		if err != nil || p.Body.Tier != Destructive || !slices.ContainsFunc(p.Body.Lost, func(l string) bool { return strings.Contains(l, disk) }) {
			t.Fatalf("%v %+v", err, p.Body)
		}
		r.approved(p)
		if done := r.apply(p.ID); done.State != Stale || !strings.Contains(done.Note, "uses volume") || r.sim.Stats().Writes != 0 {
			t.Errorf("%s: %s", done.State, done.Note)
		}
		if _, err := r.Undo(t.Context(), p.ID, agent); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("an undo: %v", err)
		}
	})
}

// TestJobUndo: a job is as before after a change and its undo, also where the change chose guests in another way; one that was changed since
// is left alone.
func TestJobUndo(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		settings := func(vmid int) (out map[string]string) {
			r.sim.Update(func(w *pvesim.World) { out = jobSettings(theJob(w, vmid)) })
			return out
		}
		for k, s := range samples() {
			if !strings.HasPrefix(s.name, "job") {
				continue
			}
			vmid := 1000 + k
			s.make(r, vmid)
			before := settings(vmid)
			p, err := r.Propose(t.Context(), s.request(r, vmid))
			if err != nil {
				t.Fatal(err)
			}
			if done := r.apply(p.ID); done.State != Done {
				t.Fatalf("%s: %s", s.name, done.Note)
			}
			u, err := r.Undo(t.Context(), p.ID, agent)
			if err != nil {
				t.Fatal(err)
			}
			if s.name == "job disabled" {
				r.sim.Update(func(w *pvesim.World) {
					for _, j := range w.Cluster.Lists[jobList] {
						if j["id"] == jobOf(vmid) {
							j["comment"] = "by hand"
						}
					}
				})
				if done := r.apply(u.ID); done.State != Stale {
					t.Errorf("after an edit: %s %s", done.State, done.Note)
				}
				continue
			}
			if done := r.apply(u.ID); done.State != Done {
				t.Fatalf("undo of %s: %s", s.name, done.Note)
			}
			if diff := cmp.Diff(before, settings(vmid)); diff != "" {
				t.Errorf("%s and its undo leave (-before +after):\n%s", s.name, diff)
			}
		}
	})
}

// TestVerify: a backup that restores is proven and nothing of it is left; one whose guest does not come up is not, and nothing is left either.
func TestVerify(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		for k, of := range []int{likeStopped, likeContainer} {
			var v Verify
			r.sim.Update(func(w *pvesim.World) { v = Verify{Saved: savedOf(w, of), NewID: 3000 + k, Storage: "local-lvm"} })
			for round, mute := range []bool{true, false} {
				v.NewID += 10 * round
				if of == likeContainer && mute {
					r.sim.AddFault(pvesim.TaskExit("vzstart", "command 'lxc-start' failed"))
				}
				before := picture(r)
				p, err := r.Propose(t.Context(), Request{Tool: "test", Cluster: "home", Direct: v, Caller: agent})
				if err != nil || p.Verdict.Decision != RunNow {
					t.Fatalf("%v %+v", err, p.Verdict)
				}
				if of == likeStopped && mute {
					for n := range 200 { // it comes up with its start, whenever that is
						time.AfterFunc(time.Duration(n)*200*time.Millisecond, func() {
							r.sim.Update(func(w *pvesim.World) {
								if g := w.Guest(v.NewID); g != nil {
									g.Agent.Running = false
								}
							})
						})
					}
				}
				done := r.apply(p.ID)
				if want := map[bool]string{true: Failed, false: Done}[mute && of == likeStopped]; of == likeStopped && done.State != want {
					t.Errorf("%d, mute %v: %s: %s", of, mute, done.State, done.Note)
				}
				if diff := cmp.Diff(before, picture(r)); diff != "" {
					t.Errorf("%d, mute %v leaves (-before +after):\n%s", of, mute, diff)
				}
				list, err := r.Proven(t.Context(), "home")
				if err != nil || !list[v.VolID].IsZero() != (done.State == Done) {
					t.Errorf("%d: %s, proven %v, %v", of, done.State, list, err)
				}
			}
		}
	})
}
