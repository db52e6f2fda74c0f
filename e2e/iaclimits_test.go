package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestLimitPlan is how long the real provider takes to plan an export of 300 guests.
func TestLimitPlan(t *testing.T) {
	timed(t)
	const guests, limit = 300, 60 * time.Second
	c := startCoded(t, pvesim.GenerateWorld(pvesim.GenOptions{Seed: 1, Guests: guests, Nodes: 3}))
	c.tf.run(t, 0, c.token, "init")
	begin := time.Now()
	out := c.tf.run(t, 2, c.token, "plan", "-detailed-exitcode", "-out=saved.tfplan")
	took := time.Since(begin)
	if n, _ := c.resources(); n < guests || !strings.Contains(out, fmt.Sprintf("Plan: %d to import, 0 to add, 0 to change, 0 to destroy.", n)) {
		t.Errorf("%d resources, and not clean:\n%s", n, changesOnly(out))
	}
	limits.Report(t, limits.Row{Name: fmt.Sprintf("the real provider plans %d guests, s", guests), Measured: fmt.Sprintf("%.1f", took.Seconds()), Value: took.Seconds(), Limit: limit.Seconds()})
}
