package tools

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// fakePast is the part of the fake that answers about the past.
type fakePast struct {
	versions inventory.ObjectHistory
	tasks    inventory.TaskPage
	recovery inventory.Recovery
	log      inventory.NodeLog

	past    inventory.HistoryQuery
	listing inventory.TaskListQuery
	back    inventory.RecoveryQuery
	reading inventory.LogQuery
}

func (f *fake) ObjectHistory(_ context.Context, q inventory.HistoryQuery) (inventory.ObjectHistory, error) {
	f.past = q
	return f.versions, f.err
}

func (f *fake) Tasks(_ context.Context, q inventory.TaskListQuery) (inventory.TaskPage, error) {
	f.listing = q
	return f.tasks, f.err
}

func (f *fake) Recovery(_ context.Context, q inventory.RecoveryQuery) (inventory.Recovery, error) {
	f.back = q
	return f.recovery, f.err
}

func (f *fake) Log(_ context.Context, q inventory.LogQuery) (inventory.NodeLog, error) {
	f.reading = q
	return f.log, f.err
}

// TestRecorded: what is recorded of a kind is listed by the name that get_history takes, gone ones with the time.
func TestRecorded(t *testing.T) {
	f := &fake{fakePast: fakePast{versions: inventory.ObjectHistory{Meta: meta(0), Kind: "storage_config", Total: 60, NextCursor: "2-x", Objects: []inventory.RecordedObject{
		{Cluster: "lab", ID: "local", Since: now.Add(-time.Hour)}, {Cluster: "lab", ID: "old", Since: now.Add(-time.Hour), GoneAt: now}}}}}
	out := text(t, f, "get_history", `{"object":"storage"}`)
	for _, want := range []string{"60 objects recorded of kind storage", "storage local\t2026-11-21 19:15Z\n", "storage old\t2026-11-21 19:15Z\t2026-11-21 20:15Z", "more: cursor 2-x"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}

// TestGoldenPast pins the text of answers about the past.
func TestGoldenPast(t *testing.T) {
	f := &fake{fakePast: fakePast{log: inventory.NodeLog{Meta: meta(0), Node: "pve1", Matched: 72, Read: 72, Lines: []string{"Nov 20 18:02:01 pve1 smartd[7]: Device: /dev/sda, FAILED"}}, versions: someVersions(), tasks: someTasks(), recovery: someRecovery()}}
	for _, c := range []struct{ file, tool, args string }{
		{"find_tasks.txt", "find_tasks", `{}`},
		{"read_log.txt", "read_log", `{"node":"pve1"}`},
		{"find_recovery.txt", "find_recovery", `{"guest":"104"}`},
		{"get_history.txt", "get_history", `{"object":"104"}`},
	} {
		t.Run(c.file, func(t *testing.T) {
			golden(t, filepath.Join("testdata", "views", c.file), []byte(text(t, f, c.tool, c.args)+"\n"))
		})
	}
}

// someVersions is a guest with three versions in two lives.
func someVersions() inventory.ObjectHistory {
	at := now.Add(-90 * time.Minute)
	return inventory.ObjectHistory{Meta: meta(12 * time.Second), Cluster: "lab", Kind: "guest", ID: "104", Name: "nas", Total: 3, Rows: []inventory.ObjectVersion{
		{Life: 2, Seq: 2, SeenAt: at, NotBefore: at.Add(-5 * time.Hour), Keys: []string{"cores", "net0"}, By: inventory.Change{Task: "t-7k3f9q2m", TaskType: "qmconfig", User: "root@pam"}},
		{Life: 2, Seq: 1, SeenAt: at.Add(-20 * time.Hour)}, {Life: 1, Seq: 1, SeenAt: at.Add(-90 * time.Hour)}}}
}

// TestHistoryAsked: what a call asks, its JSON, and the configuration as of a time as text.
func TestHistoryAsked(t *testing.T) {
	f := &fake{fakePast: fakePast{versions: someVersions()}}
	s, err := Find("get_history")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), deps(f), json.RawMessage(`{"object":" nas "}`))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(res.Answer)
	if want := `["2.2","2026-11-21T18:45:00Z","2026-11-21T13:45:00Z",["cores","net0"],"t-7k3f9q2m","root@pam",null,null]`; err != nil || !strings.Contains(string(raw), want) {
		t.Errorf("%s lacks %s (%v)", raw, want, err)
	}
	f.versions.AsOf = &inventory.ConfigAsOf{At: now.Add(-2 * time.Hour), Version: f.versions.Rows[1], Until: now.Add(-3 * time.Hour), Changed: now.Add(-time.Hour),
		Keys: []inventory.KeyValue{{Key: "cores", Value: "2"}}, Diff: []inventory.Difference{{Key: "cores", What: "changed", Old: "2", New: "4"}}}
	out := text(t, f, "get_history", `{"object":"nas","at":"2h","diff_now":true}`)
	if q := f.past; q.Object != "nas" || !q.At.Equal(now.Add(-2*time.Hour)) || !q.Diff {
		t.Errorf("asked %+v", q)
	}
	for _, part := range []string{"version 2.1 of 3", "may have been there already", "cores\t2", "now different:\ncores 2 > 4"} {
		if !strings.Contains(out, part) {
			t.Errorf("%s\nlacks %q", out, part)
		}
	}
	if _, err := s.Call(t.Context(), deps(f), json.RawMessage(`{"object":"nas","diff_now":true}`)); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a difference without a time: %v", err)
	}
}
