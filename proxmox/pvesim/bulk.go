package pvesim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

func bulkRoutes() []route {
	return daemon(
		post("/nodes/{node}/startall", mayPowerAll, startAll),
		post("/nodes/{node}/stopall", mayPowerAll, stopAll),
		post("/nodes/{node}/suspendall", mayPowerAll, suspendAll),
		post("/cluster/bulk-action/guest/start", mayPowerAll, bulkStart),
		post("/cluster/bulk-action/guest/shutdown", mayPowerAll, bulkShutdown))
}

// mayPowerAll wants VM.PowerMgmt on everything, or on each guest that the request names.
func mayPowerAll(c *call) error {
	if c.may("/", "VM.PowerMgmt") {
		return nil
	}
	vms := c.list("vms")
	if len(vms) == 0 {
		return forbidden("/", "VM.PowerMgmt")
	}
	for _, id := range vms {
		if path := "/vms/" + id; !c.may(path, "VM.PowerMgmt") {
			return forbidden(path, "VM.PowerMgmt")
		}
	}
	return nil
}

// bulkItem is a guest of a bulk action with its place in the start order; up and down are its own delays in seconds, -1
// when it has none.
type bulkItem struct {
	vmid           int
	kind, node     string
	order          int
	up, down       int
	task           *Task
	refusedToBegin int
}

// bulkList are the guests of the node, or of all without one, in the order in which they start, without templates. HA's
// guests are left out unless the request names guests.
func (c *call) bulkList(autostart bool) []*bulkItem {
	var list []*bulkItem
	named := c.list("vms")
	for _, g := range c.w.Guests() {
		switch {
		case c.node != nil && g.Node != c.node.Name || g.Template():
			continue
		case c.given("vms") && !slices.Contains(named, strconv.Itoa(g.VMID)):
			continue
		case !c.given("vms") && c.w.haResource(g) != nil:
			continue
		case autostart && !truth(g.Config["onboot"]):
			continue
		}
		list = append(list, newBulkItem(g))
	}
	slices.SortStableFunc(list, func(a, b *bulkItem) int { return cmp.Compare(a.order, b.order) })
	return list
}

// newBulkItem reads the option startup: order=1,up=30,down=60, where the order may stand without its name.
func newBulkItem(g *Guest) *bulkItem {
	item := &bulkItem{vmid: g.VMID, kind: g.Type, node: g.Node, order: math.MaxInt, up: -1, down: -1}
	for part := range strings.SplitSeq(text(g.Config["startup"]), ",") {
		key, val, ok := strings.Cut(part, "=")
		if !ok {
			key, val = "order", key
		}
		n, err := strconv.Atoi(val)
		if err != nil {
			continue
		}
		switch key {
		case "order":
			item.order = n
		case "up":
			item.up = n
		case "down":
			item.down = n
		}
	}
	return item
}

// label is how task logs name a guest.
func (b *bulkItem) label() string {
	if b.kind == typeLXC {
		return "CT " + strconv.Itoa(b.vmid)
	}
	return "VM " + strconv.Itoa(b.vmid)
}

// bulk is a task that starts tasks of guests. It uses the methods of the API, as the caller, but without checks.
type bulk struct {
	c    *call
	j    *job
	list []*bulkItem
	warn bool // whether guests that are left out are warned of
}

// bulkPoll is how often the real one looks whether a task of a guest has ended.
const bulkPoll = time.Second

// begin starts the task of an item by a POST on its status, and notes it. A guest whose lock file is taken is tried again.
func (b *bulk) begin(item *bulkItem, action string, params map[string]any, then step) error {
	path := fmt.Sprintf("/nodes/%s/%s/%d/status/%s", item.node, item.kind, item.vmid, action)
	data, err := b.c.inner("POST", path, params)
	if _, busy := errors.AsType[*busyError](err); busy && time.Duration(item.refusedToBegin)*bulkPoll < lockWait {
		item.refusedToBegin++
		return b.j.after(bulkPoll, func() error { return b.begin(item, action, params, then) })
	}
	if err != nil {
		b.j.log("%s", taskText(err))
		return then()
	}
	item.task = b.c.w.Node(item.node).task(text(data))
	return then()
}

func (b *bulk) running(item *bulkItem) bool {
	g := b.c.w.Guest(item.vmid)
	return g != nil && g.Live.Running
}

// startAll starts the guests that start with the node, or all with force, one after the other (10/095).
func startAll(c *call) (any, error) {
	return c.fork("startall", "", func(j *job) error {
		b := &bulk{c: c, j: j, list: c.bulkList(c.param("force") != "1")}
		return b.startNext()
	}), nil
}

// bulkStart starts guests of all nodes.
func bulkStart(c *call) (any, error) {
	return c.clusterFork("bulk-start", func(j *job) error {
		b := &bulk{c: c, j: j, list: c.bulkList(false), warn: true}
		return b.startNext()
	}), nil
}

// clusterFork starts a task of a method that belongs to no node, on the node that was asked.
func (c *call) clusterFork(kind string, first func(*job) error) string {
	return c.w.fork(c.w.Node(c.entry), kind, "", c.id.name(), first).UPID
}

