package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestFaults runs every tool under every fault that reading can meet and holds the invariants I1 to I4 of faults.md over each row,
// with a full store and at first contact. The program is the real one, from the tool table to TLS; the clock is a bubble's.
func TestFaults(t *testing.T) {
	t.Parallel()
	ran := map[string]int{}
	t.Cleanup(func() { t.Logf("rows that ran: %v", ran) })
	for i, row := range matrixRows() {
		ran[row.id]++
		t.Run(row.id+" "+row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { runKnown(t, &row, i) })
			synctest.Test(t, func(t *testing.T) { runEmpty(t, &row, i) })
		})
	}
}

// TestFaultsCovered wants each fault of the work order in the matrix.
func TestFaultsCovered(t *testing.T) {
	t.Parallel()
	want := strings.Fields("F31 F32 F34 F35 F37 F38 F39 F40 F41 F43 F46 F47 F48 F49 F50 F51 F52 F53 F54 F55")
	for n := range 22 {
		want = append(want, fmt.Sprintf("F%02d", n+1))
	}
	for _, id := range want {
		if !slices.ContainsFunc(matrixRows(), func(row faultRow) bool { return row.id == id }) {
			t.Errorf("no row for %s", id)
		}
	}
}

// TestFaultsAskAll wants each tool that reads among the questions of the matrix, but for the record of our own changes, which asks Proxmox VE
// nothing.
func TestFaultsAskAll(t *testing.T) {
	t.Parallel()
	asked := (&matrixRig{}).questions(0, false, false)
	for _, s := range tools.Listed(tools.R0) {
		if s.Tier == tools.R0 && !slices.ContainsFunc(asked, func(q question) bool { return q.tool == s.Name }) && s.Name != "find_operations" && s.Family != "code" {
			t.Errorf("%s is no question of the fault matrix", s.Name)
		}
	}
}

// TestGoneNeedsProof destroys a guest behind a front that swallows what Proxmox VE says of it (F10): it is unknown until somebody says
// that it does not exist, and gone once then.
func TestGoneNeedsProof(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMatrixRig(t, &faultRow{})
		defer m.close()
		if _, err := m.sync(); err != nil {
			t.Fatal(err)
		}
		before := history(t, m.db())
		one, two := m.sim.AddFault(pvesim.PhraseOnly()), m.sim.AddFault(pvesim.NoPhrase())
		m.sim.Update(func(w *pvesim.World) { w.RemoveGuest(onNode1) })
		time.Sleep(pause)
		if rep, err := m.sync(); err != nil || rep.Gone != 0 || rep.Unknown != 1 {
			t.Errorf("unproved: %+v, %v", rep, err)
		}
		if r := m.call("get_guest", map[string]any{"guest": fmt.Sprint(onNode1)}); r.err != nil || !strings.Contains(r.text, "unknown") {
			t.Errorf("unproved: %s", r.text)
		}
		m.unchanged(&faultRow{}, "without proof", before)
		one()
		two()
		time.Sleep(pause)
		for range 2 {
			if _, err := m.sync(); err != nil {
				t.Error(err)
			}
		}
		m.unchanged(&faultRow{changed: func(line string) bool { return line == "gone guest/1000 life 1" }}, "with proof", before)
		if len(history(t, m.db())) != len(before)+1 {
			t.Error("nobody recorded that the guest is gone")
		}
		if r := m.call("get_guest", map[string]any{"guest": fmt.Sprint(onNode1)}); r.err == nil || r.err.Code != fault.NotFound || !strings.Contains(r.text, "is gone since") {
			t.Errorf("proved: %s", r.text)
		}
	})
}

// question is one call of a round.
type question struct {
	tool string
	args map[string]any
}

