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

// checkTasks groups the failed tasks of a day by type and object: a job that fails every hour is one problem. Backups of one guest are
// judged by checkFailedBackups.
func checkTasks(c *checkup) []Finding {
	type group struct {
		newest store.Task
		count  int
	}
	groups := map[string]*group{}
	var order []string
	for _, k := range c.cv.tasks.list {
		if taskState(k) != taskFailed || c.now.Sub(taskTime(k)) >= failedWindow || k.Type == "vzdump" && k.ID != "" {
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
	f := Finding{Severity: Warn, Code: "task_failed", Score: 50 + min(count, 20), Since: taskTime(k),
		Title:    fmt.Sprintf("%s failed %s ago", clean.Line(k.Type, maxTag), ago(c.now.Sub(taskTime(k)))),
		Evidence: clean.Line(k.Exit, maxLine), Hint: "get_task " + pve.TaskHandle(k.UPID) + " shows the log"}
	f.Object, f.On = c.taskObject(k)
	if count > 1 {
		f.Title = fmt.Sprintf("%s failed %d times in 24h, last %s ago", clean.Line(k.Type, maxTag), count, ago(c.now.Sub(taskTime(k))))
	}
	if j := c.cv.learned.failedJob(); j.upid == k.UPID && j.guests != "" {
		f.Title, f.Evidence = f.Title+": "+j.guests, j.why
	}
	return f
}

// taskObject is what a task worked on: a guest, else its node.
func (c *checkup) taskObject(k store.Task) (string, Subject) {
	id, ok := vmidOf(k.ID)
	if !ok {
		return "node " + k.Node, onNode(k.Node)
	}
	if r := c.cv.byID[id]; r != nil {
		return r.label(), r.subject()
	}
	return "guest " + k.ID, Subject{Kind: store.KindGuest, ID: k.ID, Node: k.Node}
}

// checkFailedBackups finds guests whose newest backup task failed, however long ago as far as tasks are kept.
func checkFailedBackups(c *checkup) []Finding {
	var out []Finding
	for _, r := range c.cv.rows {
		id := strconv.Itoa(r.g.VMID)
		for _, i := range c.cv.tasks.byID[id] {
			k := c.cv.tasks.list[i]
			if k.Type != "vzdump" || taskState(k) == taskRunning || taskState(k) == taskUnknown {
				continue
			}
			if taskState(k) == taskFailed {
				f := Finding{Severity: Warn, Code: "backup_failed", Object: r.label(), On: r.subject(), Score: 66, Since: taskTime(k),
					Title: fmt.Sprintf("last backup failed %s ago", ago(c.now.Sub(taskTime(k)))), Evidence: clean.Line(k.Exit, maxLine),
					Hint: "get_task " + pve.TaskHandle(k.UPID) + " shows the log"}
				if at, ok := c.cv.tasks.lastBackup(id); ok {
					f.Evidence += "; last good " + ago(c.now.Sub(at)) + " ago"
				}
				out = append(out, f)
			}
			break
		}
	}
	return out
}

// checkAgents finds running VMs without guest agent: their addresses are not known, and their backups may be torn.
func checkAgents(c *checkup) []Finding {
	var out []Finding
	for _, r := range c.cv.rows {
		if r.f == nil || r.typ() != pve.Qemu || r.state != stRunning || r.f.Agent != nil && *r.f.Agent {
			continue
		}
		out = append(out, Finding{Severity: Info, Code: "no_agent", Object: r.label(), On: r.subject(), Score: 5, Title: "runs without guest agent",
			Evidence: "agent is not enabled in its configuration", Hint: "install qemu-guest-agent and set agent=1"})
	}
	return out
}

// oldSnapshot is from when on a snapshot is probably forgotten: it grows and slows its guest.
const oldSnapshot = 30 * 24 * time.Hour

func checkSnapshots(c *checkup) []Finding {
	var out []Finding
	for _, r := range c.cv.rows {
		if r.g.Snapshots == "" || r.g.Snapshots == "[]" {
			continue
		}
		var oldest Snapshot
		count := 0
		for _, s := range decodeSnapshots(r.g.Snapshots) {
			if s.At.IsZero() || c.now.Sub(s.At) < oldSnapshot {
				continue
			}
			if count++; oldest.At.IsZero() || s.At.Before(oldest.At) {
				oldest = s
			}
		}
		if count > 0 {
			out = append(out, Finding{Severity: Info, Code: "old_snapshot", Object: r.label(), On: r.subject(), Score: min(20, int(c.now.Sub(oldest.At)/oldSnapshot)),
				Since: oldest.At, Title: fmt.Sprintf("%d snapshots older than 30d, oldest %s", count, ago(c.now.Sub(oldest.At))), Evidence: "snapshot " + clean.Line(oldest.Name, maxTag),
				Hint: "delete what is not needed any more"})
		}
	}
	return out
}

func (r *row) subject() Subject {
	return Subject{Kind: store.KindGuest, ID: strconv.Itoa(r.g.VMID), Node: r.g.Node}
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

// checkBackups lists the guests that no backup job covers and of which no recent good backup task was seen; templates are left out.
func checkBackups(c *checkup) []Finding {
	var out []Finding
	for _, id := range c.cv.state.NoBackup {
		r := c.cv.byID[id]
		if r == nil || r.g.Template {
			continue
		}
		if at, ok := c.cv.tasks.lastBackup(strconv.Itoa(id)); ok && c.now.Sub(at) < recentBackup {
			continue
		}
		out = append(out, Finding{Severity: Warn, Code: "no_backup", Object: r.label(), On: r.subject(), Score: 40,
			Title: "no backup job covers it", Evidence: "cluster/backup-info/not-backed-up; not backed up by hand in 7d", Hint: "add it to a backup job"})
	}
	return out
}

func checkOnBoot(c *checkup) []Finding {
	var out []Finding
	for _, r := range c.cv.rows {
		if r.f == nil || !r.f.OnBoot || r.state != stStopped {
			continue
		}
		out = append(out, Finding{Severity: Warn, Code: "onboot_stopped", Object: r.label(), On: r.subject(), Score: 30,
			Title: "stopped although it starts at boot", Evidence: "status=stopped, onboot=1 on " + r.g.Node,
			Hint: "start it, or turn onboot off"})
	}
	return out
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
		out = append(out, Finding{Severity: Warn, Code: "guest_locked", Object: r.label(), On: r.subject(), Score: 35,
			Title: fmt.Sprintf("locked (%s) without a running task", r.g.Lock), Evidence: "lock=" + r.g.Lock,
			Hint: "if nothing works on it any more: qm unlock or pct unlock on its node"})
	}
	return out
}

// checkUnknown names, per reason, the guests of which nothing is known now.
func checkUnknown(c *checkup) []Finding {
	byReason := map[string][]*row{}
	for _, r := range c.cv.rows {
		if r.state == stUnknown && !c.quiet("guests_unknown", r.subject()) {
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
