package runner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Runner runs terraform or tofu in one folder of configuration.
type Runner struct {
	Program string // path
	Dir     string
	Env     []string // NAME=value, on top of this process's environment
}

// Find looks for the program: name on PATH or a path, "" = tofu or terraform. fault.Config with what to do where there is none.
func Find(name string) (string, error) {
	candidates := []string{"terraform", "tofu"}
	if name != "" {
		candidates = []string{name}
	}
	for _, c := range candidates {
		if path, err := exec.LookPath(c); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fault.New(fault.Config, "there is no %s on this machine's PATH", strings.Join(candidates, " or ")).
		WithHint("install Terraform or OpenTofu, or name the program: code.terraform in the configuration")
}

// Version is what the program says of itself: "terraform 1.11.4".
func (r *Runner) Version(ctx context.Context) (string, error) {
	out, _, err := r.run(ctx, "version", "-json")
	if err != nil {
		return "", err
	}
	var v struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return "", fault.Wrap(fault.BadAnswer, err, "%s version cannot be read", filepath.Base(r.Program))
	}
	return strings.TrimSuffix(filepath.Base(r.Program), ".exe") + " " + clean.Line(v.Version, maxWord), nil
}

// maxWord bounds a word that another program gave.
const maxWord = 60

// Unformatted are the files that the program would format in another way.
func (r *Runner) Unformatted(ctx context.Context) ([]string, error) {
	out, _, err := r.run(ctx, "fmt", "-check", "-recursive", "-list=true")
	if code := exitCode(err); err != nil && code != 3 && code != 2 {
		return nil, err
	}
	return strings.Fields(string(out)), nil
}

// Init gets the provider.
func (r *Runner) Init(ctx context.Context) error {
	_, _, err := r.run(ctx, "init", "-input=false", "-no-color")
	return err
}

// Diagnostic is a fault that the program found.
type Diagnostic struct {
	Severity string `json:"severity"` // error, warning
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	Address  string `json:"address,omitempty"` // of the resource, "" where it is about none
	Where    string `json:"where,omitempty"`   // file:line
}

type rawDiagnostic struct {
	Severity, Summary, Detail, Address string
	Range                              struct {
		Filename string
		Start    struct{ Line int }
	}
}

// How much of a diagnostic is kept.
const (
	maxSummary = 200
	maxDetail  = 400
)

func (d *rawDiagnostic) clean() Diagnostic {
	out := Diagnostic{Severity: clean.Line(d.Severity, maxWord), Summary: clean.Line(redact.Text(d.Summary), maxSummary),
		Detail: clean.Line(redact.Text(d.Detail), maxDetail), Address: clean.Line(d.Address, maxSummary)}
	if d.Range.Filename != "" {
		out.Where = clean.Line(d.Range.Filename, maxSummary) + ":" + itoa(d.Range.Start.Line)
	}
	return out
}

// Validate checks the configuration without any cluster.
func (r *Runner) Validate(ctx context.Context) ([]Diagnostic, error) {
	out, _, err := r.run(ctx, "validate", "-json")
	var v struct{ Diagnostics []rawDiagnostic }
	if jsonErr := json.Unmarshal(out, &v); jsonErr != nil {
		return nil, cmp.Or(err, error(fault.Wrap(fault.BadAnswer, jsonErr, "what validate answered cannot be read")))
	}
	var list []Diagnostic
	for i := range v.Diagnostics {
		list = append(list, v.Diagnostics[i].clean())
	}
	return list, nil
}

// run runs the program to its end and gives what it wrote.
func (r *Runner) run(ctx context.Context, args ...string) (stdout, stderr []byte, err error) {
	cmd := r.command(ctx, args)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	stdout, stderr = r.withoutSecrets(out.Bytes()), r.withoutSecrets(errOut.Bytes())
	if err != nil {
		what := filepath.Base(r.Program) + " " + args[0]
		if cause := context.Cause(ctx); cause != nil {
			return stdout, stderr, fault.Wrap(fault.Timeout, errors.Join(err, cause), "%s did not end in time", what)
		}
		e := fault.Wrap(fault.CheckFailed, err, "%s failed", what)
		e.Cause = clean.Line(redact.Text(firstError(stderr)), maxDetail)
		err = e
	}
	return stdout, stderr, err
}

// firstError is what was written from the first error on: warnings stand before it, and frames around both.
func firstError(stderr []byte) string {
	if i := bytes.Index(stderr, []byte("Error: ")); i > 0 {
		stderr = stderr[i:]
	}
	return strings.Join(strings.Fields(strings.NewReplacer("╷", "", "│", "", "╵", "").Replace(string(stderr))), " ")
}

// command is a run of the program whose files are for its owner alone: what it leaves behind, state above all, holds keys. The shell that
// sees to that is replaced by the program.
func (r *Runner) command(ctx context.Context, args []string) *exec.Cmd {
	name := r.Program
	if runtime.GOOS != "windows" {
		name, args = "/bin/sh", append([]string{"-c", `umask 077 && exec "$0" "$@"`, r.Program}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the program is the owner's choice; the arguments are this package's own
	cmd.Dir = r.Dir
	cmd.Env = r.environment()
	// It gives up its locks and ends its providers by itself when it is asked to.
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	return cmd
}

// withoutSecrets masks what the environment gave the program to log in with, wherever it says it again.
func (r *Runner) withoutSecrets(text []byte) []byte {
	for _, e := range r.Env {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasSuffix(name, "_TOKEN") && !strings.HasSuffix(name, "_PASSWORD") {
			continue
		}
		if secret := value[strings.LastIndexByte(value, '=')+1:]; secret != "" {
			text = bytes.ReplaceAll(text, []byte(secret), []byte(redact.Mask))
		}
	}
	return text
}

// patience is how long the program may take to end when it is asked to.
const patience = 10 * time.Second

// exitCode is the program's, -1 where it did not end by itself.
func exitCode(err error) int {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	return -1
}

// dropped are variables that would change what is run, show secrets in logs, or lead to another cluster.
var dropped = []string{"TF_LOG", "TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR", "PROXMOX_VE_", "PM_", "PROXMOX_MCP_"}

func (r *Runner) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(e string) bool {
		return slices.ContainsFunc(dropped, func(prefix string) bool { return strings.HasPrefix(e, prefix) })
	})
	return append(append(env, "TF_IN_AUTOMATION=1", "TF_INPUT=0", "CHECKPOINT_DISABLE=1"), r.Env...)
}
