package e2e

import (
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	tfcode "github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestInfrastructureCode: what the homelab is beside its guests (storages, networks, SDN, HA, jobs, mappings, firewall, access) is imported by
// the real provider without a change.
func TestInfrastructureCode(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.Node("pve3").Online = true
	w.ApplySDN()
	tf := emptyTerraform(t)
	token := w.RootToken()
	c := &coded{cluster: startCluster(t, w, token), log: &requestLog{}, tf: tf}
	c.token = []string{"PROXMOX_VE_ENDPOINT=" + c.end.URL, "PROXMOX_VE_INSECURE=true", "PROXMOX_VE_API_TOKEN=" + token}
	c.refresh(t)
	c.world.Options.Only = map[int]bool{}
	c.world.Options.With = map[string]bool{tfcode.Infrastructure: true, tfcode.Firewall: true, tfcode.Access: true}
	c.export(t)
	for _, cov := range c.code.Coverage {
		if cov.Status != iac.Written {
			t.Logf("%s %s %s: %s", cov.Status, cov.Kind, cov.ID, cov.Why)
		}
	}
	for _, n := range c.code.Counts {
		t.Logf("%3d %s", n.N, n.What)
	}
	c.wantClean(t)
}
