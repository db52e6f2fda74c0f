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
		"auditor":  {proxmox.Privileges{"/": auditor}, `it lacks VM.Config.Disk, VM.Config.Options, Datastore.Allocate, SDN.Allocate; the least role`, "PVEAuditor"},
		"planner":  {proxmox.Privileges{"/": all}, "can plan exported code with this token", "least"},
		"asks one": {proxmox.Privileges{"/": all, "/vms/100": {"VM.GuestAgent.Audit": true}}, "asks guest agents (VM.GuestAgent.Audit)", "PVEAuditor"},
	} {
		d := &clusterDoctor{}
		d.code(c.p)
		if got := d.list[0]; got.State != CheckOK || !strings.Contains(got.Result, c.want) || strings.Contains(got.Result, c.miss) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
