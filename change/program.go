package change

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Program is a run of an outside program that was planned: a saved plan of Terraform or OpenTofu. Its hash is part of the plan's, so that
// what was approved is what runs.
type Program struct {
	Name   string `json:"name"`   // terraform 1.11.4
	Folder string `json:"folder"` // of the configuration
	SHA256 string `json:"sha256"` // of the saved plan
	Writes bool   `json:"writes"` // it changes more than its own state
	// Relabels are the tags and pools that guests would have afterwards: rules of the owner may go by them.
	Relabels []Relabel `json:"relabels,omitempty"`
}

// Relabel is what a guest would be labelled with; nil: it stays.
type Relabel struct {
	VMID int      `json:"vmid"`
	Tags []string `json:"tags"`
	Pool *string  `json:"pool,omitempty"`
}

// Programs runs what is no request to Proxmox VE.
type Programs interface {
	// Check refuses what is not as it was planned: fault.Stale.
	Check(ctx context.Context, cluster string, p *Program) error
	// Run carries a program out, once, to its end, and says what it did. tell hears how far it is. Errors: fault.Stale and fault.Config where
	// nothing was begun, fault.UnknownOutcome where it was cut off, others where it ended badly: what it did before that stands.
	Run(ctx context.Context, cluster string, p *Program, tell func(string)) (did string, err error)
	// Left says whether the same program, planned anew, would find nothing left to do, and what it would do in words.
	Left(ctx context.Context, cluster string, p *Program) (none bool, what string, err error)
}

// Code applies a saved plan of code.
type Code struct {
	Cluster string
	Program Program
	Summary string // "25 to import, 0 to add, 1 to change, 0 to destroy"
	Objects []CodeObject
}

// CodeObject is an object that would be changed.
type CodeObject struct {
	Address string
	Does    string // create, update, delete, replace
	Tier    Tier
	VMID    int // of the guest that it is or belongs to; 0 for none
	Node    string
	Storage string // that it is; "" for none
	New     bool   // the guest does not exist yet
	Diff    []Diff
	Lost    string
}

// kindCode is that of a folder of code as a target.
const kindCode = "code"

// Request asks for a plan of the code: with the guests that it would change, which are read live and have to stay as they are until it runs.
func (c Code) Request() Request {
	var ids []string
	for _, o := range c.Objects {
		if id := strconv.Itoa(o.VMID); o.VMID != 0 && !o.New && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return Request{Cluster: c.Cluster, Direct: codeAlone{c}}
	}
	return Request{Cluster: c.Cluster, Guests: ids, Action: codeOnGuests{c, len(ids)}}
}

// Name is that of action and direct change alike.
func (Code) Name() string { return "code.apply" }

// Title is the plan's.
func (c Code) Title() string { return "apply code: " + c.Summary }

// step is the one step of the plan.
func (c Code) step(lives []*Live) Step {
	c.Program.Writes = len(c.Objects) > 0
	s := Step{Action: c.Name(), Tier: Reversible, Program: &c.Program, Target: Target{Kind: kindCode, Object: c.Program.Folder, Cluster: c.Cluster},
		NoUndo: "take the change back in the code, and plan again"}
	for _, l := range lives {
		s.Also = append(s.Also, l.Target)
	}
	for _, o := range c.Objects {
		s.Tier = max(s.Tier, o.Tier)
		s.Diff = append(s.Diff, Diff{Field: o.Address, New: o.Does})
		for _, d := range o.Diff {
			s.Diff = append(s.Diff, Diff{Field: o.Address + " " + d.Field, Old: d.Old, New: d.New})
		}
		if o.Lost != "" {
			s.Lost = append(s.Lost, o.Lost)
		}
		if t, ok := o.place(c.Cluster); ok {
			s.Also = append(s.Also, t)
		}
	}
	if len(s.Diff) == 0 {
		s.Diff = []Diff{{Field: "state", New: c.Summary}}
	}
	return s
}

// place is what else an object is about: a guest that is to be made, a node or a storage that others stand on.
func (o *CodeObject) place(cluster string) (Target, bool) {
	switch {
	case o.New:
		return Target{Cluster: cluster, VMID: o.VMID, Node: o.Node, New: true}, true
	case o.Storage != "":
		return Target{Cluster: cluster, Kind: "storage", Object: o.Storage, Node: o.Node}, true
	case o.VMID == 0 && o.Node != "":
		return Target{Cluster: cluster, Kind: "node", Object: o.Node, Node: o.Node}, true
	}
	return Target{}, false
}

