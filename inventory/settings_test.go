package inventory

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestSettings: objects of each list are stored with their versions; what changed, appeared and went is told once; what cannot be seen is
// unknown, never gone.
func TestSettings(t *testing.T) {
	w := newWorld(2, 1)
	w.lists = map[string]string{
		"/nodes/pve1/network": `[{"iface":"vmbr0","type":"bridge","active":1,"address":"10.0.0.1"},{"iface":"eno1","type":"eth"}]`,
		"/nodes/pve2/network": `[{"iface":"vmbr0","type":"bridge","active":1}]`,
		"/nodes/pve1/dns":     `{"dns1":"1.1.1.1","search":"lan"}`,
		"/cluster/backup":     `[{"id":"backup-1","schedule":"daily","next-run":1,"digest":"x"}]`,
		"/cluster/sdn/vnets":  `[{"vnet":"v1","zone":"z"}]`, "/cluster/sdn/vnets/v1/subnets": `[{"subnet":"z-10.1.0.0-24","digest":"y"}]`,
		"/access/acl": `[{"path":"/vms/1","ugid":"a@pve","roleid":"PVEAdmin","propagate":1}]`,
	}
	i := newRig(t, w)
	i.sync()
	read := func() SettingsReport {
		t.Helper()
		got, err := i.Settings(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return got[0]
	}
	kinds := func(r SettingsReport) map[string][4]int {
		out := map[string][4]int{}
		for _, k := range r.Kinds {
			if n := [4]int{k.Created, k.Updated, k.Gone, k.Unchanged}; n != [4]int{} {
				out[k.Kind] = n
			}
		}
		return out
	}
	first := map[string][4]int{"network": {3}, "node_dns": {1}, "backup_job": {1}, "sdn_vnet": {1}, "acl": {1}}
	if diff := cmp.Diff(first, kinds(read())); diff != "" {
		t.Errorf("first reading\n%s", diff)
	}
	w.set(func() {
		w.lists["/nodes/pve1/network"] = `[{"iface":"vmbr0","type":"bridge","active":0,"address":"10.0.0.2"}]`
		w.lists["/cluster/backup"] = `[{"id":"backup-1","schedule":"daily","next-run":2,"digest":"z"}]`
		w.nodes["pve2"].silent = true
		w.fail = func(call, _ string, _ int) error {
			if call == "read /nodes/pve2/network" {
				return fault.New(fault.NodeSilent, "node pve2 does not answer")
			}
			return nil
		}
	})
	second := read()
	if diff := cmp.Diff(map[string][4]int{"network": {0, 1, 1, 0}, "node_dns": {0, 0, 0, 1}, "backup_job": {0, 0, 0, 1}, "sdn_vnet": {0, 0, 0, 1}, "acl": {0, 0, 0, 1}}, kinds(second)); diff != "" {
		t.Errorf("second reading\n%s", diff)
	}
	if second.Complete || len(second.Warnings) != 1 || !strings.Contains(second.Warnings[0].Text, "network of node pve2") {
		t.Errorf("a silent node: complete %v, %v", second.Complete, second.Warnings)
	}
	st, err := i.openStore(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	objects, err := st.Objects(t.Context(), "lab", 0)
	if err != nil {
		t.Fatal(err)
	}
	state := map[string]string{}
	for _, o := range objects {
		if o.Kind == "network" {
			state[o.ID] = map[bool]string{true: "known", false: "unknown"}[o.UnknownSince.IsZero()]
			if !o.GoneAt.IsZero() {
				state[o.ID] = "gone"
			}
		}
	}
	if diff := cmp.Diff(map[string]string{"pve1/vmbr0": "known", "pve1/eno1": "gone", "pve2/vmbr0": "unknown"}, state); diff != "" {
		t.Error(diff)
	}
	changes, err := st.Changes(t.Context(), store.HistoryFilter{Cluster: "lab", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, c := range changes {
		if c.Kind == "network" {
			told = append(told, c.Ref.ID+" "+c.What)
		}
	}
	if diff := cmp.Diff([]string{"pve1/vmbr0 changed", "pve1/eno1 gone"}, told); diff != "" {
		t.Error(diff)
	}
	for object, want := range map[string]int{"network pve1/vmbr0": 1, "network vmbr0": 1, "eno1": 1, "backup_job backup-1": 0, "network": 2, "acl": 0} {
		page, err := i.Changes(t.Context(), ChangeQuery{Object: object})
		if err != nil || page.Total != want {
			t.Errorf("find_changes %s: %d, %v", object, page.Total, err)
		}
	}
	for object, want := range map[string][]string{"network": {"pve1/eno1 gone", "pve1/vmbr0", "pve2/vmbr0"}, "acl": {"/vms/1?a@pve?PVEAdmin"}} {
		h, err := i.ObjectHistory(t.Context(), HistoryQuery{Object: object})
		var got []string
		for _, o := range h.Objects {
			got = append(got, strings.TrimSpace(o.ID+" "+map[bool]string{false: "gone"}[o.GoneAt.IsZero()]))
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil || h.Total != len(want) || h.Kind != object {
			t.Errorf("get_history %s: %v %s", object, err, diff)
		}
	}
	if h, err := i.ObjectHistory(t.Context(), HistoryQuery{Object: "network", Limit: 2}); err != nil || len(h.Objects) != 2 || h.NextCursor == "" {
		t.Errorf("a page: %+v, %v", h, err)
	}
	for object, want := range map[string]string{"user": "proxmox-mcp sync", "user a@pve": `{"object": "user"}`, "nosuch": "KIND ID; the kinds are acl, backup_job", "guest 999": "find_guests"} {
		if _, err := i.ObjectHistory(t.Context(), HistoryQuery{Object: object}); fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.Of(err).Hint, want) {
			t.Errorf("get_history %s: %+v", object, fault.Of(err))
		}
	}
	if _, err := i.ObjectHistory(t.Context(), HistoryQuery{Object: "acl", At: i.now()}); fault.Of(err).Field != "at" {
		t.Errorf("a kind at a time: %v", err)
	}
	if h, err := i.ObjectHistory(t.Context(), HistoryQuery{Object: "network pve1/vmbr0"}); err != nil || h.Total != 2 || h.Kind != "network" {
		t.Errorf("get_history: %+v, %v", h, err)
	}
}

// TestSettingsUnread: what no reading brought is told by kind and part; what is seen later for want of an earlier look is no news, and the first
// object of a kind that was read before is.
func TestSettingsUnread(t *testing.T) {
	w := newWorld(2, 1)
	w.lists = map[string]string{"/nodes/pve1/network": `[{"iface":"vmbr0","type":"bridge"}]`, "/nodes/pve2/network": `[{"iface":"vmbr0","type":"bridge"}]`,
		"/cluster/backup": `[]`}
	broken := true
	w.fail = func(call, _ string, _ int) error {
		switch {
		case broken && call == "read /nodes/pve2/network":
			return fault.New(fault.NodeSilent, "node pve2 does not answer")
		case call == "read /access/users?full=1":
			return fault.New(fault.Forbidden, "no")
		}
		return nil
	}
	i := newRig(t, w)
	i.sync()
	read := func() (store.SettingsUnread, time.Time) {
		t.Helper()
		if _, err := i.Settings(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		at, err := i.SettingsAt(t.Context(), "lab")
		if err != nil {
			t.Fatal(err)
		}
		return unreadSettings(i.proj.cluster("lab").probes[store.SettingsProbe]), at
	}
	unread, at := read()
	if diff := cmp.Diff(store.SettingsUnread{"network pve2": store.NotReadYet, "user": "not visible to this token"}, unread); diff != "" || !at.IsZero() {
		t.Errorf("read at %v\n%s", at, diff)
	}
	w.set(func() {
		broken = false
		w.lists["/cluster/backup"] = `[{"id":"backup-1","schedule":"daily"}]`
	})
	unread, at = read()
	if diff := cmp.Diff(store.SettingsUnread{"user": "not visible to this token"}, unread); diff != "" || at.IsZero() {
		t.Errorf("read at %v\n%s", at, diff)
	}
	for object, want := range map[string]int{"network pve2/vmbr0": 0, "backup_job backup-1": 1} {
		page, err := i.Changes(t.Context(), ChangeQuery{Object: object})
		if err != nil || page.Total != want {
			t.Errorf("find_changes %s: %d, %v", object, page.Total, err)
		}
	}
}

// TestSettingKinds: what is read and what is called unread before are the same kinds.
func TestSettingKinds(t *testing.T) {
	want := map[store.Kind]bool{rulesOfCluster.kind: true, firewallOfNode.kind: true, firewallOfGuest.kind: true}
	for _, s := range settings {
		want[s.kind] = true
	}
	got := map[store.Kind]bool{}
	for _, k := range store.SettingKinds() {
		got[k] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestGuestFirewalls: the firewall of a guest is one object; it is asked for where a device is filtered, and gone only where it was seen to be.
func TestGuestFirewalls(t *testing.T) {
	w := newWorld(2, 2)
	for _, id := range []int{100, 101} {
		w.guests[id].config["net0"] = "virtio=AA:BB:CC:00:00:01,bridge=vmbr0,firewall=1"
	}
	w.lists = map[string]string{"/cluster/firewall/rules": `[{"pos":0,"type":"in","action":"DROP","digest":"x"}]`}
	base := func(id int) string {
		return "/nodes/" + w.guests[id].node + "/qemu/" + strconv.Itoa(id) + "/firewall/"
	}
	for _, id := range []int{100, 101} {
		w.lists[base(id)+"options"], w.lists[base(id)+"rules"] = `{"enable":1,"digest":"y"}`, `[{"pos":0,"type":"group","action":"web"}]`
		w.lists[base(id)+"ipset"], w.lists[base(id)+"ipset/admins"], w.lists[base(id)+"aliases"] = `[{"name":"admins"}]`, `[{"cidr":"10.0.0.1"}]`, `[]`
	}
	i := newRig(t, w)
	i.sync()
	state := func() map[string]string {
		t.Helper()
		if _, err := i.Settings(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		st, err := i.openStore(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		objects, err := st.Objects(t.Context(), "lab", 0)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, o := range objects {
			switch {
			case o.Kind != store.KindGuestFirewall && o.Kind != store.KindFirewallRules:
			case !o.GoneAt.IsZero():
				out[o.ID] = "gone"
			case !o.UnknownSince.IsZero():
				out[o.ID] = "unknown"
			default:
				out[o.ID] = string(o.State)
			}
		}
		return out
	}
	const whole = `{"aliases":[],"enable":1,"ipsets":[{"name":"admins","rules":[{"cidr":"10.0.0.1"}]}],"node":"pve1","rules":[{"action":"web","pos":0,"type":"group"}],"type":"qemu"}`
	on := func(id int) string { return strings.Replace(whole, "pve1", w.guests[id].node, 1) }
	rules := `{"rules":[{"action":"DROP","pos":0,"type":"in"}]}`
	if diff := cmp.Diff(map[string]string{"100": on(100), "101": on(101), "cluster": rules}, state()); diff != "" {
		t.Error(diff)
	}
	w.set(func() {
		w.lists[base(100)+"options"], w.lists[base(100)+"rules"] = `{}`, `[]`
		w.fail = func(call, _ string, _ int) error {
			if call == "read "+base(101)+"options" {
				return fault.New(fault.NodeSilent, "it does not answer")
			}
			return nil
		}
	})
	if diff := cmp.Diff(map[string]string{"100": "gone", "101": "unknown", "cluster": rules}, state()); diff != "" {
		t.Error(diff)
	}
}
