package pvesim

import (
	"path"
	"strconv"
	"sync"
	"time"
)

// Fault is something that goes wrong. Make one with a constructor (NodeDown, TruncateBody, ...), narrow it with its
// fields, and put it in with Sim.AddFault. The zero values of the selector match everything.
type Fault struct {
	// Name says what it does, for messages: "F11 node pve3 down".
	Name string
	// Method, Path (a glob as of path.Match, against /nodes/... without /api2/json), Node and VMID select requests.
	Method, Path, Node string
	VMID               int
	// After lets that many matching requests pass first, Count bounds how many it hits after that (0 = all), and P
	// makes each hit a chance (0 = always).
	After, Count int
	P            float64
	// Executes lets the request be carried out before it fails; the answer is lost either way.
	Executes bool

	before func(*Sim, *exchange) *response
	after  func(*exchange, *response)
	delay  time.Duration
	// occupies is a delay that also holds the worker that answers.
	occupies time.Duration
	// match narrows the selector further; nil takes all.
	match   func(*exchange) bool
	refuse  bool
	race    int
	skewBy  time.Duration
	install func(*Sim) (undo func())
}

type faultState struct {
	Fault
	seen, hit int
}

// faultList holds the active faults.
type faultList struct {
	mu   sync.Mutex
	list []*faultState
}

// AddFault activates a fault and gives what ends it. Faults apply in the order in which they were added.
func (s *Sim) AddFault(f Fault) (remove func()) {
	st := &faultState{Fault: f}
	s.faults.mu.Lock()
	s.faults.list = append(s.faults.list, st)
	s.faults.mu.Unlock()
	undo := func() {}
	if f.install != nil {
		undo = f.install(s)
	}
	var once sync.Once
	return func() { once.Do(func() { s.faults.drop(st); undo() }) }
}

func (l *faultList) drop(st *faultState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.list {
		if f == st {
			l.list = append(l.list[:i:i], l.list[i+1:]...)
			return
		}
	}
}

// matching gives the faults that hit an exchange and counts them.
func (s *Sim) matching(x *exchange) []*faultState {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	var out []*faultState
	for _, f := range s.faults.list {
		if f.selects(x) && f.trigger(s) {
			out = append(out, f)
		}
	}
	return out
}

func (f *Fault) selects(x *exchange) bool {
	if f.before == nil && f.after == nil && f.delay == 0 && f.occupies == 0 || f.match != nil && !f.match(x) {
		return false
	}
	if f.Method != "" && f.Method != x.method || f.Node != "" && f.Node != x.target {
		return false
	}
	if f.Path != "" {
		if ok, err := path.Match(f.Path, x.apiPath); err != nil || !ok {
			return false
		}
	}
	return f.VMID == 0 || vmidOf(x.apiPath) == f.VMID
}

func (f *faultState) trigger(s *Sim) bool {
	f.seen++
	if f.seen <= f.After || f.Count > 0 && f.hit >= f.Count || f.P > 0 && !s.chance(f.P) {
		return false
	}
	f.hit++
	return true
}

// vmidOf takes the guest's number from /nodes/{node}/{qemu,lxc}/{vmid}/..., 0 when there is none.
func vmidOf(p string) int {
	segs := splitPath(p)
	if len(segs) < 4 || segs[0] != "nodes" || segs[2] != typeQEMU && segs[2] != typeLXC {
		return 0
	}
	n, err := strconv.Atoi(segs[3])
	if err != nil {
		return 0
	}
	return n
}

// faulty answers an exchange under the faults that hit it.
func (s *Sim) faulty(x *exchange) *response {
	hits := s.matching(x)
	var instead *response
	executes := true
	for _, f := range hits {
		x.occupied += f.occupies
		if wait(x.ctx, f.delay) != nil {
			return &response{status: 500, wire: wire{drop: true}}
		}
		if f.before != nil && instead == nil {
			if instead = f.before(s, x); instead != nil {
				executes = f.Executes
			}
		}
	}
	var resp *response
	if instead == nil || executes {
		resp = s.answer(x)
	}
	if instead != nil {
		resp = instead
	}
	for _, f := range hits {
		if f.after != nil {
			f.after(x, resp)
		}
	}
	return resp
}

// skew is how far a node's clock is off.
func (l *faultList) skew(node string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.list {
		if f.skewBy != 0 && (f.Node == "" || f.Node == node) {
			return f.skewBy
		}
	}
	return 0
}

// refusing is whether a node refuses connections.
func (l *faultList) refusing(node string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.list {
		if f.refuse && (f.Node == "" || f.Node == node) {
			return true
		}
	}
	return false
}

// closeRace is whether the connection closes under its n-th request.
func (l *faultList) closeRace(n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.list {
		if f.race > 0 && n > f.race && (f.Count == 0 || f.hit < f.Count) {
			f.hit++
			return true
		}
	}
	return false
}
