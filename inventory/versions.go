package inventory

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// HistoryQuery asks for the versions of one object's configuration, or for its configuration as of At. Object is as in ChangeQuery.
type HistoryQuery struct {
	Object string
	At     time.Time // zero = the list of versions
	Diff   bool      // with At: compare it with the newest version
	Limit  int       // rows of a page; 0 = the default of 50
	Cursor string
	ReadOptions
}

// ObjectVersion is one version of a configuration. It was first seen at SeenAt and is younger than NotBefore (zero = not known). Keys
// are those that differ from the version before, none for the first one of a life. By is who made it, as of a Change.
type ObjectVersion struct {
	Life, Seq int
	SeenAt    time.Time
	NotBefore time.Time
	Keys      []string
	By        Change // Task, TaskType, User, Plan, Tool and Principal alone
}

// ObjectHistory is a page of versions of an object, newest first, or, where At was asked for, AsOf alone. Where a kind was asked for it is a page
// of the Objects of that kind, by id.
type ObjectHistory struct {
	Meta
	Cluster, Kind, ID, Name string
	GoneAt                  time.Time // zero while it exists
	Total                   int
	Rows                    []ObjectVersion
	NextCursor              string
	AsOf                    *ConfigAsOf
	Objects                 []RecordedObject
}

// maxObject bounds an id: that of an entry of the access rights is a path, a user and a role.
const maxObject = 300

// RecordedObject is an object whose configuration is kept. It was first seen at Since and, unless GoneAt is zero, is gone.
type RecordedObject struct {
	Cluster, ID   string
	Since, GoneAt time.Time
}

// ConfigAsOf is the configuration that was known as of At. It was seen from Version.SeenAt to Until (zero = to this day); where
// Changed is set, At lies between Until and Changed, when it was found changed: the newer one may have been there already. Keys hold
// single lines of at most 500 characters, secrets masked. Diff compares with the newest version, as far as it was asked for.
type ConfigAsOf struct {
	At      time.Time
	Version ObjectVersion
	Until   time.Time
	Changed time.Time
	Keys    []KeyValue
	Diff    []Difference
}

// KeyValue is a key of a configuration with its value as one line.
type KeyValue struct{ Key, Value string }

// ObjectHistory answers the past of one object's configuration, or which objects of a kind are recorded, from the store alone. Errors: fault.NotFound for an object that is not
// known or has no configuration (nodes) or none that was seen by then, fault.Ambiguous, fault.Invalid for a bad cursor or At.
func (i *Inventory) ObjectHistory(ctx context.Context, q HistoryQuery) (ObjectHistory, error) {
	sum := cursorSum(q.Object + "\x00" + q.Cluster)
	offset, err := decodePage(q.Cursor, sum)
	if err != nil {
		return ObjectHistory{}, err
	}
	h, err := i.historian(ctx, q.ReadOptions)
	if err != nil {
		return ObjectHistory{}, err
	}
	refs, err := i.subjects(ctx, h.st, h.scope, q.Object)
	if err != nil {
		return ObjectHistory{}, err
	}
	if refs[0].ID == "" {
		return h.recorded(ctx, refs, q, offset, sum)
	}
	ref, err := oneSubject(refs, q.Object)
	if err != nil {
		return ObjectHistory{}, err
	}
	versions, err := h.versions(ctx, ref)
	if err != nil {
		return ObjectHistory{}, err
	}
	about := h.about(ref, "", time.Time{}, time.Time{})
	out := ObjectHistory{Meta: i.meta(h.scope), Cluster: about.Cluster, Kind: about.Kind, ID: about.ID, Name: about.Name, Total: len(versions)}
	if r := h.goneRow(ref); r != nil {
		out.GoneAt = r.g.GoneAt
	}
	if !q.At.IsZero() {
		out.AsOf, err = h.asOf(ctx, versions, q)
		return out, err
	}
	slices.Reverse(versions)
	end := min(len(versions), offset+pageSize(q.Limit))
	for k := offset; k < end; k++ {
		v, err := h.describe(ctx, versions, k)
		if err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, v)
	}
	if end < len(versions) {
		out.NextCursor = pageCursor(end, sum)
	}
	return out, nil
}

// recorded lists the objects of a kind. refs name the kind in each cluster that is meant.
func (h *historian) recorded(ctx context.Context, refs []store.Ref, q HistoryQuery, offset int, sum string) (ObjectHistory, error) {
	out := ObjectHistory{Meta: h.i.meta(h.scope), Kind: string(refs[0].Kind)}
	if !q.At.IsZero() {
		return out, fault.BadField("at", "it goes with one object", "").WithHint("get_history without at lists each %s that is recorded", clean.Line(q.Object, maxName))
	}
	for _, ref := range refs {
		objects, err := h.st.Objects(ctx, ref.Cluster, 0)
		if err != nil {
			return out, err
		}
		for k := range objects {
			if o := &objects[k]; o.Kind == ref.Kind {
				out.Objects = append(out.Objects, RecordedObject{Cluster: o.Cluster, ID: clean.Line(o.ID, maxObject), Since: o.FirstSeen, GoneAt: o.GoneAt})
			}
		}
	}
	if out.Total = len(out.Objects); out.Total == 0 {
		return out, fault.New(fault.NotFound, "no %s is recorded", clean.Line(q.Object, maxName)).
			WithHint("what a cluster is beside guests, storages and pools is read a minute after a server started and each hour, and by proxmox-mcp sync")
	}
	slices.SortFunc(out.Objects, func(a, b RecordedObject) int {
		return cmp.Or(cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.ID, b.ID))
	})
	end := min(out.Total, offset+pageSize(q.Limit))
	if out.Objects = out.Objects[min(offset, end):end]; end < out.Total {
		out.NextCursor = pageCursor(end, sum)
	}
	return out, nil
}

