package cli_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// lookAround is the recipe that examples run.
const lookAround = `description: A look at a node
arguments:
  - {name: node, default: pve1}
  - {name: memory, default: "1024"}
steps:
  - tool: get_node
    args: {node: $node, format: json}
  - tool: find_guests
    args: {query: "node:$node state:running order:mem"}
`

// rig is the program in a home folder of its own, with a simulated cluster.
type rig struct {
	app  *app.App
	sim  *pvesim.Sim
	home string
}

func newRig(t *testing.T, world *pvesim.World, opts ...pvesim.Option) *rig {
	t.Helper()
	home := t.TempDir()
	sim, stop, err := simulate(world, home, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	own := filepath.Join(filepath.Dir(configFile(home)), "prompts.d")
	if err := errors.Join(os.MkdirAll(own, 0o700), os.WriteFile(filepath.Join(own, "look-around.yaml"), []byte(lookAround), 0o600)); err != nil {
		t.Fatal(err)
	}
	return &rig{sim: sim, home: home, app: &app.App{Env: func(string) string { return "" }, Home: home, GOOS: runtime.GOOS, Clock: time.Now, Stderr: io.Discard}}
}

// allow lets everything happen that an operator can allow.
func (r *rig) allow(t *testing.T) {
	t.Helper()
	if err := allowAll(t.Context(), r.home, filepath.Join(r.home, "state.db")); err != nil {
		t.Fatal(err)
	}
}

// allowAll is what an operator does who allows everything.
func allowAll(ctx context.Context, home, state string) error {
	db, err := store.Open(ctx, store.Options{Path: state, Clock: time.Now})
	if err != nil {
		return err
	}
	f := change.GrantFile{Path: filepath.Join(home, ".config", "proxmox-mcp", "allowed.json")}
	k := change.Keeper{Store: db, Clock: time.Now, Door: "cli"}
	stop := change.StopFile{Path: filepath.Join(filepath.Dir(f.Path), "stop")}
	return errors.Join(k.Open(ctx, &f, change.Grant{Tier: change.Host}), k.Resume(ctx, stop), db.Close())
}

// run runs one command line in this process.
func (r *rig) run(ctx context.Context, args ...string) (out, errOut string, code int) {
	var o, e bytes.Buffer
	args = append([]string{"--config", configFile(r.home), "--state", filepath.Join(r.home, "state.db")}, args...)
	code = cli.Run(ctx, r.app, args, cli.Streams{In: strings.NewReader(""), Out: &o, Err: &e})
	return o.String(), e.String(), code
}

var (
	exampleLine = regexp.MustCompile(`(?m)^  proxmox-mcp (.*?)(?:\s{2,}#.*)?$`)
	subcommand  = regexp.MustCompile(`(?m)^  ([a-z]+) {2,}\S`)
	taskHandle  = regexp.MustCompile(`\bt-[a-z2-7]{8}\b`)
)

// TestExamples runs every example that any help shows in the simulated homelab, whose one silent node makes answers partial.
func TestExamples(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	r.allow(t)
	found, _, _ := r.run(t.Context(), "guest", "show", "200", "--detail", "full")
	health, _, _ := r.run(t.Context(), "health")
	handle := taskHandle.FindString(found + health)
	if handle == "" {
		t.Fatalf("no task is named in\n%s%s", found, health)
	}
	examples := r.examples(t)
	for _, spec := range tools.All() {
		for _, e := range spec.Examples {
			if !slices.Contains(examples, e.CLI) {
				t.Errorf("the help of %s does not show %q", spec.Command, e.CLI)
			}
		}
	}
	if len(examples) < 20 {
		t.Errorf("only %d examples: %q", len(examples), examples)
	}
	for _, line := range examples {
		t.Run(line, func(t *testing.T) { r.example(t, strings.ReplaceAll(line, "t-xxxxxxxx", handle)) })
	}
}

// examples reads the helps of all commands, from the root down.
func (r *rig) examples(t *testing.T) []string {
	t.Helper()
	var lines []string
	for paths := [][]string{nil}; len(paths) > 0; paths = paths[1:] {
		help, _, code := r.run(t.Context(), append(slices.Clone(paths[0]), "--help")...)
		if code != 0 || help == "" {
			t.Fatalf("help of %q: exit code %d", paths[0], code)
		}
		_, block, _ := strings.Cut(help, "\nExamples:\n")
		block, _, _ = strings.Cut(block, "\n\n")
		for _, m := range exampleLine.FindAllStringSubmatch(block, -1) {
			lines = append(lines, m[1])
		}
		_, commands, has := strings.Cut(help, "\nAsk and change:\n")
		if !has {
			_, commands, has = strings.Cut(help, "\nAvailable Commands:\n")
		}
		commands, _, _ = strings.Cut(commands, "\nFlags:")
		for _, m := range subcommand.FindAllStringSubmatch(commands, -1) {
			if has && m[1] != "help" && m[1] != "completion" {
				paths = append(paths, append(slices.Clone(paths[0]), m[1]))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// example runs one line as it stands, but for what it cannot have here: a terminal, a folder, a port, and an end.
func (r *rig) example(t *testing.T, line string) {
	ctx, args := t.Context(), words(line)
	want := []int{0, 3}
	switch args[0] + " " + strings.Join(args[1:min(2, len(args))], "") {
	case "init ", "init --endpoint":
		want = []int{130} // the input ends at the first question
		if slices.Contains(args, "--endpoint") {
			args = args[:1] // asking for the address: the one of the example is nobody's
		}
	case "doctor ":
		want = []int{0, 1} // a node that is off is a finding
	case "intent clear":
		r.run(ctx, "intent", "set", args[2], "off")
	case "code diff":
		r.run(ctx, "code", "export")
	case "code check", "code plan", "demo --story":
		t.Setenv("PATH", t.TempDir()) // no terraform, which would ask the network: e2e lets it run
		want = []int{map[bool]int{true: 1, false: 0}[args[0] == "code"]}
	case "db backup":
		args[2] = filepath.Join(t.TempDir(), filepath.Base(args[2]))
	case "token create":
		if slices.Contains(args, "--cluster") {
			want = []int{2} // the one of the example is none here
		}
	case "serve --http":
		short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		defer cancel()
		ctx, args = short, []string{"serve", "--http", "127.0.0.1:0"}
	case "sim serve":
		r.simServe(t, args)
		return
	case "sim replay":
		args[len(args)-1] = sharedFolder(t, "pve", args[len(args)-1])
	case "code show":
		if k := slices.Index(args, "p-xxxxxxxx"); k > 0 {
			out, _, _ := r.run(ctx, "guest", "clone", "900", "drafted", "--dry-run")
			args[k] = planID.FindString(out)
		}
	case "code apply":
		args[2] = r.plan(t, "--dry-run")
		want = []int{2} // it is no plan of code
	case "plan apply", "plan cancel", "plan show":
		args[2] = r.plan(t, "--dry-run")
	case "plan undo", "plan watch":
		args[2] = r.plan(t)
	case "allow --none", "stop --for":
		defer r.allow(t)
	case "allow disruptive", "grant --pool", "grant --vmid", "operator init", "secret set":
		want = []int{2, 4} // a person at a terminal is missing, and a passphrase
	case "plan approve", "plan reject":
		if len(args) > 2 {
			waiting, _, _ := r.run(ctx, "guest", "delete", "107") // of a dry run nobody is asked
			args[2], want = planID.FindString(waiting), []int{2, 4}
		}
	case "secret rm":
		want = []int{1} // not found: nothing was set
	case "backup file":
		want = []int{1} // a conflict: no backup is on a backup server
	case "guest exec":
		want = []int{4} // denied: programs in guests are off unless the configuration allows some
	case "task cancel":
		want = []int{1} // a conflict: the task that is named has ended
	}
	out, errOut, code := r.run(ctx, args...)
	if !slices.Contains(want, code) || out+errOut == "" {
		t.Errorf("%q: exit code %d\n%s%s", args, code, out, errOut)
	}
}

var planID = regexp.MustCompile(`\bp-[a-z2-7]{8}\b`)

// plan makes a plan with a tag of its own and gives its id.
func (r *rig) plan(t *testing.T, flags ...string) string {
	t.Helper()
	args := append([]string{"guest", "update", "208", "--tags", "t" + strconv.Itoa(rand.IntN(1e6))}, flags...)
	out, errOut, _ := r.run(t.Context(), args...)
	id := planID.FindString(out)
	if id == "" {
		t.Fatalf("no plan in %s%s", out, errOut)
	}
	return id
}

// simServe starts the simulator, waits for the lines that a shell evaluates, and ends it.
func (r *rig) simServe(t *testing.T, args []string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i, a := range args {
		if a == "world.json" {
			args[i] = filepath.Join(sharedFolder(t, "pve", "recordings", "02-cluster-and-node-reads"), a)
		}
	}
	out, in := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- cli.Run(ctx, r.app, append(args, "--addr", "127.0.0.1:0"), cli.Streams{In: strings.NewReader(""), Out: in, Err: io.Discard})
		_ = in.Close()
	}()
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "export PROXMOX_VE_ENDPOINT=https://127.0.0.1:") {
		t.Errorf("%q: %q, %v", args, buf[:n], err)
	}
	cancel()
	if code := <-done; code != 0 {
		t.Errorf("%q: exit code %d", args, code)
	}
}

// words splits a line as a shell does where there are no escapes.
func words(line string) []string {
	var out []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.Fields(part)...)
	}
	return out
}

// sharedFolder is a folder of the recordings beside the project.
func sharedFolder(t *testing.T, parts ...string) string {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "shared"}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the recordings are missing: %v", err)
		}
		t.Skipf("the recordings are missing: %v", err)
	}
	return path
}