// questions are all tools, beginning with another one in each row, so that each meets the fault first somewhere.
func (m *matrixRig) questions(first int, fresh, wait bool) []question {
	q := []question{
		{"get_overview", map[string]any{}}, {"find_guests", map[string]any{}}, {"get_guest", map[string]any{"guest": fmt.Sprint(onNode1)}},
		{"list_nodes", map[string]any{}}, {"get_task", map[string]any{"task": m.tasks.ended}}, {"check_health", map[string]any{}},
		{"find_changes", map[string]any{}}, {"get_metrics", map[string]any{"object": fmt.Sprint(onNode1)}}, {"get_metrics", map[string]any{"object": "node03"}},
		{"find_tasks", map[string]any{}}, {"get_history", map[string]any{"object": fmt.Sprint(onNode1)}},
		{"check_access", map[string]any{}}, {"list_clusters", map[string]any{}}, {"sync_inventory", map[string]any{}},
		{"get_node", map[string]any{"node": "node01"}}, {"list_storage", map[string]any{}}, {"list_backups", map[string]any{"missing_since": "7d"}},
		{"list_volumes", map[string]any{"orphans": true}}, {"list_networks", map[string]any{}}, {"get_node", map[string]any{"node": "node03"}},
		{"diagnose_guest", map[string]any{"guest": fmt.Sprint(onNode2)}}, {"diagnose_guest", map[string]any{"guest": fmt.Sprint(onNode3)}},
		{"find_guests", map[string]any{"query": "state:running"}}, {"get_guest", map[string]any{"guest": fmt.Sprint(onNode2), "detail": "full"}},
		{"get_guest", map[string]any{"guest": fmt.Sprint(onNode3)}}, {"get_task", map[string]any{"task": m.tasks.running}},
		{"find_recovery", map[string]any{"guest": fmt.Sprint(onNode1)}},
		{"read_log", map[string]any{"node": "node01"}}, {"get_agent_info", map[string]any{"guest": fmt.Sprint(onNode1)}},
		{"get_file_from_backup", map[string]any{"guest": fmt.Sprint(onNode1)}},
	}
	if wait {
		q = append(q, question{"get_task", map[string]any{"task": m.tasks.running, "wait_s": 60}})
	}
	for _, one := range q {
		if fresh && one.tool != "sync_inventory" && one.tool != "get_agent_info" && one.tool != "get_file_from_backup" {
			one.args["fresh"] = true
		}
	}
	first %= len(q)
	return append(q[first:len(q):len(q)], q[:first]...)
}

func (m *matrixRig) round(row *faultRow, st stage, first int, fresh, wait bool) {
	m.t.Helper()
	for _, q := range m.questions(first, fresh, wait) {
		if q.tool == "sync_inventory" && !fresh { // each reads all there is; one round tells how that ends
			continue
		}
		m.judge(row, st, m.call(q.tool, q.args))
	}
}

// pause is longer than the freshness limit, so that reads ask Proxmox VE again.
const pause = 50 * time.Second

// runKnown is a row with a full store: before, under and after the fault.
func runKnown(t *testing.T, row *faultRow, first int) {
	m := newMatrixRig(t, row)
	defer m.close()
	if rep, err := m.sync(); err != nil || !rep.Complete || len(rep.Warnings) > 0 {
		t.Fatalf("before the fault: %+v, %v", rep, err)
	}
	m.matches("before the fault")
	before := history(t, m.db())
	m.heard.Reset()
	time.Sleep(time.Second)

	end := row.inject(m)
	for _, q := range m.questions(first, false, false)[:4] {
		m.judge(row, stage{name: "young"}, m.call(q.tool, q.args))
	}
	time.Sleep(max(row.after, pause))
	m.round(row, stage{name: "stale"}, first, false, false)
	m.watch(12 * time.Second) // one tick
	_, _ = m.sync()           // whether it ends well depends on the row; what it says is heard
	m.round(row, stage{name: "met", met: true}, first, false, false)
	m.round(row, stage{name: "met, fresh", met: true}, first, true, true)
	m.unchanged(row, "under the fault", before)
	m.says(row.says)
	if row.check != nil {
		row.check(m)
	}
	m.readOnly()

	end()
	time.Sleep(max(row.rest, 70*time.Second))
	if row.recover != nil {
		row.recover(m)
	}
	if rep, err := m.sync(); err != nil || !rep.Complete || len(rep.Warnings) > 0 {
		t.Errorf("after the fault: %+v, %v", rep, err)
	}
	m.matches("after the fault")
	m.unchanged(row, "after the fault", before)
	m.round(&faultRow{id: "none", quiet: true, tells: row.tells}, stage{name: "after", met: true}, first, false, false)
}

