package pvesim

import (
	"net/http"
	"time"
)

func nodePowerRoutes() []route {
	wake := post("/nodes/{node}/wakeonlan", need("/nodes/{node}", "Sys.PowerMgmt"), wakeOnLAN)
	wake.anywhere = true
	return daemon(wake, post("/nodes/{node}/status", need("/nodes/{node}", "Sys.PowerMgmt"), nodePower))
}

const (
	// haltTime is how long a node answers after it was told to go down: systemd begins at once, the daemons end soon.
	haltTime = 5 * time.Second
	// bootTime is how long a node needs until it is in the cluster again.
	bootTime = 90 * time.Second
)

// nodePower restarts a node or switches it off. The answer comes before it goes down. Its guests end with it; those that
// start with the node do so when it is back.
func nodePower(c *call) (any, error) {
	name, again := c.node.Name, c.param("command") == "reboot"
	c.w.schedule(c.w.scaled(haltTime), func() {
		c.w.haltNode(name)
		if again {
			c.w.schedule(c.w.scaled(bootTime), func() { c.w.SetNodeOnline(name, true) })
		}
	})
	return nil, nil
}

// haltNode takes a node down with its guests and tasks.
func (w *World) haltNode(name string) {
	n := w.Node(name)
	if n == nil || !n.Online {
		return
	}
	for _, t := range n.Tasks {
		if t.Running() {
			w.abort(t)
		}
	}
	for _, g := range w.Guests() {
		if g.Node == name && g.Live.Running {
			w.SetStatus(g.VMID, "stopped")
		}
	}
	w.SetNodeOnline(name, false)
}

// off is whether a node is down, so that nobody can connect to it.
func (s *Sim) off(node string) bool {
	defer s.lockFor(&route{method: http.MethodGet})()
	n := s.world.Node(node)
	return n != nil && !n.Online
}
