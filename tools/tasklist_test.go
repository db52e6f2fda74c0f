package tools

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// someTasks is a page with a task of each state.
func someTasks() inventory.TaskPage {
	p := inventory.TaskPage{Meta: meta(12 * time.Second), Total: 60, NextCursor: "3-abc.1.2", KnownSince: now.Add(-8 * 24 * time.Hour)}
	for i, state := range []string{"running", "ok", "failed"} {
		t := inventory.Task{Cluster: "lab", UPID: "UPID:pve1:1", Handle: "t-7k3f9q2" + string(rune('a'+i)), Type: "vzdump", Object: "104", Node: "pve1", User: "root@pam",
			State: state, Start: now.Add(-time.Duration(i+1) * time.Hour)}
		if state != "running" {
			t.End, t.Exit = t.Start.Add(90*time.Second), map[string]string{"ok": "OK", "failed": "job errors"}[state]
		}
		p.Rows = append(p.Rows, inventory.ListedTask{Task: t, Name: "nas"})
	}
	return p
}

// TestTasksAsked: what a call asks, and what its JSON says of a task that still runs.
func TestTasksAsked(t *testing.T) {
	f := &fake{fakePast: fakePast{tasks: someTasks()}}
	s, err := Find("find_tasks")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), deps(f), json.RawMessage(`{"guest":" nas","type":"qm*","status":"failed","since":"2h","user":"root","node":"pve1","cursor":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := inventory.TaskListQuery{Guest: "nas", Node: "pve1", Type: "qm*", User: "root", State: "failed", Since: now.Add(-2 * time.Hour), Window: "2h to ", Cursor: "c"}
	if f.listing != want {
		t.Errorf("asked %+v, want %+v", f.listing, want)
	}
	raw, err := json.Marshal(res.Answer)
	if part := `"2026-11-21T19:15:00Z",null,"vzdump","104","nas","pve1","root@pam","running",null]`; err != nil || !strings.Contains(string(raw), part) {
		t.Errorf("%s lacks %s (%v)", raw, part, err)
	}
}
