package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestTerraformCodeLife goes on with a folder whose guests are in terraform's state: one is renamed, one moves to another node, one is
// started, one goes, one cannot be read any more and one comes. The code that is written again changes and destroys nothing.
func TestTerraformCodeLife(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.Node("pve3").Online = true
	for i, name := range []string{"renamed", "moved", "started", "gone", "unreadable"} {
		w.AddGuest(&pvesim.Guest{VMID: 3000 + i, Type: "qemu", Node: "pve1", Config: pvesim.Object{"name": name, "memory": "2048", "ostype": "l26", "scsihw": "lsi"}})
	}
	c := startCoded(t, w)
	c.wantClean(t)
	c.sim.Update(func(w *pvesim.World) {
		w.SetConfig(3000, "name", "other")
		w.MoveGuest(3001, "pve2")
		w.SetStatus(3002, "running")
		w.RemoveGuest(3003)
		w.SetConfig(3004, "migrate_downtime", "0.3")
		w.AddGuest(&pvesim.Guest{VMID: 3005, Type: "qemu", Node: "pve1", Config: pvesim.Object{"name": "other", "memory": "2048", "ostype": "l26", "scsihw": "lsi"}})
	})
	held := map[string]bool{}
	for _, a := range c.code.Held {
		held[a] = true
	}
	c.refresh(t)
	c.world.Options.Held = held
	c.export(t)
	if got := c.world.Known[c.world.Guest(3000).Key("terraform")]; !strings.HasSuffix(got, ".renamed") {
		t.Errorf("the renamed guest's address is %s", got)
	}
	out := c.tf.run(t, 2, c.token, "plan", "-detailed-exitcode", "-out=again.tfplan")
	for _, want := range []string{"Plan: 1 to import, 0 to add, 0 to change, 0 to destroy.", ".gone will no longer be managed", ".unreadable will no longer be managed"} {
		if !strings.Contains(out, want) {
			t.Errorf("want %q in\n%s", want, changesOnly(out))
		}
	}
	writes := len(c.writes())
	c.tf.run(t, 0, c.token, "apply", "again.tfplan")
	if sent := c.writes()[writes:]; len(sent) > 0 {
		t.Errorf("the apply sent %v", sent)
	}
	c.tf.run(t, 0, c.token, "plan", "-detailed-exitcode")
	for _, cov := range c.code.Coverage {
		if cov.Kind == store.KindGuest && cov.ID == "3004" && cov.Status != iac.Unreadable {
			t.Errorf("guest 3004 is %s", cov.Status)
		}
	}
}
