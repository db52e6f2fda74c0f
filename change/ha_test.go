package change

import (
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestHA (F26): the manager acts after the task that asks it has ended; done is said when the guest itself shows it.
func TestHA(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		const managed = 203 // docker2 of the demo
		r.guests.ha = map[int]string{managed: "started"}
		r.do(managed, Power{Verb: "stop"})
		if r.running(managed) {
			t.Error("a stop is done, and the guest runs")
		}
		r.sim.Update(func(w *pvesim.World) {
			if tasksOfGuest(w, managed, "hastop") != 1 {
				t.Error("the manager was not asked")
			}
		})
		p := r.do(managed, Power{Verb: "start"})
		if !r.running(managed) {
			t.Error("a start is done, and the guest does not run")
		}
		if task := p.Body.Steps[0].Task; task != "hastart" {
			t.Errorf("the task that is looked for is %s", task)
		}
	})
}

// TestRootOnly (F36): what no token may set is refused when it is planned.
func TestRootOnly(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for key, value := range map[string]string{"args": "-cpu host", "hookscript": "local:snippets/x.sh", "lock": "backup"} {
			_, err := r.Propose(t.Context(), Request{Guest: "208", Action: Configure{Set: map[string]string{key: value}}, Caller: agent})
			if fault.CodeOf(err) != fault.Forbidden {
				t.Errorf("%s: %v", key, err)
			}
		}
		r.sim.Update(func(w *pvesim.World) {
			if g := w.Guest(208); g.Config["args"] != nil || g.Config["hookscript"] != nil {
				t.Error("it was set")
			}
		})
	})
}
