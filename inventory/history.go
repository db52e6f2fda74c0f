package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// changeWindow is how far back "what changed" looks by default.
	changeWindow = 24 * time.Hour
	// changeRows bounds what one question reads of the store; who asks for more is told that the answer is cut.
	changeRows = 5000
	// maxValue is how much of a value a change shows.
	maxValue = 200
)

// ChangeQuery asks what changed from Since to Until. Zero times mean the last 24 hours and now. Object is a vmid, a guest's name, or
// the id of a node, storage, pool or cluster object; Field a key of a configuration, such as cores, or the start of several with *.
type ChangeQuery struct {
	Since, Until  time.Time
	Object, Field string
	Limit         int
	Cursor        string
	ReadOptions
}

// Change is one thing that changed, as far as it was seen: between NotBefore and At. Field, Old and New are empty for what has no
// fields. Task and User are those of the task that fits in time, kind and object; empty means that none was seen.
type Change struct {
	Cluster   string
	Kind      string // guest, node, storage_config, pool, cluster
	ID        string
	Name      string
	What      string // appeared, gone, moved, renamed, status, changed, added, removed
	Field     string
	Old, New  string
	At        time.Time
	NotBefore time.Time // zero = not known
	Task      string    // handle
	TaskType  string
	User      string
}

// ChangePage is a page of changes, newest first. Total counts all that match, unless Cut says that there are more than were read.
// KnownSince is when the clusters were first looked at, where that is after Since; zero otherwise.
type ChangePage struct {
	Meta
	Since, Until time.Time
	KnownSince   time.Time
	Total        int
	Cut          bool
	Rows         []Change
	NextCursor   string
}

// Changes answers what changed, from the store alone: what happened while nobody looked is dated between two looks. Errors:
// fault.NotFound for an object that is not known, fault.Invalid for a window or cursor that breaks a rule.
func (i *Inventory) Changes(ctx context.Context, q ChangeQuery) (ChangePage, error) {
	offset, err := decodePage(q.Cursor, q.sum())
	if err != nil {
		return ChangePage{}, err
	}
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return ChangePage{}, err
	}
	if q.Until.IsZero() { // now that what is new was read
		q.Until = i.now()
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-changeWindow)
	}
	if !q.Since.Before(q.Until) {
		return ChangePage{}, fault.BadField("since", "it must be before until", "24h")
	}
	h := &historian{i: i, scope: scope, view: i.proj.view.Load(), q: q, bodies: map[string]pve.Config{}}
	if err := h.find(); err != nil {
		return ChangePage{}, err
	}
	if err := h.collect(ctx); err != nil {
		return ChangePage{}, err
	}
	return h.page(i.meta(scope), offset), nil
}

// knownSince is when the last of the clusters was first looked at, where that is within the window: what changed before is not
// known.
func (h *historian) knownSince() time.Time {
	var last time.Time
	for _, c := range h.scope {
		var first time.Time
		for _, o := range h.view.clusters[c.name].nodeObjs {
			if first.IsZero() || o.FirstSeen.Before(first) {
				first = o.FirstSeen
			}
		}
		if first.After(h.q.Since) && first.After(last) {
			last = first
		}
	}
	return last
}

// sum leaves the times out: a page later on a span such as 24h has moved a little.
func (q ChangeQuery) sum() string { return cursorSum(q.Object + "\x00" + q.Field + "\x00" + q.Cluster) }

// historian gathers changes for one question.
type historian struct {
	i      *Inventory
	scope  []*cluster
	view   *view
	q      ChangeQuery
	only   *store.Ref // the object that is asked about; Cluster "" = in any
	bodies map[string]pve.Config
	rows   []Change
	cut    bool
}

