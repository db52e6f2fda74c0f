package pvesim

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDigests: the configuration text that a world renders has the digest that the real one computed.
func TestDigests(t *testing.T) {
	w := recordedWorld(t)
	if len(w.Guests()) != 12 {
		t.Fatalf("%d guests", len(w.Guests()))
	}
	for _, g := range w.Guests() {
		want := g.Digest
		if g.redigest(); g.Digest != want {
			t.Errorf("guest %d: digest %s, recorded %s of\n%s", g.VMID, g.Digest, want, g.file())
		}
	}
}

// TestLossless: each config answer equals the config of the file, types included.
func TestLossless(t *testing.T) {
	raw, err := os.ReadFile(shared(t, "pve", "recordings", recorded02, "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Guests []struct {
			VMID   int
			Type   string
			Config Object
		}
	}
	if err := decodeJSON(bytes.NewReader(raw), &file); err != nil {
		t.Fatal(err)
	}
	s := New(recordedWorld(t), WithRecordedCertificates())
	for _, g := range file.Guests {
		x := asking(t.Context(), s, "GET", "/nodes/pve1/"+g.Type+"/"+text(g.VMID)+"/config", "")
		var got struct{ Data Object }
		if err := decodeJSON(bytes.NewReader(s.serve(x).body), &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(g.Config, got.Data); d != "" {
			t.Errorf("guest %d (-file +answer):\n%s", g.VMID, d)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for _, bad := range []string{"", "{", `{"format":2}`, `{"format":1}`, `{"format":1,"nodes":[{}],"cluster":{}}`,
		`{"format":1,"nodes":[{"node":"a"}],"cluster":{},"guests":[{"vmid":1,"type":"docker"}]}`} {
		if _, err := LoadWorld(strings.NewReader(bad)); err == nil {
			t.Errorf("%s is loaded without an error", bad)
		}
	}
}

// TestPatternsInSchema: every implemented path is one of the real API.
func TestPatternsInSchema(t *testing.T) {
	raw, err := os.ReadFile(shared(t, "pve", "api-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		Path     string
		Children []node
		Info     map[string]json.RawMessage
	}
	var roots []node
	if err := json.Unmarshal(raw, &roots); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"GET /": true}
	var walk func(n node)
	walk = func(n node) {
		for m := range n.Info {
			known[m+" "+anyParams(n.Path)] = true
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	for _, n := range roots {
		walk(n)
	}
	for _, p := range Patterns() {
		if !known[anyParams(p)] {
			t.Errorf("%s is not in the schema", p)
		}
	}
	if len(known) < 600 {
		t.Errorf("only %d methods were read from the schema", len(known))
	}
}

func anyParams(p string) string {
	segs := strings.Split(p, "/")
	for i, s := range segs {
		if strings.HasPrefix(s, "{") {
			segs[i] = "{}"
		}
	}
	return strings.Join(segs, "/")
}

// TestMutations: what tests do to a world shows in answers.
func TestMutations(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	config := func() map[string]any {
		o, _ := r.get("/nodes/pve1/qemu/208/config").data.(map[string]any)
		return o
	}
	before := config()
	r.sim.Update(func(w *World) {
		w.SetConfig(208, "memory", "4096")
		w.SetStatus(208, "running")
		w.AddSnapshot(208, "second", "x")
		w.SetPending(202, "cores", 8)
	})
	after := config()
	if after["memory"] != "4096" || after["digest"] == before["digest"] || after["parent"] != "second" {
		t.Errorf("config after the change: %v", after)
	}
	live, _ := r.get("/nodes/pve1/qemu/208/status/current").data.(map[string]any)
	if live["status"] != "running" || live["qmpstatus"] != "running" {
		t.Errorf("status after the start: %v", live)
	}
	if got := len(r.get("/nodes/pve1/qemu/208/snapshot").rows()); got != 3 {
		t.Errorf("%d entries in the snapshot list, want 3", got)
	}
	merged, _ := r.get("/nodes/pve1/qemu/202/config").data.(map[string]any)
	current, _ := r.get("/nodes/pve1/qemu/202/config?current=1").data.(map[string]any)
	if merged["cores"] != 8.0 || current["cores"] != 4.0 || merged["memory"] != "12288" || current["memory"] != "8192" {
		t.Errorf("merged %v %v, current %v %v", merged["cores"], merged["memory"], current["cores"], current["memory"])
	}
	if p := r.get("/nodes/pve1/qemu/202/pending").row("key", "cores"); p["value"] != 4.0 || p["pending"] != 8.0 {
		t.Errorf("pending %v", p)
	}
	r.sim.Update(func(w *World) { w.MoveGuest(208, "pve2"); w.RemoveGuest(203) })
	if got := r.get("/nodes/pve1/qemu/208/config").status; got != "500 Configuration file 'nodes/pve1/qemu-server/208.conf' does not exist" {
		t.Errorf("on the old node: %s", got)
	}
	if got := r.get("/nodes/pve2/qemu/208/config").code; got != 200 {
		t.Errorf("on the new node: %d", got)
	}
	if o := r.get("/cluster/resources?type=vm").row("id", "qemu/203"); o != nil {
		t.Errorf("still listed: %v", o)
	}
}

// TestRunningTask: facts 32 to 36.
func TestRunningTask(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	var upid string
	r.sim.Update(func(w *World) {
		upid = w.AddTask("pve1", "vzdump", "200", "root@pam!demo", "", strings.Split(strings.Repeat("line\n", 120), "\n")[:120]...).UPID
	})
	base := "/nodes/pve1/tasks/" + upid
	o, _ := r.get(base + "/status").data.(map[string]any)
	if o["status"] != "running" || o["exitstatus"] != nil || o["user"] != rootUser || o["tokenid"] != "demo" {
		t.Errorf("running: %v", o)
	}
	for query, want := range map[string]int{"": 50, "?limit=500": 120, "?start=110": 10, "?start=999": 0} {
		got := r.get(base + "/log" + query)
		if len(got.rows()) != want || !strings.Contains(got.body, `"total":120`) {
			t.Errorf("log%s: %d lines in %.60s", query, len(got.rows()), got.body)
		}
	}
	if row := r.get("/nodes/pve1/tasks?source=active").row("upid", upid); row["status"] != "RUNNING" {
		t.Errorf("active: %v", row)
	}
	if row := r.get("/cluster/tasks").row("upid", upid); row == nil || row["status"] != nil || row["endtime"] != nil {
		t.Errorf("cluster/tasks: %v", row)
	}
	r.sim.Update(func(w *World) { w.FinishTask(upid, "WARNINGS: 2") })
	o, _ = r.get(base + "/status").data.(map[string]any)
	if o["status"] != "stopped" || o["exitstatus"] != "WARNINGS: 2" {
		t.Errorf("ended: %v", o)
	}
	gone := strings.Replace(upid, "vzdump", "qmstart", 1)
	if got := r.get("/nodes/pve1/tasks/" + gone + "/status"); got.code != 400 || !strings.Contains(got.body, "no such task") {
		t.Errorf("unknown task: %s %s", got.status, got.body)
	}
	if got := r.get("/nodes/pve1/tasks/" + gone + "/log"); got.code != 200 || !strings.Contains(got.body, "unable to open file") {
		t.Errorf("log of an unknown task: %s %s", got.status, got.body)
	}
}

func TestGenerateRepeats(t *testing.T) {
	o := GenOptions{Seed: 3, Nodes: 4, Guests: 50, Snapshots: 50}
	a, b := GenerateWorld(o), GenerateWorld(o)
	snapshots := 0
	for i, g := range a.Guests() {
		h := b.Guests()[i]
		if d := cmp.Diff(g.Config, h.Config); d != "" || g.Digest != h.Digest || g.Node != h.Node || g.Live != h.Live {
			t.Fatalf("guest %d differs:\n%s", g.VMID, d)
		}
		if len(g.Snapshots) > 0 {
			snapshots++
		}
	}
	if len(a.Guests()) != 50 || snapshots < 10 || snapshots > 40 {
		t.Errorf("%d guests, %d with snapshots", len(a.Guests()), snapshots)
	}
	other := GenerateWorld(GenOptions{Seed: 4, Nodes: 4, Guests: 50})
	if cmp.Equal(a.Guests()[0].Config, other.Guests()[0].Config) {
		t.Error("another seed makes the same guest")
	}
	if keys := slices.Sorted(maps.Keys(a.Node("node01").Content)); len(keys) == 0 {
		t.Error("no volumes")
	}
}
