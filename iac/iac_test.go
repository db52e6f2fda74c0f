package iac_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// kept is a store in memory.
type kept struct {
	guests    []store.Guest
	objects   []store.Object
	contents  map[string]string
	addresses []store.Address
}

func (k *kept) Guests(context.Context, store.GuestFilter) ([]store.Guest, error) {
	return k.guests, nil
}
func (k *kept) Objects(context.Context, string, int64) ([]store.Object, error) { return k.objects, nil }
func (k *kept) Addresses(context.Context, string) ([]store.Address, error)     { return k.addresses, nil }
func (k *kept) Content(_ context.Context, hash string) (json.RawMessage, error) {
	return json.RawMessage(k.contents[hash]), nil
}

// TestLoad wants the whole of a cluster in one order: gone objects apart, unread guests with the reason, base and tags found.
func TestLoad(t *testing.T) {
	k := &kept{contents: map[string]string{
		"a": `{"name":"web","tags":"b;a;b","digest":"x","memory":"2048","scsi0":"local:733/base-733-disk-0.qcow2/102/vm-102-disk-0.qcow2,size=4G"}`},
		guests: []store.Guest{{VMID: 102, Life: 2, Type: "qemu", Node: "pve1", Name: "old", Status: "running", ConfigHash: "a",
			Addresses: `[{"Interface":"eth0","IP":"10.0.0.5","Source":"agent"}]`},
			{VMID: 102, Life: 1, Type: "qemu", GoneAt: time.Unix(1, 0)}, {VMID: 20, Life: 1, Type: "lxc", Status: "unknown"}},
		objects: []store.Object{{Ref: store.Ref{Kind: store.KindPool, ID: "prod"}, State: []byte(`{"poolid":"prod"}`)},
			{Ref: store.Ref{Kind: store.KindPool, ID: "old"}, GoneAt: time.Unix(1, 0)},
			{Ref: store.Ref{Kind: store.KindCluster, ID: "cluster"}, State: []byte(`{"name":"homelab","version":"9.2"}`), UnknownSince: time.Unix(1, 0)}},
		addresses: []store.Address{{Ref: store.Ref{Kind: store.KindGuest, ID: "102"}, Life: 1, Target: "terraform", Address: "vm.old"}}}
	w, err := iac.Load(t.Context(), k, "lab", iac.Options{})
	if err != nil {
		t.Fatal(err)
	}
	g := w.Guest(102)
	got := []any{len(w.Guests), w.Guests[0].Unread, g.Name, g.Tags, g.Base, g.Life, g.Addresses[0].IP, g.Config.Has("digest"), w.Identity.Name,
		len(w.Of(store.KindPool)), w.Find(store.KindPool, "prod").Known, w.Find(store.KindCluster, "cluster").Known, w.Left("terraform", nil)}
	want := []any{2, "its configuration was never read", "web", []string{"a", "b"}, 733, 2, "10.0.0.5", false, "homelab", 1, true, false, []string{"vm.old"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := iac.Load(t.Context(), &kept{}, "lab", iac.Options{}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a cluster that was never seen: %v", err)
	}
}

// TestName wants a legal name of whatever text.
func TestName(t *testing.T) {
	for text, want := range map[string]string{"web-01.example.com": "web_01_example_com", "1-leading": "vm_1_leading", "": "vm", "../../etc": "etc", "${x}": "x",
		"Büro Köln": "buero_koeln", "日本": "vm", "con": "vm_con", "a\nb": "a_b", "__x__": "x", strings.Repeat("long-", 50): strings.Repeat("long_", 12)[:59]} {
		if got := iac.Name(text, "vm"); got != want {
			t.Errorf("%.30q: %q, want %q", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		name := iac.Name(text, "vm")
		if len(name) > 60 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || name[0] >= '0' && name[0] <= '9' {
			t.Fatalf("%q", name)
		}
		if err := iac.CheckPath("dir/" + name + ".yml"); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCheckPath refuses what is not surely below a folder on any system.
func TestCheckPath(t *testing.T) {
	for _, p := range []string{"", ".", "..", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", `a\b`, "C:x", ".git/config", ".GIT/hooks/x", "a/.git", "nul.tf", "x/CON",
		"a\nb", "a\u202eb", "x.", "x ", "a\x00", strings.Repeat("a", 200)} {
		if iac.CheckPath(p) == nil {
			t.Errorf("%q was taken", p)
		}
	}
	for _, p := range []string{"terraform/vms.tf", ".gitignore", ".proxmox-mcp/manifest.json", "ansible/inventory/host_vars/web.yml"} {
		if err := iac.CheckPath(p); err != nil {
			t.Error(err)
		}
	}
	r := iac.Result{Files: []iac.File{{Path: "A.tf"}, {Path: "a.tf"}}}
	if r.Finish() == nil {
		t.Error("two files whose names differ by case only were taken")
	}
}

func want(id, name string) iac.Want {
	return iac.Want{Key: iac.Key{Target: "terraform", Kind: store.KindGuest, ID: id, Life: 1}, Scope: "vm.", Name: name, Suffix: id}
}

// assigned is Assign as a map from ids to addresses, with the added ones put into known.
func assigned(known map[iac.Key]string, wants ...iac.Want) map[string]string {
	all, added := iac.Assign("lab", known, wants)
	for _, a := range added {
		known[iac.Key{Target: a.Target, Kind: a.Kind, ID: a.ID, Life: a.Life}] = a.Address
	}
	out := map[string]string{}
	for k, a := range all {
		out[k.ID] = a
	}
	return out
}

// TestAssign gives names for life: two of one name stay two, a rename moves nothing, a newcomer alone is told apart, also from one that is
// gone and from one that is called like a suffixed one.
func TestAssign(t *testing.T) {
	known := map[iac.Key]string{}
	first := assigned(known, want("100", "web"), want("101", "web"), want("102", "db"), want("103", "web_100"))
	if diff := cmp.Diff(map[string]string{"100": "vm.web_100_2", "101": "vm.web_101", "102": "vm.db", "103": "vm.web_100"}, first); diff != "" {
		t.Error(diff)
	}
	second := assigned(known, want("100", "renamed"), want("101", "web"), want("104", "db"), want("105", "web"))
	if diff := cmp.Diff(map[string]string{"100": "vm.web_100_2", "101": "vm.web_101", "104": "vm.db_104", "105": "vm.web_105"}, second); diff != "" {
		t.Error(diff)
	}
}

// TestAssignProperty: whatever comes and goes, addresses are unique and never move.
func TestAssignProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known, before := map[iac.Key]string{}, map[string]string{}
		for range rapid.IntRange(1, 4).Draw(t, "exports") {
			var wants []iac.Want
			for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "3", "4", "1_1", "2_2"}), 1, 6, rapid.ID).Draw(t, "ids") {
				wants = append(wants, want(id, rapid.SampledFrom([]string{"a", "a_1", "a_2", "b"}).Draw(t, "name")))
			}
			seen := map[string]string{}
			for id, a := range assigned(known, wants...) {
				if seen[a] != "" || before[id] != "" && before[id] != a {
					t.Fatalf("%s has %s: also of %q, before %q", id, a, seen[a], before[id])
				}
				seen[a], before[id] = id, a
			}
		}
	})
}

