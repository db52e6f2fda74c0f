package code

import (
	"cmp"
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/repo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Request is what to export.
type Request struct {
	Place
	Target string // an emitter's name, All or ""
	Query  string // guests; "" = all
	Git    string // "" or none, init, commit
}

// Export is what was written, or would be.
type Export struct {
	Cluster  string
	Dir      string
	AsOf     time.Time // the last synchronisation
	Guests   int       // that were selected
	Targets  []string
	Files    []repo.FileChange
	Coverage []iac.Coverage
	Absent   []iac.Absence
	Counts   []iac.Count
	Warnings []string
	// Differences are what changed in the cluster since the export before; nil at the first. First are objects that nobody had looked for then.
	Differences []iac.Difference
	First       []iac.Difference
	Unread      iac.Unread // what was never read of the cluster, and so is not in the code
	Yet         bool       // the store has not read all settings yet
	New         bool       // nothing was exported to the folder before
	Commit      string     // short id, "" = nothing was committed
}

// Export writes a cluster as code into its folder. No request goes to Proxmox VE. Errors: fault.NotFound for a cluster that was never
// synchronised, fault.Denied for a folder that is not this caller's to choose, fault.Store where it cannot be written.
func (s *Service) Export(ctx context.Context, r Request) (*Export, error) {
	cluster, dir, only, err := s.place(ctx, r.Place, r.Query)
	if err != nil {
		return nil, err
	}
	list, err := s.emitters(r.Target)
	if err != nil {
		return nil, err
	}
	r.Git = s.git(r.Git)
	if r.Git != "" {
		if _, err := repo.FindGit(dir); err != nil {
			return nil, err
		}
	}
	st, err := s.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	var out *Export
	err = locked(ctx, st, dir, func() error {
		j := &job{s: s, st: st, cluster: cluster, dir: dir, only: only, query: r.Query, emitters: list}
		if err := j.make(ctx); err != nil {
			return err
		}
		defer j.close()
		out = j.out
		if err := j.change.Write(); err != nil {
			return err
		}
		return j.commit(ctx, r.Git)
	})
	return out, err
}

// git is what was asked for, else what the configuration says; "" for none.
func (s *Service) git(asked string) string {
	return strings.TrimPrefix(cmp.Or(asked, s.opt.Git), "none")
}

// job is one export up to writing.
type job struct {
	s                   *Service
	st                  Store
	cluster, dir, query string
	only                map[int]bool
	emitters            []iac.Emitter

	folder *repo.Folder
	change *repo.Change
	then   *iac.World // at the export before, nil at the first
	now    *iac.World
	out    *Export
	added  []store.Address // names of newcomers
	// written is what of the cluster is in the Terraform code, nil where there is none
	written *Written
	dry     bool // they are not kept yet
}

func (j *job) close() {
	if j.folder != nil {
		_ = j.folder.Close() // nothing is lost: it was only read, or each file was closed by itself
	}
}

// addressTries is how often names are given anew when another process gave some at the same time.
const addressTries = 3

// make plans the export.
func (j *job) make(ctx context.Context) (err error) {
	if j.folder, err = repo.Open(j.dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	if c := j.folder.Manifest.Cluster; c != "" && c != j.cluster {
		return fault.New(fault.Conflict, "%s holds the code of another cluster, %s", j.dir, c).WithHint("give another folder")
	}
	if err := j.narrows(); err != nil {
		return err
	}
	if j.then, err = j.folder.World(); err != nil {
		return err
	}
	var sets []repo.Set
	for try := 1; ; try++ {
		j.out = &Export{Cluster: j.cluster, Dir: j.dir, Targets: names(j.emitters), New: !j.folder.Exists()}
		if sets, err = j.emit(ctx); err == nil {
			break
		}
		if fault.CodeOf(err) != fault.Conflict || try == addressTries {
			return err
		}
	}
	if j.then != nil {
		j.compare()
	}
	sets = append(sets, repo.Set{Name: "repo", Files: j.about()})
	if j.change, err = j.folder.Plan(j.now, sets); err != nil {
		return err
	}
	j.out.Files = j.change.Files
	return nil
}

// compare finds what changed since the export before.
func (j *job) compare() {
	for _, d := range iac.Diff(j.then, j.now) {
		if d.First {
			j.out.First = append(j.out.First, d)
		} else {
			j.out.Differences = append(j.out.Differences, d)
		}
	}
}

// load reads the cluster from the store. What the store never read is as the folder has it.
func (j *job) load(ctx context.Context) (err error) {
	if j.now, err = iac.Load(ctx, j.st, j.cluster, iac.Options{Only: j.only}); err != nil {
		return err
	}
	if j.out.AsOf, err = freshness(ctx, j.st, j.cluster); err != nil {
		return err
	}
	if j.out.AsOf.IsZero() {
		j.now.Begun()
	}
	if j.out.Yet = j.now.Unread.Yet(); j.out.Yet && j.s.opt.Unread != nil {
		j.s.opt.Unread()
	}
	j.now.Keep(j.then)
	j.out.Unread = j.now.Unread
	return nil
}

// narrows refuses a selection in a folder that was made for another one: the guests beyond it would leave the code, and nothing would miss them.
func (j *job) narrows() error {
	if j.dry || j.query == "" {
		return nil
	}
	for _, e := range j.emitters {
		old, ok := j.folder.Manifest.Targets[e.Name()]
		if !ok || old.Query == j.query {
			continue
		}
		holds := "all guests"
		if old.Query != "" {
			holds = "the guests of " + clean.Line(old.Query, 80)
		}
		return fault.New(fault.Conflict, "%s holds the code of %s; an export of %s alone would take the others out of it", j.dir, holds, clean.Line(j.query, 80)).
			WithHint("without query all of it is updated; describe_as_code shows one guest; for a selection its owner gives a folder of its own: proxmox-mcp code export DIR --query QUERY")
	}
	return nil
}

// emit runs the emitters on one world.
func (j *job) emit(ctx context.Context) (sets []repo.Set, err error) {
	if err := j.load(ctx); err != nil {
		return nil, err
	}
	j.written = nil
	j.out.Guests = len(j.now.Selected())
	var added []store.Address
	for _, e := range j.emitters {
		old := j.folder.Manifest.Targets[e.Name()]
		w := *j.now
		with := j.s.opt.With
		if j.dry { // what the folder holds is compared with itself, whatever the configuration says by now
			with = old.With
		}
		w.Options, w.Then = iac.Options{Only: j.only, With: set(with), Held: set(old.Held)}, j.then
		r, err := e.Emit(&w)
		if err != nil {
			return nil, err
		}
		added = append(added, r.Addresses...)
		sets = append(sets, repo.Set{Name: e.Name(), Files: r.Files, Target: repo.Target{Query: j.query, With: with, Held: r.Held}})
		if e.Name() == describer {
			j.written = &Written{objects: r.Coverage, absent: r.Absent}
		}
		j.out.Absent = append(j.out.Absent, r.Absent...)
		j.out.Coverage = append(j.out.Coverage, r.Coverage...)
		j.out.Counts = append(j.out.Counts, r.Counts...)
		j.out.Warnings = append(j.out.Warnings, r.Warnings...)
	}
	if j.added = added; j.dry {
		return sets, nil
	}
	return sets, j.st.AddAddresses(ctx, j.cluster, added)
}

func set(list []string) map[string]bool {
	out := make(map[string]bool, len(list))
	for _, e := range list {
		out[e] = true
	}
	return out
}

// commit makes the folder a repository, and commits where that was asked for. What was written stays written where git fails.
func (j *job) commit(ctx context.Context, how string) error {
	if how == "" {
		return nil
	}
	g, err := repo.FindGit(j.dir)
	if err != nil {
		return err
	}
	if err := g.Init(ctx); err != nil || how != "commit" {
		return err
	}
	paths := j.change.Changed()
	if !slices.ContainsFunc(j.change.Files, func(f repo.FileChange) bool { return f.State != repo.Same && f.State != repo.Kept }) {
		paths = nil
	}
	known := g.Tracked(ctx, j.folder.Manifest.Any())
	if len(paths) == 0 && known {
		return nil
	}
	all := slices.Sorted(maps.Keys(j.folder.Manifest.Files))
	for _, p := range paths {
		if !slices.Contains(all, p) {
			all = append(all, p) // removed just now
		}
	}
	message, err := j.message(ctx, known)
	if err != nil {
		return err
	}
	j.out.Commit, err = g.Commit(ctx, message, append(all, repo.Records...))
	return err
}

// Default is the folder of a cluster below base: its name as a folder's.
func Default(base, cluster string) string {
	if base == "" {
		return ""
	}
	return filepath.Join(base, iac.Name(cluster, "cluster"))
}
