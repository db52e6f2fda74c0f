package inventory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

func TestGuestDetail(t *testing.T) {
	w := newWorld(1, 2)
	g := w.guests[100]
	g.config["description"], g.config["parent"], g.config["agent"] = "web server\nfront", "clean", "1"
	g.snaps = []pve.Snapshot{{Name: "clean", Description: "before", SnapTime: pve.Ptr(pve.Int(1_790_000_000))}}
	g.ips = []pve.Interface{{Name: "lo", Addresses: []string{"127.0.0.1/8"}}, {Name: "eth0", Addresses: []string{"192.168.1.5/24", "fe80::1/64"}}}
	r := newRig(t, w)
	for k := range 7 {
		w.task("pve1", "qmsnapshot", "100", r.clock.now().Add(-time.Duration(k)*time.Hour), r.clock.now().Add(-time.Duration(k)*time.Hour+time.Second), "OK")
	}
	r.sync()
	calls := w.Calls()
	d := r.guest("vm100")
	if w.Calls()-calls != 1 || w.count("addresses") != 1 {
		t.Errorf("%d calls", w.Calls()-calls)
	}
	if diff := cmp.Diff([]Address{{"eth0", "192.168.1.5", "agent"}}, d.Addresses); diff != "" {
		t.Error(diff)
	}
	if d.Description != "web server\nfront" || len(d.Disks) != 1 || d.Disks[0].Size != 32<<30 || len(d.NICs) != 1 || len(d.Snapshots) != 1 ||
		len(d.Tasks) != lastTasks || d.Tasks[0].Start.Before(d.Tasks[1].Start) || d.Tasks[0].Handle == "" || len(d.AllowedActions) == 0 {
		t.Errorf("detail %+v", d)
	}
	calls = w.Calls()
	if d := r.guest("100"); w.Calls() != calls || len(d.Addresses) != 1 || !strings.HasPrefix(d.AddressNote, "observed") {
		t.Errorf("second look: %d calls, note %q", w.Calls()-calls, d.AddressNote)
	}
	r.tick()
	if got := vmids(r.find("ip:192.168.1.5")); !cmp.Equal(got, []int{100}) {
		t.Errorf("ip finds %v", got)
	}
}

