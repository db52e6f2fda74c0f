package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// recipe is what a token needs for the tools of a level, as commands for root's shell on a node.
type recipe struct {
	Level      tools.Tier
	Role       string   // "" where PVEAuditor does
	Privileges []string // of the role, besides those of PVEAuditor; sorted
	Lines      []string
	Without    []string // what tools of the level could use, and is left out with a reason
}

// withheld are privileges that no level below gets, whatever a tool of it could do with them: they reach beyond guests (security.md 6),
// or stand for an action of a higher level.
func withheld(priv string) (from tools.Tier, why string) {
	switch priv {
	case "VM.Snapshot.Rollback":
		return tools.R3, ""
	case "Sys.PowerMgmt":
		return tools.R4, ""
	case "Sys.Modify":
		return tools.R4, "backup jobs cannot be changed, nor tasks of others ended: that right also changes nodes"
	case "Datastore.Allocate":
		return tools.R4, "volumes other than backups cannot be deleted: that right also removes storages"
	}
	if strings.HasPrefix(priv, "VM.GuestAgent.") && priv != "VM.GuestAgent.Audit" || priv == "VM.Console" {
		return tools.R4, "nothing can be run, read or written inside of guests"
	}
	return tools.R0, ""
}

// recipeFor makes the recipe out of the needs in the table of tools, so that no tool can be forgotten.
func recipeFor(level tools.Tier) recipe {
	r := recipe{Level: level}
	roles := "PVEAuditor"
	if level > tools.R0 {
		r.Role = "MCP" + strings.ToUpper(level.String()[:1]) + level.String()[1:]
		roles += "," + r.Role
		r.gather()
		r.Lines = append(r.Lines, fmt.Sprintf("pveum role add %s --privs %s", r.Role, strings.Join(r.Privileges, ",")))
	}
	r.Lines = append(r.Lines,
		"pveum user add "+setupUser+" --comment 'proxmox-mcp'",
		"pveum acl modify / --users "+setupUser+" --roles "+roles,
		"pveum user token add "+setupUser+" "+setupToken+" --privsep 0")
	return r
}

func (r *recipe) gather() {
	var privs []string
	for _, s := range tools.Listed(r.Level) {
		for _, n := range s.Needs {
			p := n.Privileges[0]
			from, why := withheld(p)
			switch {
			case strings.HasSuffix(p, ".Audit") || p == "Sys.Syslog": // PVEAuditor has it, or it is not asked for
			case from <= r.Level:
				privs = append(privs, p)
			case why != "" && !slices.Contains(r.Without, why):
				r.Without = append(r.Without, why)
			}
		}
	}
	slices.Sort(privs)
	r.Privileges = slices.Compact(privs)
}

// can says what a token of the recipe is good for.
func (r recipe) can() string {
	switch r.Level {
	case tools.R0:
		return "read everything"
	case tools.R1:
		return "read everything and make reversible changes"
	}
	return "read everything and make changes up to " + r.Level.String() + " ones"
}
