package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// stub answers nodes and panics, fails or waits on request, by the name of the guest.
type stub struct{ tools.Inventory }

func (stub) Nodes(context.Context, inventory.ReadOptions) (inventory.NodeList, error) {
	return inventory.NodeList{Nodes: []inventory.Node{{Name: "pve1", Status: "online"}}}, nil
}

func (stub) Guest(ctx context.Context, ref inventory.GuestRef) (inventory.GuestDetail, error) {
	switch ref.Name {
	case "panic":
		panic("a secret value: " + canary)
	case "slow":
		select {
		case <-ctx.Done():
			return inventory.GuestDetail{}, ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	case "denied":
		return inventory.GuestDetail{}, fault.New(fault.Forbidden, "not permitted").WithHint("grant VM.Audit")
	}
	return inventory.GuestDetail{Guest: inventory.Guest{VMID: 100, Name: ref.Name, Node: "pve1", State: "running", Type: "qemu"}}, nil
}

const canary = "canary-4d7f-value"

// stdioMu: mcp-go has one stdio session per process, so the tests of this file take turns.
var stdioMu sync.Mutex

// exchange sends lines, closes the input and returns the answers by id and the log.
func exchange(t *testing.T, lines ...string) (map[string]map[string]any, string) {
	t.Helper()
	stdioMu.Lock()
	defer stdioMu.Unlock()
	var logs bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	srv := New(Options{Version: "test", Specs: tools.All(), Logger: log, Deps: func(context.Context) (tools.Deps, error) {
		return tools.Deps{Inventory: stub{}, Now: time.Now, Zone: time.UTC}, nil
	}})
	var out bytes.Buffer
	if err := ServeStdio(t.Context(), srv, strings.NewReader(strings.Join(lines, "\n")+"\n"), &out, log); err != nil {
		t.Fatal(err)
	}
	answers := map[string]map[string]any{}
	for sc := bufio.NewScanner(&out); sc.Scan(); {
		var m map[string]any
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil || m["jsonrpc"] != "2.0" {
			t.Fatalf("standard output holds what is no JSON-RPC: %q", sc.Text())
		}
		answers[fmt.Sprint(m["id"])] = m
	}
	return answers, logs.String()
}

func call(id int, tool, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":%q,"arguments":%s}}`, id, tool, args)
}

const initialize = `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`

func contentOf(t *testing.T, m map[string]any) (text string, isError bool) {
	t.Helper()
	res, ok := m["result"].(map[string]any)
	if !ok {
		t.Fatalf("no result in %v", m)
	}
	isError, _ = res["isError"].(bool)
	return res["content"].([]any)[0].(map[string]any)["text"].(string), isError
}

// TestStdioSession is a whole session: the answers of requests that were in flight when the input ended arrive.
func TestStdioSession(t *testing.T) {
	got, _ := exchange(t, initialize, `{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/list"}`, call(3, "list_nodes", `{}`), call(4, "get_guest", `{"guest":"slow"}`),
		call(5, "get_guest", `{"guest":"denied"}`), call(6, "get_guest", `{"gest":"100"}`), call(7, "get_gest", `{}`),
		call(8, "get_guest", `{"guest":104}`))
	if n := len(got["2"]["result"].(map[string]any)["tools"].([]any)); n != len(tools.Listed(tools.R0)) {
		t.Errorf("%d tools listed, want %d", n, len(tools.Listed(tools.R0)))
	}
	for id, want := range map[string]struct {
		text    string
		isError bool
	}{
		"3": {"pve1\tonline", false}, "4": {"vm 100 slow on pve1: running", false}, "5": {"error forbidden: not permitted\nhint: grant VM.Audit", true},
		"6": {"did you mean \"guest\"?", true}, "8": {"vm 100 104 on pve1", false},
	} {
		if text, isError := contentOf(t, got[id]); !strings.Contains(text, want.text) || isError != want.isError {
			t.Errorf("answer %s: %q (error %v), want %q (error %v)", id, text, isError, want.text, want.isError)
		}
	}
	if e, _ := got["7"]["error"].(map[string]any); e["message"] != `there is no tool "get_gest"; did you mean get_guest?` || e["code"] != -32602.0 {
		t.Errorf("an unknown tool: %v", got["7"])
	}
}

// TestStdioPanic: a panicking handler is an error result, the server goes on, and what was being handled stays out of answer and log.
func TestStdioPanic(t *testing.T) {
	got, logs := exchange(t, initialize, call(2, "get_guest", `{"guest":"panic"}`), call(3, "list_nodes", `{}`))
	text, isError := contentOf(t, got["2"])
	if !isError || !strings.Contains(text, "error internal") {
		t.Errorf("answer %q, want an internal error", text)
	}
	if strings.Contains(text, canary) || strings.Contains(logs, canary) || !strings.Contains(logs, "tool panicked") {
		t.Errorf("the panic must be logged without its value: %s", logs)
	}
	if text, isError := contentOf(t, got["3"]); isError {
		t.Errorf("the call after the panic: %q", text)
	}
}

// TestStdioStrict: keys in another case and keys given twice are refused before mcp-go reads them its own way.
func TestStdioStrict(t *testing.T) {
	got, _ := exchange(t, initialize,
		`{"jsonrpc":"2.0","id":2,"METHOD":"ping"}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/list","method":"ping"}`,
		`{"jsonrpc":"2.0","id":4,"method":"ping","extra":1}`,
		`not json`,
		`[{"jsonrpc":"2.0","id":5,"method":"ping"}]`,
		`{"jsonrpc":"2.0","id":6,"method":"ping"}`)
	for _, id := range []string{"2", "3", "4"} {
		e, ok := got[id]["error"].(map[string]any)
		if !ok || e["code"] != -32600.0 {
			t.Errorf("message %s: %v, want -32600", id, got[id])
		}
	}
	if e, ok := got["<nil>"]["error"].(map[string]any); !ok || e["code"] != -32700.0 {
		t.Errorf("garbage and batches: %v, want -32700", got["<nil>"])
	}
	if got["6"]["result"] == nil {
		t.Errorf("the message after them: %v", got["6"])
	}
}

// TestStdioEnds: a context that ends is a clean exit too, even while a call waits.
func TestStdioEnds(t *testing.T) {
	stdioMu.Lock()
	defer stdioMu.Unlock()
	ctx, cancel := context.WithCancel(t.Context())
	in, feed := io.Pipe()
	defer feed.Close()
	done := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	srv := New(Options{Version: "test", Specs: tools.All(), Logger: log, Deps: func(context.Context) (tools.Deps, error) {
		return tools.Deps{}, errors.New("not opened")
	}})
	go func() { done <- ServeStdio(ctx, srv, in, io.Discard, log) }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the server did not end")
	}
}

