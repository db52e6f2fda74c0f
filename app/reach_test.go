package app

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// hidden stands in names of the cluster that a credential does not reach.
const hidden = "betrayed"

// TestOneClusterOfTwo asks every tool, for a caller whose credential reaches one of two clusters: no answer and no error names anything of
// the other one, a guest of it is not known, and naming it is answered as naming none that there is (S34).
func TestOneClusterOfTwo(t *testing.T) {
	a, b := twinSim(t, 1), twinSim(t, 2)
	b.Update(func(w *pvesim.World) {
		w.SetConfig(1000, "name", hidden+"-guest")
		w.SetConfig(1000, "tags", hidden)
		w.SetStatus(1000, "stopped")
	})
	p := openTwins(t, &config.Config{Clusters: []config.Cluster{given(t, "lab-a", a, "node01"), given(t, hidden, b, "node01")}})
	if err := p.inv.Complete(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	deps := (&App{Clock: time.Now}).deps(p, server.LocalPrincipal(), "http")
	all := t.Context()
	bound := reach.With(all, reach.Reach{Tier: int(tools.R4), Clusters: []string{"lab-a"}})
	ask := func(ctx context.Context, s tools.Spec, in map[string]any) string {
		raw, _ := json.Marshal(in)
		res, err := s.Call(ctx, deps, raw)
		if err != nil {
			return tools.ErrorText(err)
		}
		return res.Answer.View(deps).Compact()
	}
	seen := 0
	for _, s := range tools.All() {
		if strings.Contains(s.Name, "_code") && s.Name != "describe_as_code" && s.Name != "export_code" && s.Name != "diff_code" {
			continue // terraform would be started; it is asked for the folder of a cluster that these tell
		}
		for _, e := range s.Examples {
			for _, cluster := range []string{"", "lab-a"} {
				in := map[string]any{}
				maps.Copy(in, e.Args)
				for _, k := range []string{"guest", "object"} {
					if _, ok := in[k]; ok {
						in[k] = "1000"
					}
				}
				if _, ok := in["node"]; ok {
					in["node"] = "node01"
				}
				if cluster != "" {
					in["cluster"] = cluster
				}
				if s.Tier > tools.R0 {
					in["dry_run"] = true
				}
				text := ask(bound, s, in)
				if strings.Contains(text, hidden) {
					t.Errorf("%s %v names the other cluster:\n%s", s.Name, in, text)
				}
				if cluster == "" && strings.Contains(ask(all, s, in), hidden) {
					seen++
				}
			}
			named, none := map[string]any{}, map[string]any{}
			for k, v := range e.Args {
				named[k], none[k] = v, v
			}
			named["cluster"], none["cluster"] = hidden, "no-such"
			if got, want := strings.ReplaceAll(ask(bound, s, named), hidden, "no-such"), ask(bound, s, none); got != want {
				t.Errorf("%s tells a cluster that is not reached from one that is not there:\n%s\n%s", s.Name, got, want)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d answers name the other cluster to who reaches it: nothing is shown by the others", seen)
	}
	for _, guest := range []string{hidden + "-guest", hidden + "-gues"} {
		for _, s := range tools.All() {
			if s.Name != "get_guest" && s.Name != "power_guest" {
				continue
			}
			text := ask(bound, s, map[string]any{"guest": guest, "action": "start"})
			if s.Name == "get_guest" {
				text = ask(bound, s, map[string]any{"guest": guest})
			}
			if !strings.Contains(text, "not_found") || strings.Contains(strings.ReplaceAll(text, guest, ""), hidden) {
				t.Errorf("%s %s: %s", s.Name, guest, text)
			}
		}
	}
	if text := ask(reach.With(all, reach.Reach{Clusters: []string{"gone"}}), tools.All()[0], nil); !strings.Contains(text, "denied") {
		t.Errorf("a credential of a cluster that there is no more: %s", text)
	}
}
