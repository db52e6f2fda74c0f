package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// meddler is somebody who takes a vmid between plan and apply, as often as he is told.
type meddler struct {
	tools.Changes
	m     *matrixRig
	times int
	took  []int
}

func (c *meddler) Apply(ctx context.Context, id string, who change.Caller, o change.ApplyOptions) (change.Plan, error) {
	if p, err := c.Plan(ctx, id, who); err == nil && c.times > 0 {
		c.times--
		for k := range p.Body.Steps {
			if s := &p.Body.Steps[k]; s.Makes {
				c.m.sim.Update(func(w *pvesim.World) {
					w.AddGuest(&pvesim.Guest{VMID: s.Target.VMID, Type: "qemu", Node: w.Nodes[0].Name, Config: pvesim.Object{"name": "somebody-else"}})
				})
				c.took = append(c.took, s.Target.VMID)
			}
		}
	}
	return c.Changes.Apply(ctx, id, who, o)
}

// TestTakenVMID: a vmid that was chosen and is taken before it is used is chosen again, also where an image was fetched first; one that the
// caller named is not. What the others made is left alone.
func TestTakenVMID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tool string
		args       map[string]any
		times      int
		done       bool
	}{
		{"machine", "create_vm", map[string]any{"name": "made"}, 1, true},
		{"machine of an image that is fetched first", "create_vm", map[string]any{"name": "made", "image": "debian", "agent": false}, 1, true},
		{"container, twice", "create_container", map[string]any{"name": "made", "template": "alpine"}, 2, true},
		{"restored beside", "restore_guest", map[string]any{"guest": fmt.Sprint(onNode2), "action": "beside", "name": "made"}, 1, true},
		{"a vmid that was named", "create_vm", map[string]any{"name": "made", "vmid": 4711}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				row := creatingRow()
				if c.tool == "restore_guest" {
					row.prepare = nil
				}
				m := newMatrixRig(t, row)
				defer m.close()
				if _, err := m.sync(); err != nil {
					t.Fatal(err)
				}
				m.parts.sheriff.Grants = func(context.Context) ([]change.Grant, error) { return []change.Grant{{Tier: change.Host}}, nil }
				by := &meddler{Changes: m.parts.eng, m: m, times: c.times}
				deps := tools.Deps{Inventory: m.parts.inv, Changes: by, Who: change.Caller{Principal: "local:1000", Door: "stdio"}, Now: time.Now, Zone: time.UTC}
				if c.tool == "restore_guest" {
					by.times = 0
					if text, err := answered(t, deps, "backup_guest", map[string]any{"guest": c.args["guest"], "wait_s": 45}); err != nil || !strings.Contains(text, ": done") {
						t.Fatalf("%v\n%s", err, text)
					}
					by.times = c.times
				}
				args := maps.Clone(c.args)
				args["wait_s"] = 45
				text, err := answered(t, deps, c.tool, args)
				if done := err == nil && strings.Contains(text, ": done"); done != c.done || len(by.took) != c.times {
					t.Fatalf("%v, taken %v\n%s", err, by.took, text)
				}
				m.sim.Update(func(w *pvesim.World) {
					for _, id := range by.took {
						if w.Guest(id) == nil || w.Guest(id).Config["name"] != "somebody-else" {
							t.Errorf("%d is not as the others left it", id)
						}
					}
					made := slices.DeleteFunc(w.Guests(), func(g *pvesim.Guest) bool { return g.Config["name"] != "made" && g.Config["hostname"] != "made" })
					if (len(made) == 1) != c.done {
						t.Errorf("%d guests were made", len(made))
					}
				})
			})
		})
	}
}

// TestAddressLater: who does not wait long enough for an address is told where it will be.
func TestAddressLater(t *testing.T) {
	t.Parallel()
	createBubble(t, func(t *testing.T, _ *matrixRig, call func(string, map[string]any) (string, error)) {
		text, err := call("create_vm", map[string]any{"name": "docker", "image": "debian", "wait_for": "address", "wait_s": 0})
		if err != nil || !strings.Contains(text, "get_plan p-") || !strings.Contains(text, "once it is done get_guest 100 shows the address") {
			t.Fatalf("%v\n%s", err, text)
		}
		if text, err = call("get_plan", map[string]any{"plan": planIn(text), "wait_s": 45}); err != nil || !strings.Contains(text, ": done") {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}