// find resolves the object that is asked about. What is gone is known by its id alone.
func (h *historian) find() error {
	text := strings.TrimSpace(h.q.Object)
	if text == "" {
		return nil
	}
	if r, err := h.i.resolve(h.scope, text); err == nil {
		h.only = &store.Ref{Cluster: r.g.Cluster, Kind: store.KindGuest, ID: strconv.Itoa(r.g.VMID)}
		return nil
	} else if fault.CodeOf(err) == fault.Ambiguous {
		return err
	}
	if _, ok := vmidOf(text); ok {
		h.only = &store.Ref{Kind: store.KindGuest, ID: text}
		return nil
	}
	h.only = &store.Ref{ID: text}
	return nil
}

func (h *historian) wants(ref store.Ref) bool {
	if !slices.ContainsFunc(h.scope, func(c *cluster) bool { return c.name == ref.Cluster }) {
		return false
	}
	o := h.only
	return o == nil || o.ID == ref.ID && (o.Kind == "" || o.Kind == ref.Kind) && (o.Cluster == "" || o.Cluster == ref.Cluster)
}

// collect reads what happened and what was configured anew, newest first.
func (h *historian) collect(ctx context.Context) error {
	st, err := h.i.openStore(ctx)
	if err != nil {
		return err
	}
	name := ""
	if len(h.scope) == 1 {
		name = h.scope[0].name
	}
	events, err := st.Changes(ctx, name, h.q.Since, changeRows)
	if err != nil {
		return err
	}
	revisions, err := st.Revisions(ctx, name, h.q.Since, h.q.Until.Add(time.Millisecond), changeRows) // the store counts milliseconds
	if err != nil {
		return err
	}
	h.cut = len(events) == changeRows || len(revisions) == changeRows
	for k := range events {
		if e := &events[k]; tells(e) && h.wants(e.Ref) && !e.At.After(h.q.Until) {
			h.add(h.event(e))
		}
	}
	for k := range revisions {
		if h.wants(revisions[k].Ref) {
			if err := h.revision(ctx, st, &revisions[k]); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(h.rows, func(a, b Change) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), pve.CompareKeys(a.Field, b.Field))
	})
	return nil
}

// tells is whether an event is a change by itself: that a configuration changed is told key by key by its versions, and what
// the very first look found has not appeared then.
func tells(e *store.Change) bool {
	return e.Field != "config" && !(e.What == "appeared" && e.NotBefore.IsZero())
}

func (h *historian) add(c Change) {
	if f := h.q.Field; f != "" {
		prefix, any := strings.CutSuffix(f, "*")
		if !(c.Field == f || any && strings.HasPrefix(c.Field, prefix)) {
			return
		}
	}
	h.rows = append(h.rows, c)
}

func (h *historian) event(e *store.Change) Change {
	c := h.about(e.Ref, e.What, e.At, e.NotBefore)
	c.Field, c.Old, c.New = clean.Line(e.Field, maxTag), clean.Line(e.Old, maxValue), clean.Line(e.New, maxValue)
	if c.Name == "" {
		c.Name = cmp.Or(c.New, c.Old)
	}
	if e.What == "appeared" || e.What == "gone" { // the name is all that they tell
		c.Old, c.New = "", ""
	}
	h.explain(&c, e.What)
	return c
}

// about begins a change of an object.
func (h *historian) about(ref store.Ref, what string, at, notBefore time.Time) Change {
	c := Change{Cluster: ref.Cluster, Kind: string(ref.Kind), ID: clean.Line(ref.ID, maxName), What: what, At: at, NotBefore: notBefore}
	if id, ok := vmidOf(ref.ID); ok && ref.Kind == store.KindGuest {
		if r := h.view.clusters[ref.Cluster].byID[id]; r != nil {
			c.Name = name(r.g.Name)
		}
	}
	return c
}

// revision compares a version with the one before, key by key.
func (h *historian) revision(ctx context.Context, st Store, r *store.Revision) error {
	old, err := h.body(ctx, st, r.Old)
	if err != nil {
		return err
	}
	fresh, err := h.body(ctx, st, r.Hash)
	if err != nil {
		return err
	}
	base := h.about(r.Ref, "changed", r.SeenAt, r.NotBefore)
	h.explain(&base, "changed")
	for _, key := range changedKeys(old, fresh) {
		c := base
		c.Field, c.Old, c.New = key, valueText(old, key), valueText(fresh, key)
		switch {
		case !old.Has(key):
			c.What = "added"
		case !fresh.Has(key):
			c.What = "removed"
		}
		h.add(c)
	}
	return nil
}

