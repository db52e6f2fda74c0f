package change

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// picture is what the simulator holds, without what no undo can bring back: identities that are made anew (vmgenid), and the numbers of
// volumes.
func picture(r *rig) map[string]string {
	out := map[string]string{}
	r.sim.Update(func(w *pvesim.World) {
		for _, g := range w.Guests() {
			out[fmt.Sprint(g.VMID)] = guestPicture(g)
		}
		for _, n := range w.Nodes {
			for store, list := range n.Content {
				var volumes []string
				for _, v := range list {
					volumes = append(volumes, fmt.Sprint(v["vmid"], v["content"], v["size"], v["format"]))
				}
				slices.Sort(volumes)
				if len(volumes) > 0 {
					out[n.Name+"/"+store] = strings.Join(volumes, "\n")
				}
			}
		}
		for _, p := range w.Pools {
			out["pool "+p.ID] = fmt.Sprint(p.Storages, p.Missing)
		}
		out["ha"] = fmt.Sprint(w.Cluster.Lists["ha_resources"])
	})
	return out
}

var genid = regexp.MustCompile(`vmgenid=\S+`)

func guestPicture(g *pvesim.Guest) string {
	var out []string
	add := func(part string, o pvesim.Object) {
		for _, k := range slices.Sorted(maps.Keys(o)) {
			out = append(out, fmt.Sprintf("%s%s=%v", part, k, o[k]))
		}
	}
	out = append(out, g.Type, g.Node, "pool "+g.Pool, g.Status(), fmt.Sprint("paused ", g.Live.Paused), fmt.Sprint("deleted ", g.Deleted))
	add("", g.Config)
	add("pending ", g.Pending)
	for _, s := range g.Snapshots {
		out = append(out, fmt.Sprint("snapshot ", s.Name, s.Parent, s.VMState))
	}
	return genid.ReplaceAllString(strings.Join(out, "\n"), "vmgenid")
}

// takeBack applies an action and its undo, and wants the world to be as before.
func takeBack(t fataler, r *rig, s *sample, vmid int) {
	t.Helper()
	was := s.make(r, vmid)
	before := picture(r)
	p, err := r.Propose(r.t.Context(), s.request(r, vmid))
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	if p.ID == "" {
		return // nothing to do
	}
	r.approved(p)
	done := r.apply(p.ID)
	if done.State == Failed && s.worked == nil { // Proxmox VE said no: nothing changed, or it is said what did
		if diff := cmp.Diff(before, picture(r)); diff != "" && !strings.Contains(done.Note, "changed was all the same") {
			t.Fatalf("%s %+v failed (%s), and yet (-before +after):\n%s", s.name, s.action, done.Note, diff)
		}
		return
	}
	if done.State != Done || s.worked != nil && !s.carried(r, was) {
		t.Fatalf("%s %+v ended %s: %s", s.name, s.action, done.State, done.Note)
	}
	u, err := r.Undo(r.t.Context(), p.ID, agent)
	if err != nil {
		t.Fatalf("undo of %s %+v: %v", s.name, s.action, err)
	}
	r.approved(u)
	if done := r.apply(u.ID); done.State != Done {
		t.Fatalf("undo of %s %+v ended %s: %s", s.name, s.action, done.State, done.Note)
	}
	if diff := cmp.Diff(before, picture(r)); diff != "" {
		t.Fatalf("%s %+v and its undo leave (-before +after):\n%s", s.name, s.action, diff)
	}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// TestUndo: what says that it can be taken back leaves nothing behind; what says that it cannot is refused.
func TestUndo(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.Caps = Caps{}
		for k, s := range samples() {
			if s.undo {
				takeBack(t, r, &s, 1000+k)
				continue
			}
			s.make(r, 1000+k)
			p, err := r.Propose(t.Context(), s.request(r, 1000+k))
			if err != nil {
				t.Fatal(err)
			}
			r.approved(p)
			r.apply(p.ID)
			if _, err := r.Undo(t.Context(), p.ID, agent); fault.CodeOf(err) != fault.Conflict {
				t.Errorf("undo of %s: %v", s.name, err)
			}
		}
	})
}

// TestUndoOfLongAgo: the body of a plan that ended long ago is not kept, and its undo says so.
func TestUndoOfLongAgo(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.Caps = Caps{}
		s := samples()[0]
		var ids []string
		for vmid := 1000; vmid < 1002; vmid++ {
			s.make(r, vmid)
			p, err := r.Propose(t.Context(), s.request(r, vmid))
			if err != nil {
				t.Fatal(err)
			}
			r.approved(p)
			r.apply(p.ID)
			ids = append(ids, p.ID)
			time.Sleep(91 * 24 * time.Hour)
		}
		if p, err := r.Plan(t.Context(), ids[0], agent); err != nil || p.State != Done || len(p.Body.Steps) != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, err := r.Undo(t.Context(), ids[0], agent); fault.CodeOf(err) != fault.Conflict || !strings.Contains(err.Error(), "is not kept any more") {
			t.Error(err)
		}
	})
}

