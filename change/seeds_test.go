package change

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// model is what a guest has to be like, as far as random operations change it.
type model struct {
	Gone         bool
	Status       string
	Memory, Tags string
	Snapshots    map[string]string // tags of each
}

func (m model) with(f func(*model)) model {
	m.Snapshots = maps.Clone(m.Snapshots)
	f(&m)
	return m
}

// see reads a guest of the simulator as the model has it.
func see(r *rig, vmid int) model {
	m := model{Gone: true}
	r.guest(vmid, func(g *pvesim.Guest) {
		if g == nil {
			return
		}
		m = model{Status: g.Status(), Memory: valueOf(g, "memory"), Tags: valueOf(g, "tags"), Snapshots: map[string]string{}}
		if g.Live.Paused {
			m.Status = "paused"
		}
		for _, s := range g.Snapshots {
			m.Snapshots[s.Name] = fmt.Sprint(s.Config["tags"])
		}
	})
	return m
}

// operation is something that can be asked for, and what it makes of a guest.
type operation struct {
	action Action
	makes  func(*model)
}

// operations draws one of each kind. held is the memory that each snapshot has: that in effect when it was taken, not what waited then.
func operations(rng *rand.Rand, held map[string]string) []operation {
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	memory, tags, name := strconv.Itoa(512*(1+rng.IntN(12))), pick("a", "a;b", "c;d"), pick("one", "two", "three")
	power := func(verb, to string) operation {
		return operation{Power{Verb: verb, Timeout: 30 * time.Second, Force: verb == "shutdown"}, func(m *model) { m.Status = to }}
	}
	return []operation{
		power("start", "running"), power("shutdown", "stopped"), power("stop", "stopped"), power("reboot", "running"), power("suspend", "paused"), power("resume", "running"),
		{Configure{Set: map[string]string{"memory": memory}}, func(m *model) { m.Memory = memory }},
		{Configure{Set: map[string]string{"tags": tags}}, func(m *model) { m.Tags = tags }},
		{Configure{Set: map[string]string{"memory": memory, "tags": tags}}, func(m *model) { m.Memory, m.Tags = memory, tags }},
		{Snapshot{Verb: "create", Snapshot: name}, func(m *model) { m.Snapshots[name] = m.Tags }},
		{Snapshot{Verb: "delete", Snapshot: name}, func(m *model) { delete(m.Snapshots, name) }},
		{Snapshot{Verb: "rollback", Snapshot: name}, func(m *model) { m.Status, m.Memory, m.Tags = "stopped", held[name], m.Snapshots[name] }},
		{Destroy{}, func(m *model) { *m = model{Gone: true} }},
	}
}

// trouble draws what goes wrong while a plan is applied.
func trouble(rng *rand.Rand, vmid int, method string) []pvesim.Fault {
	some := func(f pvesim.Fault, executes bool) pvesim.Fault {
		f.Method, f.Count, f.Executes = method, 1, executes
		return f
	}
	reading := func(f pvesim.Fault) pvesim.Fault { f.Method, f.P = "GET", 0.3; return f }
	one := func() pvesim.Fault {
		switch rng.IntN(16) {
		case 0:
			return some(pvesim.Drop(), rng.IntN(2) == 0)
		case 1:
			return some(pvesim.ProxyError(595+rng.IntN(5), "proxy"), false)
		case 2:
			return some(pvesim.ProxyError(596+rng.IntN(4), "proxy"), true)
		case 3:
			return some(pvesim.Gateway([]int{429, 502, 503, 504}[rng.IntN(4)], 0), false)
		case 4:
			return some(pvesim.CutBody(rng.IntN(20)), true)
		case 5:
			return some(pvesim.NodeHangs(""), rng.IntN(2) == 0)
		case 6:
			return pvesim.TaskLate("", time.Duration(rng.IntN(4000))*time.Millisecond)
		case 7:
			return pvesim.TaskVanishes("")
		case 8:
			return pvesim.TaskExit("", "WARNINGS: 1")
		case 9:
			return pvesim.LockFileHeld(vmid, time.Duration(rng.IntN(20))*time.Second)
		case 10:
			return pvesim.GuestLocked(vmid, "backup", rng.IntN(2) == 0)
		case 11:
			return pvesim.EditedByFile(vmid)
		case 12:
			return reading(pvesim.Drop())
		case 13:
			return reading(pvesim.ProxyError(596, "Connection timed out"))
		case 14:
			return reading(pvesim.TruncateBody(rng.IntN(40)))
		}
		return pvesim.NoQuorum()
	}
	var out []pvesim.Fault
	for range rng.IntN(3) {
		out = append(out, one())
	}
	return out
}

// seedsHere is how many seeds are tried: SEEDS where it is set (make e2e-full tries 1,000), else 200, or 24 with -short or the race detector.
func seedsHere() int {
	if n, err := strconv.Atoi(os.Getenv("SEEDS")); err == nil {
		return n
	}
	if testing.Short() || raceEnabled {
		return 24
	}
	return 200
}

