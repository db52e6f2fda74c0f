package app

import (
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// planRights are what Terraform's provider needs to plan exported code without a change: the smallest role seen to do it for guests, and
// what storages, networks, SDN, mappings and the firewall take besides (facts: terraform-real-rules.md E2, E5). PVEAuditor is none: it
// lacks VM.Config.Disk and VM.Config.Options (E1).
var planRights = []string{"VM.Audit", "Pool.Audit", "Datastore.Audit", "VM.Config.Disk", "VM.Config.Options",
	"Datastore.Allocate", "Sys.Audit", "SDN.Audit", "SDN.Allocate", "Mapping.Audit"}

// agentRights let the provider ask guest agents: one that is silent then holds a plan for up to 15 minutes (E3). The second one is that of
// Proxmox VE 8.
var agentRights = []string{"VM.GuestAgent.Audit", "VM.Monitor", "VM.GuestAgent.Unrestricted"}

// planLines make a user that can plan and a token for it.
var planLines = []string{
	`pveum role add TerraformPlan --privs "` + strings.Join(planRights, " ") + `"`,
	"pveum user add terraform@pve --comment 'plans the cluster as code'",
	"pveum acl modify / --users terraform@pve --roles TerraformPlan",
	"pveum user token add terraform@pve plan --privsep 0",
}

// code says whether the token can plan exported code, and what can. It is no fault that it cannot: only check_code and plan_code need it.
func (d *clusterDoctor) code(p proxmox.Privileges) {
	var lacks, asks []string
	for _, r := range planRights {
		if !p["/"][r] {
			lacks = append(lacks, r)
		}
	}
	for _, rights := range p {
		for r, has := range rights {
			if has && slices.Contains(agentRights, r) && !slices.Contains(asks, r) {
				asks = append(asks, r)
			}
		}
	}
	slices.Sort(asks)
	least := "the least role that can, as root on a node: " + strings.Join(planLines, "; ") + "; then set " + envCodeToken
	switch {
	case len(lacks) > 0:
		d.bad(CheckOK, "code", least, "code check cannot plan exported code with this token: it lacks %s", strings.Join(lacks, ", "))
	case len(asks) > 0:
		d.bad(CheckOK, "code", least, "code check can plan, but this token asks guest agents (%s), and a silent one holds a plan up", strings.Join(asks, ", "))
	default:
		d.ok("code", "code check can plan exported code with this token")
	}
}