func world(config string, change func(*store.Guest)) *iac.World {
	row := store.Guest{VMID: 100, Life: 1, Type: "qemu", Node: "pve1", Status: "running"}
	if change != nil {
		change(&row)
	}
	g, err := iac.NewGuest(&row, json.RawMessage(config))
	if err != nil {
		panic(err)
	}
	return &iac.World{Guests: []iac.Guest{g}}
}

// TestDiff names what changed down to the part of a property string.
func TestDiff(t *testing.T) {
	base := `{"cpu":"host,flags=+aes","scsi0":"local:1/d.qcow2,size=4G","memory":"2048","lxc":[["lxc.idmap","u 0 1 1"]]}`
	for name, c := range map[string]struct {
		config string
		row    func(*store.Guest)
		want   []string
	}{
		"nothing":        {base, nil, nil},
		"spelling":       {`{"memory":2048,"scsi0":"local:1/d.qcow2,size=4G","cpu":"host,flags=+aes","lxc":[["lxc.idmap","u 0 1 1"]]}`, nil, nil},
		"part":           {`{"cpu":"cputype=host,hidden=1","scsi0":"local:1/d.qcow2,size=5G","memory":"2048","lxc":[["lxc.idmap","u 0 1 2"]]}`, nil, []string{"cpu.flags:+aes>", "cpu.hidden:>1", `lxc:[["lxc.idmap","u 0 1 1"]]>[["lxc.idmap","u 0 1 2"]]`, "scsi0.size:4G>5G"}},
		"added":          {base[:len(base)-1] + `,"kvm":0}`, nil, []string{"kvm:>0"}},
		"row":            {base, func(g *store.Guest) { g.Pool, g.HAState, g.Lock, g.Status = "p", "started", "backup", "stopped" }, []string{"ha:>started", "lock:>backup", "pool:>p", "status:running>stopped"}},
		"silent":         {base, func(g *store.Guest) { g.Status = "unknown" }, nil},
		"another spirit": {base, func(g *store.Guest) { g.Life = 2 }, []string{"life:another guest>this guest"}},
	} {
		var got []string
		for _, d := range iac.Diff(world(base, nil), world(c.config, c.row)) {
			got = append(got, d.Field+":"+d.Old+">"+d.New)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	gone := iac.Diff(world(base, nil), &iac.World{Objects: []iac.Object{{Kind: store.KindPool, ID: "p", Raw: []byte(`{}`)}}})
	if len(gone) != 2 || !gone[0].Had || gone[0].Has || gone[1].Had || !gone[1].Has {
		t.Errorf("one gone, one new: %+v", gone)
	}
}
