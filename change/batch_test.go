package change

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// batched makes one plan of several actions, each on a guest.
func (r *rig) batched(list ...any) (Proposal, error) {
	b := r.Batch("test", agent)
	for k := 0; k < len(list); k += 2 {
		guest, _ := list[k].(int)
		a, _ := list[k+1].(Action)
		if _, err := b.Add(r.t.Context(), Request{Guest: strconv.Itoa(guest), Action: a}); err != nil {
			return Proposal{}, err
		}
	}
	return b.Propose(r.t.Context())
}

// TestBatch: each request is planned on what those before it leave, all run in order, and one undo takes all of it back.
func TestBatch(t *testing.T) {
	memory := func(mib string) Action { return Configure{Set: map[string]string{"memory": mib}} }
	for _, c := range []struct {
		name  string
		first bool // a snapshot first
		do    []any
		steps []string
	}{
		{"two guests", false, []any{208, memory("3072"), 204, Power{Verb: "start"}}, []string{"208 guest.configure", "204 guest.start"}},
		{"one guest, again and again", false, []any{208, memory("3072"), 208, Configure{Set: map[string]string{"cores": "1"}}, 208, SetPool{}, 208, memory("1024")},
			[]string{"208 guest.configure", "208 guest.configure", "208 guest.pool", "208 guest.configure"}},
		{"started, then stopped again", false, []any{204, Power{Verb: "start"}, 204, Power{Verb: "stop"}, 204, Power{Verb: "stop"}},
			[]string{"204 guest.start", "204 guest.stop", "204 guest.stop noop"}},
		{"a snapshot before a change", true, []any{207, Snapshot{Verb: "create", Snapshot: "mine"}, 207, memory("3072"), 207, Power{Verb: "reboot"}},
			[]string{"207 snapshot.create", "207 guest.configure", "207 guest.reboot"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.sheriff.Rules.SnapshotFirst = c.first
				before := picture(r)
				p, err := r.batched(c.do...)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range p.Body.Steps {
					line := s.Target.ID() + " " + s.Action
					if s.Noop != "" {
						line += " noop"
					}
					got = append(got, line)
				}
				if diff := cmp.Diff(c.steps, got); diff != "" {
					t.Error(diff)
				}
				r.approved(p)
				if done := r.apply(p.ID); done.State != Done {
					t.Fatalf("it ended %s: %s", done.State, done.Note)
				}
				u, err := r.Undo(t.Context(), p.ID, agent)
				if strings.Contains(c.name, "before") { // a reboot leaves nothing to take back
					if fault.CodeOf(err) != fault.Conflict {
						t.Errorf("undo: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				r.approved(u)
				if done := r.apply(u.ID); done.State != Done {
					t.Fatalf("undo ended %s: %s", done.State, done.Note)
				}
				if diff := cmp.Diff(before, picture(r)); diff != "" {
					t.Errorf("after the undo:\n%s", diff)
				}
			})
		})
	}
}

// TestBatchRefused: a request that cannot follow those before it is refused when it is added, and a tag that an earlier step takes away
// unlocks nothing (S08).
func TestBatchRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		if _, err := r.batched(208, Destroy{}, 208, Power{Verb: "start"}); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "removed by an earlier step") {
			t.Errorf("start of what is gone: %v", err)
		}
		if _, err := r.batched(208, Snapshot{Verb: "create", Snapshot: "one"}, 208, Snapshot{Verb: "create", Snapshot: "one"}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("the same snapshot twice: %v", err)
		}
		if _, err := r.Batch("test", agent).Propose(t.Context()); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("nothing at all: %v", err)
		}
		r.do(208, Configure{Set: map[string]string{"tags": "locked"}})
		r.sheriff.Rules.Deny = []Scope{{Tag: "locked"}}
		if _, err := r.batched(208, Configure{Set: map[string]string{"tags": "free"}}, 208, Power{Verb: "start"}); fault.CodeOf(err) != fault.Denied {
			t.Errorf("the tag taken away first: %v", err)
		}
	})
}

// TestBatchStops: behind a step that fails nothing more is sent.
func TestBatchStops(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		p, err := r.batched(204, Power{Verb: "start"}, 208, Configure{Set: map[string]string{"memory": "3072"}})
		if err != nil {
			t.Fatal(err)
		}
		was := r.config(208, "memory")
		r.do(204, Configure{Set: map[string]string{"memory": "3072"}}) // the first step is stale now
		done := r.apply(p.ID)
		if done.State != Stale && done.State != Failed || r.config(208, "memory") != was {
			t.Errorf("ended %s: %s, memory of the second guest %v, was %v", done.State, done.Note, r.config(208, "memory"), was)
		}
	})
}
