package app

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// TestDoctorCode names what a token lacks to plan code and prints a role that can, which is never PVEAuditor; a token that may ask guest
// agents is told.
func TestDoctorCode(t *testing.T) {
	t.Parallel()
	all := map[string]bool{}
	for _, r := range planRights {
		all[r] = true
	}
	auditor := map[string]bool{"VM.Audit": true, "Pool.Audit": true, "Datastore.Audit": true, "Sys.Audit": true, "SDN.Audit": true, "Mapping.Audit": true, "VM.GuestAgent.Audit": true}
	for name, c := range map[string]struct {
		p          proxmox.Privileges
		want, miss string
	}{
		"auditor":  {proxmox.Privileges{"/": auditor}, `it lacks VM.Config.Disk, VM.Config.Options, Datastore.Allocate, SDN.Allocate; fix: the least role`, "PVEAuditor"},
		"planner":  {proxmox.Privileges{"/": all}, "can plan exported code with this token", "least"},
		"asks one": {proxmox.Privileges{"/": all, "/vms/100": {"VM.GuestAgent.Audit": true}}, "asks guest agents (VM.GuestAgent.Audit)", "PVEAuditor"},
	} {
		d := &clusterDoctor{}
		d.code(c.p)
		got := d.list[0]
		if text := got.Result + "; fix: " + got.Fix; got.State != CheckOK || !strings.Contains(text, c.want) || strings.Contains(text, c.miss) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
