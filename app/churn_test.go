package app

import (
	"context"
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
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// A calm window begins when a fault has been over for as long as the longest pause of a breaker and a tick take, and a state is due to
	// be known when it lasted through a sweep of all guests, one a second, and two idle ticks.
	churnRests  = 150 * time.Second
	churnEnough = 110 * time.Second

	churnMostGuests  = 30
	churnLeastGuests = 8
)

// churner changes a simulated cluster at random for hours, under faults, beside the program that watches it.
type churner struct {
	m    *matrixRig
	rng  *rand.Rand
	book book
	end  context.CancelFunc // of Serve
	done chan struct{}
	free []int // vmids to use again
	next int   // vmid of the next guest that takes a new one
	note int
	deck []faultRow

	noEvidence bool      // the account sees no tasks: whether a container is another one nobody can tell it
	since      time.Time // when the last fault was over; zero while one lasts
	deeds      map[string]int
	met        map[string]int
	calls      int
}

// churnHours is how long the world is simulated: a day at full size (make e2e-full), half an hour under the race detector, else two hours.
func churnHours(t *testing.T) time.Duration {
	t.Helper()
	d := 2 * time.Hour
	if testing.Short() || raceEnabled {
		d = 30 * time.Minute
	}
	if v := os.Getenv("CHURN"); v != "" {
		var err error
		if d, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// churnSeed is another one in each run, so that runs add up; CHURN_SEED repeats one.
func churnSeed(t *testing.T) uint64 {
	t.Helper()
	v := os.Getenv("CHURN_SEED")
	if v == "" {
		return uint64(time.Now().UnixNano())
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestChurn is a day of a cluster on which guests are made, destroyed, renamed, moved and edited all the time while nodes go silent, answers
// are cut and each other reading fault comes and goes, and the program is started anew now and then. Its history must be the true one: nothing
// that did not happen, and all that lasted through a calm moment.
func TestChurn(t *testing.T) {
	t.Parallel()
	d, seed := churnHours(t), churnSeed(t)
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		m := newMatrixRig(t, &faultRow{})
		c := &churner{m: m, rng: rand.New(rand.NewPCG(seed, 1)), next: 2000, book: book{moments: map[int][]moment{}}, //nolint:gosec // repeatable on purpose
			deeds: map[string]int{}, met: map[string]int{}}
		defer m.close()
		m.sim.Update(c.book.enter)
		c.serve()
		c.since = time.Now()
		for time.Since(bubbleNow()) < d {
			c.calmly()
			c.faulty()
		}
		c.calmly()
		c.halt()
		c.settles()
		total := c.book.audit(t, m, time.Now(), churnEnough)
		m.readOnly()
		c.print(d, total)
	})
	t.Logf("seed %d: took %s", seed, time.Since(began).Round(time.Second))
}

func (c *churner) print(d time.Duration, total map[string]*tally) {
	c.m.t.Logf("%s simulated, %d calls of tools, deeds %v", d, c.calls, c.deeds)
	for _, kind := range slices.Sorted(maps.Keys(total)) {
		c.m.t.Logf("%-8s %4d could be seen, %4d of them recorded", kind, total[kind].visible, total[kind].found)
	}
	c.m.t.Logf("faults met: %v", c.met)
}

// serve starts what serve does in the background; halt ends it.
func (c *churner) serve() {
	ctx, cancel := context.WithCancel(c.m.t.Context())
	c.end, c.done = cancel, make(chan struct{})
	go func() {
		defer close(c.done)
		_ = c.m.parts.inv.Serve(ctx)
	}()
}

func (c *churner) halt() {
	c.end()
	<-c.done
}

// restart ends the program and starts it anew on the same store after a while.
func (c *churner) restart(away time.Duration) {
	c.book.fault("away for %s", away)
	c.halt()
	c.m.closeParts()
	c.live(away)
	c.m.open()
	c.serve()
}

// minutes is a random time.
func (c *churner) minutes(from, to int) time.Duration {
	return time.Duration(60*from+c.rng.IntN(60*(to-from)+1)) * time.Second
}

// calmly lets some time without faults pass, now and then with the program away for a part of it.
func (c *churner) calmly() {
	if c.rng.IntN(8) == 0 {
		c.restart(c.minutes(0, 25))
		c.since = time.Now()
	}
	c.live(c.minutes(4, 12))
	if from, to := c.since.Add(churnRests), time.Now(); to.After(from) {
		c.book.calm = append(c.book.calm, [2]time.Time{from, to})
	}
}

// faulty lets a fault last for some time, sometimes two at once.
func (c *churner) faulty() {
	rows := []faultRow{c.draw()}
	if c.rng.IntN(4) == 0 && rows[0].login == nil {
		if two := c.draw(); two.login == nil {
			rows = append(rows, two)
		}
	}
	if c.m.login = rows[0].login; c.m.login != nil {
		c.restart(0)
	}
	var ends []func()
	for _, row := range rows {
		c.met[row.id]++
		c.noEvidence = c.noEvidence || slices.Contains([]string{"F07", "F08", "F09", "F10"}, row.id)
		c.book.fault("%s %s", row.id, row.name)
		ends = append(ends, row.inject(c.m))
		c.m.sim.Update(c.book.enter)
	}
	c.live(max(c.minutes(1, 9), rows[0].after))
	for i, end := range ends {
		end()
		if rows[i].recover != nil {
			c.halt()
			rows[i].recover(c.m)
			c.serve()
		}
	}
	if c.m.login != nil {
		c.m.login = nil
		c.restart(0)
	}
	c.noEvidence = false
	c.book.fault("over")
	c.m.sim.Update(c.book.enter)
	c.since = time.Now()
}

// draw takes the next fault; all come before one comes again.
func (c *churner) draw() faultRow {
	if len(c.deck) == 0 {
		c.deck = append(faultRows(), churnRows(c)...)
		c.rng.Shuffle(len(c.deck), func(i, k int) { c.deck[i], c.deck[k] = c.deck[k], c.deck[i] })
	}
	row := c.deck[0]
	c.deck = c.deck[1:]
	return row
}

// live lets time pass in which things happen and somebody asks now and then.
func (c *churner) live(d time.Duration) {
	until := time.Now().Add(d)
	for {
		pause := time.Duration(10+c.rng.IntN(110)) * time.Second
		if left := time.Until(until); pause >= left {
			time.Sleep(left)
			return
		}
		time.Sleep(pause)
		c.deed()
		if c.parts() && c.rng.IntN(3) == 0 {
			c.ask()
		}
	}
}

// parts says that the program runs.
func (c *churner) parts() bool {
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// ask is a read, as an agent's, which keeps the pace of ticks up; with a full store none may fail.
func (c *churner) ask() {
	c.calls++
	q := c.m.questions(c.rng.IntN(6), c.rng.IntN(5) == 0, false)[0]
	if r := c.m.call(q.tool, q.args); r.err != nil && q.tool != "get_guest" && q.tool != "get_task" && len(c.book.calm) > 0 {
		c.m.t.Errorf("%s at %s: %s", r.name(), time.Now().Format(time.TimeOnly), r.text)
	}
	c.m.heard.Reset()
}

// settles wants everything to be known once all is calm.
func (c *churner) settles() {
	for range 2 {
		time.Sleep(time.Minute)
		if rep, err := c.m.sync(); err != nil || !rep.Complete {
			c.m.t.Errorf("at the end: %+v, %v", rep, err)
		}
	}
	rows, err := c.m.db().Guests(c.m.t.Context(), store.GuestFilter{})
	if err != nil {
		c.m.t.Fatal(err)
	}
	got := map[int]fact{}
	for _, g := range rows {
		got[g.VMID] = fact{Name: g.Name, Type: g.Type, Node: g.Node, Status: g.Status, Template: g.Template}
	}
	if diff := cmp.Diff(truth(c.m.sim), got); diff != "" {
		c.m.t.Errorf("the store at the end (-truth +store):\n%s", diff)
	}
}

// deed changes one thing in the world and writes it into the book.
func (c *churner) deed() {
	c.m.sim.Update(func(w *pvesim.World) {
		guests := w.Guests()
		all := deeds()
		d := all[c.rng.IntN(len(all))]
		switch {
		case len(guests) <= churnLeastGuests:
			d = deed{"create", (*churner).create}
		case d.name == "create" && len(guests) >= churnMostGuests:
			d = deed{"destroy", (*churner).destroy}
		}
		d.do(c, w, guests[c.rng.IntN(len(guests))])
		c.deeds[d.name]++
		c.book.enter(w)
	})
}

type deed struct {
	name string
	do   func(c *churner, w *pvesim.World, g *pvesim.Guest)
}

func deeds() []deed {
	return []deed{
		{"create", (*churner).create}, {"destroy", (*churner).destroy}, {"replace", (*churner).replace}, {"rename", (*churner).rename},
		{"rename back and forth", (*churner).renameTwice}, {"migrate", (*churner).migrate}, {"edit", (*churner).edit}, {"edit", (*churner).edit},
		{"clone", (*churner).clone}, {"power", (*churner).power}, {"tag", (*churner).tag}, {"snapshot", (*churner).snapshot}, {"roll back", (*churner).rollback},
	}
}

// task puts a task that has ended into the lists, as the deed of a user leaves one. A container's names another type than a machine's.
func (c *churner) task(w *pvesim.World, g *pvesim.Guest, vm, ct string) {
	kind := vm
	if g.Type == "lxc" {
		kind = ct
	}
	if kind != "" {
		w.AddTask(g.Node, kind, strconv.Itoa(g.VMID), "root@pam", "OK")
	}
}

func (c *churner) create(w *pvesim.World, like *pvesim.Guest) {
	id := c.next
	if len(c.free) > 0 && c.rng.IntN(3) > 0 {
		k := c.rng.IntN(len(c.free))
		id = c.free[k]
		c.free = slices.Delete(c.free, k, k+1)
	} else {
		c.next++
	}
	c.make(w, like, id, w.Nodes[c.rng.IntN(len(w.Nodes))].Name)
}

// clone leaves a task that names the guest that was cloned (recordings 08/071), to which nothing happens.
func (c *churner) clone(w *pvesim.World, g *pvesim.Guest) {
	if len(w.Guests()) < churnMostGuests {
		c.task(w, g, "qmclone", "vzclone")
		c.create(w, g)
	}
}

// make adds a guest like another one, with an identity of its own.
func (c *churner) make(w *pvesim.World, like *pvesim.Guest, id int, node string) {
	cfg := pvesim.Object{}
	for key, v := range like.Config {
		if key != "parent" && key != "template" && key != "lock" && key != "onboot" {
			cfg[key] = v
		}
	}
	c.note++
	key := "hostname"
	if like.Type == "qemu" {
		key = "name"
		cfg["smbios1"] = fmt.Sprintf("uuid=00000000-0000-4000-8000-%012d", c.note)
		cfg["meta"] = fmt.Sprintf("creation-qemu=10.1.2,ctime=%d", w.Now().Unix())
	}
	cfg[key] = fmt.Sprintf("made-%d", c.note)
	cfg["description"] = fmt.Sprintf("note %d", c.note)
	g := w.AddGuest(&pvesim.Guest{VMID: id, Type: like.Type, Node: node, Config: cfg})
	c.task(w, g, "qmcreate", "vzcreate")
}

func (c *churner) destroy(w *pvesim.World, g *pvesim.Guest) {
	if c.noEvidence && g.Type == "lxc" {
		return
	}
	w.SetStatus(g.VMID, "stopped")
	c.task(w, g, "qmdestroy", "vzdestroy")
	w.RemoveGuest(g.VMID)
	c.free = append(c.free, g.VMID)
}

// replace destroys a guest and makes another one under its vmid at once.
func (c *churner) replace(w *pvesim.World, g *pvesim.Guest) {
	if c.noEvidence && g.Type == "lxc" {
		return
	}
	c.destroy(w, g)
	c.free = slices.DeleteFunc(c.free, func(id int) bool { return id == g.VMID })
	c.make(w, g, g.VMID, g.Node)
}

func (c *churner) rename(w *pvesim.World, g *pvesim.Guest) {
	key := "name"
	if g.Type == "lxc" {
		key = "hostname"
	}
	c.note++
	w.SetConfig(g.VMID, key, fmt.Sprintf("name-%d", c.note%7))
	c.task(w, g, "qmconfig", "")
}

// renameTwice leaves a guest as it was.
func (c *churner) renameTwice(w *pvesim.World, g *pvesim.Guest) {
	key := "name"
	if g.Type == "lxc" {
		key = "hostname"
	}
	was := g.Config[key]
	c.rename(w, g)
	w.SetConfig(g.VMID, key, was)
}

func (c *churner) migrate(w *pvesim.World, g *pvesim.Guest) {
	c.task(w, g, "qmigrate", "vzmigrate")
	w.MoveGuest(g.VMID, w.Nodes[c.rng.IntN(len(w.Nodes))].Name)
}

// edit changes the configuration, half the time without a trace, as an edited file.
func (c *churner) edit(w *pvesim.World, g *pvesim.Guest) {
	c.note++
	w.SetConfig(g.VMID, "description", fmt.Sprintf("note %d", c.note))
	if c.rng.IntN(2) == 0 {
		c.task(w, g, "qmconfig", "")
	}
}

func (c *churner) power(w *pvesim.World, g *pvesim.Guest) {
	if g.Template() || g.VMID == templateID {
		return
	}
	if g.Status() == "running" {
		w.SetStatus(g.VMID, "stopped")
		c.task(w, g, "qmstop", "vzstop")
		return
	}
	w.SetStatus(g.VMID, "running")
	c.task(w, g, "qmstart", "vzstart")
}

func (c *churner) tag(w *pvesim.World, g *pvesim.Guest) {
	c.note++
	w.SetConfig(g.VMID, "tags", fmt.Sprintf("tag%d", c.note%5))
}

func (c *churner) snapshot(w *pvesim.World, g *pvesim.Guest) {
	if g.Template() || len(g.Snapshots) > 3 {
		return
	}
	c.note++
	w.AddSnapshot(g.VMID, fmt.Sprintf("s%d", c.note), "")
	c.task(w, g, "qmsnapshot", "vzsnapshot")
}

// rollback gives a machine another generation id, as each roll-back does; its life goes on.
func (c *churner) rollback(w *pvesim.World, g *pvesim.Guest) {
	if g.Type != "qemu" {
		return
	}
	c.note++
	w.SetConfig(g.VMID, "vmgenid", fmt.Sprintf("00000000-0000-4000-9000-%012d", c.note))
	c.task(w, g, "qmrollback", "vzrollback")
}

// churnRows are faults that make no row of the matrix, since nothing of them lasts that a round of questions could meet.
func churnRows(c *churner) []faultRow {
	some := func(f func(w *pvesim.World, g *pvesim.Guest)) func(*matrixRig) func() {
		return func(m *matrixRig) func() {
			m.sim.Update(func(w *pvesim.World) {
				all := w.Guests()
				f(w, all[c.rng.IntN(len(all))])
			})
			return func() {}
		}
	}
	node := func() string { return fmt.Sprintf("node%02d", 1+c.rng.IntN(3)) }
	late := func(both bool) func(*matrixRig) func() {
		return func(m *matrixRig) func() {
			var f pvesim.Fault
			m.sim.Update(func(w *pvesim.World) {
				all := w.Guests()
				g := all[c.rng.IntN(len(all))]
				was := g.Node
				c.migrate(w, g)
				f = pvesim.StaleNode(g.VMID, was, both && g.Node != was)
			})
			return m.sim.AddFault(f)
		}
	}
	return []faultRow{
		{id: "F19", inject: func(m *matrixRig) func() { return m.sim.AddFault(pvesim.NodeDown(node())) }},
		{id: "F20", inject: add(pvesim.AddressUnroutable(""))},
		{id: "F21", inject: add(pvesim.Refuse("node01"))},
		// Tasks that make guests are the evidence of containers' lives: nobody could tell without them.
		{id: "F22", inject: add(pvesim.TaskVanishes("qmconfig"), pvesim.TaskVanishes("vzsnapshot"))},
		{id: "F22", inject: add(pvesim.TaskLate("qmconfig", time.Minute))},
		{id: "F31", inject: some(c.replace)},
		{id: "F32", inject: some(c.migrate)},
		{id: "F37", inject: some(func(_ *pvesim.World, g *pvesim.Guest) { g.Agent.Running = false })},
		{id: "F39", inject: add(pvesim.StorageHangs("local-zfs", time.Minute))},
		{id: "F40", inject: func(m *matrixRig) func() { return m.sim.AddFault(pvesim.NodeSlow(node(), 6*time.Second)) }},
		{id: "F48", inject: func(m *matrixRig) func() {
			m.sim.Update(func(w *pvesim.World) {
				all := w.Guests()
				c.replace(w, all[c.rng.IntN(len(all))])
			})
			for _, e := range []string{"node01", "node02", "node03"} {
				m.sim.AddFault(pvesim.TaskBurst(e, 60))()
			}
			return func() {}
		}},
		{id: "F49", inject: some(func(w *pvesim.World, g *pvesim.Guest) {
			c.note++
			w.SetConfig(g.VMID, "description", fmt.Sprintf("note %d", c.note))
		})},
		{id: "F53", inject: some(func(_ *pvesim.World, g *pvesim.Guest) { g.Live.NetIn, g.Live.NetOut = 0, 0 })},
		{id: "F55", inject: late(false)},
		{id: "F55", inject: func(m *matrixRig) func() {
			var f pvesim.Fault
			m.sim.Update(func(w *pvesim.World) {
				all := w.Guests()
				f = pvesim.StaleNode(all[c.rng.IntN(len(all))].VMID, node(), false)
			})
			return m.sim.AddFault(f)
		}},
		{id: "F55", inject: late(true)},
		{id: "stale statistics", inject: add(pvesim.StaleStatistics(20 * time.Second))},
		{id: "power cut", inject: func(m *matrixRig) func() { return m.sim.AddFault(pvesim.PowerCut(node())) }},
		{id: "split", inject: func(m *matrixRig) func() { return m.sim.AddFault(pvesim.NetworkSplit(node())) }},
		{id: "dropped", inject: add(chance(pvesim.Drop(), 0.2))},
		{id: "slow bodies", inject: add(pvesim.DripBody(time.Second))},
		{id: "flaky guests", inject: add(onPath(chance(pvesim.ProxyError(500, "got timeout"), 0.5), "/nodes/*/*/*/config"))},
	}
}

func chance(f pvesim.Fault, p float64) pvesim.Fault { f.P = p; return f }
