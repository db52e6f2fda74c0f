package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// planned is a store with one plan of one step.
func planned(b *testing.B) *store.DB {
	b.Helper()
	d := openAt(b, filepath.Join(b.TempDir(), "s.db"))
	body := []byte("{}")
	_, err := d.SavePlan(b.Context(), store.Plan{ID: "p", Hash: pve.Hash(body), Body: body, State: "waiting"},
		[]store.PlanStep{{N: 1, State: "pending"}}, store.AuditEntry{Event: "plan"})
	if err != nil {
		b.Fatal(err)
	}
	return d
}

// BenchmarkJournal writes a step's intent with its audit row. Most of it is the disk: two files are synced.
func BenchmarkJournal(b *testing.B) {
	d := planned(b)
	l, _, err := d.AcquireLease(b.Context(), "plan/p", "run", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		step := store.PlanStep{Plan: "p", N: 1, State: store.StepSent, UPID: fmt.Sprint(i)}
		if err := d.SaveStep(b.Context(), l, step, store.AuditEntry{Event: "send", Plan: "p", Step: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyAudit walks along 10,000 rows.
func BenchmarkVerifyAudit(b *testing.B) {
	d := planned(b)
	entries := make([]store.AuditEntry, many)
	for i := range entries {
		entries[i] = store.AuditEntry{Event: "send", Principal: "local:1000", Detail: "PUT /nodes/pve1/qemu/100/config memory", Step: i}
	}
	if _, err := d.MovePlan(b.Context(), store.PlanMove{ID: "p", From: []string{"waiting"}, To: "applied"}, entries...); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r, err := d.VerifyAudit(b.Context(), nil); err != nil || !r.OK() || r.Rows != many+1 {
			b.Fatal(err, r)
		}
	}
}
