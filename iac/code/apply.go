package code

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Saved is a plan that terraform or tofu made, and that is kept until it is applied.
type Saved struct {
	Cluster string
	Program string // terraform 1.11.4
	Dir     string // of the configuration
	SHA256  string
}

// PlanRequest is what to plan.
type PlanRequest struct {
	Place
	// Change and Destroy are the addresses of resources that may be changed, and of those that may be destroyed or replaced.
	Change, Destroy []string
}

// Planned is a judgement whose plan is kept.
type Planned struct {
	*Judgement
	Saved   *Saved   // nil where nothing is to be done, or something that was not named
	Unnamed []Judged // what would be changed or destroyed without having been named
}

// Plan lets terraform or tofu plan as Check does, and keeps the plan for Apply where it changes and destroys nothing but what was named. It
// applies nothing.
func (s *Service) Plan(ctx context.Context, r PlanRequest, wait time.Duration) (*Planned, error) {
	v, err := s.judgement(ctx, r.Place, wait, true)
	if err != nil {
		return nil, err
	}
	out := &Planned{Judgement: v}
	for i := range v.Objects {
		if o := &v.Objects[i]; !r.names(o) {
			out.Unnamed = append(out.Unnamed, *o)
		}
	}
	switch {
	case v.saved == nil:
	case len(out.Unnamed) > 0 || v.Plan.Idle():
		return out, s.forget(v.saved)
	default:
		out.Saved = v.saved
	}
	return out, nil
}

// names says whether an object may be touched so. What is only made was asked for by being written.
func (r *PlanRequest) names(o *Judged) bool {
	switch o.Action {
	case "create":
		return true
	case "update":
		return slices.Contains(r.Change, o.Address) || slices.Contains(r.Destroy, o.Address)
	}
	return slices.Contains(r.Destroy, o.Address)
}

// savedFor is how long a saved plan is kept; plans of the engine that name it expire long before.
const savedFor = 24 * time.Hour

// savedExt is how saved plans end.
const savedExt = ".tfplan"

func (s *Service) savedPath(p *Saved) string { return filepath.Join(s.opt.Plans, p.SHA256+savedExt) }

// keep moves a plan to those that are kept, and drops those that nobody applied in time.
func (s *Service) keep(v *Judgement, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return fault.Wrap(fault.Store, err, "the plan cannot be kept")
	}
	p := &Saved{Cluster: v.Cluster, Program: v.Program, Dir: v.Dir, SHA256: sum(data)}
	if err := os.Chmod(file, 0o600); err != nil {
		return fault.Wrap(fault.Store, err, "the plan cannot be kept")
	}
	if err := os.Rename(file, s.savedPath(p)); err != nil {
		return fault.Wrap(fault.Store, err, "the plan cannot be kept")
	}
	v.saved = p
	s.expire()
	return nil
}

// expire removes saved plans that are too old; one that cannot be removed stays until the next time.
func (s *Service) expire() {
	list, _ := filepath.Glob(filepath.Join(s.opt.Plans, "*"+savedExt))
	for _, f := range list {
		if info, err := os.Stat(f); err == nil && s.opt.Clock().Sub(info.ModTime()) > savedFor {
			_ = os.Remove(f)
		}
	}
}

func (s *Service) forget(p *Saved) error {
	if err := os.Remove(s.savedPath(p)); err != nil {
		return fault.Wrap(fault.Store, err, "a saved plan cannot be removed")
	}
	return nil
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}

// saved reads a saved plan. Errors: fault.Stale where it is not there any more, or is another one.
func (s *Service) saved(p *Saved) ([]byte, error) {
	if len(p.SHA256) != sha256.Size*2 || strings.Trim(p.SHA256, "0123456789abcdef") != "" {
		return nil, fault.New(fault.Invalid, "%.20q is no hash", p.SHA256)
	}
	data, err := os.ReadFile(s.savedPath(p))
	switch {
	case err == nil && sum(data) == p.SHA256:
		return data, nil
	case err == nil:
		return nil, fault.New(fault.Stale, "the saved plan is not the one that was planned: its hash is another one; nothing was applied").WithNext("plan_code")
	case os.IsNotExist(err):
		return nil, fault.New(fault.Stale, "the saved plan is not kept any more, or was made on another machine; nothing was applied").WithNext("plan_code")
	}
	return nil, fault.Wrap(fault.Store, err, "the saved plan cannot be read")
}

