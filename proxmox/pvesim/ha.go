package pvesim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

func haRoutes() []route {
	audit, change := need("/", "Sys.Audit"), need("/", "Sys.Console")
	return slices.Concat([]route{
		index("/cluster/ha", "id", "status resources groups rules"),
		index("/cluster/ha/status", "name", "current manager_status"),
		get("/cluster/ha/resources", audit, listHA),
		get("/cluster/ha/resources/{sid}", audit, readHA),
		get("/cluster/ha/rules", audit, listHARules),
		get("/cluster/ha/rules/{rule}", audit, clusterItem("ha_rules", "rule", noRule)),
		get("/cluster/ha/groups", audit, groupsGone("index groups")),
		get("/cluster/ha/groups/{group}", audit, groupsGone("read group config")),
		get("/cluster/ha/status/current", audit, haCurrent),
		get("/cluster/ha/status/manager_status", audit, haStatus),
	}, daemon(
		post("/cluster/ha/groups", change, groupsGone("create group")),
		put("/cluster/ha/groups/{group}", change, groupsGone("update group")),
		del("/cluster/ha/groups/{group}", change, groupsGone("delete group")),
		post("/cluster/ha/resources", change, addHA),
		put("/cluster/ha/resources/{sid}", change, changeHA),
		del("/cluster/ha/resources/{sid}", change, removeHA),
		post("/cluster/ha/resources/{sid}/migrate", change, orderMove(haMigrate)),
		post("/cluster/ha/resources/{sid}/relocate", change, orderMove(haRelocate)),
		post("/cluster/ha/rules", change, addRule),
		put("/cluster/ha/rules/{rule}", change, changeRule),
		del("/cluster/ha/rules/{rule}", change, removeRule)))
}

// groupsGone: since 9.0 rules have taken the place of groups (15/069).
func groupsGone(what string) handler {
	return func(*call) (any, error) {
		return nil, fail("cannot %s: ha groups have been migrated to rules", what)
	}
}

var (
	haResources = collection{"ha_resources", "sid"}
	haOptions   = optionSet{optional: "state max_restart max_relocate failback comment"}
)

func listHA(c *call) (any, error) {
	out := []Object{}
	for _, r := range c.w.Cluster.Lists["ha_resources"] {
		if kind := c.param("type"); kind == "" || kind == r["type"] {
			out = append(out, r)
		}
	}
	return out, nil
}

// readHA takes the id of a guest for that of its service.
func readHA(c *call) (any, error) {
	sid, _, err := c.w.serviceID(c.vars["sid"])
	if err != nil {
		return nil, err
	}
	if r := haResources.find(c.w, sid); r != nil {
		return r, nil
	}
	return nil, fail("no such resource '%s'", sid) // 15/048
}

// serviceID reads the id of a service, or of a guest that stands for one, and gives its type as well.
func (w *World) serviceID(s string) (sid, kind string, err error) {
	if kind, _, ok := strings.Cut(s, ":"); ok {
		return s, kind, nil
	}
	vmid, err := strconv.Atoi(s)
	if err != nil {
		return "", "", fail("unable to parse service id '%s'", s)
	}
	g := w.Guest(vmid)
	if g == nil {
		return "", "", fail("unable do add resource - VM/CT %d does not exist", vmid)
	}
	kind = g.haKind()
	return kind + ":" + s, kind, nil
}

// haKind is the type of service that a guest is.
func (g *Guest) haKind() string {
	if g.Type == typeLXC {
		return "ct"
	}
	return "vm"
}

// haControl are parameters that are no options of a service.
var haControl = []string{"sid", "type", "digest", "delete"}

func addHA(c *call) (any, error) {
	sid, kind, err := c.w.serviceID(c.param("sid"))
	if err != nil {
		return nil, err
	}
	switch {
	case c.given("type") && c.param("type") != kind:
		return nil, fail("types does not match")
	case c.given("group"):
		return nil, fail("invalid parameter 'group': ha groups have been migrated to rules")
	case c.w.haService(sid) == nil:
		return nil, fail("resource '%s' does not exist in cluster", sid) // 15/051
	}
	r, err := haOptions.take(c.stored(haControl...))
	if err != nil {
		return nil, err
	}
	if haResources.find(c.w, sid) != nil {
		return nil, fail("create resource failed: resource ID '%s' already defined", sid) // 15/050
	}
	r["sid"], r["type"] = sid, kind
	haResources.store(c.w, r)
	c.w.askHA(sid)
	return nil, nil //nolint:nilnil // the answer is null
}

