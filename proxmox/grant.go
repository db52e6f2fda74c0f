package proxmox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// builtinRoles are the roles of Proxmox VE 9.2 that are worth proposing, from the least to the most powerful (GET /access/roles in the
// starting world of the recordings). Administrator is left out on purpose.
var builtinRoles = []struct {
	name  string
	privs string
}{
	{"PVEAuditor", "Datastore.Audit Mapping.Audit Pool.Audit SDN.Audit Sys.Audit VM.Audit VM.GuestAgent.Audit"},
	{"PVEPoolUser", "Pool.Audit"},
	{"PVEPoolAdmin", "Pool.Allocate Pool.Audit"},
	{"PVESDNUser", "SDN.Audit SDN.Use"},
	{"PVESDNAdmin", "SDN.Allocate SDN.Audit SDN.Use"},
	{"PVEMappingUser", "Mapping.Audit Mapping.Use"},
	{"PVEMappingAdmin", "Mapping.Audit Mapping.Modify Mapping.Use"},
	{"PVEDatastoreUser", "Datastore.AllocateSpace Datastore.Audit"},
	{"PVETemplateUser", "VM.Audit VM.Clone"},
	{"PVEVMUser", "VM.Audit VM.Backup VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.GuestAgent.Audit VM.GuestAgent.FileRead " +
		"VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.PowerMgmt"},
	{"PVEVMAdmin", "VM.Allocate VM.Audit VM.Backup VM.Clone VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk " +
		"VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.Console VM.GuestAgent.Audit VM.GuestAgent.FileRead " +
		"VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.GuestAgent.Unrestricted VM.Migrate VM.PowerMgmt VM.Replicate " +
		"VM.Snapshot VM.Snapshot.Rollback"},
	{"PVEDatastoreAdmin", "Datastore.Allocate Datastore.AllocateSpace Datastore.AllocateTemplate Datastore.Audit"},
	{"PVESysAdmin", "Sys.Audit Sys.Console Sys.Syslog"},
	{"PVEUserAdmin", "Group.Allocate Realm.AllocateUser User.Modify"},
}

// RolesWith lists the built-in roles that hold a privilege, the least powerful first.
func RolesWith(priv string) []string {
	var out []string
	for _, r := range builtinRoles {
		if slices.Contains(strings.Fields(r.privs), priv) {
			out = append(out, r.name)
		}
	}
	return out
}

// GrantLine is the shell line that gives the client's identity a privilege on a path, to be run as root on a node. priv may list
// alternatives with "|". A privilege that no built-in role holds gets a role of its own. For a token the owner needs the role as well:
// a separated token never has more than its owner (pve-api.md 24, 74).
func (c *Client) GrantLine(priv, path string) string { return c.set.grantLine(priv, path) }

func (s *settings) grantLine(priv, path string) string {
	role, first := "", ""
	for p := range strings.SplitSeq(priv, "|") {
		p = strings.TrimSpace(p)
		if first == "" {
			first = p
		}
		if roles := RolesWith(p); role == "" && len(roles) > 0 {
			role = roles[0]
		}
	}
	prefix := ""
	if role == "" {
		role = "MCP-" + strings.ReplaceAll(first, ".", "-")
		prefix = fmt.Sprintf("pveum role add %s --privs %s; ", role, first)
	}
	flag, id := s.who()
	line := fmt.Sprintf("%spveum acl modify %s %s '%s' --roles %s", prefix, path, flag, id, role)
	if owner, _, ok := strings.Cut(id, "!"); ok && !strings.HasPrefix(owner, "root@pam") {
		line += fmt.Sprintf("; pveum acl modify %s --users '%s' --roles %s", path, owner, role)
	}
	return line
}

func (e *APIError) forbidden(f *fault.Error, s *settings) {
	_, id := s.who()
	switch {
	case e.Privilege != "":
		f.Message = fmt.Sprintf("%s may not do this: %s is missing on %s", id, strings.ReplaceAll(e.Privilege, "|", " or "), e.PrivPath)
		f.Hint = "as root on a node: " + s.grantLine(e.Privilege, e.PrivPath) + e.roleNote(id)
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
		for _, r := range RolesWith(strings.TrimSpace(p)) {
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
