package change

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// faultRow is a fault that a write can meet, put in between plan and apply unless early.
type faultRow struct {
	id, name string
	fault    func(s *shot) []pvesim.Fault
	by       entrance             // how the cluster is reached; nil: by a token
	early    bool                 // before the plan is made
	fit      func(s *sample) bool // which actions can meet it; nil: all
	lasts    time.Duration        // how long it holds after apply began; 0: until that has ended
	ends     []string             // states that are right; nil: done
	hidden   []string             // the same for actions that leave no trace in the state
	within   time.Duration        // how long apply may take; 0: a minute
	says     string               // what the requester has to be told
	quiet    bool                 // nothing is left to be sent
}

// shot is one action under one fault.
type shot struct {
	*rig
	sample
	was  *then
	vmid int
	plan Proposal
	lost bool // the answer to its write does not arrive, though it is carried out
}

func (s *shot) method() string { return s.plan.Body.Steps[0].Call.Method }

// onWrite is a fault that meets the write alone, once.
func onWrite(f pvesim.Fault, executes bool) func(*shot) []pvesim.Fault {
	return func(s *shot) []pvesim.Fault {
		f.Method, f.Count, f.Executes = s.method(), 1, executes
		return []pvesim.Fault{f}
	}
}

func one(f pvesim.Fault) func(*shot) []pvesim.Fault {
	return func(*shot) []pvesim.Fault { return []pvesim.Fault{f} }
}

func onGuest(f func(vmid int) pvesim.Fault) func(*shot) []pvesim.Fault {
	return func(s *shot) []pvesim.Fault { return []pvesim.Fault{f(s.vmid)} }
}

func onConfig(s *sample) bool { _, ok := s.action.(Configure); return ok }

func onGuests(s *sample) bool { return s.direct == nil }

// moves are actions that bring a guest to pve1.
func moves(s *sample) bool {
	switch s.action.(type) {
	case Migrate, Drain:
		return true
	}
	return false
}

func staysOnNode(s *sample) bool { return onGuests(s) && !moves(s) }

// ofGuests are actions that need no more rights than those on guests and storages.
func ofGuests(s *sample) bool {
	switch s.action.(type) {
	case Power, Configure, Snapshot, Destroy:
		return true
	}
	return false
}

// Ends that several rows have.
var (
	lostOrNot  = []string{Unknown} // nothing was carried out, and nothing proves that
	nothing    = []string{Stale, Interrupted, Failed}
	eitherWay  = []string{Done, Unknown}
	refusedNow = []string{Failed}
)

