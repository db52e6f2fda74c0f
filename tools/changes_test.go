package tools

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// someChanges is a page with each kind of change.
func someChanges() inventory.ChangePage {
	at := now.Add(-90 * time.Minute)
	guest := inventory.Change{Cluster: "lab", Kind: "guest", ID: "104", Name: "nas", At: at, NotBefore: at.Add(-10 * time.Second)}
	with := func(what, field, old, value string) inventory.Change {
		c := guest
		c.What, c.Field, c.Old, c.New = what, field, old, value
		return c
	}
	started := with("status", "status", "stopped", "running")
	started.Task, started.TaskType, started.User, started.At = "t-7k3f9q2m", "qmstart", "root@pam", at.Add(-time.Hour)
	gone := inventory.Change{Cluster: "lab", Kind: "guest", ID: "131", Name: "old", What: "gone", At: at.Add(-2 * time.Hour), NotBefore: at.Add(-9 * time.Hour)}
	storage := inventory.Change{Cluster: "lab", Kind: "storage_config", ID: "nfs1", What: "changed", Field: "content", Old: "iso", New: "iso,backup", At: at.Add(-3 * time.Hour)}
	return inventory.ChangePage{Meta: inventory.Meta{AsOf: now}, Since: now.Add(-24 * time.Hour), Until: now, Total: 6, NextCursor: "6-abc",
		Rows: []inventory.Change{with("changed", "memory", "2048", "4096"), with("added", "tags", "", "web"), with("removed", "onboot", "1", ""), started, gone, storage}}
}

// TestWhen: each way to name a time, in the configured zone.
func TestWanted(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	d := Deps{Now: func() time.Time { return time.Date(2026, 11, 21, 20, 15, 0, 0, time.UTC) }, Zone: zone}
	for text, want := range map[string]string{"yesterday": "2026-11-20T22:59:59Z", "2026-11-19": "2026-11-19T22:59:59Z", "today": "2026-11-21T20:15:00Z", "2h": "2026-11-21T18:15:00Z",
		"2026-11-20 18:00": "2026-11-20T17:00:00Z", "2026-11-21": "2026-11-21T20:15:00Z", "last tuesday": "2026-11-17T22:59:59Z", "yesterday 9pm": "2026-11-20T20:00:00Z"} {
		got, err := wanted(d, "at", text)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %s, %v, want %s", text, got.UTC(), err, want)
		}
	}
	if from, to, err := between(d, "yesterday", "yesterday"); err != nil || to.Sub(from) != 24*time.Hour-time.Second {
		t.Errorf("all of yesterday is from %s to %s, %v", from, to, err)
	}
	if _, err := wanted(d, "at", "last week"); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("the state of last week: %v", err)
	}
	if got, err := wanted(d, "at", ""); err != nil || !got.IsZero() {
		t.Errorf("nothing: %s, %v", got, err)
	}
}

func TestWhen(t *testing.T) {
	d := deps(&fake{})
	d.Zone = time.FixedZone("X", 2*3600) // it is 22:15 there
	for text, want := range map[string]string{
		"2h": "2026-11-21T18:15:00Z", "90m": "2026-11-21T18:45:00Z", "3d": "2026-11-18T20:15:00Z", "1w ago": "2026-11-14T20:15:00Z",
		"yesterday": "2026-11-19T22:00:00Z", "Today": "2026-11-20T22:00:00Z", "now": "2026-11-21T20:15:00Z", "2026-11-20": "2026-11-19T22:00:00Z",
		"2026-11-20 18:00": "2026-11-20T16:00:00Z", "2026-11-20T18:00:00Z": "2026-11-20T18:00:00Z", "2026-11-20t18:00:00+01:00": "2026-11-20T17:00:00Z",
		"Tuesday": "2026-11-16T22:00:00Z", "last sat": "2026-11-13T22:00:00Z", "yesterday 21:00": "2026-11-20T19:00:00Z", "yesterday at 9pm": "2026-11-20T19:00:00Z",
		"friday 9:30am": "2026-11-20T07:30:00Z", "2026-11-19 9pm": "2026-11-19T19:00:00Z", "last week": "2026-11-14T20:15:00Z",
	} {
		got, err := when(d, "since", text)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %v (%v), want %s", text, got.UTC(), err, want)
		}
	}
	for _, text := range []string{"soon", "2x", "last", "last month", "yesterday 25:00", "tues day", "noon 9pm", "2026-13-01", "-2h", "9999999h", "999999w", "522w", "99999999999999999999m"} {
		if got, err := when(d, "since", text); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q is %v (%v)", text, got, err)
		}
	}
	if got, err := when(d, "since", " "); err != nil || !got.IsZero() {
		t.Errorf("nothing is %v (%v)", got, err)
	}
}

