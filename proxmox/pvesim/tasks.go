package pvesim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

func taskRoutes() []route {
	base := "/nodes/{node}/tasks"
	return append(append(append(bulkRoutes(), executeRoutes()...), daemon(
		del(base+"/{upid}", anyone, stopTask),
		get(base+"/{upid}/status", anyone, taskStatus),
		get(base+"/{upid}/log", anyone, taskLog))...),
		get(base, anyone, listTasks),
		get(base+"/{upid}", anyone, func(*call) (any, error) { return []Object{{"name": "log"}, {"name": "status"}}, nil }))
}

// taskPage is how many tasks a list has without limit (schema).
const taskPage = 50

func listTasks(c *call) (any, error) {
	auditor := c.may("/nodes/"+c.node.Name, "Sys.Audit")
	list, found := []fields{}, 0
	start, limit := int(integer(c.params["start"])), taskPage
	if c.given("limit") {
		limit = int(integer(c.params["limit"]))
	}
	for _, t := range c.sourceTasks() {
		if !auditor && !c.ownTask(t) || !c.wantsTask(t) {
			continue
		}
		if found++; found > start && len(list) < limit {
			list = append(list, t.row())
		}
	}
	if found > 0 {
		c.total = &found
	}
	return list, nil
}

// ownTask is whether a task is the caller's: a user has those of the own tokens as well, a token only its own.
func (c *call) ownTask(t *Task) bool {
	return t.principal() == c.id.name() || t.User == c.id.name()
}

// sourceTasks gives running tasks for source active, ended ones by default, running ones first for all. Ended ones are
// in the order of their ends, the last first.
func (c *call) sourceTasks() []*Task {
	var active, archive []*Task
	for _, t := range c.node.Tasks {
		if c.w.hides(t) {
			continue
		}
		if t.Running() {
			active = append(active, t)
		} else {
			archive = append(archive, t)
		}
	}
	slices.SortStableFunc(archive, func(a, b *Task) int { return cmp.Or(b.End.Compare(a.End), cmp.Compare(b.order, a.order)) })
	switch c.param("source") {
	case "active":
		return active
	case "all":
		return append(active, archive...)
	}
	return archive
}

// wantsTask applies the filters. A running task has no status: it is no success and counts as unknown.
func (c *call) wantsTask(t *Task) bool {
	if f := c.param("userfilter"); !strings.Contains(strings.ToLower(t.User), strings.ToLower(f)) {
		return false
	}
	if f := c.param("typefilter"); f != "" && t.Type != f {
		return false
	}
	if f := c.param("vmid"); f != "" && t.ID != f {
		return false
	}
	if c.param("errors") == "1" && t.Exit == "OK" {
		return false
	}
	if f := c.list("statusfilter"); len(f) > 0 && !contains(f, t.kind()) {
		return false
	}
	at := t.Start.Unix()
	return (!c.given("since") || at >= integer(c.params["since"])) && (!c.given("until") || at <= integer(c.params["until"]))
}

var upidShape = lazy.Regexp(`^UPID:([a-zA-Z0-9](?:[a-zA-Z0-9\-]*[a-zA-Z0-9])?):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:[^:\s]+:[^:\s]*:([^:\s]+):$`)

// taskOf finds the task of the path, which is nil when the node has none of that UPID, and wants a privilege on the node
// from those whose task it is not (facts 71). A strict caller hears of a missing task before that.
func (c *call) taskOf(priv string, strict bool) (*Task, error) {
	upid := c.vars["upid"]
	parts := upidShape().FindStringSubmatch(upid)
	if parts == nil {
		return nil, badParam("upid", "unable to parse worker upid")
	}
	t := c.node.task(upid)
	if t != nil && c.w.hides(t) {
		t = nil
	}
	if t == nil && strict {
		return nil, badParam("upid", "no such task")
	}
	user, token, _ := strings.Cut(parts[2], "!")
	if path := "/nodes/" + c.node.Name; !c.ownTask(&Task{User: user, TokenID: token}) && !c.may(path, priv) {
		return nil, forbidden(path, priv)
	}
	return t, nil
}

// abortWait is how long the real one waits for a task to end before it looks again (10/045: 1.009 s).
const abortWait = time.Second

// stopTask ends a running task; one that has ended is no error (10/026).
func stopTask(c *call) (any, error) {
	t, err := c.taskOf("Sys.Modify", true)
	if err != nil {
		return nil, err
	}
	if t.Running() {
		c.w.abort(t)
		c.hold = abortWait
	}
	return nil, nil
}

func taskStatus(c *call) (any, error) {
	t, err := c.taskOf("Sys.Audit", true)
	if err != nil {
		return nil, err
	}
	f := fields{{"upid", t.UPID}, {"node", t.Node}, {"pid", t.PID}, {"pstart", t.PStart}, {"starttime", t.Start.Unix()},
		{"type", t.Type}, {"id", t.ID}, {"user", t.User}}
	if t.TokenID != "" {
		f.add("tokenid", t.TokenID)
	}
	if t.Running() {
		f.add("status", "running")
		return f, nil
	}
	f.add("status", "stopped")
	f.add("exitstatus", t.Exit)
	return f, nil
}

// logPage is how many lines of a log come without limit (facts 36).
const logPage = 50

var errNoLog = errors.New("unable to open file - No such file or directory")

// taskLog has 1-based lines. The log of a task that is not there is one line that says so, with status 200.
func taskLog(c *call) (any, error) {
	t, err := c.taskOf("Sys.Audit", false)
	if err != nil {
		return nil, err
	}
	lines := []string{errNoLog.Error()}
	if t != nil {
		lines = t.Log
	}
	if c.param("download") == "1" {
		return nil, c.downloadLog(t, lines)
	}
	return c.page(lines), nil
}

// page gives the part of a log that start and limit ask for. A log without lines says so in one.
func (c *call) page(lines []string) []fields {
	if len(lines) == 0 {
		lines = []string{"no content"}
	}
	total := len(lines)
	c.total = &total
	start, limit := int(integer(c.params["start"])), logPage
	if c.given("limit") {
		limit = int(integer(c.params["limit"]))
	}
	list := []fields{}
	for i := start; i < total && (limit == 0 || len(list) < limit); i++ { // limit 0 is no limit
		list = append(list, fields{{"n", i + 1}, {"t", lines[i]}})
	}
	return list
}

// downloadLog answers with the whole log as a file.
func (c *call) downloadLog(t *Task, lines []string) error {
	switch {
	case c.given("start") || c.given("limit"):
		return fail("The parameter 'download' can't be used together with 'start' or 'limit'")
	case t == nil:
		return errNoLog
	}
	c.file = &download{name: fmt.Sprintf("task-%s-%s-%s.log", t.Node, t.Type, t.Start.UTC().Format(time.RFC3339)),
		text: strings.Join(lines, "\n") + "\n"}
	return nil
}