// vmStartDelay is how long the next guest waits after a VM that says nothing about it.
const vmStartDelay = 3

func (b *bulk) startNext() error {
	if len(b.list) == 0 {
		return nil
	}
	item := b.list[0]
	b.list = b.list[1:]
	if b.running(item) || b.c.w.Guest(item.vmid) == nil {
		b.skip(item, "already running")
		return b.startNext()
	}
	b.j.log("Starting %s", item.label())
	return b.begin(item, "start", map[string]any{}, func() error { return b.started(item) })
}

// started waits for the start's end and then as long as the guest wants.
func (b *bulk) started(item *bulkItem) error {
	switch {
	case item.task == nil:
		return b.startNext()
	case item.task.Running():
		return b.j.after(bulkPoll, func() error { return b.started(item) })
	case item.task.kind() == "error" || item.task.kind() == "unknown":
		b.j.log("Starting %s failed: %s", item.label(), item.task.Exit)
		return b.startNext()
	}
	if item.up > 0 {
		b.j.log("Waiting for %d seconds (startup delay)", item.up)
	}
	return b.j.after(item.pause(), b.startNext)
}

// pause is how long the next guest waits after this one.
func (b *bulkItem) pause() time.Duration {
	delay := b.up
	if delay < 0 && b.kind == typeQEMU {
		delay = vmStartDelay
	}
	return time.Duration(max(0, delay)) * time.Second
}

// stopTimeout is how long a guest may take to shut down when neither it nor the request says anything, in seconds.
const stopTimeout = 180

// stopAll shuts the guests down in reverse order; those of one order at the same time.
func stopAll(c *call) (any, error) {
	return c.fork("stopall", "", c.bulkEach(false, shutDown)), nil
}

// bulkShutdown shuts guests of all nodes down; each that does not run is a warning (15/152).
func bulkShutdown(c *call) (any, error) {
	return c.clusterFork("bulk-shutdown", c.bulkEach(true, shutDown)), nil
}

func shutDown(b *bulk, item *bulkItem, then step) error {
	timeout, force := stopTimeout, 1
	if b.c.given("timeout") {
		timeout = int(integer(b.c.params["timeout"]))
	}
	if item.down >= 0 {
		timeout = item.down
	}
	if b.c.given("force-stop") {
		force = int(integer(b.c.params["force-stop"]))
	}
	b.j.log("Stopping %s (timeout = %d seconds)", item.label(), timeout)
	return b.begin(item, "shutdown", map[string]any{"timeout": timeout, "forceStop": force}, then)
}

// suspendAll hibernates the VMs; containers cannot be.
func suspendAll(c *call) (any, error) {
	return c.fork("suspendall", "", c.bulkEach(false, func(b *bulk, item *bulkItem, then step) error {
		if item.kind == typeLXC {
			b.j.log("suspend is only supported on VMs, not on '%s'", item.kind)
			return then()
		}
		b.j.log("Suspending %s", item.label())
		return b.begin(item, "suspend", map[string]any{"todisk": 1}, then)
	})), nil
}

// bulkEach is the work of a task that does something to all running guests, in reverse order.
func (c *call) bulkEach(warn bool, do func(*bulk, *bulkItem, step) error) func(*job) error {
	return func(j *job) error {
		b := &bulk{c: c, j: j, list: c.bulkList(false), warn: warn}
		slices.Reverse(b.list)
		return b.each(nil, do)
	}
}

// skip leaves out a guest that has the state that is asked for.
func (b *bulk) skip(item *bulkItem, why string) {
	if b.warn {
		b.j.warn("%s is %s", item.label(), why)
	}
}

// each begins with the next guest while there is a free worker and no guest of an earlier order is at work.
func (b *bulk) each(busy []*bulkItem, do func(*bulk, *bulkItem, step) error) error {
	busy = slices.DeleteFunc(busy, func(i *bulkItem) bool { return i.task == nil || !i.task.Running() })
	for len(b.list) > 0 && !b.running(b.list[0]) {
		b.skip(b.list[0], "not running")
		b.list = b.list[1:]
	}
	switch {
	case len(b.list) == 0 && len(busy) == 0:
		return nil
	case len(b.list) == 0 || len(busy) >= b.workers() || len(busy) > 0 && busy[0].order != b.list[0].order:
		return b.j.after(bulkPoll, func() error { return b.each(busy, do) })
	}
	item := b.list[0]
	b.list = b.list[1:]
	return do(b, item, func() error { return b.each(append(busy, item), do) })
}

// workers is how many guests are at work at once: what the request says, the datacenter's options, or one for each CPU.
func (b *bulk) workers() int {
	if n := integer(b.c.params["max-workers"]); n > 0 {
		return int(n)
	}
	if n := integer(b.c.w.Cluster.Options["max_workers"]); n > 0 {
		return int(n)
	}
	status, _ := b.j.node.Info["status"].(Object)
	cpu, _ := status["cpuinfo"].(Object)
	return max(1, int(integer(cpu["cpus"])))
}