// A failing agent is left alone for five minutes and its last addresses stay.
func TestAgentBreaker(t *testing.T) {
	w := newWorld(1, 1)
	w.guests[100].config["agent"] = "1"
	w.guests[100].ips = []pve.Interface{{Name: "eth0", Addresses: []string{"192.168.1.5/24"}}}
	r := newRig(t, w)
	r.sync()
	r.guest("100")
	w.guests[100].ips = nil
	for range 5 {
		r.clock.advance(time.Minute)
		d := r.guest("100")
		if len(d.Addresses) != 1 || !strings.Contains(d.AddressNote, "not answered") {
			t.Errorf("addresses %v, note %q", d.Addresses, d.AddressNote)
		}
	}
	if n := w.count("addresses"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	r.clock.advance(time.Minute)
	r.guest("100")
	if n := w.count("addresses"); n != 3 {
		t.Errorf("asked %d times after the pause", n)
	}
}

func TestAddressNotes(t *testing.T) {
	w := newWorld(1, 4)
	w.guests[101].status = "stopped"
	r := newRig(t, w)
	r.sync()
	for id, want := range map[string]string{"100": "agent not configured", "101": "guest stopped", "103": "not answered"} {
		if d := r.guest(id); !strings.HasPrefix(d.AddressNote, want) {
			t.Errorf("%s: %q, want %q", id, d.AddressNote, want)
		}
	}
	if d := r.guest("103"); len(d.Addresses) != 1 || d.Addresses[0].Source != "config" {
		t.Errorf("configured addresses %v", d.Addresses)
	}
}

func TestGuestNames(t *testing.T) {
	w := newWorld(2, 6)
	w.guests[101].config["name"], w.guests[102].config["name"] = "web", "web"
	r := newRig(t, w)
	r.sync()
	for _, c := range []struct {
		name string
		code fault.Code
		text string
	}{{"web", fault.Ambiguous, "101 (vm on pve2, running)"}, {"vm10", fault.NotFound, "did you mean vm100"}, {"", fault.Invalid, "vmid or a name"}, {"999", fault.NotFound, "find_guests"}} {
		_, err := r.Guest(t.Context(), GuestRef{Name: c.name})
		if e := fault.Of(err); e == nil || e.Code != c.code || !strings.Contains(e.Error()+e.Hint, c.text) {
			t.Errorf("%q: %+v", c.name, e)
		}
	}
	delete(w.guests, 105)
	r.tick()
	if _, err := r.Guest(t.Context(), GuestRef{Name: "105"}); !strings.Contains(err.Error(), "gone since") {
		t.Errorf("gone guest: %v", err)
	}
	names, err := r.KnownNames(t.Context())
	if err != nil || len(names.Guests) != 5 || names.Guests[0].VMID != 100 || names.Guests[0].Name != "vm100" || !cmp.Equal(names.Nodes, []string{"pve1", "pve2"}) {
		t.Errorf("names %v, %v", names, err)
	}
}

func TestFreshGuest(t *testing.T) {
	w := newWorld(1, 3)
	r := newRig(t, w)
	r.sync()
	w.guests[100].qmp = "paused"
	w.guests[101].status, w.guests[101].lock = "stopped", "suspended"
	w.guests[102].config["description"] = "new"
	fresh := func(id string) GuestDetail {
		d, err := r.Guest(t.Context(), GuestRef{Name: id, ReadOptions: ReadOptions{Fresh: true}})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := fresh("100"); d.State != stPaused || !cmp.Equal(d.AllowedActions, []string{"resume", "stop"}) {
		t.Errorf("paused is %s", d.State)
	}
	if d := fresh("101"); d.State != stSuspended {
		t.Errorf("hibernated is %s", d.State)
	}
	if d := fresh("102"); d.Description != "new" {
		t.Errorf("description %q", d.Description)
	}
	w.add(150, "pve1")
	if d := fresh("150"); d.Name != "vm150" {
		t.Errorf("created a moment ago: %+v", d.Guest)
	}
	w.nodes["pve1"].silent = true
	if d := fresh("100"); !hasWarning(d.Warnings, "node_silent") || d.Name != "vm100" {
		t.Errorf("warnings %v", d.Warnings)
	}
}

// F51: hostile text comes out short and plain.
func TestHostileText(t *testing.T) {
	w := newWorld(1, 1)
	evil := "a\x1b[31mred\u202eevil\u200b\n" + strings.Repeat("x", 70_000)
	w.guests[100].config["name"], w.guests[100].config["description"], w.guests[100].tags, w.guests[100].name = evil, evil, evil, evil
	r := newRig(t, w)
	id := w.task("pve1", "vzdump", "100", r.clock.now(), r.clock.now(), evil)
	w.logs[id] = []string{evil}
	r.sync()
	d := r.guest("100")
	task, err := r.Task(t.Context(), TaskQuery{ID: id, LogLines: 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{d.Name, d.Description, strings.Join(d.Tags, ""), task.Exit, strings.Join(task.Log, "")} {
		if len([]rune(s)) > maxNote || strings.ContainsAny(s, "\x1b\u202e\u200b") || s == "" {
			t.Errorf("%.60q, %d characters", s, len(s))
		}
	}
}

func TestStoreErrors(t *testing.T) {
	want := fault.New(fault.StoreNewer, "the store is newer")
	inv, err := New(Options{Store: func(context.Context) (Store, error) { return nil, want }, Sources: []NamedSource{{"lab", func(context.Context) (Source, error) { return newWorld(1, 1), nil }}}})
	if err != nil {
		t.Fatal(err)
	}
	defer inv.Close()
	if _, err := inv.Overview(t.Context(), ReadOptions{}); !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
	if _, err := inv.Overview(t.Context(), ReadOptions{Cluster: "x"}); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("error %v", err)
	}
	if _, err := New(Options{}); fault.CodeOf(err) != fault.Config {
		t.Errorf("error %v", err)
	}
}
