package inventory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// settingsAtOnce is how many lists are asked for at a time; the client's limit per node is below it.
	settingsAtOnce = 3
)

// SettingsReport says what reading the settings of one cluster brought. Complete is false where a list could not be read for another
// reason than that this token may not see it, or this Proxmox VE does not have it.
type SettingsReport struct {
	Cluster  string
	Calls    int
	Complete bool
	Kinds    []KindCount
	Warnings []Warning
}

// Settings reads what a cluster is beside guests, storages and pools (settings_kinds.go) and stores each object with its versions. It is no
// part of a sync, whose calls users wait for: code is written from it. A cluster that another process reads just now is waited for.
func (i *Inventory) Settings(ctx context.Context, cluster string) ([]SettingsReport, error) {
	scope, err := i.scope(ctx, cluster)
	if err != nil {
		return nil, err
	}
	out := make([]SettingsReport, len(scope))
	errs := make([]error, len(scope))
	var wg sync.WaitGroup
	for k, c := range scope {
		wg.Go(func() { out[k], errs[k] = c.settings(ctx) })
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// SettingsAt is when the settings of a cluster were last read, zero when they never were, or some of them failed each time.
func (i *Inventory) SettingsAt(ctx context.Context, cluster string) (time.Time, error) {
	if err := i.proj.refresh(ctx); err != nil {
		return time.Time{}, err
	}
	s := i.proj.cluster(cluster).probes[store.SettingsProbe]
	for _, why := range unreadSettings(s) {
		if why == store.NotReadYet {
			return time.Time{}, nil
		}
	}
	return s.At, nil
}

// settingsRun is one reading of the settings of one cluster, under its lease.
type settingsRun struct {
	c       *cluster
	src     Source
	started time.Time
	perms   map[string]map[string]bool
	known   map[store.Kind]map[string]store.Object
	before  store.SettingsUnread // nil: nothing was ever read

	mu     sync.Mutex
	report SettingsReport
	batch  store.Batch
	unread store.SettingsUnread
}

func (c *cluster) settings(ctx context.Context) (SettingsReport, error) {
	st, err := c.inv.openStore(ctx)
	if err != nil {
		return SettingsReport{Cluster: c.name}, err
	}
	src, err := c.source(ctx)
	if err != nil {
		return SettingsReport{Cluster: c.name}, err
	}
	lease, err := c.settingsLease(ctx, st)
	if err != nil {
		return SettingsReport{Cluster: c.name}, err
	}
	r := &settingsRun{c: c, src: src, started: c.inv.now(), report: SettingsReport{Cluster: c.name, Complete: true}}
	err = c.holding(ctx, st, lease, func(ctx context.Context) error { return r.do(ctx, st, lease) })
	return r.report, err
}

func (c *cluster) settingsLease(ctx context.Context, st Store) (store.Lease, error) {
	for {
		lease, ok, err := st.AcquireLease(ctx, "settings:"+c.name, c.inv.opt.Owner, leaseTTL)
		if ok || err != nil {
			return lease, err
		}
		if err := sleep(ctx, leasePoll); err != nil {
			return lease, err
		}
	}
}

func (r *settingsRun) do(ctx context.Context, st Store, lease store.Lease) error {
	calls := r.src.Calls()
	if err := r.load(ctx, st); err != nil {
		return err
	}
	var err error
	if r.perms, err = r.src.Permissions(ctx); err != nil {
		r.failed("permissions", err)
	}
	slots := make(chan struct{}, settingsAtOnce)
	var wg sync.WaitGroup
	wg.Go(func() { r.firewalls(ctx, slots) })
	for k := range settings {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			r.kind(ctx, &settings[k])
		})
	}
	wg.Wait()
	r.report.Calls = int(r.src.Calls() - calls)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	state := probeState{At: r.started, Tried: r.started, Data: encodeState(r.unread)}
	r.batch.Objects = append(r.batch.Objects, store.Object{Ref: store.Ref{Cluster: r.c.name, Kind: store.KindProbe, ID: store.SettingsProbe}, Life: 1,
		FirstSeen: r.started, LastSeen: r.started, State: encodeState(state)})
	r.batch.Cluster, r.batch.At = r.c.name, r.started
	r.sort()
	_, err = st.ApplyBatch(ctx, lease, r.batch)
	return errors.Join(err, r.c.inv.proj.refresh(ctx))
}

