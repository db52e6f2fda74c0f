package tasks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

func power() []Task {
	return []Task{
		{Name: "start", Say: "Switch test-debian on, please.",
			Solution: []Call{call("power_guest", "guest", "test-debian", "action", "start")}, Check: is(208, "running")},
		{Name: "shut down", Say: "Shut the runner down, cleanly.",
			Solution: []Call{call("power_guest", "guest", "runner", "action", "shutdown"), apply()}, Check: is(210, "stopped")},
		{Name: "several at once", Say: "Restart everything that is tagged monitoring.",
			Solution: []Call{call("power_guest", "query", "tag:monitoring", "action", "reboot"), apply()},
			Before:   func(w *pvesim.World) string { return started(w, 105, 106) },
			Check: func(w *pvesim.World, was, _ string) error {
				if now := started(w, 105, 106); now == was {
					return fmt.Errorf("not both were restarted: %s", now)
				}
				return all(is(105, "running"), is(106, "running"))(w, "", "")
			}},
		{Name: "a hanging backup", Say: "A backup of pihole2 hangs since yesterday. End it.",
			Prepare:  func(w *pvesim.World) { w.AddTask("pve2", "vzdump", "102", "root@pam", "") },
			Solution: []Call{call("find_tasks", "guest", "102", "status", "running"), call("cancel_task", "task", "$task"), apply()},
			Check: func(w *pvesim.World, _, _ string) error {
				for _, t := range w.Node("pve2").Tasks {
					if t.ID == "102" && t.Running() {
						return fmt.Errorf("the backup still runs")
					}
				}
				return nil
			}},
	}
}

// started is since when guests run.
func started(w *pvesim.World, ids ...int) string {
	var out []string
	for _, id := range ids {
		out = append(out, w.Guest(id).Live.Since.String())
	}
	return strings.Join(out, " ")
}

func configuration() []Task {
	return []Task{
		{Name: "more memory", Say: "minecraft needs 10 GiB of memory.",
			Solution: []Call{call("update_guest", "guest", "minecraft", "memory_mib", 10240), apply()}, Check: has(207, "memory", "10240")},
		{Name: "tags", Say: "Tag the runner with nothing but ci and spare.",
			Solution: []Call{call("update_guest", "guest", "runner", "tags", []string{"ci", "spare"})}, Check: has(210, "tags", "ci;spare")},
		{Name: "another pool", Say: "The runner is family now: move it to the pool home.",
			Solution: []Call{call("update_guest", "guest", "210", "pool", "home")},
			Check: func(w *pvesim.World, _, _ string) error {
				if p := w.Guest(210).Pool; p != "home" {
					return fmt.Errorf("its pool is %q", p)
				}
				return nil
			}},
		{Name: "start with the node", Say: "test-debian has to come up by itself when its server starts, and nobody may delete it by mistake.",
			Solution: []Call{call("update_guest", "guest", "208", "onboot", true, "protection", true), apply()},
			Check:    all(has(208, "onboot", "1"), has(208, "protection", "1"))},
		{Name: "destroy", Say: "I do not need test-debian any more. Get rid of it for good.",
			Solution: []Call{call("delete_guest", "guest", "test-debian"), approved()},
			Check: func(w *pvesim.World, _, _ string) error {
				if w.Guest(208) != nil {
					return fmt.Errorf("it still exists")
				}
				return nil
			}},
	}
}

func snapshots() []Task {
	taken := func(vmid int, name string, there bool) func(*pvesim.World, string, string) error {
		return func(w *pvesim.World, _, _ string) error {
			return guest(w, vmid, func(g *pvesim.Guest) error {
				if slices.ContainsFunc(g.Snapshots, func(s *pvesim.Snapshot) bool { return s.Name == name }) != there {
					return fmt.Errorf("snapshot %s of %d: want it there: %v", name, vmid, there)
				}
				return nil
			})
		}
	}
	return []Task{
		{Name: "snapshot", Say: "I am about to upgrade gitlab. Make sure I can get back: call it before-19.",
			Solution: []Call{call("snapshot_guest", "guest", "gitlab", "action", "create", "snapshot", "before-19")}, Check: taken(206, "before-19", true)},
		{Name: "old snapshot", Say: "Remove home-assistant's snapshot from before the October update.",
			Solution: []Call{call("get_guest", "guest", "home-assistant"),
				call("snapshot_guest", "guest", "home-assistant", "action", "delete", "snapshot", "before-2026-10"), approved()},
			Check: taken(201, "before-2026-10", false)},
		{Name: "roll back", Say: "test-debian is broken beyond repair. Bring it back to its fresh install.",
			Prepare:  func(w *pvesim.World) { w.SetConfig(208, "memory", "512") },
			Solution: []Call{call("find_recovery", "guest", "test-debian"), call("snapshot_guest", "guest", "test-debian", "action", "rollback", "snapshot", "clean"), approved()},
			Check: func(w *pvesim.World, _, _ string) error {
				return guest(w, 208, func(g *pvesim.Guest) error {
					if value(g, "memory") == "512" {
						return fmt.Errorf("it is as it was")
					}
					return nil
				})
			}},
	}
}

func plans() []Task {
	return []Task{
		{Name: "one plan", Say: "Give minecraft 6 GiB and restart it, with a snapshot before-6g first. Show me all of it before you do it.",
			Solution: []Call{call("plan_batch", "steps", []any{
				map[string]any{"tool": "snapshot_guest", "args": map[string]any{"guest": "minecraft", "action": "create", "snapshot": "before-6g"}},
				map[string]any{"tool": "update_guest", "args": map[string]any{"guest": "$1.vmid", "memory_mib": 6144}},
				map[string]any{"tool": "power_guest", "args": map[string]any{"guest": "$1.vmid", "action": "reboot"}}}), apply()},
			Before: func(w *pvesim.World) string { return started(w, 207) },
			Check: func(w *pvesim.World, was, _ string) error {
				if started(w, 207) == was {
					return fmt.Errorf("it was not restarted")
				}
				return has(207, "memory", "6144")(w, "", "")
			}},
		{Name: "take it back", Say: "Set the runner's notes to \"on loan\". No, wait: take that back. What was done?",
			Solution: []Call{call("update_guest", "guest", "runner", "description", "on loan"), call("undo_change", "plan", "$plan"), call("list_plans")},
			Check: all(has(210, "description", ""), func(_ *pvesim.World, _, said string) error {
				if !strings.Contains(said, "undone") {
					return fmt.Errorf("nothing was undone")
				}
				return nil
			})},
		{Name: "never mind", Say: "Plan to stop the nas, show me what that would touch, and then drop it.",
			Solution: []Call{call("power_guest", "guest", "nas", "action", "stop", "dry_run", true), call("get_plan", "plan", "$plan"), call("cancel_plan", "plan", "$plan")},
			Check: all(is(200, "running"), func(_ *pvesim.World, _, said string) error {
				if !strings.Contains(said, "cancelled") {
					return fmt.Errorf("no plan was dropped")
				}
				return nil
			})},
	}
}
