package pve

import (
	"slices"
	"strings"
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

// RolesCovering names a set of privileges by built-in roles that lie wholly within it, the largest first, and what they leave. Whoever
// holds every privilege of a role can do what the role can, whatever gave it.
func RolesCovering(privs []string) (roles, rest []string) {
	rest = slices.Sorted(slices.Values(privs))
	for {
		best, most := "", []string(nil)
		for _, r := range builtinRoles {
			of := strings.Fields(r.privs)
			within := !slices.ContainsFunc(of, func(p string) bool { return !slices.Contains(privs, p) })
			left := slices.DeleteFunc(of, func(p string) bool { return !slices.Contains(rest, p) })
			if within && len(left) > len(most) {
				best, most = r.name, left
			}
		}
		if len(most) < 2 { // a role for a single privilege says less than its name
			return roles, rest
		}
		roles = append(roles, best)
		rest = slices.DeleteFunc(rest, func(p string) bool { return slices.Contains(most, p) })
	}
}
