package app

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestStateAfterChange: get_guest shows what a change made although cluster/resources still shows guests as they were.
func TestStateAfterChange(t *testing.T) {
	h := newHousehold(t)
	p, err := h.app.build(h.config(), h.app.logger(cli.Globals{}, h.app.Stderr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	p.grants.Process = []change.Grant{{Tier: change.Reversible}}
	d := h.app.deps(p, server.LocalPrincipal(), "stdio")
	ask := func(tool, args string) string {
		t.Helper()
		spec, err := tools.Find(tool)
		if err != nil {
			t.Fatal(err)
		}
		res, err := spec.Call(t.Context(), d, []byte(args))
		if err != nil {
			t.Fatalf("%s: %v", tool, err)
		}
		v := res.Answer.View(d)
		return v.Compact()
	}
	if got := ask("get_guest", `{"guest":"208"}`); !strings.Contains(got, "on pve1: stopped") {
		t.Fatalf("before: %s", got)
	}
	h.sim.AddFault(pvesim.StaleStatistics(time.Minute))
	if got := ask("power_guest", `{"guest":"208","action":"start"}`); !strings.Contains(got, "it is running") {
		t.Fatalf("start: %s", got)
	}
	if got := ask("get_guest", `{"guest":"208"}`); !strings.Contains(got, "on pve1: running") {
		t.Errorf("after: %s", got)
	}
}
