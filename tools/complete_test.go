package tools

import (
	"slices"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// TestComplete: a guest by its name, or by its vmid where a number was begun or the name is not its alone.
func TestComplete(t *testing.T) {
	d := Deps{Inventory: &fake{names: inventory.Names{Clusters: []string{"home", "lab"}, Nodes: []string{"pve1", "pve2"}, Storages: []string{"local", "tank"},
		Tags: []string{"prod"}, Pools: []string{"apps"},
		Guests: []inventory.GuestName{{Cluster: "home", VMID: 104, Name: "web"}, {Cluster: "home", VMID: 105, Name: "db"}, {Cluster: "lab", VMID: 104, Name: "db"}, {Cluster: "lab", VMID: 9}}}}}
	for _, c := range []struct {
		kind  Completed
		typed string
		want  []string
	}{
		{ByCluster, "l", []string{"lab"}}, {ByNode, "2", []string{"pve2"}}, {ByStorage, "tnk", []string{"tank"}}, {ByTag, "", []string{"prod"}}, {ByPool, "x", nil},
		{ByGuest, "w", []string{"web"}}, {ByGuest, "db", []string{"105", "104"}}, {ByGuest, "10", []string{"104", "105"}}, {ByGuest, "", []string{"web", "105", "104", "9"}},
		{ByVMID, "web", []string{"104"}}, {ByVMID, "", []string{"104", "105", "9"}}, {"other", "", nil},
	} {
		got, err := Complete(t.Context(), d, c.kind, c.typed, "")
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %v, %v, want %v", c.kind, c.typed, got, err, c.want)
		}
	}
}
