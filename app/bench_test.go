package app

import (
	"encoding/json"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"strconv"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// BenchmarkTools is the cost of each read from state at 1,000 guests, from decoding the arguments to the text that goes out.
func BenchmarkTools(b *testing.B) {
	w := pvesim.GenerateWorld(pvesim.GenOptions{Seed: 7, Nodes: 5, Guests: 1000, Now: time.Now()})
	r := newRig(b, w)
	r.sync(b)
	a := &App{Clock: time.Now}
	d := a.deps(r.parts, server.LocalPrincipal(), "cli")
	guest := strconv.Itoa(w.Guests()[0].VMID)
	for _, c := range []struct{ tool, args string }{
		{"get_overview", `{}`}, {"find_guests", `{}`}, {"get_guest", `{"guest":"` + guest + `"}`}, {"list_nodes", `{}`}, {"check_health", `{}`},
	} {
		spec, err := tools.Find(c.tool)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.tool, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				res, err := spec.Call(b.Context(), d, json.RawMessage(c.args))
				if err != nil {
					b.Fatal(err)
				}
				_ = res.Answer.View(d).Compact()
			}
		})
	}
}