// TestChangesAsked: what a call asks of the inventory, and that empty cells are null and not texts.
func TestChangesAsked(t *testing.T) {
	f := &fake{changes: someChanges()}
	f.changes.Cut = true
	s, err := Find("find_changes")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), deps(f), json.RawMessage(`{"since":"2h","object":" 104 ","field":"net*","limit":5}`))
	if err != nil {
		t.Fatal(err)
	}
	if q := f.history; q.Window != "2h to " || !q.Since.Equal(now.Add(-2*time.Hour)) || !q.Until.IsZero() || q.Object != "104" || q.Field != "net*" || q.Limit != 5 {
		t.Errorf("asked %+v", q)
	}
	raw, err := json.Marshal(res.Answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"total":6,"cut":true`, `"104","nas","added","tags",null,"web",null,null,null,null]`, `"next_cursor":"6-abc"`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("%s lacks %s", raw, part)
		}
	}
	if _, err := s.Call(t.Context(), deps(f), json.RawMessage(`{"since":"soon"}`)); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("a bad time: %v", err)
	}
}

// TestChangesText: a row that leaves its object out still says by whom where that differs, and long values stay short around what differs.
func TestChangesText(t *testing.T) {
	long := strings.Repeat("x", 400)
	c := inventory.Change{Cluster: "lab", Kind: "guest", ID: "104", What: "changed", At: now}
	by := func(field, old, value, user string) inventory.Change {
		c := c
		c.Field, c.Old, c.New = field, old, value
		if user != "" {
			c.User, c.Task, c.TaskType = user, "t-7k3f9q2m", "qmconfig"
		}
		return c
	}
	f := &fake{changes: inventory.ChangePage{Meta: meta(0), Since: now.Add(-time.Hour), Until: now, Total: 4,
		Rows: []inventory.Change{by("cores", "1", "2", "a@pam"), by("memory", "1", "2", "a@pam"), by("net0", "1", "2", "b@pam"), by("notes", long+"1", long+"2", "")}}}
	want := []string{"seen\tobject\tchange\tby", "2026-11-21 20:15Z\t104\tcores 1 > 2\ta@pam qmconfig t-7k3f9q2m", "\t\tmemory 1 > 2",
		"\t\tnet0 1 > 2\tb@pam qmconfig t-7k3f9q2m", "\t\tnotes …" + strings.Repeat("x", 19) + "1 > …" + strings.Repeat("x", 19) + "2\tunknown"}
	if diff := cmp.Diff(want, strings.Split(text(t, f, "find_changes", `{}`), "\n")[1:]); diff != "" {
		t.Error(diff)
	}
}

// TestChangesBy: what was done through this server is said with principal, tool and plan, a time between two looks as that, a new guest with
// what it was given.
func TestChangesBy(t *testing.T) {
	c := inventory.Change{Cluster: "lab", Kind: "guest", ID: "104", What: "changed", Field: "memory", Old: "1", New: "2", At: now, NotBefore: now.Add(-3 * time.Hour),
		Plan: "p-7k3f9q2m", Tool: "update_guest", Principal: "local:1000", User: "root@pam", Task: "t-7k3f9q2m"}
	fresh := inventory.Change{Cluster: "lab", Kind: "guest", ID: "150", What: "appeared", New: "boot, memory", At: now, NotBefore: now.Add(-24 * time.Hour)}
	f := &fake{changes: inventory.ChangePage{Meta: meta(0), Since: now.Add(-time.Hour), Until: now, KnownSince: now.Add(-time.Minute), Rows: []inventory.Change{c, fresh}}}
	got := text(t, f, "find_changes", `{}`)
	for _, want := range []string{"\n2026-11-21 17:15 to 20:15Z\t104\tmemory 1 > 2\tlocal:1000 update_guest p-7k3f9q2m\n",
		"\n2026-11-20 20:15 to 2026-11-21 20:15Z\t150\tappeared, then set boot, memory\tunknown", "find_tasks"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
}
