package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// someAccess is a separated token that sees one pool's guests and the storages, and may start what it sees.
func someAccess() inventory.AccessList {
	audit := map[string]bool{"VM.Audit": true, "VM.PowerMgmt": true}
	expires := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	return inventory.AccessList{Meta: inventory.Meta{AsOf: now}, Clusters: []inventory.Access{{Cluster: "lab", Identity: "mcp@pve!agent", ReadOnly: true, Version: "9.2.11",
		Major: 9, Separated: pve.Ptr(true), Expires: &expires, Grant: grantFor("mcp@pve!agent"),
		Rights: inventory.Rights{"/vms/104": audit, "/vms/105": audit, "/storage": {"Datastore.Audit": true}, "/storage/local": {"Datastore.Audit": true}}}}}
}

func grantFor(id string) func(priv, path string) string {
	return func(_, path string) string {
		return fmt.Sprintf("pveum acl modify %s --tokens '%s' --roles PVEAuditor", path, id)
	}
}

// TestAccessUnknown: what may not be read about the login is said to be unknown, and a user is no token.
func TestAccessUnknown(t *testing.T) {
	f := &fake{access: someAccess()}
	a := &f.access.Clusters[0]
	a.Separated, a.Expires, a.Hidden, a.Rights = nil, nil, "needs Sys.Audit on /access/groups", nil
	out := text(t, f, "check_access", `{}`)
	for _, want := range []string{"expiry and privilege separation unknown: needs Sys.Audit on /access/groups", "no right at all: a token with privilege separation",
		"fails: get_guest", "pveum acl modify / --tokens 'mcp@pve!agent' --roles PVEAuditor"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if n := strings.Count(out, "pveum"); n != 1 {
		t.Errorf("%d lines mend it, one would do:\n%s", n, out)
	}
	a.Identity, a.Hidden, a.Expires = "root@pam", "", pve.Ptr(time.Time{})
	if out = text(t, f, "check_access", `{}`); !strings.HasPrefix(out, "root@pam: user of realm pam; expires never\n") {
		t.Errorf("a user: %s", out)
	}
}

// TestSurplus: what no tool uses is named, the gravest first, and counted; the JSON has all of it.
func TestSurplus(t *testing.T) {
	f := &fake{access: someAccess()}
	all := map[string]bool{}
	for _, p := range []string{"Datastore.Allocate", "Permissions.Modify", "SDN.Use", "Sys.Audit", "Sys.Console", "Sys.Incoming", "Sys.Modify", "User.Modify", "VM.Allocate", "VM.Console"} {
		all[p] = true
	}
	f.access.Clusters[0].Rights = inventory.Rights{"/": all}
	want := "9 of these do more than read and no tool here uses them: Permissions.Modify User.Modify Sys.Console Sys.Modify VM.Console VM.Allocate and 3 more; a login"
	if out := text(t, f, "check_access", `{}`); !strings.Contains(out, want) {
		t.Errorf("%q is missing in\n%s", want, out)
	}
	f.access.Clusters[0].Rights = inventory.Rights{"/": {"Sys.Modify": true}}
	if out := text(t, f, "check_access", `{}`); !strings.Contains(out, "uses them: Sys.Modify; a login") {
		t.Error(out)
	}
}

// TestFixLines: what is given on / reaches below, what another role gives does not.
func TestFixLines(t *testing.T) {
	line := func(path, rest string) Lack { return Lack{Fix: "pveum acl modify " + path + " " + rest} }
	got := FixLines([]Lack{line("/vms", "--users 'a' --roles R"), line("/", "--users 'a' --roles R"), line("/nodes", "--users 'b' --roles R"),
		line("/nodes", "--users 'b' --roles R"), {}})
	want := []string{"pveum acl modify / --users 'a' --roles R", "pveum acl modify /nodes --users 'b' --roles R"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestNeeds: every tool says which rights it takes; check_access and doctor judge by that.
func TestNeeds(t *testing.T) {
	for _, s := range All() {
		if ours := s.Name == "find_operations" || s.Family == "code"; ours != (len(s.Needs) == 0) { // they ask the audit and the store alone; run_checks synchronises, which says what it lacks
			t.Errorf("%s does not say which rights it needs: give its Spec Needs (rights.go)", s.Name)
		}
		for _, n := range s.Needs {
			if len(n.Privileges) == 0 || n.Path == "" || n.Part == "" {
				t.Errorf("%s: %+v", s.Name, n)
			}
		}
	}
}

// TestAccessWithoutRoom: where nothing can be written down the rights are told all the same, with why nothing is changed and what to do.
func TestAccessWithoutRoom(t *testing.T) {
	d := deps(&fake{access: someAccess()})
	d.Level = func(context.Context) (Tier, error) {
		return R0, fault.New(fault.StoreFull, "there is no room left for the state store").WithHint("free space on that disk")
	}
	s, err := Find("check_access")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), d, json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if out := res.Answer.View(d).Compact(); !strings.Contains(out, "nothing is changed now: there is no room left for the state store; free space on that disk") {
		t.Error(out)
	}
}

// TestAccessScopes: grants for a part of the cluster are told with that part.
func TestAccessScopes(t *testing.T) {
	d := deps(&fake{access: someAccess()})
	d.Level = func(context.Context) (Tier, error) { return R1, nil }
	d.Granted = func(_ context.Context, cluster string) ([]string, error) {
		return []string{"reversible for tag " + cluster}, nil
	}
	s, err := Find("check_access")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), d, json.RawMessage(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if out := res.Answer.View(d).Compact(); !strings.Contains(out, "changes: allowed up to reversible, only reversible for tag lab;") {
		t.Error(out)
	}
}
