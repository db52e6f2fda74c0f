package inventory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// oldBackup is the age from which on the newest backup of a guest is a finding, and recentBackup how young a backup made by hand must be to
	// count in place of a job.
	oldBackup    = 7 * 24 * time.Hour
	recentBackup = oldBackup
	// listedLately is for how long a listing of all backups says how old they are.
	listedLately = 24 * time.Hour
	// jobLogLines is how much of the log of a failed backup job is read, in one call: some ten lines of each guest without its progress.
	jobLogLines = 5000
	// waitJobLog bounds that call.
	waitJobLog = 3 * time.Second
	// newestWas begins the title of an old backup; a group names the ages behind it.
	newestWas = "newest backup seen "
)

// learned is what other questions told of a cluster's backups and no sync reads. It is kept in memory, for all views of the cluster.
type learned struct {
	mu     sync.Mutex
	at     time.Time         // when all backups were listed; zero = never
	newest map[int]lastSaved // by guest
	job    failedJob         // the newest one whose log was read
}

// failedJob is a backup job over several guests: those that failed in it, and why the first one did; none where its log names none.
type failedJob struct{ upid, guests, why string }

// lastSaved is the newest backup of a guest that counts, zero for none; unsure = there may be others that were not seen.
type lastSaved struct {
	at     time.Time
	unsure bool
}

// listed keeps how old the newest backups are.
func (l *learned) listed(at time.Time, newest map[int]lastSaved) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.newest = at, newest
}

func (l *learned) ages() (time.Time, map[int]lastSaved) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.newest
}

func (l *learned) failedJob() failedJob {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.job
}

func (l *learned) tell(j failedJob) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.job = j
}

// skipBackupAge says why the age of backups is not known: syncs list none, for a storage of backups may be slow and hold many.
func skipBackupAge(c *checkup) string {
	at, _ := c.cv.learned.ages()
	switch {
	case at.IsZero():
		return "how old backups are was not read; list_backups missing_since=7d reads it"
	case c.now.Sub(at) > listedLately:
		return fmt.Sprintf("how old backups are was read %s ago; list_backups missing_since=7d reads it", ago(c.now.Sub(at)))
	}
	return ""
}

// checkBackupAge finds guests whose newest backup is old, whatever jobs say. One without a job and without backups is named by checkBackups.
func checkBackupAge(c *checkup) []Finding {
	at, newest := c.cv.learned.ages()
	jobless := map[int]bool{}
	for _, id := range c.cv.state.NoBackup {
		jobless[id] = true
	}
	var out []Finding
	for _, r := range c.cv.rows {
		known, listed := newest[r.g.VMID]
		last := known.at
		if done, ok := c.cv.tasks.lastBackup(strconv.Itoa(r.g.VMID)); ok && done.After(last) {
			last = done
		}
		if !listed || r.g.Template || c.now.Sub(last) < oldBackup || last.IsZero() && (known.unsure || jobless[r.g.VMID]) {
			continue
		}
		f := Finding{Severity: Warn, Code: "backup_old", Object: r.label(), On: r.subject(), Score: 45, Since: last, Title: "no backup of it is seen",
			Evidence: "backups listed " + ago(c.now.Sub(at)) + " ago", Hint: "list_backups missing_since=7d shows these guests with their jobs"}
		if known.unsure {
			f.Evidence += ", not all storages could be read"
		}
		if !last.IsZero() {
			f.Title = newestWas + ago(c.now.Sub(last)) + " ago"
			f.Score = 45 + min(int(c.now.Sub(last)/(24*time.Hour)), 20)
		}
		out = append(out, f)
	}
	return out
}

// lastFailedJob is the newest backup job over several guests that failed within a day, nil for none.
func (c *clusterView) lastFailedJob(now time.Time) *store.Task {
	for k := range c.tasks.list {
		if t := &c.tasks.list[k]; t.Type == "vzdump" && t.ID == "" && taskState(*t) == taskFailed && now.Sub(taskTime(*t)) < failedWindow {
			return t
		}
	}
	return nil
}

// jobLog reads once which guests failed in the newest failed backup job: its task names none. Without an answer the finding names the task.
func (c *cluster) jobLog(ctx context.Context) {
	cv := c.inv.proj.cluster(c.name)
	t := cv.lastFailedJob(c.inv.now())
	if t == nil || cv.nodeAway(t.Node) != "" || cv.learned.failedJob().upid == t.UPID {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, waitJobLog)
	defer cancel()
	src, err := c.source(ctx)
	if err != nil {
		return
	}
	lines, _, err := src.TaskLog(ctx, t.UPID, 0, jobLogLines)
	if err != nil {
		return
	}
	cv.learned.tell(cv.failedIn(t.UPID, lines))
	cv.found.Store(nil)
}

// backupFailure is what vzdump writes of a guest whose backup failed (recordings 09/022, 09/025).
var backupFailure = lazy.Regexp(`^ERROR: Backup of VM (\d+) failed - (.*)`)

// failedIn names the guests whose backup failed by a job's log.
func (c *clusterView) failedIn(upid string, lines []string) failedJob {
	j := failedJob{upid: upid}
	var names []string
	for _, l := range lines {
		m := backupFailure().FindStringSubmatch(l)
		if m == nil {
			continue
		}
		text := m[1]
		if id, ok := vmidOf(m[1]); ok && c.byID[id] != nil {
			text = strings.TrimPrefix(c.byID[id].label(), "guest ")
		}
		if names = append(names, text); len(names) == 1 {
			j.why = clean.Line(m[2], maxLine)
		}
	}
	j.guests = shortList(names, groupNames)
	return j
}

// learn keeps the age of the newest backups, once all of them were asked for.
func (b *backupRead) learn(cv *clusterView, byGuest map[int][]Backup, see *backupSight) {
	if b.oldest.IsZero() {
		return
	}
	own, newest := *see, make(map[int]lastSaved, len(cv.rows))
	own.hidden = nil
	for _, r := range cv.rows {
		g := GuestBackups{Backups: ofType(byGuest[r.g.VMID], r.typ())}
		newest[r.g.VMID] = lastSaved{g.Newest(), own.hides(r.g.VMID)}
	}
	cv.learned.listed(b.oldest, newest)
	cv.found.Store(nil)
}

// ofType leaves out the backups of a guest of another type that had the vmid before.
func ofType(list []Backup, t pve.GuestType) []Backup {
	var out []Backup
	for k := range list {
		if list[k].Type == "" || list[k].Type == t {
			out = append(out, list[k])
		}
	}
	return out
}
