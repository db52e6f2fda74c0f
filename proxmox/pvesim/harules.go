package pvesim

import (
	"slices"
	"strings"
)

var (
	haRules   = collection{"ha_rules", "rule"}
	ruleTypes = map[string]optionSet{
		"node-affinity":     {required: "resources nodes", optional: "strict disable comment"},
		"resource-affinity": {required: "resources affinity", optional: "disable comment"},
	}
)

const noRule = "no such ha rule '%s'"

func listHARules(c *call) (any, error) {
	out := []Object{}
	for _, r := range c.w.Cluster.Lists["ha_rules"] {
		if kind := c.param("type"); kind != "" && kind != r["type"] {
			continue
		}
		if sid := c.param("resource"); sid != "" && !contains(splitList(text(r["resources"])), sid) {
			continue
		}
		out = append(out, r)
	}
	return out, nil
}

func addRule(c *call) (any, error) {
	kind, id := c.param("type"), c.param("rule")
	given := c.stored("rule", "type")
	r, err := ruleTypes[kind].take(given)
	if err == nil {
		err = ruleTypes[kind].complete(given)
	}
	if err != nil {
		return nil, err
	}
	return nil, locked("create ha rule failed", func() error {
		if haRules.find(c.w, id) != nil {
			return fail("HA rule '%s' already defined", id)
		}
		r["rule"], r["type"], r["order"] = id, kind, c.w.nextOrder()
		return c.w.putRule(r)
	}())
}

// nextOrder is one more than the last rule's.
func (w *World) nextOrder() int64 {
	last := int64(0)
	for _, r := range w.Cluster.Lists["ha_rules"] {
		last = max(last, integer(r["order"]))
	}
	return last + 1
}

func changeRule(c *call) (any, error) {
	id := c.vars["rule"]
	return nil, locked("update ha rule failed", func() error {
		if err := haRules.unmodified(c); err != nil {
			return err
		}
		old := haRules.find(c.w, id)
		if old == nil {
			return fail(noRule, id)
		}
		r, err := ruleTypes[text(old["type"])].change(old, c.stored("type", "digest", "delete"), c.list("delete"))
		if err != nil {
			return err
		}
		return c.w.putRule(r)
	}())
}

// removeRule is content with a rule that is not there (15/068).
func removeRule(c *call) (any, error) {
	haRules.drop(c.w, c.vars["rule"])
	return nil, nil //nolint:nilnil // the answer is null
}

// putRule stores a rule whose services and nodes are there and that can be kept.
func (w *World) putRule(r Object) error {
	sids := sortedList(r, "resources")
	sortedList(r, "nodes")
	var unknown []string
	for _, sid := range sids {
		if haResources.find(w, sid) == nil {
			unknown = append(unknown, sid)
		}
	}
	if len(unknown) > 0 {
		return fail("cannot use unmanaged resource(s) %s.", strings.Join(unknown, ", "))
	}
	for node := range priorities(r) {
		if w.Node(node) == nil {
			return fail("no such cluster node '%s'", node)
		}
	}
	if errs := w.ruleProblems(r, sids); len(errs) > 0 && !truth(r["disable"]) {
		return &apiError{status: 400, message: "Rule '" + text(r["rule"]) + "' is invalid.\n", errors: errs}
	}
	haRules.store(w, r)
	return nil
}

// sortedList puts a list of a rule in order.
func sortedList(r Object, key string) []string {
	list := splitList(text(r[key]))
	slices.Sort(list)
	if list = slices.Compact(list); len(list) > 0 {
		r[key] = strings.Join(list, ",")
	}
	return list
}

// ruleProblems are what a rule cannot be: alone, or beside others. Of these texts only that of too many services is
// recorded (15/063).
func (w *World) ruleProblems(r Object, sids []string) map[string]string {
	errs := map[string]string{}
	if r["type"] == "resource-affinity" {
		switch {
		case len(sids) < 2:
			errs["resources"] = "rule is ineffective as there are less than two resources"
		case r["affinity"] == "negative" && len(sids) > len(w.Nodes):
			errs["resources"] = "rule defines more resources than available nodes"
		}
	}
	for _, other := range w.Cluster.Lists["ha_rules"] {
		if other["rule"] == r["rule"] || truth(other["disable"]) {
			continue
		}
		both := 0
		for _, sid := range splitList(text(other["resources"])) {
			if !contains(sids, sid) {
				continue
			}
			both++
			if r["type"] == "node-affinity" && other["type"] == "node-affinity" {
				errs["resources"] = "resource '" + sid + "' is already used in another node affinity rule"
			}
		}
		if both > 1 && r["type"] == "resource-affinity" && other["type"] == "resource-affinity" && r["affinity"] != other["affinity"] {
			errs["resources"] = "rule shares two or more resources with another resource affinity rule"
		}
	}
	return errs
}

// dropFromRules takes a service out of all rules; a rule without services is gone.
func (w *World) dropFromRules(sid string) {
	var rules []Object
	for _, rule := range w.Cluster.Lists["ha_rules"] {
		if rule = withoutGuest(rule, "resources", ",", sid); rule != nil {
			rules = append(rules, rule)
		}
	}
	w.Cluster.setSections("ha_rules", rules)
}

// priorities are the nodes of a node affinity rule: pve1:2,pve2.
func priorities(r Object) map[string]int {
	out := map[string]int{}
	for _, n := range splitList(text(r["nodes"])) {
		name, prio, _ := strings.Cut(n, ":")
		out[name] = int(integer(prio))
	}
	return out
}

// rulesOf are the rules of a type that are in force for a service.
func (w *World) rulesOf(sid, kind string) []Object {
	var list []Object
	for _, r := range w.Cluster.Lists["ha_rules"] {
		if r["type"] == kind && !truth(r["disable"]) && contains(splitList(text(r["resources"])), sid) {
			list = append(list, r)
		}
	}
	return list
}

// companions are the other services that have to be on the node of a service (positive) or must not be (negative).
func (w *World) companions(sid, affinity string) []string {
	var list []string
	for _, r := range w.rulesOf(sid, "resource-affinity") {
		if r["affinity"] != affinity {
			continue
		}
		for _, other := range splitList(text(r["resources"])) {
			if other != sid && !contains(list, other) {
				list = append(list, other)
			}
		}
	}
	return list
}
