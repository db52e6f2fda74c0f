package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Lists of Cluster.Lists: what matchers route to, and the matchers. An endpoint's settings stand in the list of its kind.
const (
	notificationTargets  = "notification_targets"
	notificationMatchers = "notification_matchers"
	mappingNotifications = "/mapping/notifications"
)

// notificationSecrets are the settings of each kind that are never shown.
var notificationSecrets = map[string]string{"gotify": "token", "sendmail": "", "smtp": "password", "webhook": "secret"}

func notificationRoutes() []route {
	base := "/cluster/notifications"
	see := need(mappingNotifications, "Mapping.Modify", "Mapping.Audit")
	modify := need(mappingNotifications, "Mapping.Modify")
	use := need(mappingNotifications, "Mapping.Modify", "Mapping.Audit", "Mapping.Use")
	list := []route{
		get(base+"/targets", use, clusterList(notificationTargets)),
		post(base+"/targets/{name}/test", use, testTarget),
		get(base+"/matchers", use, clusterList(notificationMatchers)),
		get(base+"/matchers/{name}", see, getMatcher),
		post(base+"/matchers", modify, addMatcher), put(base+"/matchers/{name}", modify, changeMatcher), del(base+"/matchers/{name}", modify, removeMatcher),
		get(base+"/matcher-field-values", see, matcherValues),
	}
	for kind := range maps.Keys(notificationSecrets) {
		e, at := endpointKind{kind}, base+"/endpoints/"+kind
		list = append(list, get(at, see, e.list), get(at+"/{name}", see, e.get), post(at, e.may, e.create), put(at+"/{name}", e.may, e.update),
			del(at+"/{name}", modify, e.remove))
	}
	return append(daemon(list...),
		index(base, "name", "endpoints matcher-field-values matcher-fields matchers targets"),
		index(base+"/matcher-fields", "name", "type hostname job-id"),
		get(base+"/endpoints", anyone, clusterList("notification_endpoints")))
}

// The errors of the library that keeps the notifications have statuses of their own.
func notFound(format string, args ...any) error {
	return &apiError{status: 404, message: fmt.Sprintf(format, args...) + "\n"}
}

func badRequest(format string, args ...any) error {
	return &apiError{status: 400, message: fmt.Sprintf(format, args...) + "\n"}
}

func (c *call) uniqueName(name string) error {
	if c.w.Cluster.section(notificationTargets, "name", name) != nil || c.w.Cluster.section(notificationMatchers, "name", name) != nil {
		return badRequest("Cannot create '%s', an entity with the same name already exists", name)
	}
	return nil
}

// endpointKind is one of the ways to send notifications.
type endpointKind struct{ name string }

func (e endpointKind) lists() string { return "notification_" + e.name }

// may is the right to make a node connect to anywhere, beside that on notifications.
func (endpointKind) may(c *call) error {
	if err := c.wants(mappingNotifications, "Mapping.Modify"); err != nil {
		return err
	}
	if c.may("/", "Sys.Audit") && c.may("/", "Sys.Modify") || c.may("/", "Sys.AccessNetwork") {
		return nil
	}
	return forbidden("/", "Sys.AccessNetwork")
}

// shown is an endpoint without its secrets. The built-in one has no entry of its own until it is changed.
func (e endpointKind) shown(c *call, target Object) Object {
	o := c.w.Cluster.section(e.lists(), "name", text(target["name"]))
	if o == nil {
		o = Object{"mailto-user": []string{rootUser}}
	}
	return merged(without(o, notificationSecrets[e.name]), []string{"type"}, without(target, "type"))
}

func (e endpointKind) list(c *call) (any, error) {
	out := []Object{}
	for _, t := range c.w.Cluster.Lists[notificationTargets] {
		if t["type"] == e.name {
			out = append(out, e.shown(c, t))
		}
	}
	return out, nil
}

func (e endpointKind) target(c *call) (Object, error) {
	t := c.w.Cluster.section(notificationTargets, "name", c.vars["name"])
	if t == nil || t["type"] != e.name {
		return nil, notFound("endpoint '%s' not found", c.vars["name"])
	}
	return t, nil
}

func (e endpointKind) get(c *call) (any, error) {
	t, err := e.target(c)
	if err != nil {
		return nil, err
	}
	return merged(e.shown(c, t), nil, Object{"digest": sectionSum(c.w.Cluster.Lists[e.lists()])}), nil
}

// keep stores the settings and what the list of targets shows of them.
func (e endpointKind) keep(c *Cluster, o Object, origin string) {
	c.putSection(e.lists(), "name", o)
	t := Object{"name": o["name"], "type": e.name, "origin": origin}
	for _, key := range []string{"comment", "disable"} {
		if v, ok := o[key]; ok {
			t[key] = v
		}
	}
	c.putSection(notificationTargets, "name", t)
}

// recipients wants somebody to send mail to.
func (e endpointKind) recipients(o Object) error {
	if mail := e.name == "sendmail" || e.name == "smtp"; mail && o["mailto"] == nil && o["mailto-user"] == nil {
		return badRequest("must at least provide one recipient, either in mailto or in mailto-user")
	}
	return nil
}

func (e endpointKind) create(c *call) (any, error) {
	o := c.stored()
	if err := firstError(c.uniqueName(c.param("name")), e.recipients(o)); err != nil {
		return nil, err
	}
	e.keep(c.w.Cluster, o, "user-created")
	return nil, nil
}

