package pvesim

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

func clusterBulkRoutes() []route {
	base := "/cluster/bulk-action"
	return append([]route{index(base, "name", "guest"), index(base+"/guest", "name", "migrate shutdown start suspend")}, daemon(
		post(base+"/guest/start", anyone, bulkStart),
		post(base+"/guest/shutdown", anyone, bulkShutdown),
		post(base+"/guest/suspend", anyone, bulkSuspend))...)
}

// clusterItems are the guests of a bulk action anywhere in the cluster: those that are named, or all that the caller may
// switch; templates are left out.
func (c *call) clusterItems() ([]*bulkItem, error) {
	var list []*bulkItem
	for _, id := range c.list("vms") {
		if err := c.wants("/vms/"+id, "VM.PowerMgmt"); err != nil {
			return nil, err
		}
		g := c.w.Guest(int(integer(id)))
		if g == nil {
			return nil, badParam("vms", "guest "+id+" does not exist")
		}
		list = append(list, newBulkItem(g))
	}
	if !c.given("vms") {
		for _, g := range c.w.Guests() {
			if !g.Template() && c.may("/vms/"+strconv.Itoa(g.VMID), "VM.PowerMgmt") {
				list = append(list, newBulkItem(g))
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *bulkItem) int { return cmp.Compare(a.order, b.order) })
	return list, nil
}

// bulkWork is what a cluster-wide action does to one guest: needs is the state that it must have for it.
type bulkWork struct {
	kind, verb, action string
	needs              bool // running
	params             func(*bulkItem) map[string]any
}

func bulkStart(c *call) (any, error) {
	return c.bulkAction(bulkWork{kind: "bulk-start", verb: "Starting", action: "start", params: func(i *bulkItem) map[string]any {
		if c.given("timeout") && i.kind == typeQEMU {
			return map[string]any{"timeout": c.params["timeout"]}
		}
		return map[string]any{}
	}}, false)
}

func bulkShutdown(c *call) (any, error) {
	return c.bulkAction(bulkWork{kind: "bulk-shutdown", verb: "Stopping", action: "shutdown", needs: true, params: func(i *bulkItem) map[string]any {
		timeout, force := stopTimeout, "1"
		if c.given("timeout") {
			timeout = int(integer(c.params["timeout"]))
		}
		if c.given("force-stop") {
			force = c.param("force-stop")
		}
		return map[string]any{"timeout": strconv.Itoa(timeout), "forceStop": force}
	}}, true)
}

func bulkSuspend(c *call) (any, error) {
	return c.bulkAction(bulkWork{kind: "bulk-suspend", verb: "Suspending", action: "suspend", needs: true, params: func(*bulkItem) map[string]any {
		p := map[string]any{}
		if truth(c.params["to-disk"]) {
			p["todisk"] = "1"
		}
		if v := c.param("statestorage"); v != "" {
			p["statestorage"] = v
		}
		return p
	}}, true)
}

// bulkAction forks the task on the node that was asked.
func (c *call) bulkAction(what bulkWork, backwards bool) (any, error) {
	list, err := c.clusterItems()
	if err != nil {
		return nil, err
	}
	if backwards {
		slices.Reverse(list)
	}
	c.node = c.w.Node(c.entry)
	return c.fork(what.kind, "", func(j *job) error {
		r := &bulkRun{bulk: bulk{c: c, j: j, list: list}, work: what}
		return r.each(nil)
	}), nil
}

// bulkRun is such a task at work. A guest for which there is nothing to do or whose task fails is a warning (15/152).
type bulkRun struct {
	bulk
	work bulkWork
}

// each begins with the next guest while there is a free worker and no guest of another order is at work.
func (r *bulkRun) each(busy []*bulkItem) error {
	busy = slices.DeleteFunc(busy, r.ended)
	switch {
	case len(r.list) == 0 && len(busy) == 0:
		return nil
	case len(r.list) == 0 || len(busy) >= r.limit() || len(busy) > 0 && busy[0].order != r.list[0].order:
		return r.j.after(bulkPoll, func() error { return r.each(busy) })
	}
	item := r.list[0]
	r.list = r.list[1:]
	if reason := r.skips(item); reason != "" {
		r.j.warn("Skipping %s, %s", item.label(), reason)
		return r.each(busy)
	}
	r.j.log("%s %s", r.work.verb, item.label())
	at := *r.c
	at.node = r.c.w.Node(r.c.w.Guest(item.vmid).Node)
	b := &bulk{c: &at, j: r.j}
	return b.begin(item, r.work.action, r.work.params(item), func() error {
		if item.task == nil {
			r.j.warnings++
		}
		return r.each(append(busy, item))
	})
}

// ended is whether a guest's task is over; one that failed is a warning.
func (r *bulkRun) ended(item *bulkItem) bool {
	if item.task == nil {
		return true
	}
	if item.task.Running() {
		return false
	}
	if k := item.task.kind(); k == "error" || k == "unknown" {
		r.j.warn("%s %s failed: %s", r.work.verb, item.label(), item.task.Exit)
	}
	return true
}

// skips says why there is nothing to do for a guest, "" when there is.
func (r *bulkRun) skips(item *bulkItem) string {
	g := r.c.w.Guest(item.vmid)
	switch {
	case g == nil:
		return "not found"
	case g.Live.Running && !r.work.needs:
		return "already running"
	case !g.Live.Running && r.work.needs:
		return "not running"
	case r.work.action == "suspend" && g.Type == typeLXC:
		return "suspend is only supported on VMs"
	}
	return ""
}

// limit is how many guests are at work at once.
func (r *bulkRun) limit() int {
	if n := integer(r.c.params["maxworkers"]); n > 0 {
		return int(n)
	}
	return r.workers()
}

// bootTime is how long a node needs until it is in the cluster again.
const bootTime = 90 * time.Second
