package tasks

import (
	"fmt"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

const day = 24 * time.Hour

// questions change nothing: what is told has to be what the homelab holds.
func questions() []Task {
	return []Task{
		{Name: "who has that address", Say: "Something at 192.168.1.31 floods my network. Which machine is that, and on which node?",
			Solution: []Call{call("find_guests", "query", "ip:192.168.1.31")},
			Check: tells(func(w *pvesim.World) []string {
				for _, g := range w.Guests() {
					if strings.Contains(value(g, "net0"), "ip=192.168.1.31/") {
						return []string{fmt.Sprint(g.VMID), name(g), g.Node}
					}
				}
				return nil
			})},
		{Name: "what is not backed up", Say: "Which machines have no backup from the last seven days?",
			Solution: []Call{call("list_backups", "missing_since", "7d")},
			Check:    tells(func(w *pvesim.World) []string { return unsaved(w, 7*day) })},
		{Name: "why is it slow", Say: "The nas has been slow since noon. What is going on?",
			Solution: []Call{call("diagnose_guest", "guest", "nas")},
			Check: tells(func(w *pvesim.World) []string {
				cause := w.Guest(200).Surge.Cause
				return []string{fmt.Sprint(cause), name(w.Guest(cause)), "tank"}
			})},
		{Name: "which storage is full", Say: "Am I running out of disk space anywhere?",
			Solution: []Call{call("list_storage")},
			Check: tells(func(w *pvesim.World) []string {
				var out []string
				for _, n := range w.Nodes {
					for _, s := range n.Storage {
						if f, ok := s["used_fraction"].(float64); ok && f > 0.9 {
							out = append(out, fmt.Sprint(s["storage"]), fmt.Sprintf("%.0f%%", f*100))
						}
					}
				}
				return out
			})},
		{Name: "which node is off", Say: "Is one of my servers switched off?",
			Solution: []Call{call("list_nodes")},
			Check: tells(func(w *pvesim.World) []string {
				for _, n := range w.Nodes {
					if !n.Online {
						return []string{n.Name, "offline"}
					}
				}
				return nil
			})},
		{Name: "what runs inside", Say: "Which operating system runs inside docker1, and what is its address?",
			Solution: []Call{call("get_agent_info", "guest", "docker1")},
			Check:    tells(func(*pvesim.World) []string { return []string{"Debian GNU/Linux", "192.168.1."} })},
		{Name: "what is ill", Say: "Does anything in my homelab need attention?",
			Solution: []Call{call("check_health"), call("check_health", "code", "guest_locked")}, // the first has no room for all, and counts the rest by code
			Check: tells(func(*pvesim.World) []string {
				return []string{"tank", "107 unifi", "pve2", "pve3", "211 old-mailserver"}
			})},
		{Name: "what belongs together", Say: "Which machines are part of my k3s cluster, and where do they run?",
			Solution: []Call{call("find_guests", "query", "tag:k3s")},
			Check: tells(func(w *pvesim.World) []string {
				var out []string
				for _, g := range w.Guests() {
					if strings.Contains(value(g, "tags"), "k3s") && w.Node(g.Node).Online {
						out = append(out, fmt.Sprint(g.VMID), name(g), g.Node)
					}
				}
				return out
			})},
		{Name: "how far back", Say: "What could I bring home-assistant back to?",
			Solution: []Call{call("find_recovery", "guest", "home-assistant")},
			Check: tells(func(w *pvesim.World) []string {
				var out []string
				for _, sn := range w.Guest(201).Snapshots {
					out = append(out, sn.Name)
				}
				return out
			})},
		{Name: "how much memory", Say: "How much memory and how many cores does gitlab have?",
			Solution: []Call{call("get_guest", "guest", "gitlab")},
			Check: tells(func(w *pvesim.World) []string {
				return []string{"206 gitlab", value(w.Guest(206), "cores") + " "}
			})},
	}
}

// unsaved are the names of guests that a backup job could save and whose newest backup is older than a time.
func unsaved(w *pvesim.World, age time.Duration) []string {
	newest := map[int]time.Time{}
	for _, n := range w.Nodes {
		for _, list := range n.Content {
			for _, v := range list {
				if v["content"] == "backup" {
					at := time.Unix(number(v["ctime"]), 0)
					if id := int(number(v["vmid"])); at.After(newest[id]) {
						newest[id] = at
					}
				}
			}
		}
	}
	var out []string
	for _, g := range w.Guests() {
		if g.Config["template"] == nil && w.Node(g.Node).Online && time.Since(newest[g.VMID]) > age {
			out = append(out, name(g))
		}
	}
	return out
}

func number(v any) int64 {
	var n int64
	if _, err := fmt.Sscan(fmt.Sprint(v), &n); err != nil {
		return 0
	}
	return n
}
