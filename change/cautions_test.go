package change

import (
	"slices"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// TestCautionsOfConfigure: what is known beforehand is said beforehand: less memory than is used, and what waits for a restart.
func TestCautionsOfConfigure(t *testing.T) {
	t.Parallel()
	guest := func(typ pve.GuestType, status, hotplug string) *Live {
		return &Live{Target: Target{Type: typ, VMID: 105, Name: "grafana", Status: status}, Config: pve.Config{"cores": "2", "memory": "2048", "hotplug": hotplug},
			Status: pve.GuestStatus{Mem: pve.Ptr(pve.Int(777 << 20))}}
	}
	const cold = "while 105 grafana runs only a restart brings cores, memory into effect"
	for name, c := range map[string]struct {
		l      *Live
		set    map[string]string
		notes  []string
		moment string
	}{
		"less than it uses":      {guest(pve.LXC, "running", ""), map[string]string{"memory": "512"}, nil, "105 grafana used 777M of memory when this was planned, more than the 512M it is to have"},
		"more than it uses":      {guest(pve.LXC, "running", ""), map[string]string{"memory": "1024"}, nil, ""},
		"a container's cores":    {guest(pve.LXC, "running", ""), map[string]string{"cores": "4"}, nil, ""},
		"a VM's cores":           {guest(pve.Qemu, "running", ""), map[string]string{"cores": "4", "memory": "4096", "tags": "a"}, []string{cold}, ""},
		"memory that is plugged": {guest(pve.Qemu, "running", "disk,memory"), map[string]string{"memory": "4096"}, nil, ""},
		"as it is":               {guest(pve.Qemu, "running", ""), map[string]string{"cores": "2", "tags": "a"}, nil, ""},
		"a stopped VM":           {guest(pve.Qemu, "stopped", ""), map[string]string{"cores": "4", "memory": "512"}, nil, ""},
	} {
		a := Configure{Set: c.set}
		if got := a.Cautions([]*Live{c.l}); !slices.Equal(got, c.notes) {
			t.Errorf("%s: %q", name, got)
		}
		if got := strings.Join(a.Moment([]*Live{c.l}), "; "); got != c.moment {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestMemoryTogether: guests that go to one node in one plan are counted together.
func TestMemoryTogether(t *testing.T) {
	t.Parallel()
	gib := func(n int64) *int64 { return pve.Ptr(n << 30) }
	places := Places{Nodes: []NodePlace{{Name: "b", Online: true, Memory: gib(16), Committed: gib(4)}}}
	var come []*Live
	for _, mem := range []string{"8192", "4096", "2048"} {
		come = append(come, &Live{Target: Target{Node: "a", Status: "running"}, Config: pve.Config{"memory": mem}, Places: places})
	}
	if got := (Migrate{Target: "b"}).Cautions(come[:2]); len(got) != 0 {
		t.Errorf("what fits is warned about: %q", got)
	}
	const want = "b has 12G of memory left beside what its running guests may take, the 3 that come may take 14G together"
	if got := (Migrate{Target: "b"}).Cautions(come); len(got) != 1 || got[0] != want {
		t.Errorf("what does not: %q", got)
	}
}

// TestDrainSaysQuorum: a drain tells when the cluster would have no quorum without the node.
func TestDrainSaysQuorum(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		members, present int
		online, warns    bool
	}{
		"one of three is off": {3, 2, true, true},
		"all three are on":    {3, 3, true, false},
		"two nodes":           {2, 2, true, true},
		"five of five":        {5, 5, true, false},
		"not known":           {0, 0, true, false},
		"it is off itself":    {3, 2, false, false},
	} {
		l := &Live{Places: Places{Nodes: []NodePlace{{Name: "pve2", Online: c.online}}, Members: c.members, Present: c.present}}
		got := (Drain{Node: "pve2"}).Cautions([]*Live{l})
		if (len(got) == 1) != c.warns || c.warns && !strings.Contains(got[0], "without quorum") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestPoolThatIsNone: a pool that does not exist is refused when the change is planned, with those that there are, unless an earlier step makes
// it; the steps of a batch keep their warnings.
func TestPoolThatIsNone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: "208", Action: SetPool{Pool: "labb"}, Caller: agent})
		if fault.CodeOf(err) != fault.Invalid || !strings.Contains(err.Error(), "did you mean lab?") {
			t.Errorf("a pool that is none: %v", err)
		}
		if n := r.sim.Stats().Writes; n > 0 {
			t.Errorf("%d writes", n)
		}
		b := r.Batch("test", agent)
		for _, q := range []Request{{Cluster: "home", Direct: Pool{Cluster: "home", Verb: "create", Pool: "fresh"}}, {Guest: "208", Action: SetPool{Pool: "fresh"}},
			{Guest: "210", Action: Configure{Set: map[string]string{"cores": "3"}}}} {
			if _, err := b.Add(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		p, err := b.Propose(t.Context())
		if err != nil || len(p.Body.Notes) != 1 || !strings.Contains(p.Body.Notes[0], "while 210 runner runs only a restart brings cores into effect") {
			t.Errorf("the batch: %q, %v", p.Body.Notes, err)
		}
	})
}