// runEmpty is a row in which nothing was ever observed.
func runEmpty(t *testing.T, row *faultRow, first int) {
	m := newMatrixRig(t, row)
	defer m.close()
	end := row.inject(m)
	st := stage{name: "first contact", empty: true}
	for _, fresh := range []bool{false, true} {
		for _, q := range m.questions(first, fresh, false)[:6] {
			r := m.call(q.tool, q.args)
			m.judge(row, st, r)
			if row.codes != nil && r.err == nil && !slices.Contains([]string{"check_access", "list_clusters", "sync_inventory"}, q.tool) { // one asks for other things, the others say who does not answer
				t.Errorf("I3: %s answered though nothing could be read:\n%s", r.name(), indent(r.text))
			}
		}
		time.Sleep(pause)
	}
	_, _ = m.sync() // the first one may have told nobody how it ended
	m.call("check_health", map[string]any{})
	if row.emptySays != nil {
		m.says(row.emptySays)
	} else {
		m.says(row.says[:min(len(row.says), 1)])
	}
	m.readOnly()
	end()
	time.Sleep(max(row.rest, 70*time.Second))
	if row.recover != nil {
		row.recover(m)
	}
	if rep, err := m.sync(); err != nil || !rep.Complete {
		t.Errorf("after the fault: %+v, %v", rep, err)
	}
	m.matches("after a first contact under the fault")
	for _, line := range history(t, m.db()) {
		if !strings.HasPrefix(line, "appeared ") && (row.changed == nil || !row.changed(line)) && (row.corrected == nil || !row.corrected(line)) {
			t.Errorf("I1: %s", line)
		}
	}
}

// matches wants the store to say what is true, of every guest.
func (m *matrixRig) matches(when string) {
	m.t.Helper()
	if diff := cmp.Diff(truth(m.sim), stored(m.t, m.db(), m.reborn)); diff != "" {
		m.t.Errorf("I1: the store %s (-truth +store):\n%s", when, diff)
	}
}

// unchanged wants no history beside what the row allows.
func (m *matrixRig) unchanged(row *faultRow, when string, before []string) {
	m.t.Helper()
	now := history(m.t, m.db())
	fresh := now[:len(now)-len(before)]
	if diff := cmp.Diff(before, now[len(fresh):]); diff != "" {
		m.t.Errorf("I1: the past has changed %s:\n%s", when, diff)
	}
	once := slices.Compact(slices.Sorted(slices.Values(fresh)))
	if len(once) != len(fresh) {
		m.t.Errorf("I1: something is recorded twice %s: %q", when, fresh)
	}
	for _, line := range fresh {
		if row.changed == nil || !row.changed(line) {
			m.t.Errorf("I1: recorded %s: %s", when, line)
		}
	}
}

// says wants cause and next step in what was told.
func (m *matrixRig) says(parts []string) {
	m.t.Helper()
	for _, p := range parts {
		if !strings.Contains(m.heard.String(), p) {
			m.t.Errorf("nobody was told %q; told was:\n%s", p, indent(m.told()))
		}
	}
}

// told is what was said without tables and JSON: warnings and errors, each once.
func (m *matrixRig) told() string {
	var out []string
	for line := range strings.SplitSeq(m.heard.String(), "\n") {
		for _, p := range []string{"! ", "error ", "cause: ", "hint: ", "critical", "warning"} {
			if strings.HasPrefix(line, p) && !slices.Contains(out, line) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out[:min(len(out), 40)], "\n")
}

// readOnly is I2 as far as reading goes: nothing but GET and our own login was sent.
func (m *matrixRig) readOnly() {
	m.t.Helper()
	for _, r := range m.sim.Requests() {
		if r.Method != "GET" && (r.Method != "POST" || r.Path != "/access/ticket") {
			m.t.Errorf("I2: %s %s was sent", r.Method, r.Path)
		}
	}
}