// FuzzCalledTool: a name that is sure is the one that every decoder finds.
func FuzzCalledTool(f *testing.F) {
	for _, s := range []string{call(1, "get_guest", `{"guest":"name\",\"name\":\"x"}`), `{"method":"tools/call","params":{"name":"a","NAME":"b"}}`,
		`{"method":"tools/call","params":{"name":"a","name":"b"}}`, `{"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}`,
		`{"method":"tools/call","method":"ping","params":{"name":"a"}}`, `{"method":"tools/call","params":{"name":"\u0061","_meta":{}},"id":1} `,
		`{"method":"tools/call","params":{"name":"a"}}{}`, `{"Method":"ping","method":"tools/call","params":{"name":"a"}}`, initialize} {
		f.Add([]byte(s))
	}
	if name, sure := CalledTool([]byte(call(1, "get_guest", `{"guest":"a"}`))); !sure || name != "get_guest" {
		f.Errorf("of a plain call: %q, %v", name, sure)
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		name, sure := CalledTool(line)
		var m struct {
			Method string         `json:"method"`
			Params map[string]any `json:"params"`
		}
		if !sure || !json.Valid(line) {
			return
		}
		if err := json.Unmarshal(line, &m); err != nil || m.Method != "tools/call" || m.Params["name"] != name && utf8.ValidString(name) {
			t.Errorf("%q calls %q: %v, %v", line, name, m, err)
		}
		for k := range m.Params {
			if k != "name" && strings.EqualFold(k, "name") {
				t.Errorf("%q has two names", line)
			}
		}
	})
}

// FuzzEnvelope: the guard never panics, and of what is JSON it lets through exactly the objects whose keys are known and given once; it
// reads the same id as a decoder does.
func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{initialize, `{"METHOD":"ping"}`, `{"method":1,"method":2}`, `{`, `[]`, `{}`, `{"id":{"a":1},"params":[[[]]]}`,
		"{\"id\":\"\x00\"}", `{"id":"a\"b,}","params":{"x":"}"}} `, ` { "id" : 7 , "method" : "x" } `, `{"\u0069d":1}`, `{"id":1}{"id":2}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		env, err := readEnvelope(line)
		if !json.Valid(line) {
			return
		}
		var m map[string]json.RawMessage
		if json.Unmarshal(line, &m) != nil || m == nil {
			if err != nil {
				t.Errorf("%q is no object and was refused: %v", line, err)
			}
			return
		}
		for k := range m {
			if keyBit([]byte(k)) == 0 && err == nil {
				t.Errorf("key %q got through in %q", k, line)
			}
		}
		if err == nil && string(m["id"]) != "null" && !bytes.Equal(bytes.TrimSpace(m["id"]), env.id) {
			t.Errorf("id %q, a decoder reads %q", env.id, m["id"])
		}
	})
}
