package inventory

import (
	"context"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// batchSize is how many guests one transaction holds: large enough that its fixed cost vanishes, small enough that other
// processes wait little for the database.
const batchSize = 500

// queued is how many batches may wait, so that the rows of a large cluster do not hold up the first configurations.
const queued = 32

// writer records what a run decides, in batches, while the run goes on reading. The first failure ends the run.
type writer struct {
	r      *run
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu  sync.Mutex
	cur store.Batch
	row []*row      // the rows of cur.Guests
	pos map[int]int // vmid: position in them, so that a batch holds each guest once

	jobs chan writeJob
	wg   sync.WaitGroup
	errM sync.Mutex
	err  error
}

type writeJob struct {
	batch *store.Batch // nil for a mark in the queue
	rows  []*row       // those of its guests
	after func()       // called when all before it is stored; nil when nobody wants to know
}

func newWriter(ctx context.Context, r *run, cancel context.CancelCauseFunc) *writer {
	w := &writer{r: r, ctx: ctx, cancel: cancel, pos: map[int]int{}, jobs: make(chan writeJob, queued)}
	w.wg.Go(w.loop)
	return w
}

func (w *writer) loop() {
	for job := range w.jobs {
		if job.batch != nil && w.failed() == nil {
			w.apply(job)
		}
		if job.after != nil {
			job.after()
		}
	}
}

func (w *writer) apply(job writeJob) {
	done, err := w.r.st.ApplyBatch(w.ctx, w.r.lease, *job.batch)
	if err != nil {
		w.fail(err)
		return
	}
	w.r.c.inv.proj.adopt(job.batch, job.rows, done.Generation)
}

func (w *writer) fail(err error) {
	w.errM.Lock()
	defer w.errM.Unlock()
	if w.err == nil {
		w.err = err
		w.cancel(err)
	}
}

func (w *writer) failed() error {
	w.errM.Lock()
	defer w.errM.Unlock()
	return w.err
}

// guest records a guest's row, its content when that is new, and what happened to it.
func (w *writer) guest(next *row, content *store.Content, changes []store.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := next.g.VMID
	if i, ok := w.pos[id]; ok && w.cur.Guests[i].Life == next.g.Life {
		w.cur.Guests[i], w.row[i] = next.stored(), next
	} else {
		w.pos[id] = len(w.cur.Guests)
		w.cur.Guests, w.row = append(w.cur.Guests, next.stored()), append(w.row, next)
	}
	if content != nil {
		w.cur.Contents = append(w.cur.Contents, *content)
	}
	w.cur.Changes = append(w.cur.Changes, changes...)
	if len(w.cur.Guests) >= batchSize {
		w.send()
	}
}

func (w *writer) change(c ...store.Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cur.Changes = append(w.cur.Changes, c...)
}

func (w *writer) object(o store.Object, content *store.Content) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cur.Objects = append(w.cur.Objects, o)
	if content != nil {
		w.cur.Contents = append(w.cur.Contents, *content)
	}
}

func (w *writer) tasks(list []store.Task) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cur.Tasks = append(w.cur.Tasks, list...)
}

// send hands the current batch over unless it is empty; w.mu is held.
func (w *writer) send() {
	b := w.cur
	if len(b.Guests)+len(b.Objects)+len(b.Contents)+len(b.Changes)+len(b.Tasks) == 0 {
		return
	}
	b.Cluster, b.At, b.SyncID = w.r.c.name, w.r.started, w.r.id
	rows := w.row
	w.cur, w.row, w.pos = store.Batch{}, nil, map[int]int{}
	w.jobs <- writeJob{batch: &b, rows: rows}
}

// then hands over what is recorded so far and calls f once it is stored; reading goes on meanwhile.
func (w *writer) then(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.send()
	w.jobs <- writeJob{after: f}
}

// close stores what is left and ends the writer.
func (w *writer) close() error {
	w.mu.Lock()
	w.send()
	w.mu.Unlock()
	close(w.jobs)
	w.wg.Wait()
	return w.failed()
}

func (w *writer) content(c store.Content) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cur.Contents = append(w.cur.Contents, c)
}
