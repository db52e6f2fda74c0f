package change

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// TestHome: what the server stands on is left alone, by whatever name it is reached, and nothing else is (S09).
func TestHome(t *testing.T) {
	t.Parallel()
	us := Home{Cluster: "home", VMID: 105, Node: "pve2", Volumes: []string{"tank:vm-105-disk-0"}, Storages: []string{"tank"}, Bridges: []string{"vmbr1"},
		Why: "this server runs in it (by the id of the container)"}
	onNode := Home{Cluster: "home", Node: "pve2", Why: "this server runs on it"}
	call := func(path string) Step { return Step{Tier: Host, Call: Call{Method: "PUT", Path: path}} }
	for name, c := range map[string]struct {
		home  Home
		step  Step
		on    Target
		words string
	}{
		"our guest, by its address":     {us, Step{Tier: Disruptive}, Target{Cluster: "home", VMID: 105}, "runs in it"},
		"our guest, what is small":      {us, Step{Tier: Reversible}, Target{Cluster: "home", VMID: 105}, ""},
		"the same vmid elsewhere":       {us, Step{Tier: Destructive}, Target{Cluster: "lab", VMID: 105}, ""},
		"another guest on our storage":  {us, Step{Tier: Destructive}, Target{Cluster: "home", VMID: 106, Node: "pve2"}, ""},
		"our volume":                    {us, Step{Tier: Destructive}, Target{Cluster: "home", Kind: "volume", Object: "tank:vm-105-disk-0"}, "belongs to guest 105"},
		"our volume, by its owner":      {us, Step{Tier: Destructive}, Target{Cluster: "home", Kind: "volume", Object: "tank:vm-105-disk-9", VMID: 105}, "runs in it"},
		"another volume there":          {us, Step{Tier: Destructive}, Target{Cluster: "home", Kind: "volume", Object: "tank:vm-106-disk-0", VMID: 106}, ""},
		"our storage":                   {us, Step{Tier: Disruptive}, Target{Cluster: "home", Kind: "storage", Object: "tank"}, "lie on it"},
		"another storage":               {us, Step{Tier: Disruptive}, Target{Cluster: "home", Kind: "storage", Object: "tank2"}, ""},
		"our node":                      {us, Step{Tier: Disruptive}, Target{Cluster: "home", Kind: "node", Object: "pve2"}, "runs on node pve2"},
		"another node":                  {us, Step{Tier: Host}, Target{Cluster: "home", Kind: "node", Object: "pve1", Node: "pve1"}, ""},
		"something of our node":         {us, Step{Tier: Host}, Target{Cluster: "home", Kind: "service", Object: "ssh", Node: "pve2"}, "runs on node pve2"},
		"by its path alone":             {us, call("/nodes/pve2/network/vmbr9"), Target{Cluster: "home"}, "runs on node pve2"},
		"a node with the same begin":    {us, call("/nodes/pve22/network/vmbr9"), Target{Cluster: "home"}, ""},
		"our storage's definition":      {us, call("/storage/tank"), Target{Cluster: "home"}, "storage tank"},
		"another storage's definition":  {us, call("/storage/tank2"), Target{Cluster: "home"}, ""},
		"our vnet":                      {us, call("/cluster/sdn/vnets/vmbr1"), Target{Cluster: "home"}, "connected by vmbr1"},
		"another vnet":                  {us, call("/cluster/sdn/vnets/vmbr2"), Target{Cluster: "home"}, ""},
		"on a node itself: the node":    {onNode, Step{Tier: Host}, Target{Cluster: "home", Kind: "node", Object: "pve2", Node: "pve2"}, "runs on node pve2"},
		"on a node itself: a guest":     {onNode, Step{Tier: Destructive}, Target{Cluster: "home", VMID: 105, Node: "pve2"}, ""},
		"on a node itself: what is new": {onNode, Step{Tier: Disruptive}, Target{Cluster: "home", Kind: "job", Object: "backup-1"}, ""},
		"elsewhere":                     {Home{}, call("/nodes/pve2/network/vmbr9"), Target{}, ""},
	} {
		if got := c.home.Touches(&c.step, c.on); (got == "") != (c.words == "") || !strings.Contains(got, c.words) {
			t.Errorf("%s: %q, want %q", name, got, c.words)
		}
	}
}

// TestHomeByAddress: an address that only one machine can have tells where we run; one that many have alike does not.
func TestHomeByAddress(t *testing.T) {
	t.Parallel()
	h := Here{Addresses: []string{"127.0.0.1", "172.17.0.1", "fe80::1", "192.0.2.7", "2001:db8::7"}}
	for address, want := range map[string]bool{"192.0.2.7": true, "2001:db8::7": true, "192.0.2.8": false, "127.0.0.1": false, "172.17.0.1": false, "fe80::1": false, "": false} {
		if got := h.In(&Resident{Target: Target{Type: pve.Qemu, VMID: 105}, Addresses: []string{address}}) != ""; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if diff := cmp.Diff([]string{"192.0.2.7", "2001:db8::7"}, Owned(h.Addresses)); diff != "" {
		t.Error(diff)
	}
}

// TestHomeIsJudged: a change of where the server runs is denied with the reason, a batch that holds one as a whole.
func TestHomeIsJudged(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Home = func(_ context.Context, cluster string) Home {
			return Home{Cluster: cluster, VMID: 208, Node: "pve1", Why: "this server runs in it (it has the address 192.0.2.7)"}
		}
		r.refused(t, 208, Destroy{}, "guest 208 test-debian: this server runs in it (it has the address 192.0.2.7)")
		if p := r.propose(200, Power{Verb: "reboot"}); p.ID == "" {
			t.Errorf("another guest: %+v", p)
		}
		v, err := r.sheriff.Judge(t.Context(), &Body{Cluster: "home", Tier: Destructive, Steps: []Step{{Tier: Destructive,
			Target: Target{Kind: "volume", Object: "local-lvm:vm-208-disk-0", Cluster: "home", VMID: 208}}}}, agent, nil)
		if err != nil || v.Decision != Deny || !strings.HasPrefix(v.Reasons[0], "volume local-lvm:vm-208-disk-0: this server runs in it") {
			t.Errorf("%+v, %v", v, err)
		}
	})
}
