package app

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Two clusters whose nodes, vmids and storages have the same names: each tool that reads names the cluster of each row, or refuses, naming
// the input that says which and the clusters that there are. Nothing is guessed.
func TestTwoClustersAreToldApart(t *testing.T) {
	a, b := twinSim(t, 1), twinSim(t, 2)
	b.Update(func(w *pvesim.World) { // each has a problem
		w.SetConfig(1000, "onboot", 1)
		w.SetStatus(1000, "stopped")
	})
	p := openTwins(t, &config.Config{Clusters: []config.Cluster{given(t, "lab-a", a, "node01"), given(t, "lab-b", b, "node01")}})
	if err := p.inv.Complete(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	deps := (&App{Clock: time.Now}).deps(p, server.LocalPrincipal(), "test")
	const rows, refusal, each = "rows name their cluster", "refused", "a part for each cluster"
	type args = map[string]any
	cases := map[string]map[string][]args{
		"get_overview":         {each: {{}}},
		"find_guests":          {rows: {{}, {"query": "node:node01"}}},
		"get_guest":            {refusal: {{"guest": "1000"}, {"guest": "web-3"}}},
		"diagnose_guest":       {refusal: {{"guest": "1000"}}},
		"list_nodes":           {rows: {{}}},
		"get_node":             {refusal: {{"node": "node01"}}},
		"list_storage":         {rows: {{}, {"storage": "local", "node": "node01"}}},
		"list_volumes":         {rows: {{}, {"node": "node01"}, {"storage": "local-lvm"}}, refusal: {{"guest": "1000"}}},
		"list_backups":         {rows: {{}, {"missing_since": "7d"}}, refusal: {{"guest": "1000"}}},
		"get_file_from_backup": {refusal: {{"guest": "1000"}}},
		"list_networks":        {rows: {{}, {"node": "node01"}}},
		"find_tasks":           {rows: {{}, {"node": "node01"}}, refusal: {{"guest": "1000"}}},
		"find_changes":         {refusal: {{"object": "1000"}}},
		"get_metrics":          {refusal: {{"object": "1000"}, {"object": "node01"}, {"object": "local"}, {"object": "storage node01/local"}}},
		"get_history":          {refusal: {{"object": "1000"}, {"object": "node01"}, {"object": "local"}}},
		"find_recovery":        {refusal: {{"guest": "1000"}}},
		"read_log":             {refusal: {{"node": "node01"}}},
		"check_health":         {rows: {{}}},
		"check_access":         {each: {{}}},
		"list_clusters":        {each: {{}}},
		"sync_inventory":       {each: {{}}},
		"export_code":          {refusal: {{}}},
		"diff_code":            {refusal: {{}}},
		"run_checks":           {refusal: {{}}},
		"check_code":           {refusal: {{}}},
		"get_agent_info":       {refusal: {{"guest": "1000"}}},
		"describe_as_code":     {refusal: {{"guest": "1000"}}},
	}
	for _, s := range tools.Listed(tools.R0) {
		if _, ok := cases[s.Name]; !ok && !slices.Contains([]string{"get_task", "find_operations"}, s.Name) { // a handle names one task; operations are this server's own
			t.Errorf("%s is no case", s.Name)
		}
		for want, list := range cases[s.Name] {
			for _, in := range list {
				raw, _ := json.Marshal(in)
				t.Run(s.Name+" "+string(raw), func(t *testing.T) {
					res, err := s.Call(t.Context(), deps, raw)
					if err != nil {
						text := tools.ErrorText(err)
						if e := fault.Of(err); want != refusal || e.Field != "cluster" || !strings.Contains(text, "lab-a") || !strings.Contains(text, "lab-b") {
							t.Errorf("%s wanted, got field %q:\n%s", want, e.Field, text)
						}
						return
					}
					view := res.Answer.View(deps)
					text := view.Compact()
					if !strings.Contains(text, "lab-a") || !strings.Contains(text, "lab-b") || want == refusal {
						t.Errorf("%s wanted:\n%s", want, text)
					}
					if want != rows {
						return
					}
					for _, b := range view.Blocks {
						if b.Table == nil {
							continue
						}
						at := slices.Index(b.Table.Columns, "cluster")
						for _, r := range b.Table.Rows {
							if at < 0 || r[at] != "lab-a" && r[at] != "lab-b" {
								t.Errorf("table %s: columns %v, row %q", b.Table.Name, b.Table.Columns, r)
							}
						}
					}
				})
			}
		}
	}
}
