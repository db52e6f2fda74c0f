package terraform_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const zooFolder = "../../../shared/terraform/zoo"

// zoo is the world of real guests, and what the real provider plans of each.
func zoo(t testing.TB) (*iac.World, map[string]int) {
	t.Helper()
	entries, err := os.ReadDir(zooFolder)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	w := &iac.World{Cluster: "zoo"}
	imports := map[string]int{}
	for _, e := range entries {
		dir := filepath.Join(zooFolder, e.Name())
		var config, status struct{ Data json.RawMessage }
		var about struct {
			Node  string
			Pools []string
		}
		var plan struct{ Import int }
		for name, into := range map[string]any{"config.json": &config, "status.json": &status, "context.json": &about, "expected-plan.json": &plan} {
			raw, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				err = json.Unmarshal(raw, into)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		var st struct{ Status string }
		if err := json.Unmarshal(status.Data, &st); err != nil {
			t.Fatal(err)
		}
		parts := strings.SplitN(e.Name(), "-", 3)
		vmid, err := strconv.Atoi(parts[1])
		if err != nil {
			t.Fatal(err)
		}
		row := store.Guest{VMID: vmid, Type: map[string]string{"vm": "qemu", "ct": "lxc"}[parts[0]], Node: about.Node, Status: st.Status}
		if len(about.Pools) > 0 {
			row.Pool = about.Pools[0]
		}
		g, err := iac.NewGuest(&row, config.Data)
		if err != nil {
			t.Fatal(err)
		}
		w.Guests = append(w.Guests, g)
		imports[g.ID()] = plan.Import
	}
	w.Sort()
	return w, imports
}

func emit(t testing.TB, w *iac.World) iac.Result {
	t.Helper()
	e, err := terraform.New("")
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Emit(w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestZooFigures wants unreadable guests to be found beforehand, nearly all keys to be represented and nearly nothing written to be ignored.
func TestZooFigures(t *testing.T) {
	w, imports := zoo(t)
	r := emit(t, w)
	keys := map[iac.How]int{}
	for _, c := range r.Coverage {
		if want := imports[c.ID] == 1; c.Kind == store.KindGuest && !strings.Contains(c.ID, "#") && want != (c.Status == iac.Written) {
			t.Errorf("%s %s: %s (%s), the provider reads it: %v", c.ID, c.Name, c.Status, c.Why, want)
		}
		for _, k := range c.Keys {
			if !strings.Contains(k.Key, ".") {
				keys[k.How]++
			}
		}
	}
	represented := keys[iac.Kept] + keys[iac.Ignored] + keys[iac.Default]
	share := float64(represented) / float64(represented+keys[iac.Unrepresented])
	t.Logf("%.1f %% of the keys of readable guests are represented: %v", 100*share, keys)
	if share < 0.95 {
		t.Error("less than 95 %")
	}
}
