package change

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Request is what a caller wants: an action on one guest, or on those that a query selects.
type Request struct {
	Tool    string
	Cluster string // "" = the only one
	Guest   string // vmid or name
	Query   string // of find_guests; instead of Guest
	Action  Action
	Guests  []string // several by vmid, as a query selects them
	Direct  Direct   // in place of Action, for what is no guest
	Notes   []string // what the requester should know beside the plan
	Caller  Caller
}

// Direct is a change of something that is no guest: its steps need no live reading of a guest.
type Direct interface {
	Name() string
	Title() string
	// Steps gets the guest that is concerned, where the inventory knows one: rules by tag and pool apply to it.
	Steps(concerned *Found) ([]Step, error)
}

// Proposal is a plan that was kept, with what policy says about it. Without an ID there was nothing to do: each step says why.
type Proposal struct {
	Plan
	Verdict Verdict
}

// Plan is a plan as it is kept, with its journal.
type Plan struct {
	store.Plan
	Body    Body
	Journal []store.PlanStep
}

// before is what was read of a guest when its step was planned: the base of the three-way difference.
type before struct {
	Config map[string]any `json:"config,omitempty"`
	Status string         `json:"status,omitempty"`
	Uptime int64          `json:"uptime,omitempty"`
}

// Propose makes a plan, asks policy about it and keeps it. It sends nothing. Errors: those of resolving and reading the guest, what
// the action refuses, fault.Denied (audited) with what the owner would have to allow.
func (e *Engine) Propose(ctx context.Context, r Request) (Proposal, error) {
	body, lives, err := e.draft(ctx, r, &sofar{})
	if err != nil {
		return Proposal{}, err
	}
	body.complete(lives)
	return e.keep(ctx, body, r.Caller, lives)
}

// draft makes the steps of a request, on what earlier requests of the same plan leave.
func (e *Engine) draft(ctx context.Context, r Request, before *sofar) (Body, []*Live, error) {
	body, lives, err := e.drafted(ctx, r, before)
	if err == nil {
		err = e.intoPools(ctx, body.Steps, before.steps)
	}
	return body, lives, err
}

func (e *Engine) drafted(ctx context.Context, r Request, before *sofar) (Body, []*Live, error) {
	switch {
	case r.Direct != nil:
		body, err := e.direct(ctx, r)
		return body, nil, err
	case before.of(r) != nil:
		return e.draftOn(ctx, r, before)
	}
	found, err := e.find(ctx, r)
	if err != nil {
		return Body{}, nil, err
	}
	c, err := e.opt.Cluster(found[0].Cluster)
	if err != nil {
		return Body{}, nil, err
	}
	needs := r.Action.Needs()
	needs.Savable, needs.taken = needs.Savable && e.opt.Policy.SnapshotFirst(), before.made
	lives, errs := e.lookAll(ctx, c, found, needs)
	rows, err := guestRows(ctx, c)
	if err != nil {
		return Body{}, nil, err
	}
	for k, l := range lives {
		if errs[k] == nil {
			errs[k] = l.Target.listed(rows)
		}
	}
	before.expected(lives, errs)
	body := e.body(r, r.Action.Title(), found[0].Cluster, nil)
	if r.Query != "" {
		body.Skipped = e.opt.Guests.Unsure(ctx, body.Cluster, r.Query)
	}
	kept, err := body.plan(r, found, lives, errs)
	body.Title = body.titled(body.Title, kept)
	if err == nil && len(body.Steps) == 0 {
		err = fault.New(fault.Conflict, "none of the %d guests that the query selects can be changed so", len(found)).WithHint("%s", skipped(body.Skipped))
	}
	return body, kept, err
}

