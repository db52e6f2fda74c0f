package tools

import (
	"fmt"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestBudgetPlan is the gate on what the review of a plan costs: 50 guests that are destroyed with all that they have.
func TestBudgetPlan(t *testing.T) {
	for _, c := range []struct {
		name string
		text func(i int) string
	}{
		{"plan review of 50 destroyed guests", func(i int) string { return fmt.Sprintf("webserver-of-customer-%d", i) }},
		{"plan review of 50 destroyed guests, hostile names", hostileName},
	} {
		p := change.Plan{Plan: store.Plan{ID: "p-7k3f9q2m", State: change.Waiting, Title: "destroy", Hash: "0123456789abcdef0123", Expires: time.Now()}, Body: change.Body{Tier: change.Destructive}}
		for i := range 50 {
			name := c.text(i)
			p.Body.Steps = append(p.Body.Steps, change.Step{Action: "guest.destroy", Tier: change.Destructive, Target: change.Target{VMID: 100 + i, Name: name},
				Call: change.Call{Method: "DELETE", Path: "/nodes/pve1/qemu/100"}, Diff: []change.Diff{{Field: "guest", Old: name}}})
			p.Body.Lost = append(p.Body.Lost, fmt.Sprintf("%d %s: disk scsi0 local-lvm:vm-%d-disk-0", 100+i, name, 100+i))
			p.Body.Skipped = append(p.Body.Skipped, change.Skip{Guest: name, Reason: "it is running: only a stopped guest can be destroyed"})
			p.Body.Blast.Snapshots = append(p.Body.Blast.Snapshots, fmt.Sprintf("%d: %s, %s", i, name, name))
			p.Body.Blast.NoBackup = append(p.Body.Blast.NoBackup, name)
		}
		d := deps(&fake{})
		out := planOf(d, p, "waits for an operator; its owner runs: proxmox-mcp plan approve p-7k3f9q2m").View(d)
		text := out.Compact()
		n := tokens(t, text)
		limits.Report(t, limits.Row{Name: c.name + ", tokens", Measured: fmt.Sprint(n), Value: float64(n), Limit: 600})
		if t.Failed() {
			t.Log(text)
		}
	}
}
