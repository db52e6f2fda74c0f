package inventory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// run is one sync of one cluster under its lease.
type run struct {
	c       *cluster
	st      Store
	src     Source
	lease   store.Lease
	flight  *flight
	waited  bool // a user waits: more requests at once
	started time.Time
	calls0  int64
	id      int64

	v *clusterView // what was known before
	w *writer

	res   []pve.Resource
	nodes map[string]*nodeFact
	pools map[string]bool // that are listed
	state clusterState
	perms map[string]map[string]bool // nil while unreadable

	mu      sync.Mutex
	next    map[int]*row     // each listed guest as this run knows it
	before  map[int]*row     // the same guests before, only where they were known
	hold    map[int]bool     // not written before their configuration is read: their life is undecided
	moving  map[int]string   // listed on another node than this, where they were
	evident map[string]bool  // vmids with a create, restore or destroy task since they were last seen
	making  map[int]bool     // vmids with such a task under way
	made    map[int]bool     // vmids for which one has ended
	later   []unsettled      // read, and not settled yet
	silent  map[string]error // nodes that did not answer
	warn    []Warning
	partial bool
	fatal   error
	own     map[int]*touch // changes that this run reads for the first time
	hidden  []int          // guests that were known and are not visible any more
	report  SyncReport

	evidence []store.Task    // tasks that tell lives, stored at the end
	told     map[string]bool // their UPIDs
	filled   map[string]bool // nodes whose gap in the task list was filled
	blind    bool            // such a gap could not be filled

	announced map[store.Ref]bool // objects whose appearance is recorded: nodes are written twice at the first sync
	done      int
	total     int
	fails     map[fault.Code][]int // guests whose configuration could not be read
}

// do runs the sync to its end and records its outcome.
func (r *run) do(ctx context.Context) (SyncReport, error) {
	if r.waited {
		ctx = r.c.inv.opt.Waiting(ctx)
	}
	r.report = SyncReport{Cluster: r.c.name, Mode: r.flight.mode}
	if err := errors.Join(r.c.inv.proj.refresh(ctx), r.c.inv.proj.relast(ctx)); err != nil {
		return r.report, err
	}
	r.v = r.c.inv.proj.cluster(r.c.name)
	r.init()
	var err error
	if r.id, err = r.st.BeginSync(ctx, r.lease, store.Sync{Cluster: r.c.name, Mode: r.flight.mode, Started: r.started}); err != nil {
		return r.report, err
	}
	wctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.w = newWriter(wctx, r, cancel)
	if r.flight.mode == modeFull {
		err = r.full(wctx)
	} else {
		err = r.tick(wctx)
	}
	if werr := r.w.close(); werr != nil {
		err = werr
	}
	r.finishReport()
	if err != nil {
		return r.report, err
	}
	r.c.touched.stored(r.own)
	return r.report, r.st.FinishSync(ctx, r.lease, r.syncRow())
}

func (r *run) init() {
	r.next, r.before, r.hold = map[int]*row{}, map[int]*row{}, map[int]bool{}
	r.silent, r.evident, r.fails = map[string]error{}, map[string]bool{}, map[fault.Code][]int{}
	r.moving, r.making, r.made, r.told, r.filled = map[int]string{}, map[int]bool{}, map[int]bool{}, map[string]bool{}, map[string]bool{}
	r.nodes, r.announced = map[string]*nodeFact{}, map[store.Ref]bool{}
	r.state = r.v.state
}

func (r *run) finishReport() {
	r.report.Calls = int(r.src.Calls() - r.calls0)
	r.report.Elapsed = r.c.inv.now().Sub(r.started)
	r.report.Complete = !r.partial && r.fatal == nil
	r.report.Warnings = r.warn
	for _, n := range r.next {
		r.report.Guests++
		if n.state == stUnknown {
			r.report.Unknown++
		}
	}
	r.report.Nodes = len(r.nodes)
}

func (r *run) syncRow() store.Sync {
	p := r.report
	s := store.Sync{ID: r.id, Cluster: r.c.name, Mode: p.Mode, Started: r.started, Finished: r.c.inv.now(), Complete: p.Complete,
		Calls: p.Calls, Created: p.Created, Updated: p.Updated, Gone: p.Gone, Unchanged: p.Unchanged, Unknown: p.Unknown}
	for _, w := range r.warn {
		s.Warnings = append(s.Warnings, w.stored())
	}
	return s
}

func (r *run) warning(code, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := Warning{code, text}
	if !slices.Contains(r.warn, w) {
		r.warn = append(r.warn, w)
	}
}

func (r *run) incomplete() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partial = true
}

func (r *run) change(ref store.Ref, life int, what, field, old, now string, notBefore time.Time) store.Change {
	return store.Change{Ref: ref, Life: life, What: what, Field: field, Old: old, New: now, At: r.started, NotBefore: notBefore,
		SyncID: r.id}
}

func (r *run) ref(kind store.Kind, id string) store.Ref {
	return store.Ref{Cluster: r.c.name, Kind: kind, ID: id}
}

// lastSeen is the last time a guest was verified: by its row, or by the last sync when it was known then.
func (r *run) lastSeen(p *row) time.Time {
	t := p.g.LastSeen
	if p.g.UnknownSince.IsZero() && !p.gone() && r.v.asOf().After(t) {
		t = r.v.asOf()
	}
	return t
}

// sortedIDs are the vmids of a map, in order: runs are the same for the same world.
func sortedIDs[V any](m map[int]V) []int {
	ids := make([]int, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare)
	return ids
}
