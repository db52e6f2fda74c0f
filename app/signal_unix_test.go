//go:build unix

package app

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

// TestStopSignal: SIGUSR1 is the emergency stop, for good.
func TestStopSignal(t *testing.T) {
	h := newHousehold(t)
	h.allow(change.Grant{Tier: change.Host})
	h.serve(cli.ServeOptions{})
	if !h.lists("power_guest") {
		t.Fatal("nothing is listed that writes")
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if !h.told(time.Second) || h.lists("power_guest") {
		t.Error("the server goes on")
	}
	if s := (change.StopFile{Path: h.app.stopPath()}).State(time.Now()); !s.On {
		t.Error("it ends with the process")
	}
}
