package pvesim

import (
	"fmt"
	"strings"
)

func haRoutes() []route {
	audit := need("/", "Sys.Audit")
	return []route{
		index("/cluster/ha", "id", "status resources groups rules"),
		index("/cluster/ha/status", "name", "current manager_status"),
		get("/cluster/ha/resources", audit, listHA),
		get("/cluster/ha/resources/{sid}", audit, clusterItem("ha_resources", "sid", "no such resource '%s'")),
		get("/cluster/ha/rules", audit, clusterList("ha_rules")),
		get("/cluster/ha/rules/{rule}", audit, clusterItem("ha_rules", "rule", "no such ha rule '%s'")),
		get("/cluster/ha/groups", audit, func(*call) (any, error) {
			return nil, fail("cannot index groups: ha groups have been migrated to rules")
		}),
		get("/cluster/ha/status/current", audit, haCurrent),
		get("/cluster/ha/status/manager_status", audit, haManager),
	}
}

func listHA(c *call) (any, error) {
	out := []Object{}
	for _, r := range c.w.Cluster.Lists["ha_resources"] {
		if kind := c.param("type"); kind == "" || kind == r["type"] {
			out = append(out, r)
		}
	}
	return out, nil
}

// haService is the guest that a service id names.
func (w *World) haService(sid string) *Guest {
	_, id, _ := strings.Cut(sid, ":")
	return w.Guest(int(integer(id)))
}

func haRequest(r Object) string {
	if s := text(r["state"]); s != "" {
		return s
	}
	return "started"
}

// haCurrent shows quorum, fencing and each service. No manager runs in a simulator: a service that is not ignored
// waits in state queued, as on the recorded node (15/070).
func haCurrent(c *call) (any, error) {
	status := "OK"
	if !c.w.Cluster.Quorate {
		status = "No quorum on node '" + c.entry + "'!"
	}
	list := []fields{
		{{"id", "quorum"}, {"type", "quorum"}, {"node", c.entry}, {"status", status}, {"quorate", bit(c.w.Cluster.Quorate)}},
		{{"id", "fencing"}, {"type", "fencing"}, {"node", c.entry}, {"status", "standby (CRM watchdog standby)"}, {"armed-state", "standby"}},
	}
	for _, r := range c.w.Cluster.Lists["ha_resources"] {
		g := c.w.haService(text(r["sid"]))
		if g == nil {
			continue
		}
		state := haRunning(r)
		f := fields{{"id", "service:" + text(r["sid"])}, {"sid", r["sid"]}, {"type", "service"}, {"node", g.Node},
			{"state", state}, {"request_state", haRequest(r)}, {"status", fmt.Sprintf("%s (%s, %s)", r["sid"], g.Node, state)},
			{"max_restart", orOne(r["max_restart"])}, {"max_relocate", orOne(r["max_relocate"])}, {"failback", orOne(r["failback"])}}
		if v, ok := r["comment"]; ok {
			f.add("comment", v)
		}
		list = append(list, f)
	}
	return list, nil
}

func orOne(v any) any {
	if v == nil {
		return 1
	}
	return v
}

// haRunning is the state that the manager reports; a world may give it under the key crm_state.
func haRunning(r Object) string {
	if s := text(r["crm_state"]); s != "" {
		return s
	}
	if haRequest(r) == "ignored" {
		return "ignored"
	}
	return "queued"
}

func haManager(c *call) (any, error) {
	return Object{"manager_status": Object{"node_status": Object{}}, "quorum": Object{"node": c.entry, "quorate": text(bit(c.w.Cluster.Quorate))}}, nil
}

// haInfo is the key ha of status/current: the state is null until the manager has one (15/060).
func (c *call) haInfo(_ *Guest, r Object) Object {
	if haRequest(r) == "ignored" {
		return Object{"managed": 0}
	}
	o := Object{"managed": 1, "state": nil}
	if s := text(r["crm_state"]); s != "" {
		o["state"] = s
	}
	return o
}

// haState is the key hastate of cluster/resources, nil without a manager's word.
func (c *call) haState(g *Guest) any {
	r := c.w.haResource(g)
	if s := text(r["crm_state"]); s != "" {
		return s
	}
	if haRequest(r) == "ignored" {
		return "ignored"
	}
	return nil
}
