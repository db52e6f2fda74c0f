package pvesim

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

func taskRoutes() []route {
	base := "/nodes/{node}/tasks"
	return append(daemon(
		get(base+"/{upid}/status", nil, anyone, taskStatus),
		get(base+"/{upid}/log", params{"start": integers(0), "limit": integers(0), "download": boolean()}, anyone, taskLog)),
		get(base, params{"errors": boolean(), "limit": integers(0), "start": integers(0), "since": param{kind: "integer"},
			"until": param{kind: "integer"}, "source": enum("archive", "active", "all"), "statusfilter": formatted(formatStatus),
			"typefilter": str(), "userfilter": str(), "vmid": vmidParam()}, anyone, listTasks),
		get(base+"/{upid}", nil, anyone, taskIndex))
}

func formatStatus(s string) error {
	for _, w := range splitList(s) {
		if !contains([]string{"ok", "error", "warning", "unknown"}, w) {
			return fmt.Errorf("invalid status '%s'", w)
		}
	}
	return nil
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
		if !auditor && t.principal() != c.id.name() && t.User != c.id.user || !c.wantsTask(t) {
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

// sourceTasks gives running tasks for source active, ended ones by default, running ones first for all.
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
	switch c.param("source") {
	case "active":
		return active
	case "all":
		return append(active, archive...)
	}
	return archive
}

func (c *call) wantsTask(t *Task) bool {
	if f := c.param("userfilter"); f != "" && !strings.Contains(strings.ToLower(t.principal()), strings.ToLower(f)) {
		return false
	}
	if f := c.param("typefilter"); f != "" && t.Type != f {
		return false
	}
	if f := c.param("vmid"); f != "" && t.ID != f {
		return false
	}
	if c.param("errors") == "1" && (t.Running() || t.kind() == "ok") {
		return false
	}
	if f := c.param("statusfilter"); f != "" && (t.Running() || !contains(splitList(f), t.kind())) {
		return false
	}
	at := t.Start.Unix()
	return (!c.given("since") || at >= integer(c.params["since"])) && (!c.given("until") || at <= integer(c.params["until"]))
}

// taskOf parses the UPID and checks the right to see it: one's own, or Sys.Audit on the node (facts 71). A task
// that is not on the node is nil without an error.
func (c *call) taskOf() (*Task, error) {
	upid := c.vars["upid"]
	parts := strings.Split(upid, ":")
	if len(parts) != 9 || parts[0] != "UPID" || parts[8] != "" {
		return nil, badParam("upid", "unable to parse worker upid")
	}
	user, _, _ := strings.Cut(parts[7], "!")
	if parts[7] != c.id.name() && (user != c.id.user || c.id.token != nil) && !c.may("/nodes/"+c.node.Name, "Sys.Audit") {
		return nil, forbidden("/nodes/"+c.node.Name, "Sys.Audit")
	}
	if t := c.node.task(upid); t != nil && !c.w.hides(t) {
		return t, nil
	}
	return nil, nil
}

func taskIndex(c *call) (any, error) {
	if _, err := c.taskOf(); err != nil {
		return nil, err
	}
	return []Object{{"name": "log"}, {"name": "status"}}, nil
}

func taskStatus(c *call) (any, error) {
	t, err := c.taskOf()
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, badParam("upid", "no such task")
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
	t, err := c.taskOf()
	if err != nil {
		return nil, err
	}
	lines := []string{errNoLog.Error()}
	if t != nil {
		lines = t.Log
	}
	if t != nil && c.param("download") == "1" {
		c.file = &download{name: fmt.Sprintf("task-%s-%s-%s.log", t.Node, t.Type, t.Start.UTC().Format(time.RFC3339)),
			text: strings.Join(lines, "\n") + "\n"}
		return nil, nil
	}
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
	for i := start; i < total && len(list) < limit; i++ {
		list = append(list, fields{{"n", i + 1}, {"t", lines[i]}})
	}
	return list, nil
}
