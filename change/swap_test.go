package change

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestSwap: a guest that was restored beside takes name and addresses of the other one, which is kept off; an undo leaves both as they were.
func TestSwap(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		for _, of := range []int{likeRunning, likeContainer} {
			s := sample{of: of}
			s.make(r, 1000+of)
			s.make(r, 2000+of)
			key := "name"
			if of == likeContainer {
				key = "hostname"
			}
			r.sim.Update(func(w *pvesim.World) {
				card := fmt.Sprint(w.Guest(2000 + of).Config["net0"])
				card = strings.TrimSuffix(strings.Replace(card, mac.FindString(card), "BC:24:11:00:00:99", 1), ",type=veth") + ",link_down=1"
				if of == likeContainer { // as Proxmox VE sorts it
					card += ",type=veth"
				}
				w.SetConfig(2000+of, "net0", card)
				w.SetConfig(2000+of, key, "web-restored")
				w.SetConfig(1000+of, key, "web")
				w.SetConfig(1000+of, "onboot", 1)
				w.SetStatus(2000+of, "stopped")
			})
			before := picture(r)
			q := Request{Tool: "test", Guests: []string{fmt.Sprint(1000 + of), fmt.Sprint(2000 + of)}, Action: Swap{}, Caller: agent}
			p, err := r.Propose(t.Context(), q)
			if err != nil || p.Body.Tier != Disruptive {
				t.Fatalf("%v %s", err, p.Body.Tier)
			}
			if done := r.apply(p.ID); done.State != Done {
				t.Fatalf("%d: %s: %s", of, done.State, done.Note)
			}
			old, now := fmt.Sprint(r.config(1000+of, "net0")), fmt.Sprint(r.config(2000+of, "net0"))
			if r.running(1000+of) || !r.running(2000+of) || r.config(1000+of, key) != "web-old" || r.config(2000+of, key) != "web" ||
				!strings.Contains(old, "link_down=1") || strings.Contains(now, "link_down") || mac.FindString(old) != mac.FindString(now) {
				t.Errorf("%s %s, %v %v", old, now, r.config(1000+of, key), r.config(2000+of, key))
			}
			u, err := r.Undo(t.Context(), p.ID, agent)
			if err != nil {
				t.Fatal(err)
			}
			r.approved(u)
			if done := r.apply(u.ID); done.State != Done {
				t.Fatalf("undo: %s: %s", done.State, done.Note)
			}
			if diff := cmp.Diff(before, picture(r)); diff != "" {
				t.Errorf("left is (-before +after):\n%s", diff)
			}
		}
		_, err := r.Propose(t.Context(), Request{Tool: "test", Guests: []string{"1207", "1105"}, Action: Swap{}, Caller: agent})
		if fault.CodeOf(err) != fault.Conflict {
			t.Errorf("a machine for a container: %v", err)
		}
	})
}
