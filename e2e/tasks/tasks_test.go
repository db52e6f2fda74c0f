package tasks

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// most is how many calls a task may take; approvals are not calls.
const most = 3

// homelab is a fresh simulated homelab with the program over it, served to an MCP client on pipes.
type homelab struct {
	sim  *pvesim.Sim
	home string
	in   io.Writer
	out  *bufio.Reader
	id   int
}

func open(t *testing.T, task *Task) *homelab {
	t.Helper()
	w := pvesim.DemoWorld(time.Now())
	w.Pace = 0.02
	if task.Prepare != nil {
		task.Prepare(w)
	}
	h := &homelab{home: t.TempDir()}
	token := w.RootToken()
	h.sim = pvesim.New(w, pvesim.WithoutDelays())
	end, err := h.sim.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	env := func(string) string { return "" }
	file := config.DefaultPath(config.LoadOptions{GOOS: "linux", Home: h.home, Env: env})
	if err := config.SaveCluster(file, config.Cluster{Name: "home", Endpoints: []string{end.URL}, Token: redact.NewSecret(token),
		Fingerprints: []string{end.Fingerprint}}, true); err != nil {
		t.Fatal(err)
	}
	if err := addTo(file, task.Settings); err != nil {
		t.Fatal(err)
	}
	if task.Break != nil {
		h.sim.Update(task.Break)
	}
	a := &app.App{Env: env, Home: h.home, GOOS: "linux", Clock: time.Now, Stderr: io.Discard}
	global := []string{"--config", file, "--state", h.state()}
	if code := cli.Run(t.Context(), a, append(global, "sync"), cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}); code != 0 && code != 3 {
		t.Fatalf("sync ended with %d", code) // 3: one node is off
	}
	requests, in := io.Pipe()
	answers, out := io.Pipe()
	h.in, h.out = in, bufio.NewReader(answers)
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(context.Background(), a, append(global, "serve", "--allow", "host"), cli.Streams{In: requests, Out: out, Err: io.Discard})
		_ = out.Close()
	}()
	t.Cleanup(func() {
		_ = in.Close()
		go func() { _, _ = io.Copy(io.Discard, answers) }()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
	})
	h.ask(t, "initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "tasks", "version": "1"}}, nil)
	h.send(t, map[string]any{"jsonrpc": "2.0", "method": "notifications/initialized"})
	return h
}

func addTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("\n" + text)
	return errors.Join(err, f.Close())
}

func (h *homelab) state() string { return filepath.Join(h.home, "state.db") }

func (h *homelab) send(t *testing.T, message map[string]any) {
	t.Helper()
	raw, err := json.Marshal(message)
	if err == nil {
		_, err = h.in.Write(append(raw, '\n'))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (h *homelab) ask(t *testing.T, method string, params map[string]any, into any) {
	t.Helper()
	h.id++
	h.send(t, map[string]any{"jsonrpc": "2.0", "id": h.id, "method": method, "params": params})
	for {
		line, err := h.out.ReadBytes('\n')
		if err != nil {
			t.Fatalf("%s: %v", method, err)
		}
		var m struct {
			ID     int
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v\n%s", method, err, line)
		}
		switch {
		case m.ID != h.id:
			continue
		case m.Error != nil:
			t.Fatalf("%s: %s", method, m.Error.Message)
		case into != nil:
			if err := json.Unmarshal(m.Result, into); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
}

// call gives the text of an answer, and whether it is an error.
func (h *homelab) call(t *testing.T, tool string, args map[string]any) (string, bool) {
	t.Helper()
	var res struct {
		Content []struct{ Text string }
		IsError bool
	}
	h.ask(t, "tools/call", map[string]any{"name": tool, "arguments": args}, &res)
	if len(res.Content) == 0 {
		t.Fatalf("%s answered nothing", tool)
	}
	return res.Content[0].Text, res.IsError
}

// approve is the owner, at a terminal of another process.
func (h *homelab) approve(t *testing.T, plan string) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: h.state(), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	e := change.New(change.Options{Store: func(context.Context) (change.Store, error) { return db, nil }, Clock: time.Now})
	_, err = e.Approve(t.Context(), plan, change.Caller{Principal: change.OperatorPrincipal, Door: "cli"}, "the owner")
	if err := errors.Join(err, e.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

var (
	planID = regexp.MustCompile(`\bp-[a-z2-7]{8}\b`)
	taskID = regexp.MustCompile(`\bt-[a-z2-7]{8}\b`)
)

// filled puts the newest plan and task into arguments.
func filled(args map[string]any, said string) map[string]any {
	newest := func(re *regexp.Regexp) string {
		found := re.FindAllString(said, -1)
		if len(found) == 0 {
			return ""
		}
		return found[len(found)-1]
	}
	out := map[string]any{}
	for k, v := range args {
		switch v {
		case "$plan":
			v = newest(planID)
		case "$task":
			v = newest(taskID)
		}
		out[k] = v
	}
	return out
}

// TestTasks does each task by its solution on a homelab of its own, over MCP, and looks whether it is done. Before the first call it is not: no
// checker passes by itself.
func TestTasks(t *testing.T) {
	enc, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range All() {
		t.Run(strings.ReplaceAll(task.Name, " ", "-"), func(t *testing.T) {
			h := open(t, &task)
			was, said := "", ""
			h.sim.Update(func(w *pvesim.World) {
				if task.Before != nil {
					was = task.Before(w)
				}
				if task.Check(w, was, "") == nil {
					t.Error("the checker passes although nothing was done")
				}
			})
			tokens := 0
			for _, c := range task.Solution {
				args := filled(c.Args, said)
				if c.Approve {
					h.approve(t, fmt.Sprint(args["plan"]))
				}
				text, bad := h.call(t, c.Tool, args)
				if bad {
					t.Fatalf("%s %v: %s", c.Tool, args, text)
				}
				ids, _, err := enc.Encode(text)
				if err != nil {
					t.Fatal(err)
				}
				tokens += len(ids)
				said += text + "\n"
			}
			h.sim.Update(func(w *pvesim.World) {
				if err := task.Check(w, was, said); err != nil {
					t.Errorf("%q is not done: %v\n%s", task.Say, err, said)
				}
			})
			if len(task.Solution) > most {
				t.Errorf("%d calls, at most %d", len(task.Solution), most)
			}
			t.Logf("%d calls, %d tokens of answers: %s", len(task.Solution), tokens, task.Say)
		})
	}
}

// TestTable wants enough tasks, each told in words that name no tool, and every tool that changes something in one of them.
func TestTable(t *testing.T) {
	list := All()
	if len(list) < 25 {
		t.Errorf("%d tasks, want 25", len(list))
	}
	used := map[string]bool{}
	for _, task := range list {
		for _, c := range task.Solution {
			used[c.Tool] = true
			if s, err := tools.Find(c.Tool); err != nil {
				t.Errorf("%s: %v", task.Name, err)
			} else if raw, err := json.Marshal(c.Args); err != nil || s.Check(raw) != nil {
				t.Errorf("%s: %s %s: %v", task.Name, c.Tool, raw, s.Check(raw))
			}
		}
		if slices.ContainsFunc(tools.All(), func(s tools.Spec) bool { return strings.Contains(task.Say, s.Name) }) {
			t.Errorf("%s names a tool", task.Name)
		}
	}
	for _, s := range tools.All() {
		if s.Tier > tools.R0 && s.Family != "code" && !used[s.Name] { // code takes a program that plans, which not every machine has
			t.Errorf("no task needs %s", s.Name)
		}
	}
}
