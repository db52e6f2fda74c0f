package pvesim

import (
	"sync"
	"time"
)

// told is what the nodes told last about themselves and the guests that run. As pvestatd takes figures once in metricStep and
// not for each request, so they are worked out once here, until they are sent again or something in the world changed.
type told struct {
	mu     sync.Mutex
	at     time.Time
	guests map[int]Live
	nodes  map[string]nodeLive
}

func newTold() *told { return &told{guests: map[int]Live{}, nodes: map[string]nodeLive{}} }

// forget is for whoever changes the world.
func (t *told) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.guests)
	clear(t.nodes)
}

// recall gives what is known for a key of one of the maps, which are those of a time, or makes it.
func recall[K comparable, V any](t *told, at time.Time, list map[K]V, key K, work func() V) V {
	t.mu.Lock()
	if !at.Equal(t.at) {
		clear(t.guests)
		clear(t.nodes)
		t.at = at
	}
	v, ok := list[key]
	t.mu.Unlock()
	if ok {
		return v
	}
	v = work()
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.Equal(t.at) {
		list[key] = v
	}
	return v
}

// told are the figures of a guest that lists show.
func (c *call) told(g *Guest) Live {
	at := c.statTime()
	if c.w.recorded || !g.Live.Running || c.w.Guest(g.VMID) != g { // a guest as it was before is another one
		return c.w.live(g, at)
	}
	return recall(c.sim.told, at, c.sim.told.guests, g.VMID, func() Live { return c.w.live(g, at) })
}

// toldNode are the figures of a node that lists show.
func (c *call) toldNode(n *Node) nodeLive {
	at := c.statTime()
	return recall(c.sim.told, at, c.sim.told.nodes, n.Name, func() nodeLive {
		if c.running == nil {
			c.running = c.w.running()
		}
		return c.w.nodeSum(n, c.running[n.Name], at, 0, c.told)
	})
}

// statTime is when the figures that lists show were taken.
func (c *call) statTime() time.Time {
	if c.w.recorded {
		return c.now
	}
	return c.w.TakenAt.Add(c.now.Sub(c.w.TakenAt).Truncate(metricStep))
}
