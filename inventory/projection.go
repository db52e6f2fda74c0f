package inventory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// projection is what this process knows of the store, in memory. One generation query per read tells whether it is current; if
// not, only rows that changed are loaded.
type projection struct {
	inv *Inventory

	loading sync.Mutex // one load at a time; readers of a current view never take it
	gen     atomic.Int64
	view    atomic.Pointer[view]
}

// view is one immutable state of the projection. Rows are ordered by cluster (as configured), then vmid.
type view struct {
	gen      int64
	rows     []*row // guests that exist
	counts   GuestCounts
	clusters map[string]*clusterView
}

// clusterView is one cluster in a view.
type clusterView struct {
	name        string
	rows        []*row // a part of view.rows
	byID        map[int]*row
	gone        map[int]*row // last known row of each guest that is gone
	loose       int          // rows put in since all were packed
	looseFacets int          // those with facets that were not packed
	counts      GuestCounts
	byNode      map[string]GuestCounts
	unread      int // guests whose configuration was never read
	nodes       []nodeView
	storages    []Storage
	defs        map[string]store.Object // storage_config by id
	pools       map[string]store.Object
	usage       map[string]store.Object // storage by id
	nodeObjs    map[string]store.Object
	probes      map[string]probeState   // answers to questions of check_health, by id
	intents     map[string]store.Intent // by kind/id
	state       clusterState
	stateObj    store.Object
	last        store.Sync
	synced      bool // there is a finished sync
	tasks       *taskIndex
	found       *atomic.Pointer[found] // findings of this very view
	learned     *learned               // shared by all views of the cluster
}

type nodeView struct {
	name string
	st   nodeState
	obj  store.Object
}

func (p *projection) init(inv *Inventory) {
	p.inv = inv
	v := &view{gen: -1, clusters: map[string]*clusterView{}}
	for _, c := range inv.clusters {
		v.clusters[c.name] = &clusterView{name: c.name, tasks: newTaskIndex(), found: new(atomic.Pointer[found]), learned: new(learned)}
	}
	p.view.Store(v)
	p.gen.Store(-1)
}

func (p *projection) cluster(name string) *clusterView { return p.view.Load().clusters[name] }

// refresh brings the projection up to the store's generation.
func (p *projection) refresh(ctx context.Context) error { return p.upTo(ctx, Store.Generation) }

// glance is refresh for reads of what is young: what another process stored within the last milliseconds may be missing.
func (p *projection) glance(ctx context.Context) error { return p.upTo(ctx, Store.RecentGeneration) }

func (p *projection) upTo(ctx context.Context, generation func(Store, context.Context) (int64, error)) error {
	st, err := p.inv.openStore(ctx)
	if err != nil {
		return err
	}
	gen, err := generation(st, ctx)
	if err != nil {
		return err
	}
	if gen == p.gen.Load() {
		return nil
	}
	p.loading.Lock()
	defer p.loading.Unlock()
	if p.gen.Load() >= gen {
		return nil
	}
	return p.load(ctx, st, gen)
}

// load reads what changed after the view's generation and makes the next view. Rows that are committed meanwhile may be read
// twice: at the next refresh again, which does no harm.
func (p *projection) load(ctx context.Context, st Store, gen int64) error {
	old := p.view.Load()
	next := map[string]*clusterView{}
	for _, c := range p.inv.clusters {
		cv, err := p.loadCluster(ctx, st, old.clusters[c.name], old.gen)
		if err != nil {
			return err
		}
		next[c.name] = cv
	}
	p.show(next, gen)
	p.inv.changedByAnybody(ctx, st)
	return nil
}

// show makes a view of clusters and puts it in place.
func (p *projection) show(clusters map[string]*clusterView, gen int64) {
	next := &view{gen: gen, clusters: clusters}
	active := p.inv.active()
	if len(active) == 1 {
		only := clusters[active[0].name]
		next.rows, next.counts = only.rows, only.counts
	} else {
		for _, c := range active {
			next.rows = append(next.rows, clusters[c.name].rows...)
			next.counts.plus(clusters[c.name].counts)
		}
	}
	p.view.Store(next)
	p.gen.Store(gen)
}

// adopt takes a batch that this process has just stored into the view, so that it need not be read back. Should another process
// have stored something in between, the next refresh reads both.
func (p *projection) adopt(b *store.Batch, rows []*row, gen int64) {
	p.loading.Lock()
	defer p.loading.Unlock()
	if gen != p.gen.Load()+1 {
		return
	}
	old := p.view.Load()
	clusters := maps.Clone(old.clusters)
	was := clusters[b.Cluster]
	now := *was
	now.found = new(atomic.Pointer[found])
	if len(b.Tasks) > 0 {
		now.tasks = was.tasks.merged(b.Tasks, p.inv.now())
	}
	now.mergeGuests(was, rows)
	now.mergeObjects(b.Objects)
	clusters[b.Cluster] = &now
	p.show(clusters, gen)
}

// relast asks for the last finished syncs alone: a sync that changed nothing leaves the generation as it was.
func (p *projection) relast(ctx context.Context) error {
	st, err := p.inv.openStore(ctx)
	if err != nil {
		return err
	}
	p.loading.Lock()
	defer p.loading.Unlock()
	old := p.view.Load()
	next := make(map[string]*clusterView, len(old.clusters))
	for id, cv := range old.clusters {
		c := *cv
		if c.last, c.synced, err = st.LastSync(ctx, id); err != nil {
			return err
		}
		c.found = new(atomic.Pointer[found])
		c.packAll()
		next[id] = &c
	}
	p.show(next, old.gen)
	return nil
}

