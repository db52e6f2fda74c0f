package proxmox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// GrantLine is the shell line that gives the client's identity a privilege on a path, to be run as root on a node. priv may list
// alternatives with "|". A privilege that no built-in role holds gets a role of its own. For a token the owner needs the role as well:
// a separated token never has more than its owner (pve-api.md 24, 74).
func (c *Client) GrantLine(priv, path string) string { return c.set.grantLine(priv, path, nil) }

// Grant is GrantLine for a token of which it is known whether its privileges are separated (nil: it is not): one that is not has the
// rights of its owner, and an entry of its own changes nothing (11/150, 11/151).
func (c *Client) Grant(priv, path string, separated *bool) string {
	return c.set.grantLine(priv, path, separated)
}

func (s *settings) grantLine(priv, path string, separated *bool) string {
	role, first := "", ""
	for p := range strings.SplitSeq(priv, "|") {
		p = strings.TrimSpace(p)
		if first == "" {
			first = p
		}
		if roles := pve.RolesWith(p); role == "" && len(roles) > 0 {
			role = roles[0]
		}
	}
	prefix := ""
	if role == "" {
		role = "MCP-" + strings.ReplaceAll(first, ".", "-")
		prefix = fmt.Sprintf("pveum role add %s --privs %s; ", role, first)
	}
	flag, id := s.who()
	owner, _, token := strings.Cut(id, "!")
	if token && separated != nil && !*separated {
		flag, id, token = "--users", owner, false
	}
	line := fmt.Sprintf("%spveum acl modify %s %s '%s' --roles %s", prefix, path, flag, id, role)
	if token && owner != "root@pam" {
		line += fmt.Sprintf("; pveum acl modify %s --users '%s' --roles %s", path, owner, role)
	}
	return line
}

func (e *APIError) forbidden(f *fault.Error, s *settings) {
	_, id := s.who()
	switch {
	case e.Privilege != "":
		f.Message = fmt.Sprintf("%s may not do this: %s is missing on %s", id, strings.ReplaceAll(e.Privilege, "|", " or "), e.PrivPath)
		f.Hint = "as root on a node: " + s.grantLine(e.Privilege, e.PrivPath, nil) + e.roleNote(id)
	case strings.Contains(e.Message, "not available with API token"):
		f.Message = "Proxmox VE does not offer this to API tokens"
		f.Hint = "it needs a login with user and password"
	case strings.Contains(e.Message, "user != root@pam"), strings.Contains(e.Message, "only root"):
		f.Message = "Proxmox VE reserves this for root@pam itself; no token or role can have it"
	default:
		f.Message = fmt.Sprintf("%s may not do %s %s (403)", id, e.Method, e.Path)
		f.Hint = "Proxmox VE did not name the missing privilege; its API viewer lists it for this path"
	}
}

func (e *APIError) roleNote(id string) string {
	var roles []string
	for p := range strings.SplitSeq(e.Privilege, "|") {
		for _, r := range pve.RolesWith(strings.TrimSpace(p)) {
			if !slices.Contains(roles, r) {
				roles = append(roles, r)
			}
		}
	}
	note := ""
	if len(roles) > 1 {
		note = ". Roles that hold it: " + strings.Join(roles, ", ")
	}
	if strings.Contains(id, "!") {
		note += ". A token with privilege separation needs the role itself and so does its owner: the effective right is what both have"
	}
	return note
}
