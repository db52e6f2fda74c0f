package tasks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// labels are tags, pools and network cards.
func labels() []Task {
	return []Task{
		{Name: "one tag more", Say: "Mark the runner as spare, and leave its other tags alone.",
			Solution: []Call{call("manage_tags", "guest", "runner", "action", "add", "tags", []string{"spare"})}, Check: has(210, "tags", "ci;lab;spare")},
		{Name: "a new pool", Say: "Make a pool called kids and put minecraft into it.",
			Solution: []Call{call("manage_pool", "pool", "kids", "action", "create"), call("manage_pool", "pool", "kids", "action", "add", "guest", "minecraft")},
			Check: func(w *pvesim.World, _, _ string) error {
				if p := w.Guest(207).Pool; p != "kids" {
					return fmt.Errorf("its pool is %q", p)
				}
				return nil
			}},
		{Name: "into a VLAN", Say: "test-debian has to go into VLAN 20.",
			Solution: []Call{call("manage_nic", "guest", "test-debian", "action", "change", "vlan", 20), apply()},
			Check: func(w *pvesim.World, _, _ string) error {
				return guest(w, 208, func(g *pvesim.Guest) error {
					if net := value(g, "net0"); !strings.Contains(net, "tag=20") {
						return fmt.Errorf("its card is %s", net)
					}
					return nil
				})
			}},
	}
}

// moves put guests on other nodes, and turn them into templates.
func moves() []Task {
	return []Task{
		{Name: "template", Say: "Nobody needs the vpn machine as it is. Make a template of it.",
			Solution: []Call{call("convert_to_template", "guest", "vpn"), apply()}, Check: has(204, "template", "1")},
		{Name: "move", Say: "Move vpn over to pve1.",
			Solution: []Call{call("migrate_guest", "guest", "vpn", "target", "pve1"), apply()},
			Check: func(w *pvesim.World, _, _ string) error {
				if n := w.Guest(204).Node; n != "pve1" {
					return fmt.Errorf("it is on %s", n)
				}
				return nil
			}},
		{Name: "empty a node", Say: "I want to open up pve2 on Saturday. What would have to move, and where to? Do nothing yet.",
			Solution: []Call{call("drain_node", "node", "pve2", "dry_run", true)},
			Check: func(w *pvesim.World, _, said string) error {
				for _, g := range w.Guests() {
					if g.Node == "pve2" && g.Status() == "running" && !strings.Contains(said, fmt.Sprint(g.VMID)) && !strings.Contains(said, "more") {
						return fmt.Errorf("nothing is said of %d %s", g.VMID, name(g))
					}
				}
				if !strings.Contains(said, "dry run") {
					return fmt.Errorf("nothing was planned")
				}
				return nil
			}},
		{Name: "wake", Say: "Switch pve3 on, we want to play.",
			Solution: []Call{call("wake_node", "node", "pve3"), approved()},
			Check: func(w *pvesim.World, _, _ string) error {
				if k := slices.IndexFunc(w.Nodes, func(n *pvesim.Node) bool { return n.Name == "pve3" && n.Online }); k < 0 {
					return fmt.Errorf("it is off")
				}
				return nil
			}},
	}
}
