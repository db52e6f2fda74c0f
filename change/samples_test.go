package change

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// sample is one action as it may be asked for, on a guest that a test makes for it. Every test that goes over all actions goes over
// samples: a new action joins with one line there.
type sample struct {
	name   string
	of     int                                    // guest of the demo that the test's own is made like
	prep   func(w *pvesim.World, vmid int)        // what the guest has to be like beside that
	action Action                                 // nil: direct, or act
	act    func(vmid int) Action                  // in place of action, where it names what it makes
	over   func(w *pvesim.World) Action           // the same, where it needs what the simulator has
	pair   bool                                   // it is about two guests: its own, and madeOf(vmid), which prep makes
	made   bool                                   // it makes a guest, madeOf(vmid)
	slow   bool                                   // what it waits for takes longer than answers are looked for
	away   bool                                   // it asks nothing of the guest's node
	direct func(w *pvesim.World, vmid int) Direct // in place of action
	worked func(w *pvesim.World, was *then) bool  // whether the simulator is as it was wanted
	undo   bool                                   // apply and undo leave nothing behind
	hidden bool                                   // no state shows that it was done, only its task
	blind  bool                                   // neither state nor task shows that it was done: where its answer is lost nobody knows
	apart  bool                                   // its undo is about what it made, whatever the guest has become
}

// then is what a guest was like before.
type then struct {
	vmid  int
	at    time.Time
	guest *pvesim.Guest // a copy; its maps are never edited
}

// madeOf is the vmid of the guest that a sample on a guest makes.
func madeOf(vmid int) int { return vmid + 5000 }

// Guests of the demo on pve2 that samples are made like: a stopped and a running machine, one with a snapshot, a container.
const (
	likeStopped, likeRunning, likeSnapshot, likeContainer = 204, 207, 206, 105
	home                                                  = "pve2"
)

func stopped(w *pvesim.World, vmid int) { w.SetStatus(vmid, "stopped") }

func paused(w *pvesim.World, vmid int) { w.Guest(vmid).Live.Paused = true }

func is(status string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && g.Status() == status && !g.Live.Paused
	}
}

func set(key, value string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && strings.HasPrefix(valueOf(g, key), value)
	}
}

func unset(key string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && valueOf(g, key) == ""
	}
}

// valueOf is a key as the API shows it: what waits for a restart counts.
func valueOf(g *pvesim.Guest, key string) string {
	if v, ok := g.Pending[key]; ok {
		return fmt.Sprint(v)
	}
	if v, ok := g.Config[key]; ok && !slices.Contains(g.Deleted, key) {
		return fmt.Sprint(v)
	}
	return ""
}

func poolIs(pool string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && g.Pool == pool
	}
}

func restarted(w *pvesim.World, was *then) bool {
	g := w.Guest(was.vmid)
	return g != nil && g.Live.Running && g.Live.Since.After(was.guest.Live.Since)
}

func snapshots(name string, there bool) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && slices.ContainsFunc(g.Snapshots, func(s *pvesim.Snapshot) bool { return s.Name == name }) == there
	}
}

// ranTask says that the guest's task list is longer by an ended task that did its work.
func ranTask(kind string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool { return tasksOfGuest(w, was.vmid, kind) > 0 }
}

func tasksOfGuest(w *pvesim.World, vmid int, kind string) int {
	n := 0
	for _, node := range w.Nodes {
		for _, t := range node.Tasks {
			if t.ID == fmt.Sprint(vmid) && t.Type == kind && (t.Exit == "OK" || t.Exit == "unexpected status" || strings.HasPrefix(t.Exit, "WARNINGS")) {
				n++
			}
		}
	}
	return n
}

func gone(w *pvesim.World, was *then) bool { return w.Guest(was.vmid) == nil }

// backing puts a backup on the guest's node that runs for ever.
func backing(w *pvesim.World, vmid int) { w.AddTask(home, "vzdump", fmt.Sprint(vmid), "root@pam", "") }

func runningTask(w *pvesim.World, vmid int) *pvesim.Task {
	for _, t := range w.Node(home).Tasks {
		if t.ID == fmt.Sprint(vmid) && t.Running() {
			return t
		}
	}
	return nil
}

