package e2e

import (
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestKilled kills the server with SIGKILL while the task of a change runs. The next process that is asked for the plan tells how it
// ended, and nothing was sent twice.
func TestKilled(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.Guest(206).Behaviour.Shutdown = 8 * time.Second
	c := startCluster(t, w, w.RootToken())
	c.writable(t, w)

	srv := c.server(t, "serve", "--allow", "disruptive")
	srv.say(t, `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}`)
	srv.say(t, `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
	srv.say(t, `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"power_guest","arguments":{"action":"shutdown","guest":"206","wait_s":60}}}`)
	id := regexp.MustCompile(`p-[a-z2-7]{8}`).FindString(srv.until(t, `"id":2`))
	if id == "" {
		t.Fatalf("no plan was made:\n%s", srv.heard())
	}
	srv.say(t, fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"apply_plan","arguments":{"plan":%q,"wait_s":60}}}`, id))
	c.waitFor(t, "qmshutdown")
	if err := srv.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = srv.cmd.Wait()
	if out := c.cli(t, "plan", "show", id); !strings.Contains(out, "applying") {
		t.Errorf("while its lease is held:\n%s", out)
	}
	time.Sleep(16 * time.Second) // the lease of the dead process ends
	out := c.cli(t, "plan", "show", id)
	if !strings.Contains(out, "done") || !strings.Contains(out, "it is stopped") {
		t.Errorf("the next process says:\n%s", out)
	}
	if n := c.sim.Stats().Writes; n != 1 {
		t.Errorf("%d writes were sent", n)
	}
	if out := c.cli(t, "audit", "verify"); !strings.Contains(out, "sound") {
		t.Errorf("audit verify: %s", out)
	}
}

// writable lets changes pass the client.
func (c *cluster) writable(t *testing.T, w *pvesim.World) {
	t.Helper()
	home := strings.TrimPrefix(c.env[1], "HOME=")
	err := config.SaveCluster(filepath.Join(home, ".config", "proxmox-mcp", "config.yaml"), config.Cluster{Name: "test", Endpoints: []string{c.end.URL},
		Token: redact.NewSecret(w.RootToken()), Fingerprints: []string{c.end.Fingerprint}}, true)
	if err != nil {
		t.Fatal(err)
	}
}

// waitFor waits until a task of a type runs.
func (c *cluster) waitFor(t *testing.T, kind string) {
	t.Helper()
	for range 200 {
		running := false
		c.sim.Update(func(w *pvesim.World) {
			for _, n := range w.Nodes {
				for _, task := range n.Tasks {
					running = running || task.Type == kind && task.Running()
				}
			}
		})
		if running {
			time.Sleep(500 * time.Millisecond) // the journal has its UPID by then
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("no %s runs", kind)
}

// talk is a server over stdio.
type talk struct {
	cmd *exec.Cmd
	in  io.Writer
	out *lines
}

func (c *cluster) server(t *testing.T, args ...string) *talk {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), args...)
	cmd.Env = c.env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &talk{cmd: cmd, in: in, out: &lines{}}
	cmd.Stdout = s.out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *talk) say(t *testing.T, line string) {
	t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

func (s *talk) heard() string { return s.out.String() }

// until waits for words of the server and gives all that it said.
func (s *talk) until(t *testing.T, words string) string {
	t.Helper()
	for range 600 {
		if text := s.heard(); strings.Contains(text, words) {
			return text
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%q was not said:\n%s", words, s.heard())
	return ""
}

// lines collects output while others read it.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
