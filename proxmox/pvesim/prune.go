package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What pruning makes of a backup.
const (
	markKeep      = "keep"
	markRemove    = "remove"
	markProtected = "protected"
)

// backupEntry is one backup as pruning sees it.
type backupEntry struct {
	volid, kind, mark string
	vmid              int
	made              time.Time
}

// retention says how many backups of a guest stay, by keep-last, keep-hourly and so on.
type retention map[string]int

// parseRetention reads keep-last=3,keep-daily=2; what is no number counts as absent, since the schema has checked it.
func parseRetention(s string) retention {
	r := retention{}
	for part := range strings.SplitSeq(s, ",") {
		k, v, _ := strings.Cut(part, "=")
		if n, err := strconv.Atoi(v); err == nil && n > 0 {
			r[k] = n
		}
	}
	return r
}

// keepsAll is whether nothing is ever pruned: keep-all, or no rule at all.
func (r retention) keepsAll() bool { return len(r) == 0 || r["keep-all"] > 0 }

// String prints the rules by name, as the logs of tasks do (09/010).
func (r retention) String() string {
	var list []string
	for k, n := range r {
		list = append(list, fmt.Sprintf("%s=%d", k, n))
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// periods name the time span in which a rule keeps one backup: the newest.
var periods = []struct {
	rule string
	of   func(time.Time) string
}{
	{"keep-last", func(t time.Time) string { return t.String() }},
	{"keep-hourly", func(t time.Time) string { return t.Format("2006010215") }},
	{"keep-daily", func(t time.Time) string { return t.Format("20060102") }},
	{"keep-weekly", func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprintf("%d-%d", y, w) }},
	{"keep-monthly", func(t time.Time) string { return t.Format("200601") }},
	{"keep-yearly", func(t time.Time) string { return t.Format("2006") }},
}

// mark says for the backups of one guest which stay. Protected ones stay and do not count (09/042). The rules apply one
// after the other; a period that an earlier rule kept a backup of does not count for a later one.
func (r retention) mark(group []*backupEntry) {
	slices.SortStableFunc(group, func(a, b *backupEntry) int { return b.made.Compare(a.made) })
	if r.keepsAll() {
		for _, e := range group {
			if e.mark == "" {
				e.mark = markKeep
			}
		}
		return
	}
	for _, p := range periods {
		if r[p.rule] > 0 {
			markPeriod(group, r[p.rule], p.of)
		}
	}
	for _, e := range group {
		if e.mark == "" {
			e.mark = markRemove
		}
	}
}

func markPeriod(group []*backupEntry, most int, of func(time.Time) string) {
	included, fresh := map[string]bool{}, map[string]bool{}
	for _, e := range group {
		if e.mark == markKeep {
			included[of(e.made)] = true
		}
	}
	for _, e := range group {
		period := of(e.made)
		switch {
		case e.mark != "" || included[period]:
		case fresh[period]:
			e.mark = markRemove
		case len(fresh) >= most:
			return
		default:
			fresh[period], e.mark = true, markKeep
		}
	}
}

// pruneMarks gives the backups of a storage, of one guest or of one kind where those are given, by guest and age.
func (w *World) pruneMarks(n *Node, storage string, r retention, vmid int, kind string) []*backupEntry {
	groups := map[string][]*backupEntry{}
	for _, v := range n.Content[storage] {
		e := &backupEntry{volid: text(v["volid"]), kind: backupKind(text(v["volid"])), vmid: int(integer(v["vmid"])), made: n.local(time.Unix(integer(v["ctime"]), 0))}
		if v["content"] != contentBackup || vmid != 0 && e.vmid != vmid || kind != "" && e.kind != kind {
			continue
		}
		if truth(v["protected"]) {
			e.mark = markProtected
		}
		group := fmt.Sprintf("%s %d", e.kind, e.vmid)
		groups[group] = append(groups[group], e)
	}
	var list []*backupEntry
	for _, group := range groups {
		r.mark(group)
		list = append(list, group...)
	}
	slices.SortFunc(list, func(a, b *backupEntry) int { return strings.Compare(a.volid, b.volid) })
	return list
}

func pruneRoutes() []route {
	path := "/nodes/{node}/storage/{storage}/prunebackups"
	return daemon(
		get(path, need("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace"), listPrune),
		del(path, anyone, pruneBackups))
}

// rules are the request's, or the storage's own.
func (c *call) rules() (retention, error) {
	id := c.vars["storage"]
	if err := c.usableStorage(id); err != nil {
		return nil, err
	}
	if c.given("prune-backups") {
		return parseRetention(c.param("prune-backups")), nil
	}
	return parseRetention(text(c.w.Storage(id)["prune-backups"])), nil
}

// listPrune is a dry run (09/042).
func listPrune(c *call) (any, error) {
	r, err := c.rules()
	if err != nil {
		return nil, err
	}
	list := []fields{}
	for _, e := range c.w.pruneMarks(c.node, c.vars["storage"], r, int(integer(c.params["vmid"])), c.param("type")) {
		list = append(list, fields{{"volid", e.volid}, {"type", e.kind}, {"vmid", e.vmid}, {"ctime", e.made.Unix()}, {"mark", e.mark}})
	}
	return list, nil
}

// pruneBackups removes what the dry run marks, in a task. One's own guests' backups may be pruned with the right to back
// them up, all others with the right on the storage.
func pruneBackups(c *call) (any, error) {
	id := c.vars["storage"]
	vmid := c.param("vmid")
	if !c.may("/storage/"+id, "Datastore.Allocate") {
		if !c.may("/storage/"+id, "Datastore.AllocateSpace") {
			return nil, forbidden("/storage/"+id, "Datastore.AllocateSpace")
		}
		if vmid == "" {
			return nil, forbidden("/storage/"+id, "Datastore.Allocate")
		}
		if !c.may("/vms/"+vmid, "VM.Backup") {
			return nil, forbidden("/vms/"+vmid, "VM.Backup")
		}
	}
	r, err := c.rules()
	if err != nil {
		return nil, err
	}
	what := id
	if vmid != "" {
		what = vmid + "@" + id
	}
	node, kind, w := c.node, c.param("type"), c.w
	return c.fork("prunebackups", what, func(j *job) error {
		for _, e := range w.pruneMarks(node, id, r, int(integer(vmid)), kind) {
			if e.mark == markRemove {
				j.log("removing backup '%s'", e.volid)
				w.dropVolume(node, e.volid)
			}
		}
		return nil
	}), nil
}