// samples are all actions that this program has.
func samples() []sample {
	conf := func(set map[string]string, del ...string) Action { return Configure{Set: set, Delete: del} }
	list := []sample{
		{name: "start", of: likeStopped, action: Power{Verb: "start"}, worked: is("running"), undo: true},
		{name: "start container", of: likeContainer, prep: stopped, action: Power{Verb: "start"}, worked: is("running"), undo: true},
		{name: "shutdown", of: likeRunning, action: Power{Verb: "shutdown", Timeout: time.Minute, Force: true}, worked: is("stopped"), undo: true},
		{name: "shutdown container", of: likeContainer, action: Power{Verb: "shutdown"}, worked: is("stopped"), undo: true},
		{name: "stop", of: likeRunning, action: Power{Verb: "stop"}, worked: is("stopped"), undo: true},
		{name: "stop container", of: likeContainer, action: Power{Verb: "stop"}, worked: is("stopped"), undo: true},
		{name: "stop paused", of: likeRunning, prep: paused, action: Power{Verb: "stop"}, worked: is("stopped")},
		{name: "reboot", of: likeRunning, action: Power{Verb: "reboot"}, worked: restarted},
		{name: "reboot container", of: likeContainer, action: Power{Verb: "reboot"}, worked: restarted},
		{name: "reset", of: likeRunning, action: Power{Verb: "reset"}, worked: ranTask("qmreset"), hidden: true},
		{name: "suspend", of: likeRunning, action: Power{Verb: "suspend"}, undo: true, worked: func(w *pvesim.World, was *then) bool {
			g := w.Guest(was.vmid)
			return g != nil && g.Live.Running && g.Live.Paused
		}},
		{name: "resume", of: likeRunning, prep: paused, action: Power{Verb: "resume"}, worked: is("running"), undo: true},

		{name: "memory and notes", of: likeStopped, action: conf(map[string]string{"memory": "3072", "description": "new"}, "onboot"), worked: set("memory", "3072"), undo: true},
		{name: "memory of a running one", of: likeRunning, action: conf(map[string]string{"memory": "3072"}), worked: set("memory", "3072"), undo: true},
		{name: "memory of a container", of: likeContainer, action: conf(map[string]string{"memory": "1024"}), worked: set("memory", "1024"), undo: true},
		{name: "key deleted", of: likeStopped, action: conf(nil, "onboot"), worked: unset("onboot"), undo: true},
		{name: "tags", of: likeRunning, action: conf(map[string]string{"tags": "web;prod"}), worked: set("tags", "prod;web"), undo: true},
		{name: "protection", of: likeStopped, action: conf(map[string]string{"protection": "1"}), worked: set("protection", "1"), undo: true},
		{name: "protection of a container", of: likeContainer, action: conf(map[string]string{"protection": "1"}), worked: set("protection", "1"), undo: true},
		{name: "network card", of: likeStopped, action: conf(map[string]string{"net1": "virtio,bridge=vmbr0"}), worked: set("net1", "virtio="), undo: true},
		{name: "network card, running", of: likeRunning, action: conf(map[string]string{"net1": "virtio,bridge=vmbr0"}), worked: set("net1", "virtio="), undo: true},
		{name: "card removed", of: likeStopped, action: conf(nil, "net0"), worked: unset("net0"), undo: true},
		{name: "disk attached", of: likeStopped, action: conf(map[string]string{"scsi1": "local-lvm:4"}), worked: set("scsi1", "local-lvm:vm-"), undo: true},
		{name: "disk attached, running", of: likeRunning, action: conf(map[string]string{"scsi1": "local-lvm:4"}), worked: set("scsi1", "local-lvm:vm-"), undo: true},
		{name: "disk detached", of: likeStopped, action: conf(nil, "scsi0"), worked: unset("scsi0"), undo: true},

		{name: "pool", of: likeStopped, action: SetPool{Pool: "lab"}, worked: poolIs("lab"), undo: true},
		{name: "pool of a container", of: likeContainer, action: SetPool{Pool: "lab"}, worked: poolIs("lab"), undo: true},

		{name: "snapshot", of: likeSnapshot, action: Snapshot{Verb: "create", Snapshot: "mine", Description: "a text", RAM: true}, worked: snapshots("mine", true), undo: true},
		{name: "snapshot of a stopped one", of: likeStopped, action: Snapshot{Verb: "create", Snapshot: "mine"}, worked: snapshots("mine", true), undo: true},
		{name: "snapshot of a container", of: likeContainer, action: Snapshot{Verb: "create", Snapshot: "mine"}, worked: snapshots("mine", true), undo: true},
		{name: "snapshot deleted", of: likeSnapshot, action: Snapshot{Verb: "delete", Snapshot: "pre-upgrade-18"}, worked: snapshots("pre-upgrade-18", false)},
		{name: "roll-back", of: likeSnapshot, action: Snapshot{Verb: "rollback", Snapshot: "pre-upgrade-18"}, worked: ranTask("qmrollback")},

		{name: "destroy", of: likeStopped, action: Destroy{}, worked: gone},
		{name: "destroy container", of: likeContainer, prep: stopped, action: Destroy{Purge: true}, worked: gone},

		{name: "task cancelled", of: likeSnapshot, prep: backing, worked: func(w *pvesim.World, was *then) bool { return runningTask(w, was.vmid) == nil },
			direct: func(w *pvesim.World, vmid int) Direct {
				return CancelTask{Cluster: "home", UPID: runningTask(w, vmid).UPID, Handle: "t-test"}
			}},
	}
	return slices.Concat(list, backupSamples(), diskSamples(), createSamples(), execSamples(), proofSamples())
}