func (r *settingsRun) load(ctx context.Context, st Store) error {
	objects, err := st.Objects(ctx, r.c.name, 0)
	if err != nil {
		return err
	}
	r.before, r.unread = unreadSettings(r.c.inv.proj.cluster(r.c.name).probes[store.SettingsProbe]), store.SettingsUnread{}
	r.known = map[store.Kind]map[string]store.Object{}
	for _, o := range objects {
		if o.GoneAt.IsZero() {
			if r.known[o.Kind] == nil {
				r.known[o.Kind] = map[string]store.Object{}
			}
			r.known[o.Kind][o.ID] = o
		}
	}
	return nil
}

// sort brings what goroutines found into one order, so that the same cluster is stored the same way.
func (r *settingsRun) sort() {
	slices.SortFunc(r.batch.Objects, func(a, b store.Object) int { return compareRefs(a.Ref, b.Ref) })
	slices.SortFunc(r.batch.Contents, func(a, b store.Content) int { return compareRefs(a.Ref, b.Ref) })
	slices.SortFunc(r.batch.Changes, func(a, b store.Change) int { return compareRefs(a.Ref, b.Ref) })
	slices.SortFunc(r.report.Kinds, func(a, b KindCount) int { return strings.Compare(a.Kind, b.Kind) })
	slices.SortFunc(r.report.Warnings, func(a, b Warning) int { return strings.Compare(a.Text, b.Text) })
}

func compareRefs(a, b store.Ref) int {
	return strings.Compare(string(a.Kind)+" "+a.ID, string(b.Kind)+" "+b.ID)
}

// kind reads one kind: once, or from each node that is online.
func (r *settingsRun) kind(ctx context.Context, s *setting) {
	if !strings.Contains(s.path, "{node}") {
		rows, err := r.rows(ctx, s, s.path)
		r.record(s, "", rows, err)
		return
	}
	for _, n := range r.c.inv.proj.cluster(r.c.name).nodes {
		if n.st.Status != "online" {
			r.never(s.kind, n.name, silentNode(n.name))
			continue
		}
		rows, err := r.rows(ctx, s, strings.Replace(s.path, "{node}", url.PathEscape(n.name), 1))
		r.record(s, n.name+"/", rows, err)
	}
}

// rows are the objects of a list by id, with what is listed below each.
func (r *settingsRun) rows(ctx context.Context, s *setting, path string) (map[string]pve.Config, error) {
	raw, err := r.src.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	if s.id == nil {
		c, err := pve.DecodeConfig(raw)
		return map[string]pve.Config{theOnly: c}, err
	}
	list, err := configs(raw)
	if err != nil {
		return nil, err
	}
	out := map[string]pve.Config{}
	for _, c := range list {
		id := s.id(c)
		if id == "" {
			continue
		}
		if s.below != "" {
			below, err := r.src.Read(ctx, strings.Replace(s.below, "{id}", url.PathEscape(id), 1))
			if err != nil {
				return nil, err
			}
			if c[belowAs], err = belowOf(below); err != nil {
				return nil, err
			}
		}
		out[id] = c
	}
	return out, nil
}

func configs(raw json.RawMessage) ([]pve.Config, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the list cannot be read")
	}
	var out []pve.Config
	for _, row := range rows {
		if c, err := pve.DecodeConfig(row); err == nil { // one odd row hides no other
			out = append(out, c)
		}
	}
	return out, nil
}

// belowOf is what is listed below a row, in its order, without the digest of the whole.
func belowOf(raw json.RawMessage) ([]any, error) {
	list, err := configs(raw)
	out := make([]any, len(list))
	for k, c := range list {
		delete(c, "digest")
		redact.Fields(c)
		out[k] = map[string]any(c)
	}
	return out, err
}

// record notes what a list brought. at is the node's name and a slash for lists of nodes.
func (r *settingsRun) record(s *setting, at string, rows map[string]pve.Config, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.count(s.kind)
	if err != nil && s.absent != "" && strings.Contains(fault.Of(err).Error(), s.absent) {
		return
	}
	if err != nil {
		r.failedLocked(string(s.kind)+strings.TrimSuffix(" of node "+at, " of node "), err)
		r.neverLocked(s.kind, strings.TrimSuffix(at, "/"), whyUnread(err))
		r.unsure(s.kind, at, nil)
		return
	}
	ids := map[string]bool{}
	for _, name := range sortedNames(rows) {
		id := at + name
		if s.id == nil && at != "" {
			id = strings.TrimSuffix(at, "/")
		}
		ids[id] = true
		r.put(s, n, id, rows[name])
	}
	if seesAll(r.perms, s.priv, "/") {
		r.gone(n, s.kind, at, ids)
	} else {
		r.unsure(s.kind, at, ids)
	}
}