func writeFaults() []faultRow {
	long := 5 * time.Minute
	return []faultRow{
		{id: "F00", name: "nothing"},
		{id: "F01", name: "closed before it was carried out", fault: onWrite(pvesim.Drop(), false), ends: lostOrNot, within: 2 * time.Minute},
		{id: "F01", name: "closed after it was carried out", fault: onWrite(pvesim.Drop(), true), within: 2 * time.Minute},
		{id: "F05", name: "tickets expire all the time", by: byPassword, fault: one(pvesim.TicketLife(time.Second)), within: 2 * time.Minute},
		{id: "F11", name: "node out of reach", fault: one(pvesim.NodeDown(home)), ends: nothing, lasts: time.Minute},
		{id: "F11", name: "node out of reach as it is sent", fault: func(s *shot) []pvesim.Fault {
			return onWrite(pvesim.ProxyError(595, "No route to host"), false)(s)
		}, ends: refusedNow},
		{id: "F12", name: "stale certificate of the node", fault: one(pvesim.StaleNodeCertificate(home)), ends: nothing},
		{id: "F12", name: "stale certificate as it is sent", fault: onWrite(pvesim.StaleNodeCertificate(""), false), ends: refusedNow},
		{id: "F13", name: "node hangs and does nothing", fault: onWrite(pvesim.NodeHangs(""), false), ends: lostOrNot, within: long},
		{id: "F13", name: "node hangs and does it", fault: onWrite(pvesim.NodeHangs(""), true), within: long},
		{id: "F14", name: "answer cut off", fault: onWrite(pvesim.CutBody(3), true), within: 2 * time.Minute},
		{id: "F14", name: "answer truncated", fault: onWrite(pvesim.TruncateBody(3), true), within: 2 * time.Minute},
		{id: "F14", name: "597, carried out", fault: onWrite(pvesim.ProxyError(597, "Broken pipe"), true), within: 2 * time.Minute},
		{id: "F14", name: "599, not carried out", fault: onWrite(pvesim.ProxyError(599, "Invalid"), false), ends: lostOrNot, within: 2 * time.Minute},
		{id: "F17", name: "no quorum", fault: one(pvesim.NoQuorum()), ends: []string{Interrupted}, says: "no quorum"},
		{id: "F18", name: "a node in no cluster", fault: one(pvesim.Standalone())},
		{id: "F21", name: "the entry node dies as it is sent, and does nothing", by: byTwoNodes, fault: onWrite(pvesim.EntryDies("pve1"), false), ends: lostOrNot, within: 2 * time.Minute},
		{id: "F21", name: "the entry node dies as it is sent, and does it", by: byTwoNodes, fault: onWrite(pvesim.EntryDies("pve1"), true), within: 2 * time.Minute},
		{id: "F21", name: "the entry node dies as it is followed", by: byTwoNodes, fit: onGuests, fault: func(*shot) []pvesim.Fault {
			f := pvesim.EntryDies("pve1")
			f.Path = "/nodes/*/tasks/*/status"
			return []pvesim.Fault{f}
		}, within: 2 * time.Minute},
		{id: "F22", name: "tasks show late", fault: one(pvesim.TaskLate("", 3*time.Second)), fit: onGuests, within: 2 * time.Minute},
		{id: "F22", name: "tasks vanish at their end", fault: one(pvesim.TaskVanishes("")), ends: []string{Done}, hidden: eitherWay, within: 2 * time.Minute},
		{id: "F23", name: "tasks are cut off", fault: one(pvesim.TaskCutOff("")), ends: []string{Done}, hidden: eitherWay, within: 2 * time.Minute},
		{id: "F24", name: "warnings", fault: one(pvesim.TaskExit("", "WARNINGS: 2"))},
		{id: "F25", name: "long logs", fault: one(pvesim.TaskLog("", 2000, 120, "WARN: something"))},
		{id: "F27", name: "lock file held for a while", fault: onGuest(func(id int) pvesim.Fault { return pvesim.LockFileHeld(id, 4*time.Second) }), fit: onGuests, ends: []string{Done, Failed}},
		{id: "F27", name: "lock file held for long", fault: onGuest(func(id int) pvesim.Fault { return pvesim.LockFileHeld(id, time.Minute) }), fit: onGuests, ends: []string{Done, Failed}, within: 2 * time.Minute},
		{id: "F28", name: "locked by a backup that runs", fault: onGuest(func(id int) pvesim.Fault { return pvesim.GuestLocked(id, "backup", true) }), fit: onGuests, ends: []string{Interrupted}, says: "locked (backup)"},
		{id: "F29", name: "locked, and nobody works on it", fault: onGuest(func(id int) pvesim.Fault { return pvesim.GuestLocked(id, "backup", false) }), fit: onGuests, ends: nothing, says: "unlock"},
		{id: "F31", name: "another guest under its number", fault: func(s *shot) []pvesim.Fault {
			s.guests.lives[s.vmid]++
			return []pvesim.Fault{pvesim.Reincarnated(s.vmid)}
		}, fit: onGuests, ends: []string{Stale}},
		{id: "F32", name: "moved to another node", fault: onGuest(func(id int) pvesim.Fault { return pvesim.GuestMoved(id, "pve1") }), fit: staysOnNode, ends: []string{Stale}, says: "moved"},
		{id: "F32", name: "moved to where it was to go", fault: onGuest(func(id int) pvesim.Fault { return pvesim.GuestMoved(id, "pve1") }), fit: moves, quiet: true},
		{id: "F33", name: "edited as it is sent", fault: onGuest(pvesim.EditBetween), fit: onConfig, ends: refusedNow},
		{id: "F46", name: "429", fault: onWrite(pvesim.Gateway(429, 7*time.Second), false), ends: refusedNow},
		{id: "F46", name: "502, not carried out", fault: onWrite(pvesim.Gateway(502, 0), false), ends: lostOrNot, within: 2 * time.Minute},
		{id: "F46", name: "502, carried out", fault: onWrite(pvesim.Gateway(502, 0), true), within: 2 * time.Minute},
		{id: "F46", name: "503", fault: onWrite(pvesim.Gateway(503, 0), false), ends: refusedNow},
		{id: "F46", name: "504, carried out", fault: onWrite(pvesim.Gateway(504, 0), true), within: 2 * time.Minute},
		{id: "F47", name: "refused", fault: one(pvesim.Refuse("")), ends: nothing, lasts: 40 * time.Second, within: 2 * time.Minute},
		{id: "F49", name: "edited by hand since", fault: onGuest(pvesim.EditedByFile), fit: onGuests, ends: []string{Stale}, says: "nothing was sent"},
		{id: "F52", name: "a token that sees its own tasks alone", by: byHalfToken, fit: ofGuests},
		{id: "F52", name: "the same, and the answer is lost", by: byHalfToken, fit: ofGuests, fault: onWrite(pvesim.Drop(), true), within: 2 * time.Minute},
		{id: "F52", name: "locked by a task that it may not see", by: byHalfToken, fit: ofGuests, ends: nothing, says: "are not visible to this token",
			fault: onGuest(func(id int) pvesim.Fault { return pvesim.GuestLocked(id, "backup", true) })},
		{id: "F55", name: "two nodes claim it", fit: onGuests, ends: []string{Interrupted}, says: "two nodes claim",
			fault: onGuest(func(id int) pvesim.Fault { return pvesim.StaleNode(id, "pve1", true) })},
		{id: "F55", name: "the list names the old node", early: true, fit: onGuests, fault: func(s *shot) []pvesim.Fault {
			return []pvesim.Fault{pvesim.StaleNode(s.vmid, "pve1", false)}
		}},
	}
}