// CheckSaved says whether a saved plan can be applied as it was made: fault.Stale where it is not what it was, or the program is another one.
func (s *Service) CheckSaved(ctx context.Context, p *Saved) error {
	if _, err := s.saved(p); err != nil {
		return err
	}
	r, undo, err := s.runner(ctx, p)
	if err != nil {
		return err
	}
	defer undo()
	now, err := r.Version(ctx)
	if err == nil && now != p.Program {
		err = fault.New(fault.Stale, "it was planned with %s, and this is %s; nothing was applied", p.Program, now).WithNext("plan_code")
	}
	return err
}

// runner is the program in the folder of a saved plan.
func (s *Service) runner(ctx context.Context, p *Saved) (r *runner.Runner, undo func(), err error) {
	program, err := runner.Find(s.opt.Program)
	if err != nil {
		return nil, nil, err
	}
	env, undo, err := s.opt.Environment(ctx, p.Cluster)
	if err != nil {
		return nil, nil, err
	}
	return &runner.Runner{Program: program, Dir: p.Dir, Env: env}, undo, nil
}

// applyLimit bounds one apply; what it has begun is finished before it ends.
const applyLimit = time.Hour

// Apply carries a saved plan out, once, and says what it did; the plan is gone afterwards. tell hears how far it is. Errors: fault.Stale where
// nothing was begun, fault.UnknownOutcome where it was cut off, fault.Upstream where the cluster refused something: what was done before that
// stands.
func (s *Service) Apply(ctx context.Context, p *Saved, tell func(string)) (string, error) {
	data, err := s.saved(p)
	if err != nil {
		return "", err
	}
	private, err := s.private(true)
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(private) }()
	file := filepath.Join(private, "plan") // what was compared is what runs
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return "", fault.Wrap(fault.Store, err, "the plan cannot be read")
	}
	r, undo, err := s.runner(ctx, p)
	if err != nil {
		return "", err
	}
	defer undo()
	ctx, cancel := context.WithTimeout(ctx, applyLimit)
	defer cancel()
	done, err := r.Apply(ctx, file, tell)
	guard(p.Dir)
	if err == nil && len(done.Errors) == 0 {
		return fmt.Sprintf("%d imported, %d added, %d changed, %d destroyed", done.Import, done.Add, done.Change, done.Remove), s.forget(p)
	}
	if err != nil {
		return "", err
	}
	first := done.Errors[0]
	e := fault.New(fault.Upstream, "%s ended with %d errors, and what it did before stands; the first: %s: %s", p.Program, len(done.Errors), first.Address, first.Summary)
	e.Cause = first.Detail
	return "", e.WithHint("check_code says what is left")
}

// guard keeps state for its owner alone, also where an earlier run of somebody else's left it open.
func guard(dir string) {
	for _, name := range []string{"terraform.tfstate", "terraform.tfstate.backup"} {
		f := filepath.Join(dir, name)
		if info, err := os.Lstat(f); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&fs.FileMode(0o077) != 0 {
			_ = os.Chmod(f, 0o600) // where it cannot be changed it is somebody else's file
		}
	}
}

// Left plans a folder anew and says whether anything is left to do.
func (s *Service) Left(ctx context.Context, p *Saved) (none bool, what string, err error) {
	private, err := s.private(false)
	if err != nil {
		return false, "", err
	}
	defer func() { _ = os.RemoveAll(private) }()
	r, undo, err := s.runner(ctx, p)
	if err != nil {
		return false, "", err
	}
	defer undo()
	ctx, cancel := context.WithTimeoutCause(ctx, checkLimit, errSlow)
	defer cancel()
	now, err := r.Plan(ctx, filepath.Join(private, "plan"))
	switch {
	case err != nil:
		return false, "", err
	case len(now.Errors) > 0:
		return false, "", fault.New(fault.CheckFailed, "there is no plan: %s", now.Errors[0].Summary)
	}
	return now.Idle(), now.Summary(), nil
}
