package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestReadOnlySendsNoWrite calls every tool at random, listed or not, on a server that nothing is allowed to: Proxmox VE sees only reading.
func TestReadOnlySendsNoWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMatrixRig(t, &faultRow{})
		defer m.close()
		if _, err := m.sync(); err != nil {
			t.Fatal(err)
		}
		m.sim.ResetStats()
		rng, refused, calls := rand.New(rand.NewPCG(3, 3)), 0, 0
		deps := tools.Deps{Inventory: m.parts.inv, Changes: m.parts.eng, Code: m.parts.code, Who: change.Caller{Principal: "local:1000", Door: "stdio"}, Now: time.Now, Zone: time.UTC,
			Accepted: true}
		for _, spec := range tools.All() {
			for range 12 {
				raw, err := json.Marshal(randomInput(rng, &spec))
				if err != nil {
					t.Fatal(err)
				}
				calls++
				if _, err := spec.Call(t.Context(), deps, raw); err != nil {
					refused++
				}
			}
		}
		if n := m.sim.Stats().Writes; n != 0 || refused == 0 || refused == calls {
			t.Errorf("%d writes were sent; %d of %d calls were refused", n, refused, calls)
		}
	})
}

// randomInput fills inputs of a tool with what fits mostly.
func randomInput(rng *rand.Rand, s *tools.Spec) map[string]any {
	var schema struct {
		Properties map[string]struct {
			Type string   `json:"type"`
			Enum []string `json:"enum"`
		} `json:"properties"`
		Required []string `json:"required"`
	}
	if json.Unmarshal(s.InputSchema(tools.Caller{Level: tools.R4}), &schema) != nil {
		return nil
	}
	in := map[string]any{}
	if len(s.Examples) > 0 && rng.IntN(3) > 0 {
		maps.Copy(in, s.Examples[rng.IntN(len(s.Examples))].Args)
		delete(in, "dry_run")
	}
	texts := []string{fmt.Sprint(onNode1), fmt.Sprint(stoppedID), "tag:web", "state:stopped", "memory=4096", "before", "2h", "p-7k3f9q2m", "node01"}
	for name, p := range schema.Properties {
		if _, has := in[name]; has && rng.IntN(2) == 0 || rng.IntN(3) == 0 {
			continue
		}
		switch {
		case len(p.Enum) > 0:
			in[name] = p.Enum[rng.IntN(len(p.Enum))]
		case p.Type == "boolean":
			in[name] = rng.IntN(2) == 0
		case p.Type == "integer":
			in[name] = rng.IntN(20)
		case p.Type == "string" && name == "guest":
			in[name] = texts[rng.IntN(2)]
		case p.Type == "string":
			in[name] = texts[rng.IntN(len(texts))]
		}
	}
	if in["guest"] != nil {
		delete(in, "query")
	}
	return in
}