// twin makes a guest like another one, with disks and an identity of its own.
func twin(w *pvesim.World, of, vmid int) {
	like := w.Guest(of)
	own := func(s string) string {
		return strings.ReplaceAll(s, fmt.Sprintf("-%d-disk", of), fmt.Sprintf("-%d-disk", vmid))
	}
	copied := func(from pvesim.Object) pvesim.Object {
		to := maps.Clone(from)
		for k, v := range to {
			if s, ok := v.(string); ok {
				to[k] = own(s)
			}
		}
		if s, ok := to["smbios1"].(string); ok {
			to["smbios1"] = s[:len(s)-12] + fmt.Sprintf("%012d", vmid)
		}
		return to
	}
	g := *like
	g.VMID, g.Config, g.Pending, g.Firewall, g.Snapshots = vmid, copied(like.Config), nil, nil, nil
	for _, s := range like.Snapshots {
		one := *s
		one.Config = copied(s.Config)
		g.Snapshots = append(g.Snapshots, &one)
	}
	g.Live.PID += vmid
	n := w.Node(like.Node)
	for store, list := range n.Content {
		for _, v := range list {
			if volid, _ := v["volid"].(string); own(volid) != volid {
				v = maps.Clone(v)
				v["volid"], v["vmid"] = own(volid), vmid
				n.Content[store] = append(n.Content[store], v)
			}
		}
	}
	w.AddGuest(&g)
}

// make puts the guest of a sample into the simulator; what it was like comes back.
func (s *sample) make(r *rig, vmid int) *then {
	was := &then{vmid: vmid, at: time.Now()}
	r.sim.Update(func(w *pvesim.World) {
		twin(w, s.of, vmid)
		if s.prep != nil {
			s.prep(w, vmid)
		}
	})
	r.sim.Update(func(w *pvesim.World) {
		g := *w.Guest(vmid)
		was.guest = &g
	})
	return was
}

// request asks for a sample on its guest.
func (s *sample) request(r *rig, vmid int) Request {
	q := Request{Tool: "test", Cluster: "home", Guest: fmt.Sprint(vmid), Action: s.action, Caller: agent}
	if s.pair {
		q.Guest, q.Guests = "", []string{fmt.Sprint(vmid), fmt.Sprint(madeOf(vmid))}
	}
	if s.act != nil {
		q.Action = s.act(vmid)
	}
	if s.over != nil {
		r.sim.Update(func(w *pvesim.World) { q.Action = s.over(w) })
	}
	if s.direct != nil {
		r.sim.Update(func(w *pvesim.World) { q.Direct = s.direct(w, vmid) })
	}
	return q
}

// carried says whether the simulator is as a sample wanted it.
func (s *sample) carried(r *rig, was *then) bool {
	var ok bool
	r.sim.Update(func(w *pvesim.World) { ok = s.worked(w, was) })
	return ok
}

// TestSamples: each action works where nothing goes wrong, costs no more requests than the design allows and says what it cannot take
// back. Every kind of write that the program knows has a sample.
func TestSamples(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.Caps = Caps{}
		covered := map[string]bool{}
		for k, s := range samples() {
			was := s.make(r, 1000+k)
			r.sim.ResetStats()
			p, err := r.Propose(t.Context(), s.request(r, was.vmid))
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
				continue
			}
			if writes := r.sim.Stats().Writes; writes != 0 {
				t.Errorf("%s: %d writes were sent before it was applied", s.name, writes)
			}
			if said := !slices.ContainsFunc(p.Body.Steps, func(st Step) bool { return st.NoUndo != "" && (st.Makes || !st.Target.New) }); said != s.undo {
				t.Errorf("%s: an undo is promised: %v, want %v", s.name, said, s.undo)
			}
			for _, step := range p.Body.Steps {
				covered[pattern(step.Call)] = true
			}
			r.approved(p)
			r.sim.ResetStats()
			done := r.apply(p.ID)
			if done.State != Done || !s.carried(r, was) {
				t.Errorf("%s ended %s (%s), carried out: %v", s.name, done.State, done.Note, s.carried(r, was))
			}
			before, after := readsOf(r, p.Body.Steps[0].Call.Method)
			steps := len(p.Body.Steps)
			if p.Body.Steps[0].Makes {
				before-- // whether its vmid is free
			}
			if before > 4 || after > 4*steps+2*(steps-1) && p.Body.Steps[0].Patience == 0 { // what may take minutes is looked at again and again
				t.Errorf("%s: %d requests before it and %d after: config and status, the cluster and its list of guests once, and what its own kind of object needs", s.name, before, after)
			}
		}
		for _, c := range calls {
			if p := c.method + " " + c.path; !covered[p] {
				t.Errorf("no sample for %s", p)
			}
		}
	})
}

// readsOf counts GETs before and after the write; looks at tasks, which are polling, are no part of it.
func readsOf(r *rig, method string) (before, after int) {
	sent := false
	for _, q := range r.sim.Requests() {
		switch {
		case q.Method == method && method != "GET":
			sent = true
		case strings.Contains(q.Path, "/tasks/"):
		case sent:
			after++
		default:
			before++
		}
	}
	return before, after
}

func pattern(c Call) string {
	for _, k := range calls {
		if k.method == c.Method && fits(k.path, c.Path) {
			return k.method + " " + k.path
		}
	}
	return ""
}