func (e endpointKind) update(c *call) (any, error) {
	t, err := e.target(c)
	if err != nil {
		return nil, err
	}
	if err := c.unmodified(sectionSum(c.w.Cluster.Lists[e.lists()])); err != nil {
		return nil, err
	}
	old := c.w.Cluster.section(e.lists(), "name", c.vars["name"])
	if old == nil {
		old = merged(e.shown(c, t), []string{"origin"}, nil)
	}
	o := merged(old, c.list("delete"), c.stored("digest", "delete"))
	if err := e.recipients(o); err != nil {
		return nil, err
	}
	e.keep(c.w.Cluster, o, changedOrigin(t))
	return nil, nil
}

// changedOrigin is the origin of an entry after a change.
func changedOrigin(o Object) string {
	if o["origin"] == "user-created" {
		return "user-created"
	}
	return "modified-builtin"
}

// remove deletes an endpoint that no matcher uses; the built-in one becomes what it was.
func (e endpointKind) remove(c *call) (any, error) {
	t, err := e.target(c)
	if err != nil {
		return nil, err
	}
	name := c.vars["name"]
	if t["origin"] != "user-created" {
		c.w.Cluster.dropSection(e.lists(), "name", name)
		c.w.Cluster.putSection(notificationTargets, "name", merged(t, []string{"disable"}, Object{"origin": "builtin", "comment": "Send mails to root@pam"}))
		return nil, nil
	}
	var users []string
	for _, m := range c.w.Cluster.Lists[notificationMatchers] {
		if contains(texts(m["target"]), name) {
			users = append(users, text(m["name"]))
		}
	}
	if len(users) > 0 {
		return nil, badRequest("cannot delete '%s', referenced by: %s", name, strings.Join(users, ", "))
	}
	c.w.Cluster.dropSection(e.lists(), "name", name)
	c.w.Cluster.dropSection(notificationTargets, "name", name)
	return nil, nil
}

// texts are the strings of a list of either kind.
func texts(v any) []string {
	switch v := v.(type) {
	case []string:
		return v
	case []any:
		out := make([]string, len(v))
		for i, e := range v {
			out[i] = text(e)
		}
		return out
	}
	return nil
}

// testTarget sends a notification. Mail is handed to the node itself; servers have to be among those of the world.
func testTarget(c *call) (any, error) {
	name := c.vars["name"]
	t := c.w.Cluster.section(notificationTargets, "name", name)
	if t == nil {
		return nil, notFound("target '%s' does not exist", name)
	}
	o := c.w.Cluster.section("notification_"+text(t["type"]), "name", name)
	server := text(o["server"])
	if t["type"] == "webhook" {
		server = text(o["url"])
	}
	if t["type"] == "sendmail" || slices.ContainsFunc(c.w.Servers, func(s string) bool { return strings.Contains(server, s) }) {
		return nil, nil
	}
	if !strings.Contains(server, "://") {
		server = "https://" + server
	}
	return nil, fail("could not notify via target `%s`: %s", name, strings.TrimPrefix(c.w.unreachable(server).client, "500 "))
}

func (c *call) matcher() (Object, error) {
	o := c.w.Cluster.section(notificationMatchers, "name", c.vars["name"])
	if o == nil {
		return nil, notFound("matcher '%s' not found", c.vars["name"])
	}
	return o, nil
}

func getMatcher(c *call) (any, error) {
	o, err := c.matcher()
	if err != nil {
		return nil, err
	}
	return merged(o, nil, Object{"digest": c.w.Cluster.sectionDigest(notificationMatchers)}), nil
}

// knownTargets wants all targets of a matcher to be there.
func (c *call) knownTargets(o Object) error {
	for _, name := range texts(o["target"]) {
		if c.w.Cluster.section(notificationTargets, "name", name) == nil {
			return notFound("endpoint '%s' does not exist", name)
		}
	}
	return nil
}

func addMatcher(c *call) (any, error) {
	o := c.stored()
	if err := firstError(c.uniqueName(c.param("name")), c.knownTargets(o)); err != nil {
		return nil, err
	}
	o["origin"] = "user-created"
	c.w.Cluster.putSection(notificationMatchers, "name", o)
	return nil, nil
}

func changeMatcher(c *call) (any, error) {
	old, err := c.matcher()
	if err != nil {
		return nil, err
	}
	o := merged(old, c.list("delete"), c.stored("digest", "delete"))
	if err := firstError(c.unmodified(c.w.Cluster.sectionDigest(notificationMatchers)), c.knownTargets(o)); err != nil {
		return nil, err
	}
	o["origin"] = changedOrigin(old)
	c.w.Cluster.putSection(notificationMatchers, "name", o)
	return nil, nil
}

// removeMatcher deletes a matcher; the built-in one becomes what it was.
func removeMatcher(c *call) (any, error) {
	o, err := c.matcher()
	if err != nil {
		return nil, err
	}
	if o["origin"] == "user-created" {
		c.w.Cluster.dropSection(notificationMatchers, "name", c.vars["name"])
		return nil, nil
	}
	c.w.Cluster.putSection(notificationMatchers, "name", Object{"name": o["name"], "mode": "all", "origin": "builtin", "target": []string{"mail-to-root"},
		"comment": "Route all notifications to mail-to-root"})
	return nil, nil
}

// matcherValues are what fields of notifications can be.
func matcherValues(c *call) (any, error) {
	out := []Object{}
	for _, kind := range []string{"fencing", "package-updates", "replication", "system-mail", "vzdump"} {
		out = append(out, Object{"field": "type", "value": kind})
	}
	for _, n := range c.w.Nodes {
		out = append(out, Object{"field": "hostname", "value": n.Name})
	}
	for _, j := range c.w.Cluster.Lists[backupJobs] {
		o := Object{"field": "job-id", "value": j["id"]}
		if v := text(j["comment"]); v != "" {
			o["comment"] = v
		}
		out = append(out, o)
	}
	return out, nil
}
