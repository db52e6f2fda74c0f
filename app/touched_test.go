package app

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// process is the program over a household's store, as one of several processes has it.
type process struct {
	t *testing.T
	p *parts
	d tools.Deps
}

func newProcess(t *testing.T, h *household) *process {
	t.Helper()
	p, err := h.app.build(h.config(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.grants.Process = []change.Grant{{Tier: change.Reversible}}
	return &process{t, p, h.app.deps(p, server.LocalPrincipal(), "stdio")}
}

func (p *process) ask(tool, args string) string {
	p.t.Helper()
	spec, err := tools.Find(tool)
	if err != nil {
		p.t.Fatal(err)
	}
	res, err := spec.Call(p.t.Context(), p.d, []byte(args))
	if err != nil {
		p.t.Fatalf("%s: %v", tool, err)
	}
	v := res.Answer.View(p.d)
	return v.Compact()
}

// TestStateAfterChange: get_guest shows what a change made although cluster/resources still shows guests as they were: in the process that
// changed it, and in one that was there before and one that comes later.
func TestStateAfterChange(t *testing.T) {
	h := newHousehold(t)
	one, other := newProcess(t, h), newProcess(t, h)
	for _, p := range []*process{other, one} {
		if got := p.ask("get_guest", `{"guest":"208"}`); !strings.Contains(got, "on pve1: stopped") {
			t.Fatalf("before: %s", got)
		}
	}
	h.sim.AddFault(pvesim.StaleStatistics(time.Minute))
	if got := one.ask("power_guest", `{"guest":"208","action":"start"}`); !strings.Contains(got, "it is running") {
		t.Fatalf("start: %s", got)
	}
	for name, p := range map[string]*process{"who changed it": one, "another process": other, "a new process": newProcess(t, h)} {
		if got := p.ask("find_guests", `{"query":"state:running","fresh":true}`); !strings.Contains(got, "test-debian") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := other.ask("get_guest", `{"guest":"208"}`); !strings.Contains(got, "on pve1: running") {
		t.Errorf("another process: %s", got)
	}
}
