package tools

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// TestPendingSettings: what a running machine was given and does not have yet is told; one that is off, and a container, have no such thing.
func TestPendingSettings(t *testing.T) {
	ask := func(change func(g *inventory.GuestDetail)) string {
		f := &fake{guest: oneGuest()}
		change(&f.guest)
		return text(t, f, "get_guest", `{"guest":"104"}`)
	}
	const line = "pending, at its next start: memory 8192 > 12288 MiB, cpus 4 > 6"
	more := func(g *inventory.GuestDetail) { g.Config["memory"], g.Config["cores"] = "12288", "6" }
	if got := ask(more); !strings.Contains(got, line) {
		t.Error(got)
	}
	for name, c := range map[string]func(g *inventory.GuestDetail){
		"nothing waits": func(*inventory.GuestDetail) {},
		"it is off":     func(g *inventory.GuestDetail) { more(g); g.State = "stopped" },
		"a container":   func(g *inventory.GuestDetail) { more(g); g.Type = pve.LXC },
		"written anew":  func(g *inventory.GuestDetail) { g.Config["memory"] = "current=8192" },
	} {
		if got := ask(c); strings.Contains(got, "pending") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}
