package change

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestCodePolicy: a saved plan is judged by every guest, node and storage that it touches, and by what it would label guests with.
func TestCodePolicy(t *testing.T) {
	web := Target{Cluster: "home", VMID: 202, Node: "pve1", Type: "qemu", Tags: []string{"web"}}
	update := CodeObject{Address: "vm.web", Does: "update", Tier: Disruptive, VMID: 202, Node: "pve1"}
	for _, c := range []struct {
		name    string
		code    Code
		lives   []*Live
		rules   Rules
		home    Home
		count   int
		want    Decision
		because string
	}{
		{name: "imports alone", want: RunNow},
		{name: "a guest", code: Code{Objects: []CodeObject{update}}, lives: []*Live{{Target: web}}, want: Confirm},
		{name: "a protected guest", code: Code{Objects: []CodeObject{update}}, lives: []*Live{{Target: web}}, rules: Rules{Protected: []Scope{{Tag: "web"}}}, want: Deny, because: "protected"},
		{name: "a label that a rule goes by", code: Code{Objects: []CodeObject{update}, Program: Program{Relabels: []Relabel{{VMID: 202, Tags: []string{"web", "lab"}}}}},
			lives: []*Live{{Target: web}}, rules: Rules{Deny: []Scope{{Tag: "lab"}}}, want: Deny, because: "a rule of the owner goes by this"},
		{name: "a denied guest that would be made", code: Code{Objects: []CodeObject{{Address: "vm.new", Does: "create", Tier: Disruptive, VMID: 900, Node: "pve1", New: true}}},
			rules: Rules{Deny: []Scope{{VMIDs: [][2]int{{900, 999}}}}}, want: Deny, because: "denies"},
		{name: "the node that we run on", code: Code{Objects: []CodeObject{{Address: "bridge.a", Does: "update", Tier: Host, Node: "pve1"}}},
			home: Home{Cluster: "home", Node: "pve1", Why: "this server runs on it"}, want: Deny, because: "this server runs on node pve1"},
		{name: "another node", code: Code{Objects: []CodeObject{{Address: "bridge.a", Does: "update", Tier: Host, Node: "pve2"}}},
			home: Home{Cluster: "home", Node: "pve1", Why: "this server runs on it"}, want: Operator},
		{name: "the storage that our disks lie on", code: Code{Objects: []CodeObject{{Address: "storage.a", Does: "update", Tier: Host, Storage: "fast"}}},
			home: Home{Cluster: "home", VMID: 100, Storages: []string{"fast"}}, want: Deny, because: "the disks of guest 100 lie on it"},
		{name: "a loss", code: Code{Objects: []CodeObject{{Address: "vm.web", Does: "delete", Tier: Destructive, VMID: 202}}}, lives: []*Live{{Target: web}}, want: Operator},
		{name: "more losses than an hour may have", code: Code{Objects: []CodeObject{{Address: "vm.web", Does: "delete", Tier: Destructive, VMID: 202}}},
			lives: []*Live{{Target: web}, {Target: Target{Cluster: "home", VMID: 203, Node: "pve1"}}}, count: 4, want: Deny, because: "at most 5"},
		{name: "where a snapshot is wanted first", code: Code{Objects: []CodeObject{update}}, lives: []*Live{{Target: web}}, rules: Rules{SnapshotFirst: true}, want: Operator},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.code.Cluster, c.code.Program.Folder, c.rules.Maximum, c.rules.Caps = "home", "/infra/terraform", Host, DefaultCaps
			s := &Sheriff{Rules: c.rules, Clock: time.Now, Grants: func(context.Context) ([]Grant, error) { return []Grant{{Tier: Host}}, nil },
				Stopped: func(context.Context) (bool, string, error) { return false, "", nil }, Self: func(Target) string { return "" },
				Home:  func(context.Context, string) Home { return c.home },
				Count: func(context.Context, store.StepFilter) (int, error) { return c.count, nil }}
			b := Body{Cluster: "home", Steps: []Step{c.code.step(c.lives)}}
			b.complete(c.lives)
			v, err := s.Judge(t.Context(), &b, agent, targets(c.lives))
			if err != nil || v.Decision != c.want || !strings.Contains(strings.Join(v.Reasons, "; "), c.because) {
				t.Errorf("%v %v, want %v (%s)", v, err, c.want, c.because)
			}
		})
	}
}