// draftOn makes the steps of a request about a guest that an earlier one makes.
func (e *Engine) draftOn(ctx context.Context, r Request, before *sofar) (Body, []*Live, error) {
	l, err := before.of(r).after(before.steps)
	if err != nil {
		return Body{}, nil, err
	}
	c, err := e.opt.Cluster(l.Cluster)
	if err != nil {
		return Body{}, nil, err
	}
	needs := r.Action.Needs()
	needs.taken = before.made
	if err := e.around(ctx, c, l, needs); err != nil {
		return Body{}, nil, err
	}
	body := e.body(r, r.Action.Title(), l.Cluster, nil)
	kept, err := body.plan(r, []Found{l.Found}, []*Live{l}, []error{nil})
	body.Title = body.titled(body.Title, kept)
	return body, nil, err
}

func (e *Engine) body(r Request, title, cluster string, steps []Step) Body {
	return Body{V: 1, Tool: r.Tool, Title: title, Cluster: cluster, Requester: r.Caller.Principal, TTL: planTTL, Parallel: parallel, Steps: steps,
		Notes: r.Notes}
}

// cautious is an action that has warnings for whoever reads the plan, about the guests that it takes.
type cautious interface {
	Cautions(kept []*Live) []string
}

// momentary is an action that has warnings out of figures which never stand still. They are kept beside the plan, not in what is hashed: the same
// change asked for again is the same plan.
type momentary interface {
	Moment(kept []*Live) []string
}

// plan makes the steps for the guests that were read. What one guest alone is refused is an error; of several it is left out, with the reason.
func (b *Body) plan(r Request, found []Found, lives []*Live, errs []error) (kept []*Live, err error) {
	skip := func(k int, err error) { b.Skipped = append(b.Skipped, Skip{found[k].Label(), fault.Of(err).Error()}) }
	join, together := r.Action.(Together)
	for k, l := range lives {
		steps, err := []Step(nil), errs[k]
		if err == nil && !together {
			steps, err = r.Action.Steps(l)
		}
		switch {
		case err != nil && r.Query == "" && len(r.Guests) == 0:
			return nil, err
		case err != nil:
			skip(k, err)
		default:
			b.Steps, kept = append(b.Steps, snapshotFirst(l, steps)...), append(kept, l)
		}
	}
	if together && len(kept) > 0 {
		var left []Skip
		b.Steps, left, err = join.Join(kept)
		b.Skipped = append(b.Skipped, left...)
	}
	if err == nil && !b.idle() {
		b.warn(r.Action, slices.DeleteFunc(slices.Clone(kept), func(l *Live) bool { return !b.changes(l) }))
	}
	return kept, err
}

func (b *Body) warn(a Action, kept []*Live) {
	if c, ok := a.(cautious); ok {
		b.Notes = append(slices.Clone(b.Notes), c.Cautions(kept)...)
	}
	if m, ok := a.(momentary); ok {
		b.moment = m.Moment(kept)
	}
}

// direct plans what needs no reading of a guest. Guest names the one that is concerned, if any.
func (e *Engine) direct(ctx context.Context, r Request) (Body, error) {
	var concerned *Found
	if r.Guest != "" {
		if f, err := e.opt.Guests.FindOne(ctx, r.Cluster, r.Guest); err == nil {
			concerned = &f
		}
	}
	steps, err := r.Direct.Steps(concerned)
	return e.body(r, r.Direct.Title(), r.Cluster, steps), err
}

func (e *Engine) find(ctx context.Context, r Request) ([]Found, error) {
	switch {
	case r.Guest != "" && r.Query != "":
		return nil, fault.BadField("query", "give guest or query, not both", "tag:web state:stopped")
	case r.Guest != "":
		f, err := e.opt.Guests.FindOne(ctx, r.Cluster, r.Guest)
		return []Found{f}, err
	case len(r.Guests) > 0:
		return e.findEach(ctx, r)
	case strings.TrimSpace(r.Query) == "":
		return nil, fault.BadField("guest", "a vmid, a name or a query is needed", "104")
	}
	found, err := e.opt.Guests.FindAll(ctx, r.Cluster, r.Query)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		none := fault.New(fault.NotFound, "no guest fits the query").WithNext("find_guests")
		if unsure := e.opt.Guests.Unsure(ctx, r.Cluster, r.Query); len(unsure) > 0 {
			return nil, none.WithHint("%s", skipped(unsure))
		}
		return nil, none
	}
	for _, f := range found {
		if f.Cluster != found[0].Cluster {
			return nil, fault.BadField("cluster", "the query selects guests of several clusters; one plan changes one cluster", f.Cluster)
		}
	}
	return found, nil
}

