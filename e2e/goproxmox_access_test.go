package e2e

import (
	"slices"
	"testing"

	goproxmox "github.com/luthermonson/go-proxmox"
)

// TestGoProxmoxAccess makes a group, a user, a role, an entry of the ACL and a token, works as that user and takes all away again.
func TestGoProxmoxAccess(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	c, ctx := s.goClient(login(demoUser, demoPassword)), t.Context()
	done(t, "new group", c.NewGroup(ctx, "ops", "operators"))
	done(t, "new role", c.NewRole(ctx, "Starter", "VM.Audit,VM.PowerMgmt"))
	done(t, "new user", c.NewUser(ctx, &goproxmox.NewUser{UserID: "kim@pve", Password: "a long password", Enable: true, Groups: goproxmox.CSV{"ops"}, Email: "kim@example.com"}))
	done(t, "new acl", c.UpdateACL(ctx, goproxmox.ACLOptions{Path: "/vms/208", Roles: "Starter", Groups: "ops", Propagate: true}))

	user := got[*goproxmox.User](t, "user")(c.User(ctx, "kim@pve"))
	if user.Email != "kim@example.com" || !slices.Contains(user.Groups, "ops") {
		t.Errorf("user %+v", user)
	}
	enabled := goproxmox.IntOrBool(true)
	done(t, "change user", user.Update(ctx, goproxmox.UserOptions{Comment: "on call", Enable: &enabled}))
	if u := got[*goproxmox.User](t, "user")(c.User(ctx, "kim@pve")); u.Comment != "on call" {
		t.Errorf("comment %q", u.Comment)
	}
	token := got[goproxmox.NewAPIToken](t, "new token")(user.NewAPIToken(ctx, goproxmox.Token{TokenID: "cli", Comment: "laptop", Privsep: false}))
	if token.FullTokenID != "kim@pve!cli" || token.Value == "" {
		t.Fatalf("token %+v", token)
	}
	for name, kim := range map[string]*goproxmox.Client{"password": s.goClient(login("kim@pve", "a long password")),
		"token": s.goClient(goproxmox.WithAPIToken(token.FullTokenID, token.Value))} {
		t.Run(name, func(t *testing.T) { limited(t, kim) })
	}
	done(t, "new password", c.Password(ctx, "kim@pve", "another password"))
	if err := s.goClient(login("kim@pve", "a long password")).CreateSession(ctx); !goproxmox.IsNotAuthorized(err) {
		t.Errorf("old password: %v", err)
	}
	done(t, "delete token", user.DeleteAPIToken(ctx, "cli"))
	takeAccessAway(t, c, user)
}

// takeAccessAway deletes what the test made and wants only the demo's accounts to be left.
func takeAccessAway(t *testing.T, c *goproxmox.Client, user *goproxmox.User) {
	t.Helper()
	ctx := t.Context()
	done(t, "delete acl", c.UpdateACL(ctx, goproxmox.ACLOptions{Path: "/vms/208", Roles: "Starter", Groups: "ops", Delete: true}))
	done(t, "delete user", user.Delete(ctx))
	group := got[*goproxmox.Group](t, "group")(c.Group(ctx, "ops"))
	done(t, "delete group", group.Delete(ctx))
	for _, r := range got[goproxmox.Roles](t, "roles")(c.Roles(ctx)) {
		if r.RoleID == "Starter" {
			done(t, "delete role", r.Delete(ctx))
		}
	}
	if acl := got[goproxmox.ACLs](t, "acl")(c.ACL(ctx)); len(acl) != 2 {
		t.Errorf("%d ACL entries are left, want 2", len(acl))
	}
	if users := got[goproxmox.Users](t, "users")(c.Users(ctx)); len(users) != 2 {
		t.Errorf("%d users are left, want 2", len(users))
	}
}

// limited works as a user who may start and see one machine.
func limited(t *testing.T, c *goproxmox.Client) {
	t.Helper()
	ctx := t.Context()
	p := got[goproxmox.Permissions](t, "permissions")(c.Permissions(ctx, nil))
	if p["/vms/208"]["VM.PowerMgmt"] != true || p["/vms/208"]["VM.Allocate"] {
		t.Errorf("permissions %v", p)
	}
	node := (&goproxmox.Node{}).New(c, "pve1")
	if vms := got[goproxmox.VirtualMachines](t, "machines")(node.VirtualMachines(ctx)); len(vms) != 1 || vms[0].VMID != 208 {
		t.Errorf("%d machines, want only 208", len(vms))
	}
	vm := got[*goproxmox.VirtualMachine](t, "machine")(node.VirtualMachine(ctx, 208))
	task, err := vm.Start(ctx)
	ended(t, "start", task, err)
	task, err = vm.Stop(ctx)
	ended(t, "stop", task, err)
	if _, err := vm.Config(ctx, goproxmox.VirtualMachineOption{Name: "memory", Value: 512}); !goproxmox.IsNotAuthorized(err) {
		t.Errorf("change of memory: %v", err)
	}
	if _, err := vm.Delete(ctx, nil); !goproxmox.IsNotAuthorized(err) {
		t.Errorf("delete: %v", err)
	}
	if _, err := node.VirtualMachine(ctx, 201); !goproxmox.IsNotAuthorized(err) {
		t.Errorf("another's machine: %v", err)
	}
}

// TestGoProxmoxPools makes a pool, gives it members and takes it away.
func TestGoProxmoxPools(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	c, ctx := s.goClient(), t.Context()
	done(t, "new pool", c.NewPool(ctx, "web", "websites"))
	pool := got[*goproxmox.Pool](t, "pool")(c.Pool(ctx, "web"))
	done(t, "add", pool.Update(ctx, &goproxmox.PoolUpdateOption{VirtualMachines: "202,206", Storage: "local-lvm"}))
	if p := got[*goproxmox.Pool](t, "pool")(c.Pool(ctx, "web")); len(p.Members) < 3 || p.Comment != "websites" {
		t.Errorf("pool %+v", p)
	}
	if err := pool.Delete(ctx); err == nil {
		t.Error("a pool with members was deleted")
	}
	done(t, "remove", pool.Update(ctx, &goproxmox.PoolUpdateOption{VirtualMachines: "202,206", Storage: "local-lvm", Delete: true}))
	done(t, "delete", pool.Delete(ctx))
	if pools := got[goproxmox.Pools](t, "pools")(c.Pools(ctx)); len(pools) != 2 {
		t.Errorf("%d pools are left, want 2", len(pools))
	}
}
