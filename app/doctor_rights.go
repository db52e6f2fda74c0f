package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// auditPrivileges are what reading everything takes (security.md 6, PVEAuditor); the one that reads guests' addresses comes on top.
var auditPrivileges = []string{"VM.Audit", "Sys.Audit", "Datastore.Audit", "Pool.Audit", "SDN.Audit", "Mapping.Audit"}

// compareLine shows a node's certificate on the node itself; a certificate of one's own is pveproxy-ssl.pem.
const compareLine = "pvenode cert info"

// A dedicated user whose rights the token has in full (privsep 0): a separated token sees nothing until an ACL names it, even root's
// (pve-api.md 24). PVEAuditor is a built-in role that can read everything and change nothing.
const (
	setupUser  = "mcp@pve"
	setupToken = "proxmox-mcp"
)

var setupLines = []string{
	"pveum user add " + setupUser + " --comment 'proxmox-mcp, reads only'",
	"pveum acl modify / --users " + setupUser + " --roles PVEAuditor",
	"pveum user token add " + setupUser + " " + setupToken + " --privsep 0",
}

// held is what an identity may do, as far as this program cares.
type held struct {
	missing  []string // audit privileges that do not hold on / and below
	surplus  []string // privileges, on any path, that do more than read
	paths    []string // where rights are held, sorted
	noAgent  bool     // guests' addresses stay unknown, by choice: Proxmox VE 8 has no privilege that only reads them
	everyone bool     // there is at least one right
}

// weigh sorts effective rights into missing and surplus. In Proxmox VE 8 the privilege that reads addresses also runs programs in
// guests (VM.Monitor), so it is not asked for and counts as surplus.
func weigh(p proxmox.Privileges, f proxmox.Features) held {
	wanted := slices.Clone(auditPrivileges)
	if f.AgentReadPrivilege != f.AgentExecPrivilege {
		wanted = append(wanted, f.AgentReadPrivilege)
	}
	h := held{paths: slices.Sorted(maps.Keys(p))}
	h.noAgent = f.AgentReadPrivilege == f.AgentExecPrivilege && !p.Has(f.AgentReadPrivilege, "/")
	for _, priv := range wanted {
		if !p["/"][priv] {
			h.missing = append(h.missing, priv)
		}
	}
	for _, privs := range p {
		for priv := range privs {
			h.everyone = true
			if !readsOnly(priv) && !slices.Contains(h.surplus, priv) {
				h.surplus = append(h.surplus, priv)
			}
		}
	}
	slices.Sort(h.surplus)
	return h
}

// readsOnly knows the privileges that change nothing: *.Audit, and the cluster log.
func readsOnly(priv string) bool { return strings.HasSuffix(priv, ".Audit") || priv == "Sys.Syslog" }

// rights reports what is missing, the trap of separated tokens, and what is too much for a server that only reads.
func (d *clusterDoctor) rights(ctx context.Context) {
	p, err := d.client.Permissions(ctx)
	if err != nil {
		d.unknown("rights", err)
		return
	}
	h := weigh(p, proxmox.FeaturesOf(d.version))
	fix := "as root on a node: " + d.client.GrantLine("VM.Audit", "/")
	switch {
	case !h.everyone:
		d.bad(CheckFail, "rights", fix, "%s", noRights(d.client.Identity()))
	case len(h.missing) > 0:
		d.bad(CheckWarn, "rights", fix, "missing on /: %s (held on %s)", strings.Join(h.missing, ", "), some(h.paths, 4))
	default:
		d.ok("rights", "can read everything%s", agentNote(h))
	}
	if len(h.surplus) > 0 && d.c.ReadOnly {
		d.bad(CheckWarn, "surplus", "make a token that only reads: "+strings.Join(setupLines, "; ")+"; then: proxmox-mcp init --name "+d.c.Name+" --force",
			"this server only reads, but %s may also: %s", d.client.Identity(), some(h.surplus, 6))
	}
}

func agentNote(h held) string {
	if h.noAgent {
		return ", but not guests' addresses (in Proxmox VE 8 that right would also run programs in guests)"
	}
	return ""
}

// noRights explains an identity that sees nothing.
func noRights(id string) string {
	if strings.Contains(id, "!") {
		return id + " has no right at all: a token with privilege separation sees nothing until it is given a role itself"
	}
	return id + " has no right at all"
}

// some lists the first n, cleaned, and counts the rest.
func some(list []string, n int) string {
	shown := make([]string, 0, n)
	for _, s := range list[:min(n, len(list))] {
		shown = append(shown, clean.Line(s, 60))
	}
	text := strings.Join(shown, ", ")
	if rest := len(list) - len(shown); rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}
