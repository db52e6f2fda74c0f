package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// worstDiagnosis has more of everything than an answer shows, all of it as long as it gets, and figures that are all unusual.
func worstDiagnosis() inventory.Diagnosis {
	long := func(i int) string {
		return fmt.Sprintf("kx%d-zq7vw9-prod-eu-central-1b-mariadb-galera-replica-0%d-x86-9f3c", i, i)
	}
	text := func(i int, n int) string {
		return strings.Repeat(fmt.Sprintf("I/O error 0x%dF on /dev/disk/by-id/ata-WDC_WD40EFPX_WX%d2; ", i, i), 20)[:n]
	}
	x := inventory.Diagnosis{Meta: meta(33 * time.Second), Short: "disk", Guest: inventory.Guest{VMID: 100104, Name: long(0), Type: pve.Qemu, Node: "pve-rack12-node07", State: "running"}}
	for i := range 12 {
		x.Findings = append(x.Findings, inventory.Finding{Severity: inventory.Critical, Object: "guest 10010" + long(i), Title: text(i, 200), Evidence: text(i+3, 300), Hint: text(i+5, 200),
			Since: now.Add(-3 * time.Hour)})
		x.Warnings = append(x.Warnings, inventory.Warning{Code: "node_silent", Text: text(i, 900)})
		x.Unread = append(x.Unread, text(i, 200))
		x.Advice = append(x.Advice, inventory.Advice{Code: "emulated_controller", Keys: []string{"scsi0", "scsi1", "scsi2", "scsi3", "scsi4", "scsi5"}, Title: text(i, 200), Next: text(i, 200)})
		x.Storages = append(x.Storages, inventory.GuestStorage{Storage: inventory.Storage{Name: long(i), Type: "lvmthin", Status: "available", Used: pve.Ptr(int64(3141592653589)), Total: pve.Ptr(int64(4141592653589))},
			Trouble: text(i, 200)})
		x.Tasks = append(x.Tasks, inventory.Task{Handle: "t-7k3f9q2m", Type: "vzdump", Object: long(i), Node: "pve-rack12-node07", Start: now.Add(-time.Hour)})
	}
	for i, name := range []string{"cpu", "memory", "disk read", "disk write", "net in", "net out", "cpu pressure", "io pressure", "memory pressure", "cpu", "io wait", "memory", "swap", "cpu pressure", "io pressure"} {
		verdict := "high"
		if i%2 == 1 {
			verdict = "usual"
		}
		x.Usage = append(x.Usage, inventory.Usual{Node: i > 8, Name: name, Unit: "bytes/s", Hour: pve.Ptr(123456789.0), WeekMean: pve.Ptr(12345678.0), WeekP95: pve.Ptr(98765432.0), Verdict: verdict,
			Total: pve.Ptr(234567890.0)})
	}
	for i := range 3 {
		x.Neighbours = append(x.Neighbours, inventory.Neighbour{VMID: 100200 + i, Name: long(i), CPU: pve.Ptr(12.4), Mem: pve.Ptr(int64(123456789012)), Disk: pve.Ptr(123456789.0), Net: pve.Ptr(123456789.0),
			Shares: []string{long(1), long(2)}})
	}
	return x
}

// TestBudgetDiagnosis holds the answer to 600 tokens at its worst; what is left out is said.
func TestBudgetDiagnosis(t *testing.T) {
	const limit = 600
	out := text(t, &fake{diagnose: worstDiagnosis()}, "diagnose_guest", `{"guest":"100104"}`)
	n := tokens(t, out)
	t.Logf("%d tokens (limit %d, ratio %.2f)", n, limit, float64(n)/limit)
	if n > limit {
		t.Errorf("%d tokens, at most %d:\n%s", n, limit, out)
	}
	for _, want := range []string{" findings more", " storages more", " running tasks more", " warnings more", " figures more", "config, too", "not read"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said:\n%s", want, out)
		}
	}
}

// TestEstimate holds the estimate to the tokenizer on texts as answers have them: never far below, as answers are cut by it.
func TestEstimate(t *testing.T) {
	var texts []string
	files, err := filepath.Glob(filepath.Join("testdata", "views", "*.txt"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	d := deps(&fake{})
	for _, s := range shares {
		texts = append(texts, diagnosisOf(d, worstDiagnosis()).shown(d, s).Compact())
	}
	for _, s := range texts {
		n, want := estimate(s), tokens(t, s)
		t.Logf("%d estimated, %d counted (%.2f)", n, want, float64(n)/float64(want))
		if float64(n) < 0.95*float64(want) || float64(n) > 1.5*float64(want) {
			t.Errorf("%d estimated, %d counted:\n%.300s", n, want, s)
		}
	}
}
