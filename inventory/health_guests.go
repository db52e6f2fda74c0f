package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// checkTasks groups the failed tasks of a day by type and object: a job that fails every hour is one problem.
func checkTasks(c *checkup) []Finding {
	type group struct {
		newest store.Task
		count  int
	}
	groups := map[string]*group{}
	var order []string
	for _, k := range c.cv.tasks.list {
		if taskState(k) != taskFailed || c.now.Sub(taskTime(k)) >= failedWindow {
			continue
		}
		key := k.Type + " " + k.ID
		if groups[key] == nil {
			groups[key] = &group{newest: k}
			order = append(order, key)
		}
		groups[key].count++
	}
	var out []Finding
	for _, key := range order {
		g := groups[key]
		out = append(out, c.failedTask(g.newest, g.count))
	}
	return out
}

func (c *checkup) failedTask(k store.Task, count int) Finding {
	f := Finding{Severity: Warn, Code: "task_failed", Object: "node " + k.Node, Score: 50 + min(count, 20), Since: taskTime(k),
		Title:    fmt.Sprintf("%s failed %s ago", clean.Line(k.Type, maxTag), ago(c.now.Sub(taskTime(k)))),
		Evidence: clean.Line(k.Exit, maxLine), Hint: "get_task " + pve.TaskHandle(k.UPID) + " shows the log"}
	if id, ok := vmidOf(k.ID); ok {
		f.Object = "guest " + k.ID
		if r := c.cv.byID[id]; r != nil {
			f.Object = r.label()
		}
	}
	if count > 1 {
		f.Title = fmt.Sprintf("%s failed %d times in 24h, last %s ago", clean.Line(k.Type, maxTag), count, ago(c.now.Sub(taskTime(k))))
	}
	return f
}

func skipBackups(c *checkup) string {
	if c.cv.state.NoBackupAt.IsZero() {
		return "cluster/backup-info/not-backed-up could not be read"
	}
	if c.cv.state.NoBackupAt.Before(c.cv.state.FullAt) {
		return "cluster/backup-info/not-backed-up could not be read at the last full sync"
	}
	return ""
}

// recentBackup is how young a backup made by hand must be to count in place of a job.
const recentBackup = 7 * 24 * time.Hour

// checkBackups lists the guests that no backup job covers and of which no recent good backup task was seen; templates are left out.
func checkBackups(c *checkup) []Finding {
	var names []string
	total := 0
	for _, id := range c.cv.state.NoBackup {
		r := c.cv.byID[id]
		if r == nil || r.g.Template {
			continue
		}
		if at, ok := c.cv.tasks.lastBackup(strconv.Itoa(id)); ok && c.now.Sub(at) < recentBackup {
			continue
		}
		total++
		if len(names) < 10 {
			names = append(names, strings.TrimPrefix(r.label(), "guest "))
		}
	}
	if total == 0 {
		return nil
	}
	list := strings.Join(names, ", ")
	if total > len(names) {
		list += fmt.Sprintf(" and %d more", total-len(names))
	}
	object, title := "guests", fmt.Sprintf("%d guests without backup job or recent backup", total)
	if total == 1 {
		object, title = "guest "+names[0], "no backup job covers it and no recent backup was seen"
	}
	return []Finding{{Severity: Warn, Code: "no_backup", Object: object, Title: title, Evidence: "cluster/backup-info/not-backed-up: " + list,
		Score: 40 + min(total, 30), Hint: "add them to a backup job"}}
}

func checkOnBoot(c *checkup) []Finding {
	var out []Finding
	for _, r := range c.cv.rows {
		if r.f == nil || !r.f.OnBoot || r.state != stStopped {
			continue
		}
		out = append(out, Finding{Severity: Warn, Code: "onboot_stopped", Object: r.label(), Score: 30,
			Title: "stopped although it starts at boot", Evidence: "status=stopped, onboot=1 on " + r.g.Node,
			Hint: "start it, or turn onboot off"})
	}
	return grouped(out, 10, "guests that start at boot are stopped")
}

// checkLocks finds locks that no running task explains: a crash leaves them behind.
func checkLocks(c *checkup) []Finding {
	busy := map[string]bool{}
	for _, k := range c.cv.tasks.list {
		if running(k, c.now) {
			busy[k.ID] = true
			if k.ID == "" && k.Type == "vzdump" {
				// A job over many guests names none of them: it may explain any backup lock.
				busy["*backup"] = true
			}
		}
	}
	var out []Finding
	for _, r := range c.cv.rows {
		if r.g.Lock == "" || r.state == stUnknown || r.state == stSuspended || busy[strconv.Itoa(r.g.VMID)] || r.g.Lock == "backup" && busy["*backup"] {
			continue
		}
		out = append(out, Finding{Severity: Warn, Code: "guest_locked", Object: r.label(), Score: 35,
			Title: fmt.Sprintf("locked (%s) without a running task", r.g.Lock), Evidence: "lock=" + r.g.Lock,
			Hint: "if nothing works on it any more: qm unlock or pct unlock on its node"})
	}
	return grouped(out, 10, "guests are locked without a running task")
}

// checkUnknown names, per reason, the guests of which nothing is known now.
func checkUnknown(c *checkup) []Finding {
	byReason := map[string][]*row{}
	for _, r := range c.cv.rows {
		if r.state == stUnknown {
			byReason[r.g.UnknownReason] = append(byReason[r.g.UnknownReason], r)
		}
	}
	var out []Finding
	for _, reason := range sortedNames(byReason) {
		rows := byReason[reason]
		var names []string
		for _, r := range rows {
			names = append(names, strings.TrimPrefix(r.label(), "guest "))
		}
		object := rows[0].label()
		if len(rows) > 1 {
			object = fmt.Sprintf("%d guests", len(rows))
		}
		f := Finding{Severity: Warn, Code: "guests_unknown", Object: object, Score: 55, Since: rows[0].g.UnknownSince,
			Title: "state unknown for " + ago(c.now.Sub(rows[0].g.UnknownSince)) + ": " + reason, Evidence: shortList(names, 10)}
		if !rows[0].g.UnknownSince.After(rows[0].g.FirstSeen) {
			f.Since, f.Title = time.Time{}, "state never known: "+reason
		}
		if c.nodeAway(rows[0].g.Node) {
			f.Severity = Info // the node's own finding says it
		}
		out = append(out, f)
	}
	return out
}

// grouped makes one finding of many equal ones.
func grouped(list []Finding, limit int, title string) []Finding {
	if len(list) <= limit {
		return list
	}
	f := list[0]
	var names []string
	for _, one := range list {
		names = append(names, strings.TrimPrefix(one.Object, "guest "))
	}
	f.Object, f.Title, f.Evidence = "guests", fmt.Sprintf("%d %s", len(list), title), shortList(names, limit)
	return []Finding{f}
}
