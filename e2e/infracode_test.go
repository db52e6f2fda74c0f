package e2e

import (
	"strings"
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
	w.Cluster.Lists["sdn_controllers"] = append(w.Cluster.Lists["sdn_controllers"], pvesim.Object{"controller": "bgp1", "type": "evpn", "asn": 65000, "peers": "192.0.2.1,192.0.2.2"})
	w.Cluster.Lists["sdn_zones"] = append(w.Cluster.Lists["sdn_zones"], pvesim.Object{"zone": "wide", "type": "evpn", "controller": "bgp1", "vrf-vxlan": 10000,
		"exitnodes": "pve1,pve2", "exitnodes-primary": "pve1", "advertise-subnets": 1, "exitnodes-local-routing": 0,
		"disable-arp-nd-suppression": 0, "mtu": 1450, "ipam": "pve"}, pvesim.Object{"zone": "plain", "type": "evpn", "controller": "bgp1", "vrf-vxlan": 10001})
	w.ApplySDN()
	tf := emptyTerraform(t)
	token := w.RootToken()
	c := &coded{cluster: startCluster(t, w, token), log: &requestLog{}, tf: tf}
	c.token = []string{"PROXMOX_VE_ENDPOINT=" + c.end.URL, "PROXMOX_VE_INSECURE=true", "PROXMOX_VE_API_TOKEN=" + token}
	c.refresh(t)
	c.world.Options.Only = map[int]bool{103: true, 207: true} // with firewalls of their own
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
	if len(c.code.Addresses) == 0 || !strings.Contains(c.file(t, "terraform/firewall.tf"), "firewall_options\" \"caddy") {
		t.Error("the firewall of a container is not written")
	}
	c.wantClean(t)
}

// file is a generated file.
func (c *coded) file(t *testing.T, path string) string {
	t.Helper()
	for _, f := range c.code.Files {
		if f.Path == path {
			return string(f.Data)
		}
	}
	t.Fatalf("%s was not written", path)
	return ""
}
