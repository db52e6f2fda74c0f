package checks_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func world(t *testing.T, change func(w *iac.World)) *iac.World {
	t.Helper()
	config := func(s string) pve.Config {
		c, err := pve.DecodeConfig([]byte(s))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	w := &iac.World{Cluster: "lab", Guests: []iac.Guest{
		{VMID: 100, Life: 1, Type: pve.Qemu, Node: "pve1", Name: "web", Status: "running", Config: config(`{"name":"web","memory":"2048","cores":4,"net0":"virtio=AA:BB:CC:00:00:01,bridge=vmbr0"}`)},
		{VMID: 101, Life: 1, Type: pve.LXC, Node: "pve1", Name: "{{ dns }}", Status: "running", Config: config(`{"hostname":"{{ dns }}","memory":512}`)},
		{VMID: 102, Life: 1, Type: pve.Qemu, Node: "pve2", Name: "db", Status: "stopped", Config: config(`{"name":"db"}`)},
	}, Objects: []iac.Object{{Kind: store.KindPool, ID: "prod", Raw: []byte(`{"poolid":"prod","comment":"x"}`), Known: true},
		{Kind: store.KindNode, ID: "pve1", Raw: []byte(`{"ip":"10.0.0.1","status":"online"}`), Known: true}}}
	if change != nil {
		change(w)
	}
	w.Sort()
	return w
}

func declared(t *testing.T) *iac.World {
	t.Helper()
	r, err := checks.Emitter{}.Emit(world(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Files {
		if f.Path == checks.SpecPath {
			w, err := checks.Read(f.Data)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
	}
	t.Fatal("no spec")
	return nil
}

// TestRun: what was exported passes as it was; drift, health and what cannot be seen are told apart.
func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *iac.World)
		want   []checks.Finding
		passed int
	}{
		"as declared": {passed: 4},
		"memory": {func(w *iac.World) { w.Guests[0].Config["memory"] = "4096" },
			[]checks.Finding{{Sort: checks.Drift, Kind: store.KindGuest, ID: "100", Name: "web", Field: "memory", Want: "2048", Is: "4096"}}, 3},
		"a part of a device": {func(w *iac.World) { w.Guests[0].Config["net0"] = "virtio=AA:BB:CC:00:00:01,bridge=vmbr1" },
			[]checks.Finding{{Sort: checks.Drift, Kind: store.KindGuest, ID: "100", Name: "web", Field: "net0.bridge", Want: "vmbr0", Is: "vmbr1"}}, 3},
		"stopped": {func(w *iac.World) { w.Guests[1].Status = "stopped" },
			[]checks.Finding{{Sort: checks.Health, Kind: store.KindGuest, ID: "101", Name: "{{ dns }}", Field: "status", Want: "running", Is: "stopped"}}, 3},
		"its node is silent": {func(w *iac.World) { w.Guests[2].Status = "unknown"; w.Guests[2].Config["memory"] = "1" },
			[]checks.Finding{{Sort: checks.Unknown, Kind: store.KindGuest, ID: "102", Name: "db", Why: "node pve2 does not answer"}}, 3},
		"gone": {func(w *iac.World) { w.Guests = w.Guests[:2] },
			[]checks.Finding{{Sort: checks.Drift, Kind: store.KindGuest, ID: "102", Name: "db", Want: "exists", Is: "is gone"}}, 3},
		"not declared": {func(w *iac.World) { w.Guests = append(w.Guests, iac.Guest{VMID: 103, Name: "new"}) },
			[]checks.Finding{{Sort: checks.Drift, Kind: store.KindGuest, ID: "103", Name: "new", Want: "not declared", Is: "exists"}}, 4},
		"an object": {func(w *iac.World) { w.Objects[0].Raw = []byte(`{"poolid":"prod","comment":"y"}`) },
			[]checks.Finding{{Sort: checks.Drift, Kind: store.KindPool, ID: "prod", Field: "comment", Want: "x", Is: "y"}}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got := checks.Run(declared(t), world(t, c.change))
			if diff := cmp.Diff(c.want, got.Findings); diff != "" || got.Passed != c.passed || got.Checked != 4 {
				t.Errorf("%d of %d passed, want %d\n%s", got.Passed, got.Checked, c.passed, diff)
			}
		})
	}
}

// TestRead refuses what is no declared state of this version.
func TestRead(t *testing.T) {
	for _, s := range []string{"", "{}", "[]", `{"version":1}`, `{"version":2,"world":{}}`, strings.Repeat("x", 100)} {
		if _, err := checks.Read([]byte(s)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

// TestGossTemplates: text of guests is not run as a template by goss, and what is not known is not checked.
func TestGossTemplates(t *testing.T) {
	r, err := checks.Emitter{}.Emit(world(t, func(w *iac.World) { w.Guests[2].Status = "unknown" }))
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, f := range r.Files {
		if strings.HasSuffix(f.Path, "goss.yaml") {
			text = string(f.Data)
		}
	}
	for _, want := range []string{`{{"{{"}} dns }}`, "tcp://10.0.0.1:8006", "data.cores: 4", `data.memory: "2048"`} {
		if !strings.Contains(text, want) {
			t.Errorf("goss.yaml lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "/102/") {
		t.Error("a guest whose state is not known is checked")
	}
}
