package inventory

import (
	"cmp"
	"context"
	"slices"
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
	// maxValue is how much of a value a change shows, around the difference: a page of 50 rows stays below 50 kB.
	maxValue = 500
)

// ChangeQuery asks what changed from Since to Until. Zero times mean the last 24 hours and now. Window is how the two were asked for
// (24h, yesterday): a cursor belongs to it and keeps the times of its first page, while those of the question move on. Object is a
// vmid, a guest's name, or the id of a node, storage or pool, also of what is gone, with the kind before it where one id means two
// things (storage local); Field a key of a configuration, such as cores, or the start of several with *.
type ChangeQuery struct {
	Since, Until  time.Time
	Window        string
	Object, Field string
	Limit         int
	Cursor        string
	ReadOptions
}

// Change is one thing that changed, as far as it was seen: between NotBefore and At. Field, Old and New are empty for what has no
// fields, but New of a guest that appeared names the keys that were set while it was made. Task and User are those of the task that fits in
// time, kind and object; empty means that none was seen.
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
	Plan      string // where this program made it: the plan, its tool, and who asked for it
	Tool      string
	Principal string
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
	offset, err := resumeWindow(q.Cursor, q.key(), &q.Since, &q.Until)
	if err != nil {
		return ChangePage{}, err
	}
	h, err := i.historian(ctx, q.ReadOptions)
	if err != nil {
		return ChangePage{}, err
	}
	if err := q.span(i.now()); err != nil { // now that what is new was read
		return ChangePage{}, err
	}
	h.q = q
	if q.Object != "" {
		if h.only, err = i.subjects(ctx, h.st, h.scope, q.Object); err != nil {
			return ChangePage{}, err
		}
	}
	if err := h.collect(ctx); err != nil {
		return ChangePage{}, err
	}
	return h.page(i.meta(h.scope), offset), nil
}

// span fills in the times that were not asked for.
func (q *ChangeQuery) span(now time.Time) error {
	if q.Until.IsZero() {
		q.Until = now
	}
	if q.Since.IsZero() {
		q.Since = q.Until.Add(-changeWindow)
	}
	q.Since, q.Until = q.Since.Truncate(time.Millisecond), q.Until.Truncate(time.Millisecond) // as the store and the cursor count
	if !q.Since.Before(q.Until) {
		return fault.BadField("since", "it must be before until", "24h")
	}
	return nil
}

// key is what pages of one question have in common.
func (q *ChangeQuery) key() string {
	return strings.Join([]string{q.Object, q.Field, q.Cluster, q.Window}, "\x00")
}

// knownSince is when the last of the clusters was first looked at, where that is within the window: what changed before is not
// known.
func (h *historian) knownSince() time.Time {
	var last time.Time
	for _, c := range h.scope {
		first := h.view.clusters[c.name].firstLook()
		if first.After(h.q.Since) && first.After(last) {
			last = first
		}
	}
	return last
}

// firstLook is when a cluster was first looked at.
func (c *clusterView) firstLook() (first time.Time) {
	for _, o := range c.nodeObjs {
		if first.IsZero() || o.FirstSeen.Before(first) {
			first = o.FirstSeen
		}
	}
	return first
}

// historian reads the past for one question.
type historian struct {
	i      *Inventory
	st     Store
	scope  []*cluster
	view   *view
	bodies map[string]pve.Config

	q    ChangeQuery
	only []store.Ref // the objects that are asked about; none = all
	rows []Change
	cut  bool
	made map[store.Ref]int // guests that appeared, with the row that says so

	journal map[string][]store.PlanStep
	plans   map[string]store.Plan
}

func (i *Inventory) historian(ctx context.Context, o ReadOptions) (*historian, error) {
	scope, err := i.ready(ctx, o)
	if err != nil {
		return nil, err
	}
	st, err := i.openStore(ctx)
	if err != nil {
		return nil, err
	}
	return &historian{i: i, st: st, scope: scope, view: i.proj.view.Load(), bodies: map[string]pve.Config{}, made: map[store.Ref]int{}}, nil
}

// filters are what the store is asked for: each object that is meant, or each cluster whole.
func (h *historian) filters() []store.HistoryFilter {
	refs := h.only
	if len(refs) == 0 {
		for _, c := range h.scope {
			refs = append(refs, store.Ref{Cluster: c.name})
		}
	}
	out := make([]store.HistoryFilter, 0, len(refs))
	for _, r := range refs {
		out = append(out, store.HistoryFilter{Cluster: r.Cluster, Kind: r.Kind, ID: r.ID, Since: h.q.Since,
			Until: h.q.Until.Add(time.Millisecond), Limit: changeRows}) // the end belongs to the window
	}
	return out
}

// collect reads what happened and what was configured anew, newest first.
func (h *historian) collect(ctx context.Context) error {
	for _, f := range h.filters() {
		if err := h.events(ctx, f, tells); err != nil {
			return err
		}
		if f.Kind == store.KindPool {
			if err := h.members(ctx, f); err != nil {
				return err
			}
		}
		revisions, err := h.st.Revisions(ctx, f)
		if err != nil {
			return err
		}
		h.cut = h.cut || len(revisions) == changeRows
		for k := range revisions {
			if err := h.revision(ctx, &revisions[k]); err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(h.rows, func(a, b Change) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID), pve.CompareKeys(a.Field, b.Field))
	})
	return nil
}

