package code

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Judgement is what terraform or tofu says of a folder of code.
type Judgement struct {
	Cluster     string
	Dir         string // of the configuration
	Program     string // terraform 1.11.4
	Took        time.Duration
	Unformatted []string
	Plan        *runner.Plan // nil where the configuration is not valid
	Objects     []Judged     // those that an apply would change
	Problems    []runner.Diagnostic
	// Running is set while the plan is not there yet: the others are empty.
	Running bool
	Since   time.Time
	saved   *Saved // the plan itself, where it is kept
}

// Zero says whether all is as it should be: formatted, valid, and an apply changes nothing but what is known to the state.
func (v *Judgement) Zero() bool {
	return !v.Running && v.Plan != nil && v.Plan.Clean() && len(v.Unformatted)+len(v.Problems) == 0
}

// Judged is a resource that would be changed, with the reason.
type Judged struct {
	runner.Object
	ID, Name string // of the guest or other object, "" where the address is not one of ours
	Why      string
}

// checkLimit bounds one check. Three hundred guests plan in below a minute; a guest agent that is silent holds the provider for 15 minutes
// (facts: terraform-ansible.md 11), which no one should wait for.
const checkLimit = 10 * time.Minute

// underway are the checks that run, by folder: a second question joins the first.
type underway struct {
	mu   sync.Mutex
	by   map[string]*checking
	life context.Context //nolint:containedctx // checks outlive the call that began them, up to Close
	stop context.CancelFunc
	wg   sync.WaitGroup
}

type checking struct {
	keep  bool // its plan is kept
	since time.Time
	done  chan struct{}
	v     *Judgement
	err   error
}

// Close ends what is under way and waits for it.
func (s *Service) Close() error {
	s.running.stop()
	s.running.wg.Wait()
	return nil
}

// Check lets terraform or tofu judge a folder of code: format, validity and plan, for which the program asks Proxmox VE and only reads. It
// waits as long as wait; a check that takes longer goes on, and the next call gets its result. Errors: fault.NotFound where no code was
// exported, fault.Config without the program, fault.CheckFailed where it does not run.
func (s *Service) Check(ctx context.Context, p Place, wait time.Duration) (*Judgement, error) {
	return s.judgement(ctx, p, wait, false)
}

// judgement is Check; the plan is kept where keep says so.
func (s *Service) judgement(ctx context.Context, p Place, wait time.Duration, keep bool) (*Judgement, error) {
	cluster, dir, _, err := s.place(ctx, p, "")
	if err != nil {
		return nil, err
	}
	program, err := runner.Find(s.opt.Program)
	if err != nil {
		return nil, err
	}
	c, err := s.begin(dir, keep, func(ctx context.Context) (*Judgement, error) { return s.check(ctx, cluster, dir, program, keep) })
	if err != nil {
		return nil, err
	}
	select {
	case <-c.done:
		s.running.mu.Lock()
		if s.running.by[dir] == c {
			delete(s.running.by, dir)
		}
		s.running.mu.Unlock()
		return c.v, c.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(wait):
		return &Judgement{Cluster: cluster, Dir: dir, Running: true, Since: c.since}, nil
	}
}

// begin starts a check unless one is under way. One of the other kind that nobody waits for any more is given up.
func (s *Service) begin(dir string, keep bool, run func(ctx context.Context) (*Judgement, error)) (*checking, error) {
	s.running.mu.Lock()
	defer s.running.mu.Unlock()
	if c := s.running.by[dir]; c != nil {
		if c.keep == keep {
			return c, nil
		}
		select {
		case <-c.done:
		default:
			return nil, fault.New(fault.Conflict, "another check of %s is under way, for %s", dir, s.opt.Clock().Sub(c.since).Round(time.Second)).Retry()
		}
	}
	c := &checking{keep: keep, since: s.opt.Clock(), done: make(chan struct{})}
	s.running.by[dir] = c
	s.running.wg.Go(func() {
		defer close(c.done)
		ctx, cancel := context.WithTimeoutCause(s.running.life, checkLimit, errSlow)
		defer cancel()
		c.v, c.err = run(ctx)
	})
	return c, nil
}

var errSlow = errors.New("the check took more than 10 minutes: a guest agent that does not answer holds up the provider when the token may ask it; proxmox-mcp doctor prints the role that may not")

