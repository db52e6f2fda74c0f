package pvesim

import (
	"container/heap"
	"time"
)

// event is something that will happen to the world at a time: a step of a task, the end of a wait.
type event struct {
	at    time.Time
	seq   int
	run   func()
	index int // place in the heap, -1 when it is in none
}

// events are ordered by time, and by their making within one instant.
type events []*event

func (q events) Len() int { return len(q) }

func (q events) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].seq < q[j].seq
	}
	return q[i].at.Before(q[j].at)
}

func (q events) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is part of heap.Interface.
func (q *events) Push(x any) {
	e := x.(*event) //nolint:forcetypeassert // only schedule pushes
	e.index = len(*q)
	*q = append(*q, e)
}

// Pop is part of heap.Interface.
func (q *events) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q, e.index = old[:len(old)-1], -1
	return e
}

// schedule makes run happen after d. Nothing runs by itself: whoever looks at the world next lets everything happen
// that is due by then, in order and each at its own time (see settle). So virtual clocks work as real ones do, no
// goroutine outlives a test, and what nobody looks at costs nothing.
func (w *World) schedule(d time.Duration, run func()) *event {
	w.eventSeq++
	e := &event{at: w.Now().Add(d), seq: w.eventSeq, run: run}
	heap.Push(&w.events, e)
	return e
}

// cancel takes an event back; one that has happened or is nil is ignored.
func (w *World) cancel(e *event) {
	if e != nil && e.index >= 0 {
		heap.Remove(&w.events, e.index)
	}
}

// nextEvent is when something happens next; false when nothing is planned.
func (w *World) nextEvent() (time.Time, bool) {
	if len(w.events) == 0 {
		return time.Time{}, false
	}
	return w.events[0].at, true
}

// due is whether settle would do anything at now.
func (w *World) due(now time.Time) bool {
	at, ok := w.nextEvent()
	return ok && !at.After(now)
}

// settle lets everything happen that is due at now. While an event runs, Now is the event's own time. It tells
// whether anything happened.
func (w *World) settle(now time.Time) bool {
	if !w.due(now) {
		return false
	}
	defer func() { w.eventTime = time.Time{} }()
	for w.due(now) {
		e := heap.Pop(&w.events).(*event) //nolint:forcetypeassert // only schedule pushes
		w.eventTime = e.at
		own := e == w.ha.round // the manager itself knows when it has to look again
		e.run()
		if !own {
			w.wakeHA()
		}
	}
	return true
}
