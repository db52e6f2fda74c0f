package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// TestWidths renders every tool's answer for terminals: no row of a table is wider than the terminal.
func TestWidths(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	if _, errOut, code := r.run(t.Context(), "sync"); code != 3 {
		t.Fatalf("sync: exit code %d, %s", code, errOut)
	}
	session, err := r.app.Open(t.Context(), cli.Globals{ConfigPath: configFile(r.home), StatePath: filepath.Join(r.home, "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = session.Close() }()
	args := map[string]string{"get_guest": `{"guest":"200","detail":"full"}`, "get_metrics": `{"object":"pve1"}`, "find_recovery": `{"guest":"200"}`, "describe_as_code": `{"guest":"200"}`, "get_history": `{"object":"200"}`, "get_node": `{"node":"pve1"}`, "diagnose_guest": `{"guest":"200"}`, "get_agent_info": `{"guest":"200"}`, "find_guests": `{"fields":["mem","disk","cpus","uptime","pool","ip","os"]}`}
	tables := 0
	for _, spec := range tools.Listed(tools.R0) {
		if spec.Name == "get_task" || spec.Name == "check_code" || spec.Name == "get_file_from_backup" {
			continue // a task has no table; what terraform says needs terraform; the demo has no backup server
		}
		res, err := spec.Call(t.Context(), session.Deps, json.RawMessage(args[spec.Name]))
		if err != nil {
			t.Fatalf("%s: %v", spec.Name, err)
		}
		for _, block := range res.Answer.View(session.Deps).Blocks {
			if block.Table == nil {
				continue
			}
			tables++
			for _, limit := range []int{40, 80, 120} {
				checkWidth(t, spec.Name, block, limit)
			}
		}
	}
	if tables < 5 {
		t.Errorf("only %d tables", tables)
	}
}

func checkWidth(t *testing.T, name string, block tools.Block, limit int) {
	t.Helper()
	var b bytes.Buffer
	if err := cli.WriteViewAt(&b, tools.View{Blocks: []tools.Block{block}}, limit, false); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if block.Table.Name != "" && !block.Table.Main {
		lines = lines[1:] // what the rows are
	}
	if len(lines) != len(block.Table.Rows)+1 {
		t.Errorf("%s at %d columns: %d lines of %d rows", name, limit, len(lines), len(block.Table.Rows))
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > limit {
			t.Errorf("%s at %d columns: %q", name, limit, line)
		}
	}
}

// TestCompletionIsFast completes among 1,000 guests: the best of five takes less than 50 ms (interfaces.md C02) and no API call.
func TestCompletionIsFast(t *testing.T) {
	r := newRig(t, pvesim.GenerateWorld(pvesim.GenOptions{Seed: 1, Nodes: 5, Guests: 1000, Now: time.Now()}))
	if _, errOut, code := r.run(t.Context(), "sync"); code != 0 {
		t.Fatalf("sync: exit code %d, %s", code, errOut)
	}
	r.sim.ResetStats()
	best := time.Hour
	for range 5 {
		start := time.Now()
		out, errOut, code := r.run(t.Context(), "__complete", "guest", "show", "")
		best = min(best, time.Since(start))
		if n := strings.Count(out, "\t"); code != 0 || n != 1000 {
			t.Fatalf("exit code %d, %d candidates, %s", code, n, errOut)
		}
	}
	if n := len(r.sim.Requests()); n > 0 {
		t.Errorf("%d API calls", n)
	}
	limit := 50 * time.Millisecond
	if raceEnabled {
		limit *= 10 // the race detector slows the program by about that
	}
	if best > limit {
		t.Errorf("completion took %s", best)
	}
	t.Logf("completion among 1,000 guests: %s", best)
}

// program starts this test binary under the name of one of the programs of TestMain.
func program(t *testing.T, name, home string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME=", "XDG_STATE_HOME=")
	return cmd
}

// TestInterrupt ends a sync of a slow cluster by Ctrl-C: at once, with one word and exit code 130.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // a console interrupt cannot be sent to one process there
	}
	r := newRig(t, pvesim.DemoWorld(time.Now()), pvesim.WithLatency(pvesim.Latency{Fixed: 20 * time.Second}))
	cmd := program(t, "proxmox-mcp", r.home, "sync")
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return r.sim.Stats().Connections > 0 })
	start := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	code := exitCode(cmd.Wait())
	if took := time.Since(start); code != 130 || !strings.HasSuffix(errOut.String(), "interrupted\n") || took > 5*time.Second {
		t.Errorf("exit code %d after %s, %q", code, took, errOut.String())
	}
}

// TestSecondInterrupt kills a command that does not end by itself.
func TestSecondInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // a console interrupt cannot be sent to one process there
	}
	cmd := program(t, "stubborn", t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for _, want := range []string{"ready", "interrupted"} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("%q, want %s", lines.Text(), want)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if want == "interrupted" {
			break
		}
	}
	// The signals are given back in the background: should the second have come before, a third ends it.
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for range 50 {
		select {
		case err := <-done:
			if err == nil || !strings.Contains(err.Error(), "interrupt") {
				t.Errorf("ended by %v", err)
			}
			return
		case <-time.After(100 * time.Millisecond):
			_ = cmd.Process.Signal(os.Interrupt) // it may have ended meanwhile
		}
	}
	t.Error("it does not end")
}

func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen within ten seconds")
}
