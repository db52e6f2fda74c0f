package docs_test

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestEmit: the page shows guests under their nodes and bridges, and no text of a guest becomes markup of the page or of the drawing.
func TestEmit(t *testing.T) {
	w := &iac.World{Cluster: "home", Guests: []iac.Guest{
		{VMID: 100, Life: 1, Type: pve.Qemu, Node: "pve1", Name: "web", Status: "running", Tags: []string{"prod"}, Addresses: []iac.Address{{IP: "10.0.0.5"}},
			Config: pve.Config{"cores": "4", "memory": "2048", "net0": "virtio=AA:BB:CC:00:00:01,bridge=vmbr0", "scsi0": "local:vm-100-disk-0,size=8G"}},
		{VMID: 102, Life: 1, Type: pve.LXC, Node: "pve1", Name: "dns", Status: "stopped", Config: pve.Config{"net0": "name=eth0,bridge=vmbr1,ip=10.0.0.6/24"}},
		{VMID: 101, Life: 1, Type: pve.LXC, Node: "pve1", Name: "x\"] --> evil[\"<script>|`\n# head", Status: "stopped", Config: pve.Config{}},
	}, Objects: []iac.Object{{Kind: store.KindPool, ID: "prod", Raw: []byte(`{"comment":"a|b"}`)}}}
	w.Sort()
	r, err := docs.Emitter{}.Emit(w)
	if err != nil {
		t.Fatal(err)
	}
	page := string(r.Files[0].Data)
	for _, want := range []string{`g100 --- n0b0`, `n0b0(["vmbr0"]) --- n0`, "| 100 | web | vm | running | 4 | 2048 | scsi0 8G | 10.0.0.5 | prod |  |", "| 102 | dns | ct | stopped |  |  |  | 10.0.0.6 |", "memory MiB", "## Pools", "a&#124;b", "g101 --- n0\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, bad := range []string{"<script>", "\n# head", `"] -->`, "evil[\""} {
		if strings.Contains(page, bad) {
			t.Errorf("text of a guest is markup: %q", bad)
		}
	}
}