// body is a stored content; what is no object has no keys.
func (h *historian) body(ctx context.Context, st Store, hash string) (pve.Config, error) {
	if c, ok := h.bodies[hash]; ok {
		return c, nil
	}
	raw, err := st.Content(ctx, hash)
	if err != nil {
		return nil, err
	}
	c, err := pve.DecodeConfig(raw)
	if err != nil {
		c = pve.Config{}
	}
	h.bodies[hash] = c
	return c, nil
}

func changedKeys(a, b pve.Config) []string {
	var keys []string
	for _, k := range a.Keys() {
		if !b.Has(k) || valueText(a, k) != valueText(b, k) {
			keys = append(keys, k)
		}
	}
	for _, k := range b.Keys() {
		if !a.Has(k) {
			keys = append(keys, k)
		}
	}
	return keys
}

// valueText is a value on one line: texts as they are, all else as JSON.
func valueText(c pve.Config, key string) string {
	v, ok := c[key]
	if !ok || v == nil {
		return ""
	}
	if s := c.Str(key); s != "" {
		return clean.Line(s, maxValue)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return clean.Line(string(raw), maxValue)
}

// causes are the tasks that make a change of a kind: by the beginning of their type.
var causes = map[string][]string{
	"appeared": {"qmcreate", "qmclone", "qmrestore", "vzcreate", "vzclone", "vzrestore"},
	"gone":     {"qmdestroy", "vzdestroy"},
	"status": {"qmstart", "qmstop", "qmshutdown", "qmreboot", "qmsuspend", "qmresume", "vzstart", "vzstop", "vzshutdown", "vzreboot", "vzsuspend", "vzresume",
		"hastart", "hastop", "vzdump", "qmrollback", "vzrollback"},
	"moved":   {"qmigrate", "vzmigrate", "hamigrate"},
	"renamed": {"qmconfig"},
	"changed": {"qmconfig", "qmmove", "qmtemplate", "qmsnapshot", "qmrollback", "qmdelsnapshot", "qmrestore", "resize", "move_volume", "vzsnapshot", "vzrollback", "vzdelsnapshot", "vztemplate", "vzrestore", "qmclone", "vzclone", "imgdel"},
}

// explain names the newest task about the guest that fits the change's kind and began in the time in which it happened. A change
// of a configuration that is answered at once leaves no task: then nothing is named.
func (h *historian) explain(c *Change, what string) {
	if c.Kind != string(store.KindGuest) {
		return
	}
	tasks := h.view.clusters[c.Cluster].tasks
	for _, k := range tasks.byID[c.ID] {
		t := &tasks.list[k]
		if t.Start.After(c.At) || !c.NotBefore.IsZero() && !t.End.IsZero() && t.End.Before(c.NotBefore) || !slices.Contains(causes[what], t.Type) {
			continue
		}
		if c.NotBefore.IsZero() && c.At.Sub(t.Start) > changeWindow {
			return
		}
		c.Task, c.TaskType, c.User = pve.TaskHandle(t.UPID), clean.Line(t.Type, maxTag), name(t.User)
		return
	}
}

func (h *historian) page(m Meta, offset int) ChangePage {
	p := ChangePage{Meta: m, Since: h.q.Since, Until: h.q.Until, KnownSince: h.knownSince(), Total: len(h.rows), Cut: h.cut}
	end := min(len(h.rows), offset+pageSize(h.q.Limit))
	if offset < end {
		p.Rows = h.rows[offset:end]
	}
	if end < len(h.rows) {
		p.NextCursor = pageCursor(end, h.q.sum())
	}
	return p
}
