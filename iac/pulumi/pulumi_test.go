package pulumi_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/pulumi"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestEmit holds the file to the form that pulumi import reads; guests of one name stay two.
func TestEmit(t *testing.T) {
	w := &iac.World{Cluster: "home", Guests: []iac.Guest{{VMID: 100, Life: 1, Type: pve.Qemu, Node: "pve1", Name: "web"},
		{VMID: 101, Life: 1, Type: pve.LXC, Node: "pve2", Name: "web"}}, Objects: []iac.Object{{Kind: store.KindPool, ID: "prod"}}}
	w.Sort()
	r, err := pulumi.Emitter{}.Emit(w)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "resources": [
    {
      "type": "proxmoxve:index/vmLegacy:VmLegacy",
      "name": "web_100",
      "id": "pve1/100"
    },
    {
      "type": "proxmoxve:index/containerLegacy:ContainerLegacy",
      "name": "web_101",
      "id": "pve2/101"
    },
    {
      "type": "proxmoxve:index/poolLegacy:PoolLegacy",
      "name": "pool_prod",
      "id": "prod"
    }
  ]
}
`
	if diff := cmp.Diff(want, string(r.Files[0].Data)); diff != "" {
		t.Error(diff)
	}
}
