package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// memStore is a Store in memory with the rules of the real one: fencing by epoch, generations, versions by content.
type memStore struct {
	mu       sync.Mutex
	clock    func() time.Time
	gen      int64
	leases   map[string]store.Lease
	guests   map[[3]any]store.Guest
	objects  map[store.Ref]store.Object
	contents map[string]json.RawMessage
	versions []store.Version
	newest   map[[2]any]store.Version // by object and life
	changes  []store.Change
	tasks    map[string]store.Task
	steps    []store.PlanStep
	plans    map[string]store.Plan
	syncs    []store.Sync
	batches  int
	rows     int // guest rows written
	fenced   bool
	intents  map[store.Ref]store.Intent
}

var _ Store = (*memStore)(nil)
var _ Store = (*store.DB)(nil)

func newMemStore(clock func() time.Time) *memStore {
	return &memStore{clock: clock, leases: map[string]store.Lease{}, guests: map[[3]any]store.Guest{}, objects: map[store.Ref]store.Object{},
		contents: map[string]json.RawMessage{}, tasks: map[string]store.Task{},
		newest: map[[2]any]store.Version{}}
}

func (m *memStore) Generation(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gen, nil
}

func (m *memStore) RecentGeneration(ctx context.Context) (int64, error) { return m.Generation(ctx) }

func (m *memStore) AcquireLease(_ context.Context, name, owner string, ttl time.Duration) (store.Lease, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, ok := m.leases[name]
	if ok && l.Owner != "" && l.Expires.After(m.clock()) {
		return store.Lease{}, false, nil
	}
	l = store.Lease{Name: name, Owner: owner, Epoch: l.Epoch + 1, Expires: m.clock().Add(ttl)}
	m.leases[name] = l
	return l, true, nil
}

func (m *memStore) holds(l store.Lease) error {
	if cur := m.leases[l.Name]; m.fenced || cur.Epoch != l.Epoch || cur.Owner == "" {
		return fault.New(fault.Fenced, "the lease %s is held by another process", l.Name)
	}
	return nil
}

func (m *memStore) RenewLease(_ context.Context, l store.Lease, ttl time.Duration) (store.Lease, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.holds(l); err != nil {
		return l, err
	}
	l.Expires = m.clock().Add(ttl)
	m.leases[l.Name] = l
	return l, nil
}

func (m *memStore) ReleaseLease(_ context.Context, l store.Lease) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.holds(l); err != nil {
		return err
	}
	cur := m.leases[l.Name]
	cur.Owner = ""
	m.leases[l.Name] = cur
	return nil
}

func (m *memStore) BeginSync(_ context.Context, l store.Lease, s store.Sync) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.holds(l); err != nil {
		return 0, err
	}
	s.ID = int64(len(m.syncs) + 1)
	m.syncs = append(m.syncs, s)
	return s.ID, nil
}

func (m *memStore) FinishSync(_ context.Context, l store.Lease, s store.Sync) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.holds(l); err != nil {
		return err
	}
	m.syncs[s.ID-1] = s
	return nil
}

func (m *memStore) LastSync(_ context.Context, cluster string) (store.Sync, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range slices.Backward(m.syncs) {
		if s.Cluster == cluster && !s.Finished.IsZero() {
			return s, true, nil
		}
	}
	return store.Sync{}, false, nil
}

func (m *memStore) ApplyBatch(ctx context.Context, l store.Lease, b store.Batch) (store.Applied, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return store.Applied{}, err
	}
	if err := m.holds(l); err != nil {
		return store.Applied{}, err
	}
	m.gen++
	m.batches++
	m.rows += len(b.Guests)
	for _, g := range b.Guests {
		g.Gen = m.gen
		m.guests[[3]any{g.Cluster, g.VMID, g.Life}] = g
	}
	for _, o := range b.Objects {
		o.Gen = m.gen
		m.objects[o.Ref] = o
	}
	done := store.Applied{Generation: m.gen}
	for _, c := range b.Contents {
		if m.version(c, b) {
			done.NewVersions++
		}
	}
	m.changes = append(m.changes, b.Changes...)
	for _, t := range b.Tasks {
		t.Gen = m.gen
		m.tasks[t.UPID] = t
	}
	return done, nil
}

func (m *memStore) version(c store.Content, b store.Batch) bool {
	key := [2]any{c.Ref, c.Life}
	seq := m.newest[key].Seq
	if m.newest[key].Hash == c.Hash {
		return false
	}
	m.contents[c.Hash] = slices.Clone(c.JSON)
	m.newest[key] = store.Version{Hash: c.Hash, Seq: seq + 1}
	m.versions = append(m.versions, store.Version{Ref: c.Ref, Life: c.Life, Seq: seq + 1, Hash: c.Hash, SeenAt: b.At, NotBefore: c.NotBefore, SyncID: b.SyncID})
	return true
}

