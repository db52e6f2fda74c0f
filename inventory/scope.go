package inventory

import (
	"fmt"
	"strings"
)

// scopeText says what the token cannot see, "" when it sees all guests. perms is GET /access/permissions: path, privilege and
// whether it goes on below (recording 11/034).
func scopeText(perms map[string]map[string]bool, guests int) string {
	if seesAll(perms, "VM.Audit", "/vms") {
		return ""
	}
	var paths []string
	for _, p := range sortedNames(perms) {
		if _, ok := perms[p]["VM.Audit"]; ok && (strings.HasPrefix(p, "/vms/") || strings.HasPrefix(p, "/pool/")) {
			paths = append(paths, p)
		}
	}
	switch {
	case len(paths) == 0 && guests == 0:
		return "this token has VM.Audit on no guest: 0 visible is not 0 exist (a token with privilege separation needs its own ACL entry, " +
			"e.g. pveum acl modify / --tokens 'USER@REALM!NAME' --roles PVEAuditor)"
	case len(paths) == 0:
		return "this token has VM.Audit neither on / nor on /vms: more guests may exist than are shown"
	}
	return fmt.Sprintf("this token sees only the guests that VM.Audit on %s covers: others may exist", shortList(paths, 5))
}

// seesScope takes the token's permissions; what counts as visible are the guests that are listed now.
func (r *run) seesScope(perms map[string]map[string]bool) {
	r.perms = perms
	r.state.Scope = scopeText(perms, r.listed())
	r.state.OwnTasks = !seesAll(perms, "Sys.Audit", "/")
	r.state.AllPools = seesAll(perms, "Pool.Audit", "/pool")
	r.state.PartStores = !seesAll(perms, "Datastore.Audit", "/storage")
}

// otherScopes says what else is not visible, as sentences.
func (s *clusterState) otherScopes() []string {
	var out []string
	if s.PartStores {
		out = append(out, "Datastore.Audit is missing on /storage: more storages may exist than are shown")
	}
	if s.OwnTasks {
		out = append(out, "Sys.Audit is missing on /: tasks of others are not shown")
	}
	return out
}

// seesAll says that a privilege holds on every object below path: it is given there or on /, goes on below, and nothing below
// takes it away.
func seesAll(perms map[string]map[string]bool, priv, path string) bool {
	if perms == nil || (!perms[path][priv] && !perms["/"][priv]) {
		return false
	}
	for p, privs := range perms {
		if _, ok := privs[priv]; !ok && (p == path || strings.HasPrefix(p, path+"/")) {
			return false
		}
	}
	return true
}

func shortList(items []string, limit int) string {
	if len(items) <= limit {
		return strings.Join(items, ", ")
	}
	return strings.Join(items[:limit], ", ") + fmt.Sprintf(" and %d more", len(items)-limit)
}
