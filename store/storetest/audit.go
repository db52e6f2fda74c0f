package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testAudit appends rows with every field: they come back as they were, each with the hash that the documentation promises.
func testAudit(t *testing.T, s *suite) {
	same(t, "empty", store.AuditHead{}, must(s.AuditHead(t.Context()))(t))
	same(t, "empty", store.AuditReport{}, must(s.VerifyAudit(t.Context(), nil))(t))
	e := store.AuditEntry{
		At: t0.Add(1500 * time.Microsecond), Principal: "token:ci", Door: "http", Event: "send", Plan: "p-a", Step: 2, Cluster: "a",
		Object: "100", Tool: "update_guest", Tier: 2, Outcome: "ok", Detail: "PUT /nodes/pve1/qemu/100/config <memory> & \u2028 \\ \"ä\"",
	}
	first := must(s.AppendAudit(t.Context(), e))(t)
	e.At = t0.Add(time.Millisecond) // what is kept
	want := store.AuditRow{Seq: 1, AuditEntry: e, Hash: pve.Hash([]byte(`{"at":1795197600001,"cluster":"a",` +
		`"detail":"PUT /nodes/pve1/qemu/100/config <memory> & \u2028 \\ \"ä\"","door":"http","event":"send","object":"100","outcome":"ok","plan":"p-a",` +
		`"principal":"token:ci","seq":1,"step":2,"tier":2,"tool":"update_guest"}`))}
	same(t, "first row", want, first)
	s.pass(time.Minute)
	nasty := store.AuditEntry{Event: "deny", Detail: "\x00\xff'; DROP TABLE audit; -- \x1b"}
	second := must(s.AppendAudit(t.Context(), nasty))(t)
	same(t, "second row", []any{int64(2), first.Hash, s.clock(), "'; DROP TABLE audit; -- \x1b"}, []any{second.Seq, second.Prev, second.At, second.Detail})
	rows := must(s.Audit(t.Context(), store.AuditFilter{}))(t)
	same(t, "kept", []store.AuditRow{second, first}, rows)
	for _, r := range rows {
		same(t, "sum", r.Hash, r.Sum())
		r.Tier++
		if r.Hash == r.Sum() {
			t.Error("another tier has the same hash")
		}
	}
	head := store.AuditHead{Seq: 2, Hash: second.Hash}
	same(t, "head", head, must(s.AuditHead(t.Context()))(t))
	r := must(s.VerifyAudit(t.Context(), &head))(t)
	same(t, "report", []any{true, int64(2), head}, []any{r.OK(), r.Rows, r.Head})
	for _, c := range []struct {
		head store.AuditHead
		bad  int64
	}{{store.AuditHead{Seq: 2, Hash: first.Hash}, 2}, {store.AuditHead{Seq: 9, Hash: first.Hash}, 3}} {
		r := must(s.VerifyAudit(t.Context(), &c.head))(t)
		if r.Bad != c.bad || !strings.Contains(r.Problem, "you named") {
			t.Errorf("head %d: %+v", c.head.Seq, r)
		}
	}
	_, err := s.AppendAudit(t.Context(), store.AuditEntry{Detail: "without an event"})
	wantCode(t, err, fault.Invalid)
	same(t, "rows", int64(2), s.rows(t)["audit"])
}

// testAuditFilter selects by each field and pages in both directions.
func testAuditFilter(t *testing.T, s *suite) {
	for i, e := range []store.AuditEntry{
		{Event: "plan", Principal: "local:1", Cluster: "a", Object: "100", Tool: "power_guest", Plan: "p-a", Outcome: "ok"},
		{Event: "deny", Principal: "local:2", Cluster: "a", Object: "101", Tool: "delete_guest", Plan: "p-b", Outcome: "denied"},
		{Event: "stop", Principal: "operator", Cluster: "b", Object: "100", Tool: "power_guest", Outcome: "ok"},
		{Event: "done", Principal: "operator", Cluster: "b", Object: "1001,103,105", Tool: "backup_guest", Outcome: "ok"},
	} {
		e.At = t0.Add(time.Duration(i) * time.Minute)
		must(s.AppendAudit(t.Context(), e))(t)
	}
	for _, c := range []struct {
		f    store.AuditFilter
		want string
	}{
		{store.AuditFilter{}, "4 3 2 1"},
		{store.AuditFilter{Limit: 2}, "4 3"},
		{store.AuditFilter{Limit: 2, After: 2}, "1"},
		{store.AuditFilter{Forward: true, Limit: 2}, "1 2"},
		{store.AuditFilter{Forward: true, After: 2}, "3 4"},
		{store.AuditFilter{Since: t0.Add(time.Minute)}, "4 3 2"},
		{store.AuditFilter{Until: t0.Add(time.Minute)}, "1"},
		{store.AuditFilter{Principal: "local:1"}, "1"},
		{store.AuditFilter{Cluster: "a"}, "2 1"},
		{store.AuditFilter{Cluster: "a", Object: "100"}, "1"},
		{store.AuditFilter{Object: "100"}, "3 1"},
		{store.AuditFilter{Object: "103"}, "4"},
		{store.AuditFilter{Object: "10_"}, ""},
		{store.AuditFilter{Tool: "power_guest"}, "3 1"},
		{store.AuditFilter{Plan: "p-b"}, "2"},
		{store.AuditFilter{Events: []string{"plan", "stop"}}, "3 1"},
		{store.AuditFilter{Outcomes: []string{"denied", "failed"}}, "2"},
	} {
		var got []string
		for _, r := range must(s.Audit(t.Context(), c.f))(t) {
			got = append(got, fmt.Sprint(r.Seq))
		}
		same(t, fmt.Sprintf("%+v", c.f), c.want, strings.Join(got, " "))
	}
}

// testAuditRace lets 8 writers on 4 handles append at once while the chain is verified: one chain.
func testAuditRace(t *testing.T, s *suite) {
	handles := []Store{s.Store, s.open(t), s.open(t), s.open(t)}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 10 {
				if _, err := handles[i%4].AppendAudit(t.Context(), store.AuditEntry{Event: "send", Principal: fmt.Sprint(i), Step: n}); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
			}
			if r, err := handles[i%4].VerifyAudit(t.Context(), nil); err != nil || !r.OK() {
				t.Errorf("while others write: %v, %+v", err, r)
			}
		})
	}
	wg.Wait()
	s.chain(t, 80)
	for i := range 8 {
		for n, r := range must(s.Audit(t.Context(), store.AuditFilter{Principal: fmt.Sprint(i), Forward: true}))(t) {
			same(t, "order of one writer", n, r.Step)
		}
	}
}

// chain verifies the audit and its length.
func (s *suite) chain(t *testing.T, rows int64) {
	t.Helper()
	r := must(s.VerifyAudit(t.Context(), nil))(t)
	if !r.OK() || r.Rows != rows {
		t.Errorf("audit: %+v, want %d rows", r, rows)
	}
}