// meets says whether an action can meet a fault.
func (row *faultRow) meets(s *sample) bool {
	return !(s.away && (row.id == "F11" || row.id == "F12")) && (row.fit == nil || row.fit(s))
}

// few is the part that runs beside the race detector: each action meets a fourth of the faults, each fault a fourth of the actions.
func few(action, fault int) bool { return action%4 == fault%4 }

// TestBudgetMatrix says how large the matrix is, and which part of it runs where.
func TestBudgetMatrix(t *testing.T) {
	t.Parallel()
	all, some := 0, 0
	for n, row := range writeFaults() {
		for k, s := range samples() {
			if row.meets(&s) {
				all++
				if few(k, n) {
					some++
				}
			}
		}
	}
	limits.Report(t, limits.Row{Name: "fault matrix of writes: in full (make e2e-full) over in CI", Measured: fmt.Sprintf("%d actions x %d faults: %d, in CI %d", len(samples()), len(writeFaults()), all, some),
		Value: float64(all) / float64(some), Limit: 4.2})
}

// TestWriteFaults runs every action under every fault that a write can meet, in virtual time, and holds four invariants over each:
//
//	a  a step is sent at most once
//	b  success is said only of what was carried out, failure only of what was not, and "unknown" only where nothing proves either
//	c  what is said has code, cause and a next step, and comes within its time
//	d  audit and journal are complete, and the chain of the audit holds
func TestWriteFaults(t *testing.T) {
	t.Parallel()
	for n, row := range writeFaults() {
		t.Run(row.id+" "+row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				by := row.by
				if by == nil {
					by = byToken
				}
				r := newRigBy(t, by)
				defer r.close()
				r.sheriff.Rules.Caps = Caps{}
				ran := 0
				for k, s := range samples() {
					if (testing.Short() || raceEnabled) && !few(k, n) {
						continue
					}
					if row.meets(&s) {
						(&shot{rig: r, sample: s, vmid: 1000 + k}).fire(&row)
						ran++
					}
				}
				r.sheriff.Rules.SnapshotFirst = true
				for k, s := range firstOf() {
					if k%5 == n%5 && (row.fit == nil || row.fit(&s)) {
						(&shot{rig: r, sample: s, vmid: 1500 + k}).fire(&row)
					}
				}
				if v, err := r.db.VerifyAudit(t.Context(), nil); err != nil || !v.OK() {
					t.Errorf("d: the audit does not hold: %+v, %v", v, err)
				}
				if ran == 0 {
					t.Error("no action meets it")
				}
			})
		})
	}
}