// check runs the program.
func (s *Service) check(ctx context.Context, cluster, dir, program string, keep bool) (*Judgement, error) {
	st, err := s.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	drift, err := s.Diff(ctx, Place{Cluster: cluster, Dir: dir, Anywhere: true})
	if err != nil {
		return nil, err
	}
	if !slices.Contains(drift.Targets, describer) {
		return nil, fault.New(fault.NotFound, "%s holds no Terraform code", dir).WithNext("export_code")
	}
	env, undo, err := s.opt.Environment(ctx, cluster)
	if err != nil {
		return nil, err
	}
	defer undo()
	start := s.opt.Clock()
	r := &runner.Runner{Program: program, Dir: filepath.Join(dir, describer), Env: env}
	v := &Judgement{Cluster: cluster, Dir: r.Dir}
	private, err := s.private(keep)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(private) }()
	file := filepath.Join(private, "plan")
	if err := v.run(ctx, r, file); err != nil {
		return nil, err
	}
	v.Took = s.opt.Clock().Sub(start)
	if keep && v.Plan != nil && len(v.Plan.Errors) == 0 {
		if err := s.keep(v, file); err != nil {
			return nil, err
		}
	}
	if v.Plan == nil {
		return v, nil
	}
	return v, v.judge(ctx, st, drift)
}

// private is a folder for a plan, which holds what the state holds: nobody else can read it. A plan that is to be kept is made where it will
// lie.
func (s *Service) private(keep bool) (dir string, err error) {
	below := ""
	if keep {
		if below = s.opt.Plans; below == "" {
			return "", fault.New(fault.Config, "there is no place for saved plans: the home folder is not known").WithHint("set state.path in the configuration")
		}
		if err = os.MkdirAll(below, 0o700); err != nil {
			return "", fault.Wrap(fault.Store, err, "there is no place for the plan")
		}
	}
	if dir, err = os.MkdirTemp(below, "proxmox-mcp-plan-"); err != nil {
		return "", fault.Wrap(fault.Store, err, "there is no place for the plan")
	}
	return dir, nil
}

// run goes through the stages as far as they hold, and plans into a file.
func (v *Judgement) run(ctx context.Context, r *runner.Runner, file string) (err error) {
	if v.Program, err = r.Version(ctx); err != nil {
		return err
	}
	if v.Unformatted, err = r.Unformatted(ctx); err != nil {
		return err
	}
	if err := r.Init(ctx); err != nil {
		return err
	}
	found, err := r.Validate(ctx)
	if err != nil {
		return err
	}
	for _, d := range found {
		if d.Severity == "error" {
			v.Problems = append(v.Problems, d)
		}
	}
	if len(v.Problems) > 0 {
		return nil
	}
	v.Plan, err = r.Plan(ctx, file)
	if err == nil {
		v.Problems = v.Plan.Errors
	}
	return err
}

// judge says for each resource that would be changed why.
func (v *Judgement) judge(ctx context.Context, st Store, drift *Drift) error {
	list, err := st.Addresses(ctx, v.Cluster)
	if err != nil {
		return err
	}
	of := map[string]store.Address{}
	for _, a := range list {
		if a.Target == describer {
			of[a.Address] = a
		}
	}
	edited := slices.ContainsFunc(drift.Files, func(f repo.FileChange) bool {
		return (f.State == repo.Edited || f.State == repo.Merged || f.State == repo.Kept) && filepath.Ext(f.Path) == ".tf"
	})
	for _, o := range v.Plan.Objects {
		j := Judged{Object: o}
		if a, ok := of[o.Address]; ok {
			j.ID = object(a.Kind, a.ID, "")
			j.Why = why(&o, drift.about(a.Kind, a.ID), edited)
		} else {
			j.Why = "it is not from the export: your own"
		}
		v.Objects = append(v.Objects, j)
	}
	return nil
}

// about are the differences of one object since the export.
func (d *Drift) about(kind store.Kind, id string) []iac.Difference {
	var out []iac.Difference
	for _, x := range d.Differences {
		if x.Kind == kind && x.ID == id {
			out = append(out, x)
		}
	}
	return out
}

// maxWhy bounds the differences that a reason names.
const maxWhy = 5

func why(o *runner.Object, since []iac.Difference, edited bool) string {
	var parts []string
	for i := range since[:min(len(since), maxWhy)] {
		_, what, _ := strings.Cut(Words(&since[i]), ": ")
		parts = append(parts, what)
	}
	switch {
	case len(parts) > 0:
		return "changed in Proxmox VE since the export: " + strings.Join(parts, "; ")
	case o.Action == "create":
		return "the code holds it, the cluster does not, or it was never imported"
	case edited:
		return "the code was edited"
	case o.Reason != "":
		return clean.Line(o.Reason, maxField)
	}
	return "changed in Proxmox VE since the last synchronisation, or a rule of the generator is missing: export again, and report what stays"
}