// events takes what happened, as far as it is wanted.
func (h *historian) events(ctx context.Context, f store.HistoryFilter, wanted func(*store.Change) bool) error {
	events, err := h.st.Changes(ctx, f)
	if err != nil {
		return err
	}
	h.cut = h.cut || len(events) == changeRows
	for k := range events {
		if e := &events[k]; wanted(e) {
			if err := h.event(ctx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// members takes the guests that were put into a pool or taken out of it: that is a change of theirs, and what is asked about the pool.
// A guest that is asked about as well is told once.
func (h *historian) members(ctx context.Context, f store.HistoryFilter) error {
	pool := f.ID
	f.Kind, f.ID, f.Field = store.KindGuest, "", whatPool
	return h.events(ctx, f, func(e *store.Change) bool {
		return e.What == whatPool && (e.Old == pool || e.New == pool) && !slices.Contains(h.only, e.Ref)
	})
}

// whatPool is the change, and the field, of a guest that was put into a pool or taken out of it.
const whatPool = "pool"

// tells is whether an event is a change by itself: that a configuration changed is told key by key by its versions, and what
// the very first look found has not appeared then.
func tells(e *store.Change) bool {
	return e.Field != "config" && !(e.What == "appeared" && e.NotBefore.IsZero())
}

func (h *historian) event(ctx context.Context, e *store.Change) error {
	c := h.about(e.Ref, e.What, e.At, e.NotBefore)
	c.Field, c.Old, c.New = clean.Line(e.Field, maxTag), clean.Line(e.Old, maxName), clean.Line(e.New, maxName)
	if c.Name == "" {
		c.Name = cmp.Or(c.New, c.Old)
	}
	if e.What == "appeared" || e.What == "gone" { // the name is all that they tell
		c.Old, c.New = "", ""
	}
	if !likeName(c.Field, h.q.Field) {
		return nil
	}
	if e.What == whatPool {
		c.What = told(c.Old != "", c.New != "")
	}
	if err := h.explain(ctx, &c, e.What); err != nil {
		return err
	}
	if e.What == "appeared" {
		h.made[e.Ref] = len(h.rows)
	}
	h.rows = append(h.rows, c)
	return nil
}

// about begins a change of an object.
func (h *historian) about(ref store.Ref, what string, at, notBefore time.Time) Change {
	c := Change{Cluster: ref.Cluster, Kind: string(ref.Kind), ID: clean.Line(ref.ID, maxName), What: what, At: at, NotBefore: notBefore}
	if id, ok := vmidOf(ref.ID); ok && ref.Kind == store.KindGuest {
		cv := h.view.clusters[ref.Cluster]
		if r := cmp.Or(cv.byID[id], cv.gone[id]); r != nil {
			c.Name = name(r.g.Name)
		}
	}
	return c
}

// revision compares a version with the one before, key by key.
func (h *historian) revision(ctx context.Context, r *store.Revision) error {
	old, err := h.body(ctx, r.Old)
	if err != nil {
		return err
	}
	fresh, err := h.body(ctx, r.Hash)
	if err != nil {
		return err
	}
	base, diffs := h.about(r.Ref, "changed", r.SeenAt, r.NotBefore), differences(old, fresh)
	if h.finishes(r, diffs) {
		return nil
	}
	for _, d := range diffs {
		c := base
		c.What, c.Field, c.Old, c.New = d.What, d.Key, d.Old, d.New
		if !likeName(c.Field, h.q.Field) {
			continue
		}
		if err := h.explain(ctx, &c, "changed"); err != nil {
			return err
		}
		h.rows = append(h.rows, c)
	}
	return nil
}

// makingTime is for how long after a guest appeared the changes of its configuration are part of making it.
const makingTime = 2 * time.Minute

// finishes takes the keys that a guest was given while it was made into the row that says that it appeared: one guest, one line.
func (h *historian) finishes(r *store.Revision, diffs []Difference) bool {
	k, ok := h.made[r.Ref]
	if !ok || r.SeenAt.Before(h.rows[k].At) || r.SeenAt.Sub(h.rows[k].At) > makingTime {
		return false
	}
	for _, d := range diffs {
		if len(h.rows[k].New) < maxName {
			h.rows[k].New = strings.TrimPrefix(h.rows[k].New+", "+d.Key, ", ")
		}
	}
	return true
}

func (h *historian) page(m Meta, offset int) ChangePage {
	p := ChangePage{Meta: m, Since: h.q.Since, Until: h.q.Until, KnownSince: h.knownSince(), Total: len(h.rows), Cut: h.cut}
	end := min(len(h.rows), offset+pageSize(h.q.Limit))
	if offset < end {
		p.Rows = h.rows[offset:end]
	}
	if end < len(h.rows) {
		p.NextCursor = windowCursor(end, h.q.key(), h.q.Since, h.q.Until)
	}
	return p
}