// TestUndoBesideEdits: what somebody else has done since stays: an undo that would take it back too is refused, every other leaves it alone.
func TestUndoBesideEdits(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.Caps = Caps{}
		allowed := 0
		for k, s := range samples() {
			if !s.undo || s.apart {
				continue
			}
			s.make(r, 1000+k)
			p, err := r.Propose(t.Context(), s.request(r, 1000+k))
			if err != nil {
				t.Fatal(err)
			}
			r.approved(p)
			r.apply(p.ID)
			changed, touches := 1000+k, s.made
			if s.made {
				changed = madeOf(changed)
			}
			for _, st := range p.Body.Steps {
				touches = touches || st.Want.Set["cores"] != "" || slices.Contains(st.Want.Unset, "cores")
			}
			r.sim.Update(func(w *pvesim.World) { w.SetConfig(changed, "cores", 3) })
			r.sim.ResetStats()
			u, err := r.Undo(t.Context(), p.ID, agent)
			if n := r.sim.Stats().Writes; n > 0 {
				t.Errorf("planning the undo of %s: %d writes", s.name, n)
			}
			if touches {
				if fault.CodeOf(err) != fault.Stale {
					t.Errorf("undo of %s after an edit of the same: %v", s.name, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("undo of %s after an edit of something else: %v", s.name, err)
				continue
			}
			r.approved(u)
			if done := r.apply(u.ID); done.State != Done || fmt.Sprint(r.config(changed, "cores")) != "3" {
				t.Errorf("undo of %s: %s %s, cores %v", s.name, done.State, done.Note, r.config(changed, "cores"))
			}
			allowed++
		}
		if allowed < 10 {
			t.Errorf("only %d undos beside an edit", allowed)
		}
	})
}

// TestUndoRefusedForWhatItTouches: each undo is refused where the very thing was changed since, with the reason; a locked guest is said to be
// locked, to be tried again.
func TestUndoRefusedForWhatItTouches(t *testing.T) {
	t.Parallel()
	edit := func(key string, v any) func(*pvesim.World) { return func(w *pvesim.World) { w.SetConfig(208, key, v) } }
	for name, c := range map[string]struct {
		action Action
		since  func(*pvesim.World)
		code   fault.Code
		says   string
	}{
		"the same key":           {Configure{Set: map[string]string{"memory": "512"}}, edit("memory", 1024), fault.Stale, "memory was changed since, it is 1024 now"},
		"a part of the same key": {Configure{Set: map[string]string{"net0": "virtio,bridge=vmbr1"}}, edit("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr1,firewall=1"), fault.Stale, "net0 was changed since"},
		"a lock":                 {Configure{Set: map[string]string{"memory": "512"}}, edit("lock", "migrate"), fault.Locked, "locked (migrate)"},
		"another snapshot of its name": {Snapshot{Verb: "create", Snapshot: "s1"}, func(w *pvesim.World) {
			g := w.Guest(208)
			for k := range g.Snapshots {
				if g.Snapshots[k].Name == "s1" {
					g.Snapshots[k].Time = g.Snapshots[k].Time.Add(time.Hour)
				}
			}
			w.SetConfig(208, "cores", 3)
		}, fault.Stale, "whether snapshot s1 is still the same"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, r *rig) {
				p := r.do(208, c.action)
				r.sim.Update(c.since)
				_, err := r.Undo(t.Context(), p.ID, agent)
				if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
					t.Errorf("the undo: %v", err)
				}
			})
		})
	}
}

// TestUndoAlready: a step whose state before holds already sends nothing, whoever brought it about, and the rest is taken back.
func TestUndoAlready(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		action Action
		since  func(*pvesim.World)
		says   string
	}{
		"moved back": {Migrate{Target: "pve1"}, func(w *pvesim.World) { w.MoveGuest(likeStopped, "pve2") }, "it is on pve2 already"},
		"set back":   {Configure{Set: map[string]string{"memory": "512"}}, func(w *pvesim.World) { w.SetConfig(208, "memory", "2048") }, "it is configured so already"},
		"stopped":    {Power{Verb: "start"}, func(w *pvesim.World) { w.SetStatus(208, "stopped") }, "it is stopped already"},
		"deleted":    {Snapshot{Verb: "create", Snapshot: "s1"}, func(w *pvesim.World) { g := w.Guest(208); g.Snapshots = g.Snapshots[:1] }, "snapshot s1 does not exist any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, r *rig) {
				id := 208
				if c.action.Name() == "guest.migrate" {
					id = likeStopped
				}
				p := r.do(id, c.action)
				r.sim.Update(c.since)
				u, err := r.Undo(t.Context(), p.ID, agent)
				if err != nil || u.ID != "" || len(u.Body.Steps) != 1 || u.Body.Steps[0].Noop != c.says {
					t.Errorf("the undo is %+v: %v", u.Body.Steps, err)
				}
			})
		})
	}
}