// TestSeeds does random operations under random faults and crashes, and compares the simulator with a model after each: what is said to be
// done is so, what is said to have failed is not, and what is unknown is one of both.
func TestSeeds(t *testing.T) {
	t.Parallel()
	const shards = 4
	n := seedsHere()
	t.Logf("%d seeds (SEEDS sets how many)", n)
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				defer r.close()
				r.sheriff.Rules.Caps = Caps{}
				ends := map[string]int{}
				for seed := shard; seed < n && !t.Failed(); seed += shards {
					(&walk{rig: r, seed: seed, vmid: 1000 + seed, rng: rand.New(rand.NewPCG(uint64(seed), 5)), ends: ends}).go8()
				}
				t.Logf("plans ended %v", ends)
			})
		})
	}
}

// walk is one seed: a guest of its own and some operations on it.
type walk struct {
	*rig
	seed, vmid int
	rng        *rand.Rand
	is         model
	ends       map[string]int
}

func (k *walk) go8() {
	k.sim.Update(func(w *pvesim.World) { twin(w, []int{likeStopped, likeRunning}[k.rng.IntN(2)], k.vmid) })
	defer k.sim.Update(func(w *pvesim.World) { w.RemoveGuest(k.vmid) })
	k.is = see(k.rig, k.vmid)
	for n := range 8 {
		if k.is.Gone || k.t.Failed() {
			return
		}
		held := map[string]string{}
		k.guest(k.vmid, func(g *pvesim.Guest) {
			for _, s := range g.Snapshots {
				held[s.Name] = fmt.Sprint(s.Config["memory"])
			}
		})
		ops := operations(k.rng, held)
		k.step(n, ops[k.rng.IntN(len(ops))])
	}
}

// step does one operation under random trouble.
func (k *walk) step(n int, op operation) {
	label := fmt.Sprintf("seed %d, operation %d, %s %+v", k.seed, n, op.action.Name(), op.action)
	k.sim.ResetStats()
	p, err := k.Propose(k.t.Context(), Request{Tool: "test", Cluster: "home", Guest: strconv.Itoa(k.vmid), Action: op.action, Caller: agent})
	if err != nil || p.ID == "" {
		k.same(label+": not planned", k.is)
		return
	}
	k.approved(p)
	var heal []func()
	var troubles []string
	for _, f := range trouble(k.rng, k.vmid, p.Body.Steps[0].Call.Method) {
		troubles = append(troubles, f.Name)
		heal = append(heal, k.sim.AddFault(f))
	}
	label += fmt.Sprintf(" under %q", troubles)
	state := k.applied(p.ID)
	for _, h := range slices.Backward(heal) {
		h()
	}
	time.Sleep(2 * time.Minute) // what was begun ends, locks and files are free
	k.ends[state]++
	k.judge(label+": "+state, state, op)
	if _, err := k.Cancel(k.t.Context(), p.ID, agent); err == nil {
		k.same(label+": cancelled", k.is)
	}
	if state == Done && k.rng.IntN(3) == 0 {
		k.back(label, p.ID)
	}
}

// applied runs a plan, now and then in a process that dies on the way, and gives the state that it ends in.
func (k *walk) applied(id string) string {
	m := &mortal{Store: k.db}
	if k.rng.IntN(4) == 0 {
		m.at, m.after = 1+k.rng.IntN(5), k.rng.IntN(2) == 0
	}
	e := k.living(m)
	m.kill = e.stop
	_, err := e.Apply(k.t.Context(), id, agent, ApplyOptions{Wait: time.Hour})
	_ = e.Close()
	if m.what == "" && err != nil {
		k.t.Errorf("seed %d: apply: %v", k.seed, err)
	}
	if m.what != "" {
		h, _ := k.heir()
		_ = h.Close()
	}
	p, err := k.Plan(k.t.Context(), id, operator)
	if err != nil {
		k.t.Fatal(err)
	}
	return p.State
}

// judge compares what is with what was said.
func (k *walk) judge(label, state string, op operation) {
	k.t.Helper()
	writes := k.sim.Stats().Writes
	if writes > 1 {
		k.t.Errorf("%s: %d requests", label, writes)
	}
	wanted := k.is.with(op.makes)
	switch state {
	case Done:
		k.same(label, wanted)
	case Unknown:
		if now := see(k.rig, k.vmid); !cmp.Equal(now, wanted) && !cmp.Equal(now, k.is) {
			k.t.Errorf("%s: it is neither as before nor as wanted:\n%s", label, cmp.Diff(k.is, now))
		}
	case Applying, Undone:
		k.t.Errorf("%s", label)
	default:
		k.same(label, k.is)
	}
	k.is = see(k.rig, k.vmid)
}

func (k *walk) same(label string, want model) {
	k.t.Helper()
	if diff := cmp.Diff(want, see(k.rig, k.vmid)); diff != "" {
		k.t.Errorf("%s (-as it has to be +as it is):\n%s", label, diff)
	}
}

// back undoes what was done, without trouble.
func (k *walk) back(label, id string) {
	u, err := k.Undo(k.t.Context(), id, agent)
	if err != nil {
		return
	}
	k.approved(u)
	if done := k.apply(u.ID); done.State != Done {
		k.t.Errorf("%s: its undo ended %s: %s", label, done.State, done.Note)
	}
	k.is = see(k.rig, k.vmid)
}