// manage puts a guest under the care of HA.
func (w *World) manage(g *Guest, start bool) {
	state := "stopped"
	if start {
		state = "started"
	}
	sid := g.haKind() + ":" + strconv.Itoa(g.VMID)
	haResources.store(w, Object{"sid": sid, "type": g.haKind(), "state": state})
	w.askHA(sid)
}

func changeHA(c *call) (any, error) {
	sid, _, err := c.w.serviceID(c.vars["sid"])
	if err != nil {
		return nil, err
	}
	if c.given("group") {
		return nil, fail("invalid parameter 'group': ha groups have been migrated to rules")
	}
	if err := c.w.notFailed(sid, c.param("state")); err != nil {
		return nil, err
	}
	return nil, locked("update resource failed", c.editHA(sid))
}

func (c *call) editHA(sid string) error {
	if err := haResources.unmodified(c); err != nil {
		return err
	}
	old := haResources.find(c.w, sid)
	if old == nil {
		return fail("no such resource '%s'", sid)
	}
	r, err := haOptions.change(old, c.stored(haControl...), c.list("delete"))
	if err != nil {
		return err
	}
	haResources.store(c.w, r)
	c.w.askHA(sid)
	return nil
}

// notFailed refuses what a service in state error cannot do: it has to be disabled first.
func (w *World) notFailed(sid, state string) error {
	if s := w.ha.services[sid]; s != nil && s.state == haError && state != "disabled" {
		return fail("service '%s' in error state, must be disabled and fixed first", sid)
	}
	return nil
}

// removeHA takes a service from HA, and with purge, which is the default, from the rules that name it.
func removeHA(c *call) (any, error) {
	sid, _, err := c.w.serviceID(c.vars["sid"])
	if err != nil {
		return nil, err
	}
	if !haResources.drop(c.w, sid) {
		return nil, fail("cannot delete service '%s', not HA managed!", sid) // 15/073
	}
	if c.param("purge") != "0" {
		c.w.dropFromRules(sid)
	}
	return nil, nil //nolint:nilnil // the answer is null
}

// haService is the guest that a service id names.
func (w *World) haService(sid string) *Guest {
	_, id, _ := strings.Cut(sid, ":")
	return w.Guest(int(integer(id)))
}

// haRequest is the state that is wanted of a service; enabled is an old word for started.
func haRequest(r Object) string {
	switch s := text(r["state"]); s {
	case "", "enabled":
		return "started"
	default:
		return s
	}
}

// haManaged gives the HA entry of a guest that HA takes care of; an ignored one is left alone.
func (w *World) haManaged(kind string, vmid int) Object {
	if g := w.Guest(vmid); g != nil && g.Type == kind {
		if r := w.haResource(g); r != nil && haRequest(r) != "ignored" {
			return r
		}
	}
	return nil
}

// requestHA lets HA start or stop a guest. The task's end does not mean that the guest runs (15/057, facts 35): a start
// notes the wanted state, a stop is left to the manager, which notes it when it sees it.
func (c *call) requestHA(what string, r Object) string {
	w, sid, vmid := c.w, text(r["sid"]), c.vmid()
	hard := strings.HasSuffix(c.path, "/stop")
	word := guestWord(w.Guest(vmid))
	return c.fork("ha"+what, strconv.Itoa(vmid), func(j *job) error {
		j.log("Requesting HA %s for %s %d", what, word, vmid)
		if what == "stop" {
			w.orderHA(haOrder{sid: sid, what: haStop, hard: hard})
			return nil
		}
		w.wantHA(sid, "started")
		return nil
	})
}

// wantHA sets the wanted state of a service.
func (w *World) wantHA(sid, state string) {
	if r := clone(haResources.find(w, sid)); len(r) > 0 {
		r["state"] = state
		haResources.store(w, r)
		w.askHA(sid)
	}
}

// askHA notes that something is wanted of a service from now on: under HADelay the manager does not see it yet (F26).
func (w *World) askHA(sid string) {
	switch {
	case w.HADelay < 0:
		w.ha.hold(sid, w.Now().Add(haNever))
	case w.HADelay > 0:
		w.ha.hold(sid, w.Now().Add(w.HADelay))
	}
}

// haNever is longer than any world lives.
const haNever = 100 * 365 * 24 * time.Hour