// TestUndoProperty takes back random changes of random guests.
func TestUndoProperty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.sheriff.Rules.Caps = Caps{}
		// The wrapper hides T.Deadline, which panics in a bubble.
		vmid, kinds := 2000, map[string]int{}
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
			vmid++
			s := anyChange(rt)
			kinds[s.action.Name()]++
			defer r.sim.Update(func(w *pvesim.World) { w.RemoveGuest(vmid) })
			takeBack(rt, r, &s, vmid)
		})
		t.Logf("taken back: %v", kinds)
	})
}

// anyChange draws a change that can be taken back, and a guest for it.
func anyChange(t *rapid.T) sample {
	s := sample{name: "random", of: rapid.SampledFrom([]int{likeStopped, likeRunning, likeSnapshot, likeContainer}).Draw(t, "like")}
	on := s.of != likeStopped
	if flip := rapid.Bool().Draw(t, "other state"); flip {
		on = !on
		state := map[bool]string{true: "running", false: "stopped"}[on]
		s.prep = func(w *pvesim.World, vmid int) { w.SetStatus(vmid, state) }
	}
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		verb := "start"
		if on {
			verb = rapid.SampledFrom([]string{"shutdown", "stop"}).Draw(t, "verb")
		}
		s.action = Power{Verb: verb}
	case 1:
		s.action = Snapshot{Verb: "create", Snapshot: rapid.StringMatching(`[a-zA-Z][a-z0-9_-]{1,20}`).Draw(t, "name"), RAM: rapid.Bool().Draw(t, "ram"),
			Description: rapid.StringMatching(`[a-z ]{0,20}`).Draw(t, "text")}
	default:
		s.action = anyConfig(t, s.of == likeContainer)
	}
	return s
}

// anyConfig draws keys to set and to delete.
func anyConfig(t *rapid.T, container bool) Configure {
	number := func(from, to int) string { return fmt.Sprint(rapid.IntRange(from, to).Draw(t, "number")) }
	values := map[string]func() string{
		"memory":      func() string { return fmt.Sprint(512 * rapid.IntRange(1, 16).Draw(t, "memory")) },
		"cores":       func() string { return number(1, 4) },
		"onboot":      func() string { return number(0, 1) },
		"protection":  func() string { return number(0, 1) },
		"tags":        func() string { return rapid.StringMatching(`[a-d]{1,3}(;[e-h]{1,3}){0,3}`).Draw(t, "tags") },
		"description": func() string { return rapid.StringMatching(`[a-z]{1,9}(\n[a-z]{1,9})?`).Draw(t, "notes") },
		"startup":     func() string { return "order=" + number(1, 9) },
	}
	removable := []string{"onboot", "tags", "description", "net0", "startup"}
	if container {
		values["swap"] = func() string { return number(0, 2048) }
		values["net1"] = func() string { return "name=eth1,bridge=vmbr0" }
		values["cpulimit"] = func() string { return number(1, 4) }
	} else {
		values["net1"] = func() string {
			return rapid.SampledFrom([]string{"virtio,bridge=vmbr0", "e1000,bridge=vmbr0,firewall=1"}).Draw(t, "card")
		}
		values["scsi1"] = func() string { return "local-lvm:" + number(1, 8) }
		values["balloon"] = func() string { return number(128, 512) }
		values["agent"] = func() string { return number(0, 1) }
		values["boot"] = func() string { return rapid.SampledFrom([]string{"order=scsi0", "order=scsi0;net0"}).Draw(t, "boot") }
		removable = append(removable, "agent", "boot", "scsi0")
	}
	c := Configure{Set: map[string]string{}}
	keys := slices.Sorted(maps.Keys(values))
	for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 4, rapid.ID).Draw(t, "set") {
		c.Set[k] = values[k]()
	}
	for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(removable), 0, 2, rapid.ID).Draw(t, "delete") {
		if boot := c.Set["boot"]; c.Set[k] == "" && !strings.Contains(boot, k) { // a boot order that names what goes is refused
			c.Delete = append(c.Delete, k)
		}
	}
	if len(c.Set)+len(c.Delete) == 0 {
		c.Set["tags"] = "only"
	}
	return c
}
