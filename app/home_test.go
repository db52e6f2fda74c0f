package app

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestHomeFound: the guest that the program runs in is found in the inventory by its uuid, by its container id and by the address of its
// network device, with the storages and bridges that it stands on; a node by its address.
func TestHomeFound(t *testing.T) {
	h := newHousehold(t)
	var uuid, mac, ip string
	h.sim.Update(func(w *pvesim.World) {
		cfg := pve.Config{"smbios1": w.Guest(200).Config["smbios1"], "net0": w.Guest(200).Config["net0"]}
		uuid = strings.TrimPrefix(strings.Split(cfg.Str("smbios1"), ",")[0], "uuid=")
		mac = cfg.NICs()[0].MAC
		ip = w.Node("pve2").IP
	})
	for name, c := range map[string]struct {
		here change.Here
		want change.Home
	}{
		"by uuid":            {change.Here{UUID: uuid}, change.Home{VMID: 200, Node: "pve1"}},
		"by MAC":             {change.Here{MACs: []string{mac}}, change.Home{VMID: 200, Node: "pve1"}},
		"by container id":    {change.Here{Container: 105}, change.Home{VMID: 105, Node: "pve2"}},
		"a node":             {change.Here{Addresses: []string{"127.0.0.1", ip}}, change.Home{Node: "pve2"}},
		"somewhere else":     {change.Here{UUID: "11111111-2222-3333-4444-555555555555", Addresses: []string{"203.0.113.9"}}, change.Home{}},
		"nothing to go by":   {change.Here{}, change.Home{}},
		"a VM has no number": {change.Here{Container: 200}, change.Home{}},
	} {
		h.app.Here = func() change.Here { return c.here }
		p, err := h.app.build(h.config(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.inv.Complete(t.Context(), "", func(inventory.Progress) {}); err != nil {
			t.Fatal(err)
		}
		got := p.home(t.Context(), "home", time.Now())
		if got.VMID != c.want.VMID || got.Node != c.want.Node || (got.Why == "") != (c.want.Node == "") {
			t.Errorf("%s: %+v", name, got)
		}
		if got.VMID == 200 && (!slices.Contains(got.Storages, "tank") || !slices.Contains(got.Bridges, "vmbr0") || !slices.Contains(got.Volumes, "tank:vm-200-disk-0")) {
			t.Errorf("%s: it stands on %+v", name, got)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