// fire is one action under one fault.
func (s *shot) fire(row *faultRow) {
	s.t.Helper()
	s.was = s.make(s.rig, s.vmid)
	var err error
	heal := func() {}
	if row.early {
		heal = s.inject(row)
	}
	if s.plan, err = s.Propose(s.t.Context(), s.request(s.rig, s.vmid)); err != nil {
		s.t.Errorf("%s: no plan: %v", s.name, err)
		return
	}
	s.approved(s.plan)
	s.sim.ResetStats()
	if !row.early && row.fault != nil {
		heal = s.inject(row)
	}
	if row.lasts > 0 {
		time.AfterFunc(row.lasts, heal)
	}
	began := time.Now()
	got, err := s.Apply(s.t.Context(), s.plan.ID, agent, ApplyOptions{Wait: time.Hour})
	took := time.Since(began)
	time.Sleep(2 * time.Second) // what the simulator began ends
	s.judge(row, got, err, took)
	if row.lasts == 0 {
		heal()
	}
	time.Sleep(90 * time.Second)
	s.once()
}

func (s *shot) inject(row *faultRow) (heal func()) {
	var ends []func()
	for _, f := range row.fault(s) {
		s.lost = s.lost || !row.early && f.Executes && f.Method == s.method()
		ends = append(ends, s.sim.AddFault(f))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

func (s *shot) judge(row *faultRow, got Plan, err error, took time.Duration) {
	s.t.Helper()
	fail := func(format string, args ...any) {
		s.t.Helper()
		s.t.Errorf("%s: %s", s.name, fmt.Sprintf(format, args...))
	}
	if err != nil {
		fail("c: apply: %v", err)
		return
	}
	s.once()
	ends := row.ends
	if s.hidden && row.hidden != nil {
		ends = row.hidden
	}
	if ends == nil {
		ends = []string{Done}
	}
	if s.slow && slices.Contains(ends, Done) || s.blind && s.lost {
		ends = eitherWay
	}
	if !slices.Contains(ends, got.State) {
		fail("b: it ended %s, want one of %v: %s", got.State, ends, got.Note)
	}
	if done := s.carried(s.rig, s.was); got.State == Done && !done || got.State != Done && got.State != Unknown && done && s.sent() > 0 {
		fail("b: %s is said, carried out: %v (%s)", got.State, done, got.Note)
	}
	if row.quiet && s.sent() > 0 {
		fail("a: %d requests were sent, none is needed", s.sent())
	}
	if got.State != Done && (got.Note == "" || !strings.Contains(got.Note, row.says)) {
		fail("c: %s is said because of %q, want %q in it", got.State, got.Note, row.says)
	}
	most := max(row.within, time.Minute)
	if s.slow {
		most = max(most, bootPatience)
	}
	if took > most {
		fail("c: it took %s, more than %s", took, most)
	}
	s.written(got, fail)
}

// once wants at most one request that changes anything, and none where nothing was sent as it is said.
func (s *shot) once() {
	s.t.Helper()
	if n := s.sent(); n > len(s.plan.Body.Steps) {
		s.t.Errorf("%s: a: %d requests were sent for %d steps", s.name, n, len(s.plan.Body.Steps))
	}
}

func (s *shot) sent() int { return s.sim.Stats().Writes }

// written looks at journal and audit of a plan that has ended.
func (s *shot) written(p Plan, fail func(format string, args ...any)) {
	s.t.Helper()
	list, err := s.db.Audit(s.t.Context(), store.AuditFilter{Plan: p.ID, Forward: true, Limit: 100})
	if err != nil {
		fail("d: %v", err)
		return
	}
	var events []string
	for _, row := range list {
		events = append(events, row.Event)
	}
	want := []string{"plan", "apply"}
	if p.Approver != "" {
		want = []string{"plan", "submit", "approve", "apply"}
	}
	for _, j := range p.Journal {
		if (j.Error == "") != (j.Code == "") {
			fail("c: step %d says %q with the code %q", j.N, j.Error, j.Code)
		}
		switch {
		case j.Sent.IsZero() && j.State == StepNoop:
		case j.Sent.IsZero():
			want = append(want, "refused")
		default:
			want = append(want, "send", j.State)
		}
		if !j.Sent.IsZero() && (j.Ended.IsZero() || len(j.Before) == 0 && p.Body.Steps[j.N-1].Target.Kind == "" && !p.Body.Steps[j.N-1].Makes || len(j.Result) == 0) {
			fail("d: the journal of step %d lacks something: %+v", j.N, j)
		}
	}
	if got := events[:max(0, len(events)-1)]; !slices.Equal(got, want) && p.State != Interrupted || len(events) == 0 || events[len(events)-1] != p.State {
		fail("d: audited are %v, want %v and %s", events, want, p.State)
	}
}