func (p *projection) loadCluster(ctx context.Context, st Store, old *clusterView, after int64) (*clusterView, error) {
	guests, err := st.Guests(ctx, store.GuestFilter{Cluster: old.name, AfterGen: after, WithGone: true})
	if err != nil {
		return nil, err
	}
	objects, err := st.Objects(ctx, old.name, after)
	if err != nil {
		return nil, err
	}
	next := *old
	next.found = new(atomic.Pointer[found])
	if next.last, next.synced, err = st.LastSync(ctx, old.name); err != nil {
		return nil, err
	}
	if next.tasks, err = old.tasks.advance(ctx, st, old.name, p.inv.now()); err != nil {
		return nil, err
	}
	rows := make([]*row, len(guests))
	for k := range guests {
		rows[k] = newRow(guests[k])
	}
	intents, err := st.Intents(ctx, old.name)
	if err != nil {
		return nil, err
	}
	next.intents = make(map[string]store.Intent, len(intents))
	for _, in := range intents {
		next.intents[string(in.Kind)+"/"+in.ID] = in
	}
	next.mergeGuests(old, rows)
	if old.byID == nil {
		next.packAll()
	}
	next.mergeObjects(objects)
	return &next, nil
}

// mergeGuests replaces changed rows. The newest life of a vmid counts; older lives are history.
func (c *clusterView) mergeGuests(old *clusterView, changed []*row) {
	if len(changed) == 0 && old.byID != nil {
		return
	}
	c.byID, c.gone = maps.Clone(old.byID), maps.Clone(old.gone)
	if c.byID == nil {
		c.byID, c.gone = make(map[int]*row, len(changed)), map[int]*row{}
	}
	for _, r := range changed {
		if was := old.byID[r.g.VMID]; was == nil || was.f != r.f {
			c.looseFacets++
		}
		c.put(r)
	}
	c.rows = make([]*row, 0, len(c.byID))
	for _, r := range c.byID {
		c.rows = append(c.rows, r)
	}
	slices.SortFunc(c.rows, func(a, b *row) int { return cmp.Compare(a.g.VMID, b.g.VMID) })
	if c.loose += len(changed); c.loose*packShare > len(c.rows) {
		c.pack()
	}
	c.recount()
}

func (c *clusterView) put(r *row) {
	id := r.g.VMID
	for _, m := range []map[int]*row{c.byID, c.gone} {
		if cur := m[id]; cur != nil && cur.g.Life > r.g.Life {
			return
		}
	}
	delete(c.byID, id)
	delete(c.gone, id)
	if r.gone() {
		c.gone[id] = r.alone()
		return
	}
	c.byID[id] = r
}

func (c *clusterView) recount() {
	c.counts, c.byNode, c.unread = GuestCounts{}, map[string]GuestCounts{}, 0
	for _, r := range c.rows {
		c.counts.add(r)
		n := c.byNode[r.g.Node]
		n.add(r)
		c.byNode[r.g.Node] = n
		if r.g.ConfigHash == "" {
			c.unread++
		}
	}
}

func (c *clusterView) mergeObjects(changed []store.Object) {
	if len(changed) == 0 && c.nodeObjs != nil {
		return
	}
	c.defs, c.pools = with(c.defs, changed, store.KindStorageConfig), with(c.pools, changed, store.KindPool)
	c.usage, c.nodeObjs = with(c.usage, changed, store.KindStorage), with(c.nodeObjs, changed, store.KindNode)
	c.mergeProbes(changed)
	for _, o := range changed {
		if o.Kind == store.KindCluster {
			c.stateObj, c.state = o, decodeState[clusterState](o.State)
		}
	}
	c.nodes = make([]nodeView, 0, len(c.nodeObjs))
	for id, o := range c.nodeObjs {
		c.nodes = append(c.nodes, nodeView{name: id, st: decodeState[nodeState](o.State), obj: o})
	}
	slices.SortFunc(c.nodes, func(a, b nodeView) int { return cmp.Compare(a.name, b.name) })
	c.storages = c.mergeStorages()
}

func (c *clusterView) mergeProbes(changed []store.Object) {
	next := map[string]probeState{}
	for _, o := range changed {
		if o.Kind == store.KindProbe {
			next[o.ID] = decodeState[probeState](o.State)
		}
	}
	if len(next) == 0 {
		return
	}
	for id, s := range c.probes {
		if _, ok := next[id]; !ok {
			next[id] = s
		}
	}
	c.probes = next
}

// with is the map of a kind with changed objects replaced and gone ones left out.
func with(old map[string]store.Object, changed []store.Object, kind store.Kind) map[string]store.Object {
	next := maps.Clone(old)
	if next == nil {
		next = map[string]store.Object{}
	}
	for _, o := range changed {
		if o.Kind != kind {
			continue
		}
		if o.GoneAt.IsZero() {
			next[o.ID] = o
		} else {
			delete(next, o.ID)
		}
	}
	return next
}

// asOf is when the cluster was last observed: the start of the last sync that stored its rows. Its configurations may still be
// on their way.
func (c *clusterView) asOf() time.Time {
	if c.state.RowsAt.After(c.last.Started) {
		return c.state.RowsAt
	}
	return c.last.Started
}
