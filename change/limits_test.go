package change

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/limits"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// instant is a cluster, a store and an inventory that cost nothing: what is left is the engine.
type instant struct {
	Cluster
	Store
	mu     sync.Mutex
	memory map[string]string
	plans  map[string]store.Plan
	steps  map[string][]store.PlanStep
}

func (m *instant) locked(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }

func (m *instant) GuestConfig(_ context.Context, _ string, _ pve.GuestType, vmid int) (c pve.Config, err error) {
	m.locked(func() {
		v := m.memory[fmt.Sprint(vmid)]
		c = pve.Config{"name": "guest", "memory": v, "digest": "d" + v, "smbios1": "uuid=1", "scsi0": "local-lvm:vm-100-disk-0,size=8G"}
	})
	return c, nil
}

func (m *instant) GuestStatus(context.Context, string, pve.GuestType, int) (s pve.GuestStatus, err error) {
	return s, json.Unmarshal([]byte(`{"status":"stopped"}`), &s)
}

func (m *instant) ClusterStatus(context.Context) ([]pve.ClusterMember, error) { return nil, nil }

func (m *instant) Raw(_ context.Context, method, path string, params proxmox.Params) (json.RawMessage, error) {
	if method == "GET" { // the list of guests, which shows none
		return json.RawMessage(`[]`), nil
	}
	m.locked(func() { m.memory[path[len("/nodes/n/qemu/"):len(path)-len("/config")]] = params[0].Value })
	return json.RawMessage(`null`), nil
}

func (m *instant) FindOne(context.Context, string, string) (Found, error) {
	return Found{}, fault.New(fault.NotFound, "none")
}

func (m *instant) FindAll(context.Context, string, string) (out []Found, err error) {
	for k := range 200 {
		out = append(out, Found{Target: Target{Cluster: "c", Type: pve.Qemu, VMID: 100 + k, Node: "n"}})
	}
	return out, nil
}

func (m *instant) LastBackup(context.Context, string, int) (*time.Time, bool) { return nil, true }
func (m *instant) Places(context.Context, string) (Places, error)             { return Places{}, nil }
func (*instant) Stored(context.Context, string, int) (*Found, bool)           { return nil, false }
func (*instant) Unsure(context.Context, string, string) []Skip                { return nil }
func (*instant) Bridges(context.Context, string, string) []string             { return nil }

func (m *instant) Resync(context.Context, string, int) {}

func (m *instant) AcquireLease(context.Context, string, string, time.Duration) (store.Lease, bool, error) {
	return store.Lease{}, true, nil
}
func (m *instant) ReleaseLease(context.Context, store.Lease) error { return nil }

func (m *instant) SavePlan(_ context.Context, p store.Plan, steps []store.PlanStep, _ store.AuditEntry) (store.Plan, error) {
	m.locked(func() { m.plans[p.ID], m.steps[p.ID] = p, steps })
	return p, nil
}

func (m *instant) PlanByID(_ context.Context, id string) (p store.Plan, ok bool, err error) {
	m.locked(func() { p, ok = m.plans[id] })
	return p, ok, nil
}
func (m *instant) Plans(context.Context, store.PlanFilter) ([]store.Plan, error) { return nil, nil }

func (m *instant) MovePlan(_ context.Context, v store.PlanMove, _ ...store.AuditEntry) (p store.Plan, err error) {
	m.locked(func() { p = m.plans[v.ID]; p.State, p.Note = v.To, v.Note; m.plans[v.ID] = p })
	return p, nil
}

func (m *instant) Steps(_ context.Context, f store.StepFilter) (out []store.PlanStep, err error) {
	m.locked(func() { out = slices.Clone(m.steps[f.Plan]) })
	return out, nil
}

func (m *instant) SaveStep(_ context.Context, _ store.Lease, s store.PlanStep, _ ...store.AuditEntry) error {
	m.locked(func() { m.steps[s.Plan][s.N-1] = s })
	return nil
}

// TestLimitStep is the gate on what the engine costs by itself: a plan of 200 steps over a cluster and a store that cost nothing.
func TestLimitStep(t *testing.T) {
	limits.Timed(t)
	best := time.Hour
	for range 5 {
		m := &instant{memory: map[string]string{}, plans: map[string]store.Plan{}, steps: map[string][]store.PlanStep{}}
		rules := &Sheriff{Rules: Rules{Maximum: Host}, Clock: time.Now, Grants: func(context.Context) ([]Grant, error) { return []Grant{{Tier: Host}}, nil },
			Stopped: func(context.Context) (bool, string, error) { return false, "", nil },
			Self:    func(Target) string { return "" }, Count: func(context.Context, store.StepFilter) (int, error) { return 0, nil }}
		e := New(Options{Store: func(context.Context) (Store, error) { return m, nil }, Cluster: func(string) (Cluster, error) { return m, nil }, Guests: m,
			Policy: rules, Secrets: secretsOf{"ci": "canary"}, Clock: time.Now})
		began := time.Now()
		p, err := e.Propose(t.Context(), Request{Tool: "test", Query: "all", Action: Configure{Set: map[string]string{"memory": "4096"}}, Caller: agent})
		if err != nil {
			t.Fatal(err)
		}
		done, err := e.Apply(t.Context(), p.ID, agent, ApplyOptions{Wait: time.Minute})
		if err != nil || done.State != Done {
			t.Fatalf("%s %s, %v", done.State, done.Note, err)
		}
		best = min(best, time.Since(began)/200)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	limits.Report(t, limits.Row{Name: "engine of changes, one step without I/O, ms", Measured: best.String(), Value: float64(best.Microseconds()) / 1000, Limit: 2})
}
