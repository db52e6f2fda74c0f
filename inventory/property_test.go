package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// churn is a world under random changes and faults, with the book of what really happened.
type churn struct {
	r       *rig
	w       *world
	next    int
	deaths  map[int]int // how often a vmid's guest was destroyed
	renames map[string]bool
	moves   map[string]bool
}

func (c *churn) pick(t *rapid.T) *worldGuest {
	ids := sortedIDs(c.w.guests)
	if len(ids) == 0 {
		c.next++
		return c.w.add(c.next, c.node(t).name)
	}
	return c.w.guests[rapid.SampledFrom(ids).Draw(t, "guest")]
}

func (c *churn) node(t *rapid.T) *worldNode {
	return c.w.nodes[rapid.SampledFrom(sortedNames(c.w.nodes)).Draw(t, "node")]
}

func (c *churn) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"create": func(t *rapid.T) { c.next++; c.w.add(c.next, c.node(t).name) },
		"destroy": func(t *rapid.T) {
			g := c.pick(t)
			delete(c.w.guests, g.vmid)
			c.deaths[g.vmid]++
		},
		"rename": func(t *rapid.T) {
			g := c.pick(t)
			key, name := "name", fmt.Sprintf("n%d", rapid.IntRange(0, 3).Draw(t, "name"))
			if g.typ == "lxc" {
				key = "hostname"
			}
			c.renames[fmt.Sprintf("%d %s", g.vmid, name)] = true
			g.config[key] = name
		},
		"row follows": func(t *rapid.T) {
			g := c.pick(t)
			g.name = g.config.Str("name") + g.config.Str("hostname")
		},
		"move": func(t *rapid.T) {
			g := c.pick(t)
			g.node = c.node(t).name
			c.moves[fmt.Sprintf("%d %s", g.vmid, g.node)] = true
		},
		"power": func(t *rapid.T) {
			c.pick(t).status = rapid.SampledFrom([]string{"running", "stopped"}).Draw(t, "status")
		},
		"expire": func(t *rapid.T) { g := c.pick(t); g.expired = !g.expired },
		"hide": func(t *rapid.T) {
			below := rapid.IntRange(100, 130).Draw(t, "below")
			c.w.hidden = func(id int) bool { return id < below }
		},
		"offline": func(t *rapid.T) { n := c.node(t); n.online = !n.online },
		"silent":  func(t *rapid.T) { n := c.node(t); n.silent = !n.silent },
		"flaky": func(t *rapid.T) {
			mod := rapid.IntRange(1, 4).Draw(t, "mod")
			code := rapid.SampledFrom([]fault.Code{fault.Timeout, fault.BadAnswer, fault.Upstream, fault.Forbidden}).Draw(t, "code")
			c.w.fail = func(call, _ string, id int) error {
				if (call == "config" || call == "snapshots") && id%mod == 0 || call == "status" && mod == 2 {
					return fault.New(code, "trouble")
				}
				return nil
			}
		},
		"heal": func(*rapid.T) { c.heal() },
		"tick": func(*rapid.T) { c.r.tick() },
		"sync": func(*rapid.T) { c.r.clock.advance(time.Second); c.r.sync() },
		"":     c.check,
	}
}

func (c *churn) heal() {
	c.w.hidden, c.w.fail = nil, nil
	for _, n := range c.w.nodes {
		n.online, n.silent = true, false
	}
	for _, g := range c.w.guests {
		g.expired = false
		g.name = g.config.Str("name") + g.config.Str("hostname")
	}
}

// check holds history against the book: nothing is recorded that did not happen (invariant I1).
func (c *churn) check(t *rapid.T) {
	gone := map[int]int{}
	for _, ch := range c.r.st.changes {
		id, _ := strconv.Atoi(ch.Ref.ID)
		switch {
		case ch.Kind != store.KindGuest:
		case ch.What == "gone":
			if gone[id]++; gone[id] > c.deaths[id] {
				t.Fatalf("guest %d is recorded as gone %d times, it was destroyed %d times", id, gone[id], c.deaths[id])
			}
		case ch.What == "renamed" && !c.renames[ch.Ref.ID+" "+ch.New]:
			t.Fatalf("a rename that never happened: %+v", ch)
		case ch.What == "moved" && !c.moves[ch.Ref.ID+" "+ch.New]:
			t.Fatalf("a move that never happened: %+v", ch)
		}
	}
}

// settle checks that, once all faults are over, the inventory is the world again.
func (c *churn) settle(t *rapid.T) {
	c.heal()
	for range 3 {
		c.r.clock.advance(time.Minute)
		c.r.sync()
	}
	c.check(t)
	p, err := c.r.FindGuests(context.Background(), GuestQuery{Limit: 500})
	if err != nil || len(p.Rows) != len(c.w.guests) {
		t.Fatalf("%d guests, the world has %d, %v", len(p.Rows), len(c.w.guests), err)
	}
	for _, g := range p.Rows {
		w := c.w.guests[g.VMID]
		if w == nil || g.Name != w.name || g.Node != w.node || g.State != w.status || !g.UnknownSince.IsZero() {
			t.Fatalf("guest %+v, the world has %+v", g, w)
		}
	}
	if len(p.Warnings) != 0 {
		t.Fatalf("warnings %v", p.Warnings)
	}
}

// Whatever happens to the world and between it and us: no deletion, rename or move is recorded that did not happen, and when the
// faults are over everything is known again.
func TestNoFalseHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(3, rapid.IntRange(0, 12).Draw(rt, "guests"))
		c := &churn{w: w, next: 120, deaths: map[int]int{}, renames: map[string]bool{}, moves: map[string]bool{}}
		c.r = newRig(t, w)
		defer c.r.Close()
		rt.Repeat(c.actions())
		c.settle(rt)
		if strings.Contains(fmt.Sprint(c.r.st.what("life")), ">") {
			rt.Fatal("a new life out of nothing")
		}
	})
}
