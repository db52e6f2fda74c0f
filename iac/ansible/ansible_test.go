package ansible_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/ansible"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func sample() *iac.World {
	guest := func(g iac.Guest) iac.Guest {
		g.Life, g.Node = 1, "pve1"
		if g.Config == nil {
			g.Config = pve.Config{}
		}
		return g
	}
	w := &iac.World{Cluster: "home", Guests: []iac.Guest{
		guest(iac.Guest{VMID: 100, Type: pve.Qemu, Name: "web", Status: "running", Pool: "prod", Tags: []string{"a-b", "a_b"},
			Addresses: []iac.Address{{Interface: "lo", IP: "127.0.0.1", Source: "agent"}, {Interface: "eth0", IP: "fe80::1%eth0", Source: "agent"}, {Interface: "eth0", IP: "10.0.0.5/24", Source: "agent"}},
			Config:    pve.Config{"name": "web", "memory": "2048,max=4096", "ostype": "l26", "description": "{{ lookup('pipe', 'id') }}\n\"quoted\" \u202e", "cipassword": redact.Mask}}),
		guest(iac.Guest{VMID: 101, Type: pve.LXC, Name: "web", Status: "stopped", Config: pve.Config{"hostname": "web", "ostype": "debian", "net0": "name=eth0,bridge=vmbr0,ip=10.0.0.6/24"}}),
		guest(iac.Guest{VMID: 102, Type: pve.Qemu, Name: "win", Status: "stopped", Template: true, Config: pve.Config{"ostype": "win11", "ipconfig0": "ip=dhcp,ip6=2001:db8::2/64"}}),
		guest(iac.Guest{VMID: 103, Type: pve.Qemu, Name: "all", Status: "unknown", Unread: "its configuration was never read"}),
	}, Objects: []iac.Object{{Kind: store.KindNode, ID: "pve1", Raw: []byte(`{"ip":"192.168.1.11"}`), Known: true}}}
	w.Sort()
	return w
}

// TestEmit holds the whole project of a small cluster to its golden form, twice the same.
func TestEmit(t *testing.T) {
	golden := func(w *iac.World) string {
		r, err := ansible.Emitter{}.Emit(w)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, f := range r.Files {
			if strings.Contains(f.Path, "/inventory/") {
				out.WriteString("== " + f.Path + "\n" + string(f.Data))
			}
		}
		for _, a := range r.Addresses {
			out.WriteString(a.ID + " " + a.Address + "\n")
		}
		return out.String()
	}
	got, again := golden(sample()), golden(sample())
	if got != again {
		t.Error("two runs differ")
	}
	path := filepath.Join("testdata", "inventory.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// TestNamesForLife: a guest keeps its host name when it is renamed and when another comes that is called as it was.
func TestNamesForLife(t *testing.T) {
	w := sample()
	first, err := ansible.Emitter{}.Emit(w)
	if err != nil {
		t.Fatal(err)
	}
	w.Known = map[iac.Key]string{}
	for _, a := range first.Addresses {
		w.Known[iac.Key{Target: a.Target, Kind: a.Kind, ID: a.ID, Life: a.Life}] = a.Address
	}
	w.Guests[0].Name = "renamed"
	w.Guests = append(w.Guests, iac.Guest{VMID: 104, Life: 1, Type: pve.Qemu, Node: "pve1", Name: "win", Status: "stopped", Config: pve.Config{}})
	second, err := ansible.Emitter{}.Emit(w)
	if err != nil {
		t.Fatal(err)
	}
	if len(second.Addresses) != 1 || second.Addresses[0].Address != "win_104" {
		t.Errorf("new names: %v", second.Addresses)
	}
}

// TestUnnamed: a guest without a name is called after its number, for life.
func TestUnnamed(t *testing.T) {
	w := &iac.World{Cluster: "home", Guests: []iac.Guest{{VMID: 109, Life: 1, Type: pve.LXC, Node: "pve1", Status: "unknown", Config: pve.Config{}}}}
	r, err := ansible.Emitter{}.Emit(w)
	if err != nil || len(r.Addresses) != 1 || r.Addresses[0].Address != "ct-109" {
		t.Errorf("%v, %v", r.Addresses, err)
	}
}
