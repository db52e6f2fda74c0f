package pvesim

import (
	"slices"
	"strings"
	"sync"
)

// privilegeGroups are all privileges of Proxmox VE 9.2 (12/039), by their first word.
var privilegeGroups = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"Datastore":   "Allocate AllocateSpace AllocateTemplate Audit",
		"Group":       "Allocate",
		"Mapping":     "Audit Modify Use",
		"Permissions": "Modify",
		"Pool":        "Allocate Audit",
		"Realm":       "Allocate AllocateUser",
		"SDN":         "Allocate Audit Use",
		"Sys":         "AccessNetwork Audit Console Incoming Modify PowerMgmt Syslog",
		"User":        "Modify",
		"VM": "Allocate Audit Backup Clone Config.CDROM Config.CPU Config.Cloudinit Config.Disk Config.HWType Config.Memory " +
			"Config.Network Config.Options Console GuestAgent.Audit GuestAgent.FileRead GuestAgent.FileSystemMgmt GuestAgent.FileWrite " +
			"GuestAgent.Unrestricted Migrate PowerMgmt Replicate Snapshot Snapshot.Rollback",
	}
})

func privilegesOf(group string) []string {
	var out []string
	for p := range strings.FieldsSeq(privilegeGroups()[group]) {
		out = append(out, group+"."+p)
	}
	return out
}

// builtinRoles are the roles that every installation has (12/039).
func builtinRoles() []Object {
	var every []string
	for g := range privilegeGroups() {
		every = append(every, privilegesOf(g)...)
	}
	slices.Sort(every)
	notAdmin := []string{"Mapping.Modify", "Permissions.Modify", "Realm.Allocate", "Sys.AccessNetwork", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt"}
	admin := slices.DeleteFunc(slices.Clone(every), func(p string) bool { return slices.Contains(notAdmin, p) })
	roles := map[string][]string{
		"Administrator": every, "PVEAdmin": admin, "NoAccess": nil,
		"PVEAuditor":        words("Datastore.Audit Mapping.Audit Pool.Audit SDN.Audit Sys.Audit VM.Audit VM.GuestAgent.Audit"),
		"PVEDatastoreAdmin": privilegesOf("Datastore"), "PVEDatastoreUser": words("Datastore.AllocateSpace Datastore.Audit"),
		"PVEMappingAdmin": privilegesOf("Mapping"), "PVEMappingUser": words("Mapping.Audit Mapping.Use"),
		"PVEPoolAdmin": privilegesOf("Pool"), "PVEPoolUser": words("Pool.Audit"),
		"PVESDNAdmin": privilegesOf("SDN"), "PVESDNUser": words("SDN.Audit SDN.Use"),
		"PVESysAdmin": words("Sys.Audit Sys.Console Sys.Syslog"), "PVETemplateUser": words("VM.Audit VM.Clone"),
		"PVEUserAdmin": words("Group.Allocate Realm.AllocateUser User.Modify"), "PVEVMAdmin": privilegesOf("VM"),
		"PVEVMUser": words("VM.Audit VM.Backup VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.GuestAgent.Audit " +
			"VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.PowerMgmt"),
	}
	var out []Object
	for id, privs := range roles {
		out = append(out, Object{"roleid": id, "privs": strings.Join(privs, ","), "special": 1})
	}
	slices.SortFunc(out, func(a, b Object) int { return strings.Compare(text(a["roleid"]), text(b["roleid"])) })
	return out
}

func words(s string) []string { return strings.Fields(s) }