// codeAlone changes no guest that exists.
type codeAlone struct{ Code }

var _ Direct = codeAlone{}

// Steps implements Direct.
func (c codeAlone) Steps(*Found) ([]Step, error) { return []Step{c.step(nil)}, nil }

// codeOnGuests changes guests.
type codeOnGuests struct {
	Code
	guests int
}

var _ Together = codeOnGuests{}

// Needs implements Action.
func (codeOnGuests) Needs() Needs { return Needs{Snapshots: true, Backups: true} }

// Steps implements Action.
func (c codeOnGuests) Steps(l *Live) ([]Step, error) {
	steps, _, err := c.Join([]*Live{l})
	return steps, err
}

// Join implements Together. A saved plan is carried out as a whole: no guest can be left out.
func (c codeOnGuests) Join(lives []*Live) ([]Step, []Skip, error) {
	if len(lives) < c.guests {
		return nil, nil, fault.New(fault.Conflict, "%d of the %d guests that the code would change cannot be read: nothing was planned", c.guests-len(lives), c.guests).
			WithHint("get_guest says why; a plan of code cannot leave a guest out")
	}
	return []Step{c.step(lives)}, nil, nil
}

// relabelled is a guest as a program would leave it.
func (p *Program) relabelled(t Target) Target {
	for _, r := range p.Relabels {
		if r.VMID == t.VMID && t.Kind == "" {
			if r.Tags != nil {
				t.Tags = r.Tags
			}
			if r.Pool != nil {
				t.Pool = *r.Pool
			}
		}
	}
	return t
}

// touches is how many objects a step counts for in the caps.
func (s *Step) touches() int {
	if s.Program == nil {
		return 1
	}
	return max(1, len(s.Also))
}

// nodes are those that a step works on, one for each object.
func (s *Step) nodes() []string {
	if s.Program == nil || len(s.Also) == 0 {
		return []string{s.Target.Node}
	}
	var out []string
	for _, t := range s.Also {
		out = append(out, t.Node)
	}
	return out
}

// objects is how many objects a plan is about.
func (b *Body) objects() int {
	n := len(byObject(b.Steps))
	for k := range b.Steps {
		n += b.Steps[k].touches() - 1
	}
	return n
}

// shown is a program in a line of the audit.
func (p *Program) shown() string {
	name, _, _ := strings.Cut(p.Name, " ")
	return fmt.Sprintf("%s apply, plan %s, in %s", name, shortHash(p.SHA256), p.Folder)
}

// program runs what a step has to run.
func (r *run) program(ctx context.Context, s *Step) error {
	if r.e.opt.Programs == nil {
		return fault.New(fault.Internal, "this process runs no programs")
	}
	did, err := r.e.opt.Programs.Run(ctx, s.Target.Cluster, s.Program, func(text string) { r.progress(nil, text) })
	if err == nil {
		r.progress(nil, did)
	}
	return err
}

// programAsPlanned refuses a saved plan that is not the one that was approved.
func (r *run) programAsPlanned(ctx context.Context, s *Step) error {
	if s.Program == nil || r.e.opt.Programs == nil {
		return nil
	}
	return r.e.opt.Programs.Check(ctx, s.Target.Cluster, s.Program)
}

// programSeen plans the program anew: where nothing is left to do it was carried out. One that ended well is believed, whatever is left.
func programSeen(ctx context.Context, e *Engine, _ Cluster, s *Step, js store.PlanStep) (seen, error) {
	o := seen{target: s.Target, ok: js.State == StepRunning}
	if e.opt.Programs == nil {
		return o, fault.New(fault.Internal, "this process runs no programs")
	}
	none, what, err := e.opt.Programs.Left(ctx, s.Target.Cluster, s.Program)
	switch {
	case err != nil && !o.ok:
		return o, err
	case err != nil:
		o.text = "it ended well; what is left could not be planned: " + cleanLine(fault.Of(err).Error())
	case none:
		o.ok, o.proof, o.text = true, true, "a new plan finds nothing left to do"
	default:
		o.text = "a new plan would still do: " + cmp.Or(what, "something")
	}
	return o, nil
}