// findEach resolves guests that were chosen one by one.
func (e *Engine) findEach(ctx context.Context, r Request) ([]Found, error) {
	out := make([]Found, len(r.Guests))
	for k, id := range r.Guests {
		var err error
		if out[k], err = e.opt.Guests.FindOne(ctx, r.Cluster, id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func skipped(list []Skip) string {
	var out []string
	for _, s := range list[:min(len(list), 5)] {
		out = append(out, s.Guest+": "+s.Reason)
	}
	return strings.Join(out, "; ")
}

// complete adds what follows from the steps: the tier, what is lost, and what else is touched.
func (b *Body) complete(lives []*Live) {
	for k := range b.Steps {
		s := &b.Steps[k]
		if s.Noop == "" {
			b.Tier = max(b.Tier, s.Tier)
			for _, lost := range s.Lost {
				b.Lost = append(b.Lost, s.Target.Label()+": "+lost)
			}
		}
	}
	lives = slices.DeleteFunc(slices.Clone(lives), func(l *Live) bool { return !b.touches(&l.Target) })
	b.Blast = blastOf(lives)
	for _, l := range lives {
		if l.CanSnapshot != nil && !*l.CanSnapshot && slices.ContainsFunc(b.Steps, func(s Step) bool { return savable(s) && s.Target.VMID == l.VMID }) {
			b.Blast.Unsaved = append(b.Blast.Unsaved, l.Label())
		}
	}
}

// touches says whether a step is about a guest: those that stay as they are belong to no blast radius.
func (b *Body) touches(t *Target) bool {
	return slices.ContainsFunc(b.Steps, func(s Step) bool {
		return s.Target.VMID == t.VMID || slices.ContainsFunc(s.Also, func(a Target) bool { return a.VMID == t.VMID })
	})
}

// changes says whether a step has anything to do for a guest.
func (b *Body) changes(l *Live) bool {
	return slices.ContainsFunc(b.Steps, func(s Step) bool { return s.Noop == "" && s.Target.VMID == l.VMID })
}

func blastOf(lives []*Live) Blast {
	b := Blast{Guests: len(lives)}
	for _, l := range lives {
		if l.Target.Status == "running" || l.Target.Status == "paused" {
			b.Running = append(b.Running, l.Label())
		}
		if l.HA != "" {
			b.HA = append(b.HA, l.Label())
		}
		b.Dependants = append(b.Dependants, l.Found.LinkedClones...)
		if names := snapshotNames(l); len(names) > 0 {
			b.Snapshots = append(b.Snapshots, l.ID()+": "+strings.Join(names, ", "))
		}
		b.backups(l)
	}
	return b
}

func (b *Blast) backups(l *Live) {
	switch k := l.Backup; {
	case k == nil:
	case k.At != nil && (b.LastBackup == nil || k.At.Before(*b.LastBackup)):
		b.LastBackup = k.At
	case k.At == nil && k.Known:
		b.NoBackup = append(b.NoBackup, l.Label())
	case k.At == nil:
		b.Unknown = append(b.Unknown, "backups of "+l.ID())
	}
}

func snapshotNames(l *Live) []string {
	var names []string
	for _, s := range l.Snapshots {
		names = append(names, string(s.Name))
	}
	slices.Sort(names)
	return names
}

// idle says that no step has anything to do.
func (b *Body) idle() bool {
	return !slices.ContainsFunc(b.Steps, func(s Step) bool { return s.Noop == "" })
}

// keep asks policy and stores the plan. The same change that is still waiting for the same caller is the same plan.
func (e *Engine) keep(ctx context.Context, body Body, who Caller, lives []*Live) (Proposal, error) {
	p := Proposal{Plan: Plan{Body: body}}
	p.Hash, p.Cluster, p.Tool, p.Title, p.Tier, p.State = body.Hash(), body.Cluster, body.Tool, body.Title, int(body.Tier), Planned
	p.Requester = who.Principal
	if body.idle() {
		return p, nil
	}
	err := e.secrets(ctx, &body)
	if err != nil {
		return Proposal{}, err
	}
	if p.Verdict, err = e.opt.Policy.Judge(ctx, &body, who, targets(lives)); err != nil {
		return Proposal{}, err
	}
	st, err := e.opt.Store(ctx)
	if err != nil {
		return Proposal{}, err
	}
	if p.Verdict.Decision == Deny {
		return Proposal{}, e.denied(ctx, st, &p, who)
	}
	return e.insert(ctx, st, p, who, lives)
}

func targets(lives []*Live) []Target {
	out := make([]Target, len(lives))
	for k, l := range lives {
		out[k] = l.Target
	}
	return out
}

func (e *Engine) denied(ctx context.Context, st Store, p *Proposal, who Caller) error {
	why := strings.Join(p.Verdict.Reasons, "; ")
	a := e.audit("deny", "denied", who, &p.Plan.Plan, why)
	a.Object = p.Body.object()
	if _, err := st.AppendAudit(ctx, a); err != nil {
		return err
	}
	d := fault.New(fault.Denied, "%s is not allowed: %s", p.Title, why)
	if p.Verdict.Hint != "" {
		d = d.WithHint("%s", p.Verdict.Hint)
	}
	return d
}

// object is the id of the only object of a plan, for the audit; "" where there are several: their steps name them.
func (b *Body) object() string {
	if groups := byObject(b.Steps); len(groups) == 1 {
		return b.Steps[0].Target.ID()
	}
	return ""
}

func (e *Engine) insert(ctx context.Context, st Store, p Proposal, who Caller, lives []*Live) (Proposal, error) {
	same, err := st.Plans(ctx, store.PlanFilter{Hash: p.Hash, Limit: 500})
	if err != nil {
		return Proposal{}, err
	}
	now := e.now()
	for k := range same {
		if s := &same[k]; open(s.State) && now.Before(s.Expires) {
			p.Plan.Plan = *s
			p.Journal, err = st.Steps(ctx, store.StepFilter{Plan: s.ID})
			return p, err
		}
	}
	p.ID, p.Created, p.Expires = idOf(p.Hash, len(same)), now, now.Add(p.Body.TTL)
	p.Plan.Plan.Body = p.Body.Canonical()
	p.UndoOf, p.Note = p.Body.Undoes, strings.Join(p.Body.moment, "; ")
	p.Journal = journal(&p, lives)
	p.Plan.Plan, err = st.SavePlan(ctx, p.Plan.Plan, p.Journal, e.audit("plan", "", who, &p.Plan.Plan, p.Title))
	return p, err
}

// open says that a plan in this state has not begun.
func open(state string) bool { return state == Planned || state == Waiting || state == Approved }

// journal is the journal of a plan that has not begun, with what was read of each guest.
func journal(p *Proposal, lives []*Live) []store.PlanStep {
	seen := map[int]json.RawMessage{}
	for _, l := range lives {
		if raw, err := json.Marshal(beforeOf(l)); err == nil {
			seen[l.VMID] = raw
		}
	}
	steps := make([]store.PlanStep, len(p.Body.Steps))
	for k := range p.Body.Steps {
		s := &p.Body.Steps[k]
		steps[k] = store.PlanStep{Plan: p.ID, N: k + 1, State: StepPending, Cluster: s.Target.Cluster, Node: s.Target.Node, Object: s.Target.ID(),
			Action: s.Action, Tier: int(s.Tier)}
		if s.Target.Kind == "" && !s.Target.New {
			steps[k].Before = seen[s.Target.VMID]
		}
	}
	return steps
}

func beforeOf(l *Live) before {
	b := before{Config: l.Config, Status: l.Target.Status}
	if l.Status.Uptime != nil {
		b.Uptime = int64(*l.Status.Uptime)
	}
	return b
}

// load reads a plan that a caller may see: its own, or any for an operator. Possession of an id alone gives nothing (S22).
func (e *Engine) load(ctx context.Context, id string, who Caller) (Plan, Store, error) {
	st, err := e.opt.Store(ctx)
	if err != nil {
		return Plan{}, nil, err
	}
	row, ok, err := st.PlanByID(ctx, strings.TrimSpace(id))
	if err != nil {
		return Plan{}, nil, err
	}
	if !ok || row.Requester != who.Principal && who.Principal != OperatorPrincipal || !reach.Cluster(ctx, row.Cluster) {
		return Plan{}, nil, fault.New(fault.NotFound, "no plan %.20q is known", id).WithNext("list_plans").WithHint("plans belong to who asked for them")
	}
	p := Plan{Plan: row}
	if len(row.Body) == 0 { // bodies of plans that ended long ago are not kept
		p.Body = Body{Tool: row.Tool, Title: row.Title, Cluster: row.Cluster, Requester: row.Requester, Tier: Tier(row.Tier)}
		p.Journal, err = st.Steps(ctx, store.StepFilter{Plan: row.ID})
		return p, st, err
	}
	if err := json.Unmarshal(row.Body, &p.Body); err != nil {
		return Plan{}, nil, fault.Wrap(fault.StoreCorrupt, err, "plan %s cannot be read", row.ID)
	}
	if got := p.Body.Hash(); got != row.Hash {
		return Plan{}, nil, fault.New(fault.StoreCorrupt, "plan %s is not what was planned: its hash is %s, not %s", row.ID, shortHash(got), shortHash(row.Hash))
	}
	p.Journal, err = st.Steps(ctx, store.StepFilter{Plan: row.ID})
	return p, st, err
}

// OperatorPrincipal is who approves: a person who proved the operator's passphrase.
const OperatorPrincipal = "operator"

// Plan gives one plan. One that a killed process left is followed for a moment first, so that what is shown is how it ended.
func (e *Engine) Plan(ctx context.Context, id string, who Caller) (Plan, error) {
	p, st, err := e.load(ctx, id, who)
	if err == nil && open(p.State) {
		one := []store.Plan{p.Plan}
		e.tellStale(ctx, one)
		p.Plan = one[0]
	}
	if err != nil || p.State != Applying || e.running(p.ID) != nil {
		return p, err
	}
	if err := e.recover(ctx, st, p.ID); err != nil {
		e.opt.Logger.Warn("a plan that was cut off cannot be followed", "plan", p.ID, "err", err)
		return p, nil
	}
	if r := e.running(p.ID); r != nil {
		return e.wait(ctx, r, ApplyOptions{Wait: lookAfter})
	}
	p, _, err = e.load(ctx, id, who)
	return p, err
}

// Judge asks policy about a plan as it would be applied now.
func (e *Engine) Judge(ctx context.Context, id string, who Caller) (Plan, Verdict, error) {
	p, _, err := e.load(ctx, id, who)
	if err != nil {
		return Plan{}, Verdict{}, err
	}
	v, err := e.opt.Policy.Judge(ctx, &p.Body, who, planned(&p.Body))
	return p, v, err
}

// Plans lists a caller's plans, newest first; an operator sees all.
func (e *Engine) Plans(ctx context.Context, f store.PlanFilter, who Caller) ([]store.Plan, error) {
	st, err := e.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	if who.Principal != OperatorPrincipal {
		f.Requester = who.Principal
	}
	list, err := st.Plans(ctx, f)
	list = slices.DeleteFunc(list, func(p store.Plan) bool { return !reach.Cluster(ctx, p.Cluster) })
	e.tellStale(ctx, list)
	return list, err
}

// expired says that a plan has waited too long.
func (p *Plan) expired(now time.Time) bool {
	return !now.Before(p.Expires) && (open(p.State) || cmp.Or(p.State, Planned) == Interrupted)
}