func (m *memStore) Guests(_ context.Context, f store.GuestFilter) ([]store.Guest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Guest
	for _, g := range m.guests {
		if (f.Cluster == "" || g.Cluster == f.Cluster) && g.Gen > f.AfterGen && (f.WithGone || g.GoneAt.IsZero()) {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b store.Guest) int { return cmp.Or(cmp.Compare(a.VMID, b.VMID), cmp.Compare(a.Life, b.Life)) })
	return out, nil
}

func (m *memStore) Objects(_ context.Context, cluster string, afterGen int64) ([]store.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Object
	for _, o := range m.objects {
		if o.Cluster == cluster && o.Gen > afterGen {
			out = append(out, o)
		}
	}
	return out, nil
}

func (m *memStore) Content(_ context.Context, hash string) (json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := m.contents[hash]
	if !ok {
		return nil, fault.New(fault.NotFound, "no content %s", hash)
	}
	return c, nil
}

func (m *memStore) Tasks(_ context.Context, f store.TaskFilter) ([]store.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.selected(f)
	slices.SortFunc(out, func(a, b store.Task) int { return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.UPID, a.UPID)) })
	out = out[min(len(out), f.Offset):]
	return out[:min(len(out), f.Limit)], nil
}

func (m *memStore) selected(f store.TaskFilter) []store.Task {
	var out []store.Task
	for _, t := range m.tasks {
		if t.Cluster == f.Cluster && !t.Start.Before(f.Since) && (f.Until.IsZero() || t.Start.Before(f.Until)) && (f.ID == "" || f.ID == t.ID) &&
			(f.Node == "" || f.Node == t.Node) && likeName(t.Type, f.Type) && (f.State == "" || f.State == taskState(t)) &&
			(f.User == "" || f.User == t.User || strings.HasPrefix(t.User, f.User+"@") || strings.HasPrefix(t.User, f.User+"!")) {
			out = append(out, t)
		}
	}
	return out
}

func (m *memStore) CountTasks(_ context.Context, f store.TaskFilter) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.selected(f)), nil
}

func (m *memStore) Steps(_ context.Context, f store.StepFilter) ([]store.PlanStep, error) {
	return slices.DeleteFunc(slices.Clone(m.steps), func(s store.PlanStep) bool {
		return s.Ended.Before(f.Ended) || f.Object != "" && f.Object != s.Object
	}), nil
}

func (m *memStore) PlanByID(_ context.Context, id string) (store.Plan, bool, error) {
	p, ok := m.plans[id]
	return p, ok, nil
}

func (m *memStore) TaskByHandle(_ context.Context, handle string) (store.Task, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tasks {
		if pve.TaskHandle(t.UPID) == handle {
			return t, true, nil
		}
	}
	return store.Task{}, false, nil
}

func (m *memStore) Versions(_ context.Context, ref store.Ref) ([]store.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.versions), func(v store.Version) bool { return v.Ref != ref }), nil
}

// what lists the changes of a kind that were recorded for guests, as "vmid old>new".
func (m *memStore) what(kind string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for _, c := range m.changes {
		if c.What == kind && c.Kind == store.KindGuest {
			out = append(out, c.Ref.ID+" "+c.Old+">"+c.New)
		}
	}
	return out
}

// selects is whether a filter wants what happened to an object at a time.
func selects(f store.HistoryFilter, ref store.Ref, at time.Time) bool {
	return (f.Cluster == "" || ref.Cluster == f.Cluster) && (f.Kind == "" || ref.Kind == f.Kind) && (f.ID == "" || ref.ID == f.ID) &&
		!at.Before(f.Since) && (f.Until.IsZero() || at.Before(f.Until))
}

func (m *memStore) Changes(_ context.Context, f store.HistoryFilter) ([]store.Change, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Change
	for _, c := range slices.Backward(m.changes) {
		if selects(f, c.Ref, c.At) && (f.Field == "" || f.Field == c.Field) && len(out) < f.Limit {
			out = append(out, c)
		}
	}
	return out, nil
}

func (m *memStore) Revisions(_ context.Context, f store.HistoryFilter) ([]store.Revision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := map[[2]any]string{}
	var out []store.Revision
	for _, v := range m.versions {
		key := [2]any{v.Ref, v.Life}
		if old, ok := before[key]; ok && selects(f, v.Ref, v.SeenAt) {
			out = append(out, store.Revision{Version: v, Old: old})
		}
		before[key] = v.Hash
	}
	slices.Reverse(out)
	return out[:min(len(out), f.Limit)], nil
}

func (m *memStore) Intents(_ context.Context, cluster string) ([]store.Intent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []store.Intent
	for _, in := range m.intents {
		if cluster == "" || in.Cluster == cluster {
			out = append(out, in)
		}
	}
	return out, nil
}

func (m *memStore) SetIntent(_ context.Context, in store.Intent) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.intents == nil {
		m.intents = map[store.Ref]store.Intent{}
	}
	m.intents[in.Ref] = in
	m.gen++
	return nil
}

func (m *memStore) ClearIntent(_ context.Context, ref store.Ref) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.intents[ref]
	delete(m.intents, ref)
	m.gen++
	return ok, nil
}