// goneRow is the last known row of a guest that is gone, nil for all else.
func (h *historian) goneRow(ref store.Ref) *row {
	id, ok := vmidOf(ref.ID)
	if !ok || ref.Kind != store.KindGuest {
		return nil
	}
	return h.view.clusters[ref.Cluster].gone[id]
}

// versions are those of an object, oldest first.
func (h *historian) versions(ctx context.Context, ref store.Ref) ([]store.Version, error) {
	if ref.Kind == store.KindNode || ref.Kind == store.KindCluster {
		return nil, fault.New(fault.NotFound, "no configuration is kept of %s %s", ref.Kind, clean.Line(ref.ID, maxName)).
			WithHint("find_changes tells what happened to it").WithNext("find_changes")
	}
	list, err := h.st.Versions(ctx, ref)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b store.Version) int { return cmp.Or(cmp.Compare(a.Life, b.Life), cmp.Compare(a.Seq, b.Seq)) })
	return list, nil
}

// describe tells a version of a list, newest first, with what changed since the one before.
func (h *historian) describe(ctx context.Context, list []store.Version, k int) (ObjectVersion, error) {
	v := list[k]
	out := ObjectVersion{Life: v.Life, Seq: v.Seq, SeenAt: v.SeenAt, NotBefore: v.NotBefore}
	what := "appeared"
	if k+1 < len(list) && list[k+1].Life == v.Life {
		what = "changed"
		old, err := h.body(ctx, list[k+1].Hash)
		if err != nil {
			return out, err
		}
		fresh, err := h.body(ctx, v.Hash)
		if err != nil {
			return out, err
		}
		for _, d := range differences(old, fresh) {
			out.Keys = append(out.Keys, d.Key)
		}
	}
	if what == "changed" || !v.NotBefore.IsZero() { // what the very first look found was not made then
		c := h.about(v.Ref, what, v.SeenAt, v.NotBefore)
		for k := 0; k == 0 || k < len(out.Keys) && c.Plan == ""; k++ { // the first key that a step of this program names tells
			c.Field = ""
			if k < len(out.Keys) {
				c.Field = out.Keys[k]
			}
			if err := h.explain(ctx, &c, what); err != nil {
				return out, err
			}
		}
		out.By = c
	}
	return out, nil
}

// asOf finds the version that was current at a time.
func (h *historian) asOf(ctx context.Context, list []store.Version, q HistoryQuery) (*ConfigAsOf, error) {
	at := q.At.Truncate(time.Millisecond)
	if at.After(h.i.now()) {
		return nil, fault.BadField("at", "it must not lie in the future", "yesterday")
	}
	k := len(list) - 1
	for k >= 0 && list[k].SeenAt.After(at) {
		k--
	}
	if err := h.existed(ctx, list, k, q, at); err != nil {
		return nil, err
	}
	body, err := h.body(ctx, list[k].Hash)
	if err != nil {
		return nil, err
	}
	out := &ConfigAsOf{At: at}
	if k+1 < len(list) && list[k+1].Life == list[k].Life {
		next := list[k+1]
		out.Until = maxTime(next.NotBefore, list[k].SeenAt) // a version is there when it is seen
		if out.Until.Before(at) {
			out.Changed = next.SeenAt
		}
	}
	newestFirst := slices.Clone(list[:k+1])
	slices.Reverse(newestFirst)
	if out.Version, err = h.describe(ctx, newestFirst, 0); err != nil {
		return nil, err
	}
	for _, key := range body.Keys() {
		out.Keys = append(out.Keys, KeyValue{clean.Line(key, maxTag), clean.Line(valueOf(body, key), maxValue)})
	}
	if q.Diff {
		out.Diff, err = h.sinceThen(ctx, body, list)
	}
	return out, err
}

// sinceThen is what differs in the newest version.
func (h *historian) sinceThen(ctx context.Context, then pve.Config, list []store.Version) ([]Difference, error) {
	now, err := h.body(ctx, list[len(list)-1].Hash)
	if err != nil {
		return nil, err
	}
	return differences(then, now), nil
}

// existed refuses a time at which no configuration was known: before the first one, or between the end of a life and the next one.
func (h *historian) existed(ctx context.Context, list []store.Version, k int, q HistoryQuery, at time.Time) error {
	shown := clean.Line(strings.TrimSpace(q.Object), maxName)
	when := func(t time.Time) string { return t.In(h.i.opt.Zone).Format("2006-01-02 15:04:05Z07:00") }
	switch {
	case len(list) == 0:
		return fault.New(fault.NotFound, "no configuration of %s was read yet", shown).WithHint("ask again in a moment").Retry()
	case k < 0:
		return fault.New(fault.NotFound, "what %s was configured like at %s is not known: it was first seen at %s", shown, when(at), when(list[0].SeenAt)).
			WithHint("ask for that time or later")
	}
	events, err := h.st.Changes(ctx, store.HistoryFilter{Cluster: list[k].Cluster, Kind: list[k].Kind, ID: list[k].ID,
		Since: list[k].SeenAt, Until: at.Add(time.Millisecond), Limit: changeRows})
	if err != nil {
		return err
	}
	for _, e := range events {
		if e.What == "gone" && e.Life == list[k].Life {
			return fault.New(fault.NotFound, "%s did not exist at %s: it was gone since %s", shown, when(at), when(e.At)).
				WithHint("ask for a time before that; version %s was its last", strconv.Itoa(list[k].Seq))
		}
	}
	return nil
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