// put notes one object. The first reading of a kind, or of a node's part of it, is no change of each of its objects.
func (r *settingsRun) put(s *setting, n *KindCount, id string, content pve.Config) {
	redact.Fields(content)
	for _, k := range append([]string{"digest"}, s.apart...) {
		delete(content, k)
	}
	canonical := content.Canonical()
	hash := pve.Hash(canonical)
	ref := store.Ref{Cluster: r.c.name, Kind: s.kind, ID: id}
	old, known := r.known[s.kind][id]
	switch {
	case known && old.Hash == hash && old.UnknownSince.IsZero() && r.started.Sub(old.LastSeen) <= restamp:
		n.Unchanged++
		return
	case known && old.Hash == hash:
		n.Unchanged++
	case known:
		n.Updated++
		r.change(ref, "changed", "config", old.Hash, hash, old.LastSeen)
	default:
		n.Created++
		if !r.first(s.kind, id) {
			r.change(ref, "appeared", "", "", id, r.c.inv.proj.cluster(r.c.name).probes[store.SettingsProbe].At)
		}
	}
	o := store.Object{Ref: ref, Life: 1, Hash: hash, State: canonical, FirstSeen: r.started, LastSeen: r.started}
	if known {
		o.Life, o.FirstSeen = old.Life, old.FirstSeen
	}
	r.batch.Objects = append(r.batch.Objects, o)
	if !known || !bytes.Equal([]byte(old.Hash), []byte(hash)) {
		r.batch.Contents = append(r.batch.Contents, store.Content{Ref: ref, Life: o.Life, Hash: hash, JSON: canonical, NotBefore: old.LastSeen})
	}
}

func (r *settingsRun) change(ref store.Ref, what, field, old, now string, notBefore time.Time) {
	r.batch.Changes = append(r.batch.Changes, store.Change{Ref: ref, Life: 1, What: what, Field: field, Old: old, New: now, At: r.started, NotBefore: notBefore})
}

// mine are the known objects of a kind that a list would have shown and that are not among those that it did show.
func (r *settingsRun) mine(kind store.Kind, at string, listed map[string]bool) []store.Object {
	var out []store.Object
	for _, id := range sortedNames(r.known[kind]) {
		if !listed[id] && (at == "" || strings.HasPrefix(id+"/", at)) {
			out = append(out, r.known[kind][id])
		}
	}
	return out
}

// gone notes that what is not listed does not exist any more: the whole list was seen.
func (r *settingsRun) gone(n *KindCount, kind store.Kind, at string, listed map[string]bool) {
	for _, o := range r.mine(kind, at, listed) {
		o.GoneAt = r.started
		n.Gone++
		r.batch.Objects = append(r.batch.Objects, o)
		r.change(o.Ref, "gone", "", o.ID, "", o.LastSeen)
	}
}

// unsure notes that what is not listed may still be there.
func (r *settingsRun) unsure(kind store.Kind, at string, listed map[string]bool) {
	for _, o := range r.mine(kind, at, listed) {
		if o.UnknownSince.IsZero() {
			o.UnknownSince = r.started
			r.batch.Objects = append(r.batch.Objects, o)
		}
	}
}

func (r *settingsRun) count(kind store.Kind) *KindCount {
	return countOf(&r.report.Kinds, kind)
}

func (r *settingsRun) failed(what string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failedLocked(what, err)
}

// failedLocked warns about a list that could not be read; what an older Proxmox VE does not have is not missing.
func (r *settingsRun) failedLocked(what string, err error) {
	switch code := fault.CodeOf(err); code {
	case fault.Unsupported, fault.NotFound, fault.Cancelled:
	case fault.Forbidden:
		r.report.Warnings = append(r.report.Warnings, Warning{"forbidden", "settings " + what + ": not visible to this token" + wayOut(err)})
	default:
		r.report.Complete = false
		r.report.Warnings = append(r.report.Warnings, Warning{"partial", "settings " + what + ": " + fault.Of(err).Error()})
	}
}
