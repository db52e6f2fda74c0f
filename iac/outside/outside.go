// Package outside lets a program on PATH be an emitter: proxmox-mcp-emit-NAME reads the model as JSON on standard input and writes a set of
// files as JSON on standard output. It runs only where the configuration names it (code.emitters).
//
//	in   {"version": 1, "world": {...}}                              the World, secrets masked
//	out  {"version": 1, "files": [{"path": "a/b.txt", "text": "..."}], "warnings": ["..."]}
//
// Its files go below a folder of its name; a path that leaves it is refused. The program gets no credentials and no part of this process's
// environment but PATH, HOME and the language.
package outside

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"path"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// Prefix begins the name of such a program.
	Prefix = "proxmox-mcp-emit-"
	// version is that of both documents.
	version = 1
	// limit bounds a run: a program that hangs must not hold an export.
	limit = time.Minute
	// maxAnswer is far more than the files of 10,000 guests take.
	maxAnswer = 256 << 20
)

// Emitter runs one program. Env gives the variables that it gets.
type Emitter struct {
	Program string // its name without the prefix
	Env     []string
}

var _ iac.Emitter = Emitter{}

// Name implements iac.Emitter.
func (e Emitter) Name() string { return e.Program }

type answer struct {
	Version int `json:"version"`
	Files   []struct {
		Path string `json:"path"`
		Text string `json:"text"`
	} `json:"files"`
	Warnings []string `json:"warnings"`
}

// Emit implements iac.Emitter. Errors: fault.NotFound where the program is not on PATH, fault.BadAnswer for what is no file set.
func (e Emitter) Emit(w *iac.World) (iac.Result, error) {
	bin, err := exec.LookPath(Prefix + e.Program)
	if err != nil {
		return iac.Result{}, fault.Wrap(fault.NotFound, err, "the emitter %s%s is not on PATH", Prefix, e.Program).WithHint("install it, or take it out of code.emitters")
	}
	in, err := json.Marshal(map[string]any{"version": version, "world": w})
	if err != nil {
		return iac.Result{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, bin) //nolint:gosec // the configuration names it
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = e.Env, bytes.NewReader(in), capped{&out, maxAnswer}, capped{&errs, 4 << 10}
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return iac.Result{}, fault.Wrap(fault.BadAnswer, err, "the emitter %s failed: %s", e.Program, clean.Line(errs.String(), 200))
	}
	return e.result(out.Bytes())
}

func (e Emitter) result(raw []byte) (iac.Result, error) {
	var a answer
	if err := json.Unmarshal(raw, &a); err != nil || a.Version != version {
		return iac.Result{}, fault.Wrap(fault.BadAnswer, err, "the emitter %s answered no file set of version %d", e.Program, version)
	}
	var r iac.Result
	for _, f := range a.Files {
		if err := iac.CheckPath(f.Path); err != nil {
			return iac.Result{}, err
		}
		r.Files = append(r.Files, iac.File{Path: path.Join(e.Program, f.Path), Data: []byte(f.Text)})
	}
	for _, text := range a.Warnings {
		r.Warnings = append(r.Warnings, e.Program+": "+clean.Line(text, 200))
	}
	r.Counts = []iac.Count{{What: e.Program + " files", N: len(r.Files)}}
	return r, r.Finish()
}

// capped takes at most n bytes; more is an error of the one who writes.
type capped struct {
	to *bytes.Buffer
	n  int
}

func (c capped) Write(p []byte) (int, error) {
	if c.to.Len()+len(p) > c.n {
		return 0, io.ErrShortWrite
	}
	return c.to.Write(p)
}
