package tools

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// TestFirstSeen: what was noticed at some time is not said to have begun then, and an overview names the checks that say nothing.
func TestFirstSeen(t *testing.T) {
	pool := inventory.Finding{Severity: inventory.Critical, Code: "zfs_pool", Object: "zfs pool pve1:tank", Title: "DEGRADED", Noticed: true}
	f := &fake{health: inventory.Health{Meta: meta(0), Checks: 23, Checked: []string{"zfs_pool"}}, overview: bigOverview()}
	for age, want := range map[time.Duration]string{0: "first seen now", 3 * time.Hour: "first seen 3h ago"} {
		pool.Since = now.Add(-age)
		f.health.Findings = []inventory.Finding{pool}
		if got := text(t, f, "check_health", `{}`); !strings.Contains(got, "\t"+want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	f.overview.Unchecked = []string{"disk_health", "zfs_pool"}
	if got := text(t, f, "get_overview", `{}`); !strings.Contains(got, "2 checks without an answer of now (check_health asks): disk_health, zfs_pool") {
		t.Error(got)
	}
}
