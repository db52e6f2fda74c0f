package app

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestLimitTokens holds the answers about whole simulated clusters to what they may cost a model (o200k tokens, DESIGN §10).
func TestLimitTokens(t *testing.T) {
	large := newRig(t, pvesim.GenerateWorld(pvesim.GenOptions{Seed: 5, Nodes: 5, Guests: 1000, Snapshots: 30, Now: time.Now()}))
	large.sync(t)
	small := newRig(t, pvesim.DemoWorld(time.Now()))
	small.sync(t)
	for _, c := range []struct {
		name, tool, args string
		r                *rig
		limit            int
	}{
		{"overview of 1,000 guests", "get_overview", `{}`, large, 400},
		{"page one of 1,000 guests", "find_guests", `{}`, large, 1100},
		{"100 guests", "find_guests", `{"limit":100}`, large, 1900},
		{"overview of the demo", "get_overview", `{}`, small, 500},
		{"guest of the demo", "get_guest", `{"guest":"home-assistant"}`, small, 350},
		{"guest of the demo, full", "get_guest", `{"guest":"home-assistant","detail":"full"}`, small, 900},
		{"nodes of the demo", "list_nodes", `{}`, small, 350},
		{"health of the demo", "check_health", `{}`, small, 900},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := &App{Clock: time.Now}
			spec, err := tools.Find(c.tool)
			if err != nil {
				t.Fatal(err)
			}
			res, err := spec.Call(t.Context(), a.deps(c.r.parts, server.LocalPrincipal(), "stdio"), json.RawMessage(c.args))
			if err != nil {
				t.Fatal(err)
			}
			text := res.Answer.View(a.deps(c.r.parts, server.LocalPrincipal(), "stdio")).Compact()
			enc, err := tokenizer.Get(tokenizer.O200kBase)
			if err != nil {
				t.Fatal(err)
			}
			ids, _, err := enc.Encode(text)
			if err != nil {
				t.Fatal(err)
			}
			limits.Report(t, limits.Row{Name: "answer: " + c.name + ", tokens", Measured: fmt.Sprint(len(ids)), Reference: "a simulated cluster", Value: float64(len(ids)), Limit: float64(c.limit)})
			if t.Failed() {
				t.Log(text)
			}
		})
	}
}
