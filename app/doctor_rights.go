package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// compareLine shows a node's certificate on the node itself; a certificate of one's own is pveproxy-ssl.pem.
const compareLine = "pvenode cert info"

// A dedicated user whose rights the token has in full (privsep 0): a separated token sees nothing until an ACL names it, even root's
// (pve-api.md 24). PVEAuditor is a built-in role that can read everything and change nothing.
const (
	setupUser  = "mcp@pve"
	setupToken = "proxmox-mcp"
)

// held is what an identity may do, judged by the needs of the tools: the table that check_access answers from.
type held struct {
	lacks   []tools.Lack // rights that tools miss; without a fix it is no fault
	surplus []string     // privileges, on any path, that do more than read
	none    bool         // there is no right at all
	level   tools.Tier   // whose tools it was judged by
}

// weigh judges effective rights by the tools of a level. grant makes the line that gives a privilege.
func weigh(p proxmox.Privileges, v pve.Version, grant func(priv, path string) string, level tools.Tier) held {
	reading := tools.Listed(level)
	a := inventory.Access{Rights: inventory.Rights(p), Major: v.Major(), Grant: grant}
	return held{lacks: tools.Lacks(a, reading), surplus: tools.Surplus(a.Rights, reading), none: len(p) == 0, level: level}
}

// missing are the lacks that are worth mending.
func (h held) missing() []tools.Lack {
	return slices.DeleteFunc(slices.Clone(h.lacks), func(l tools.Lack) bool {
		from, _ := withheld(l.Privilege)
		return l.Fix == "" || l.Extra || from > h.level
	})
}

// toolsText counts the tools of the level that answer in full with these rights, as check_access does, and names the others: those too that
// miss a right by choice.
func (h held) toolsText() string {
	fail, part := tools.Short(h.lacks)
	n := len(tools.Listed(h.level))
	text := fmt.Sprintf("%d of %d answer in full", n-len(fail)-len(part), n)
	if len(part) > 0 {
		text += "; in part: " + some(part, 4)
	}
	if len(fail) > 0 {
		text += "; without answer: " + some(fail, 6)
	}
	return text
}

// says names the missing rights with the tools that miss them.
func (h held) says() string {
	var out []string
	for _, l := range h.missing() {
		out = append(out, fmt.Sprintf("%s on %s (%s)", l.Privilege, l.Path, some(slices.Concat(l.Fails, l.Partial), 3)))
	}
	return strings.Join(out, ", ")
}

// fix is what grants the missing rights, to be run as root on a node.
func (h held) fix() string { return strings.Join(tools.FixLines(h.missing()), "; ") }

// note says what is missing by choice.
func (h held) note() string {
	for _, l := range h.lacks {
		if l.Fix == "" {
			return fmt.Sprintf(", but not %s: %s", strings.Join(l.Parts, ", "), l.Note)
		}
	}
	return ""
}

// rights reports what is missing, the trap of separated tokens, and what is too much for a server that only reads.
func (d *clusterDoctor) rights(ctx context.Context) {
	p, err := d.client.Permissions(ctx)
	if err != nil {
		d.unknown("rights", err)
		return
	}
	h := weigh(p, d.version, d.client.GrantLine, tools.R0)
	switch {
	case h.none:
		d.bad(CheckFail, "rights", "as root on a node: "+d.client.GrantLine("VM.Audit", "/"), "%s", noRights(d.client.Identity()))
	case len(h.missing()) > 0:
		d.bad(CheckWarn, "rights", "as root on a node: "+h.fix(), "missing: %s", h.says())
	default:
		d.ok("rights", "can read everything%s", h.note())
	}
	if !h.none {
		d.code(p)
	}
	switch {
	case len(h.surplus) > 0 && !d.c.ReadOnly:
		d.ok("surplus", "%s may also: %s; proxmox-mcp allow decides what of it is used", d.client.Identity(), some(h.surplus, 6))
	case len(h.surplus) > 0:
		d.bad(CheckWarn, "surplus", "make a token that only reads: "+strings.Join(recipeFor(tools.R0).Lines, "; ")+"; then: proxmox-mcp init --name "+d.c.Name+" --force",
			"read_only is set for this cluster, but %s may also: %s", d.client.Identity(), some(h.surplus, 6))
	}
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
