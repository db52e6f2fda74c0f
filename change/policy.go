package change

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Grant allows a tier, and those below it, in a scope for a time. Until zero means that it does not end.
type Grant struct {
	Scope
	Tier  Tier      `json:"tier"`
	Until time.Time `json:"until,omitzero"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at,omitzero"`
}

// String is the grant as people say it: "destructive for pool lab until 2026-11-22 12:00 UTC".
func (g Grant) String() string {
	text := g.Tier.String() + " for " + g.Scope.String()
	if !g.Until.IsZero() {
		text += " until " + g.Until.UTC().Format("2006-01-02 15:04 UTC")
	}
	return text
}

// Rules are the owner's settings for changes. The zero value denies everything above reading.
type Rules struct {
	Maximum       Tier    // nothing above it, whatever is granted
	OperatorForR2 bool    // approval.disruptive: operator
	Deny          []Scope // wins over everything
	Allow         []Scope // when there are any, one of them has to fit
	Protected     []Scope // guests that nothing above R1 touches
	Caps          Caps
	BackupWithin  time.Duration // R3 needs a backup younger than this; 0: none is demanded
	ImageHosts    []string      // what nodes may download from
	Exec          ExecRules     // what may be run in guests
	SnapshotFirst bool          // R2 and R3 take a snapshot first, where one brings back what they change
}

// Caps bound what a caller can do by itself; an operator's approval lifts none of them.
type Caps struct {
	PerPlan        int // guests of one plan
	PerHour        int // steps above R1 in an hour
	DestroyPerHour int // R3 steps in an hour
	PerNode        int // steps above R1 on one node in an hour
}

// DefaultCaps are generous for a homelab and stop what runs away: the sixth destroy within an hour is refused (S07).
var DefaultCaps = Caps{PerPlan: 50, PerHour: 100, DestroyPerHour: 5, PerNode: 60}

// Sheriff is the Policy of this program.
type Sheriff struct {
	Rules Rules
	// Grants are those in force now, as the operator gave them; read anew each time, so that running servers notice.
	Grants func(ctx context.Context) ([]Grant, error)
	// Stopped tells whether the emergency stop is on, with the reason.
	Stopped func(ctx context.Context) (on bool, why string, err error)
	// Room fails while nothing can be written down; nil: there always is.
	Room func(ctx context.Context) error
	// Self says why a guest is the one that this server runs in, "" when it is not: nothing above R1 touches it, whatever is granted.
	Self func(t Target) string
	// Home says where this server runs in a cluster, with what its guest stands on; nil: not known.
	Home func(ctx context.Context, cluster string) Home
	// Created tells which guests plans made under a vmid since a time; nil: none are known.
	Created func(ctx context.Context, cluster string, vmid int, since time.Time) ([]Creation, error)
	// Count counts journalled steps, for the caps.
	Count func(ctx context.Context, f store.StepFilter) (int, error)
	Clock func() time.Time
	// Program gives how the owner starts this program in a shell, for hints; nil: proxmox-mcp.
	Program func() string
}

var _ Policy = (*Sheriff)(nil)

// Level implements Policy.
func (s *Sheriff) Level(ctx context.Context, _ Caller) (Tier, error) {
	grants, err := s.Grants(ctx)
	if err != nil {
		return Read, err
	}
	level := Read
	for _, g := range s.inForce(grants) {
		level = max(level, min(g.Tier, s.Rules.Maximum))
	}
	if r, ok := reach.Of(ctx); ok {
		level = min(level, Tier(r.Tier))
	}
	if level == Read { // a read-only server lists its tools without opening the store
		return Read, nil
	}
	if on, _, err := s.Stopped(ctx); on || err != nil {
		return Read, err
	}
	if err := s.room(ctx); err != nil {
		return Read, err
	}
	return level, nil
}

func (s *Sheriff) room(ctx context.Context) error {
	if s.Room == nil {
		return nil
	}
	return s.Room(ctx)
}

// SnapshotFirst implements Policy.
func (s *Sheriff) SnapshotFirst() bool { return s.Rules.SnapshotFirst }

func (s *Sheriff) program() string {
	if s.Program == nil {
		return "proxmox-mcp"
	}
	return s.Program()
}

func (s *Sheriff) inForce(grants []Grant) []Grant {
	now := s.Clock()
	return slices.DeleteFunc(slices.Clone(grants), func(g Grant) bool { return !g.Until.IsZero() && !now.Before(g.Until) })
}

// Judge implements Policy. Each rule has to pass on the state that was planned for and on the live one, so that no step unlocks another.
func (s *Sheriff) Judge(ctx context.Context, b *Body, who Caller, live []Target) (Verdict, error) {
	if on, why, err := s.Stopped(ctx); err != nil {
		return Verdict{}, err
	} else if on {
		return deny("the emergency stop is on: "+why, OwnerRuns(s.program(), "stop --off")), nil
	}
	if err := s.room(ctx); err != nil {
		return Verdict{}, err
	}
	grants, err := s.Grants(ctx)
	if err != nil {
		return Verdict{}, err
	}
	grants = s.inForce(grants)
	weights, err := s.weights(ctx, b, who, live)
	if err != nil {
		return Verdict{}, err
	}
	for k, st := range b.Steps {
		st.Tier = weights[k]
		if v, ok := s.step(ctx, &st, live, grants); !ok {
			return v, nil
		}
	}
	if v, ok, err := s.caps(ctx, b); !ok || err != nil {
		return v, err
	}
	as := b.weighing(weights)
	if v, ok := s.recovery(as); !ok {
		return v, nil
	}
	v := s.decide(as, who)
	if as.Tier < b.Tier && len(v.Reasons) > 0 {
		v.Reasons[0] = "you made it within a day and nobody protected it, so it counts as " + as.Tier.String() + strings.TrimPrefix(v.Reasons[0], "it is "+as.Tier.String())
	}
	return v, nil
}

func deny(reason, hint string) Verdict {
	return Verdict{Decision: Deny, Reasons: []string{reason}, Hint: hint}
}

// step asks the rules about one step, on each state of its object.
func (s *Sheriff) step(ctx context.Context, st *Step, live []Target, grants []Grant) (Verdict, bool) {
	if st.Noop != "" {
		return Verdict{}, true
	}
	if v := beyond(ctx, st); v.Decision == Deny {
		return v, false
	}
	if why := s.Rules.foreign(st); why != "" {
		return deny(why, "its owner adds the host to changes.images in the configuration: images: ["+strings.Join(append(slices.Clone(s.Rules.ImageHosts), strings.TrimPrefix(why, "nodes do not download from ")), ", ")+"]"), false
	}
	for _, t := range st.states(live) {
		if v, ok := s.object(ctx, st, t, grants); !ok {
			return v, false
		}
	}
	return Verdict{}, true
}

// beyond denies what the caller's credential does not reach, whatever is granted: a tier above it, or an object of another cluster, whose
// name is not told.
func beyond(ctx context.Context, st *Step) Verdict {
	r, ok := reach.Of(ctx)
	switch {
	case !ok:
		return Verdict{}
	case st.Tier > Tier(r.Tier):
		return deny(fmt.Sprintf("your credential reaches %s changes at most, this one is %s", Tier(r.Tier), st.Tier), "its owner makes another one: proxmox-mcp token create NAME --tier "+st.Tier.String())
	case !reach.Cluster(ctx, st.Target.Cluster) || slices.ContainsFunc(st.Also, func(t Target) bool { return !reach.Cluster(ctx, t.Cluster) }):
		return deny("your credential does not reach this cluster", "")
	}
	return Verdict{}
}

// states are what a step's objects were when it was planned, and what they are now.
func (s *Step) states(live []Target) []Target {
	out := append([]Target{s.Target}, s.Also...)
	for _, t := range live {
		if t.key() == s.Target.key() && t.Cluster == s.Target.Cluster || slices.ContainsFunc(s.Also, func(a Target) bool { return a.key() == t.key() }) {
			out = append(out, t)
		}
	}
	return out
}

func (s *Sheriff) object(ctx context.Context, st *Step, t Target, grants []Grant) (Verdict, bool) {
	fits := func(c Scope) bool { return c.Fits(t) }
	r := &s.Rules
	if k := slices.IndexFunc(r.Deny, fits); k >= 0 {
		return deny(fmt.Sprintf("%s is in a scope that the owner denies (%s)", t.named(), r.Deny[k]), ""), false
	}
	if len(r.Allow) > 0 && !slices.ContainsFunc(r.Allow, fits) {
		return deny(fmt.Sprintf("%s is in none of the scopes that the owner allows", t.named()), ""), false
	}
	if st.Tier >= Disruptive {
		if k := slices.IndexFunc(r.Protected, fits); k >= 0 {
			return deny(fmt.Sprintf("%s is protected by the owner (%s)", t.named(), r.Protected[k]), ""), false
		}
		if why := s.touchesUs(ctx, st, t); why != "" {
			return deny(fmt.Sprintf("%s: %s", t.named(), why), "a change here could end this server: do it by hand"), false
		}
	}
	if why, hint := r.refusesRun(st, t); why != "" {
		return deny(fmt.Sprintf("%s: %s", t.named(), why), hint), false
	}
	if why := s.unlocks(st, t, grants); why != "" {
		return deny(fmt.Sprintf("%s: %s", t.named(), why), "its owner changes it in Proxmox VE"), false
	}
	return s.granted(st, t, grants)
}

// touchesUs says why a step could end this server: by what it is read to be, or by what it stands on.
func (s *Sheriff) touchesUs(ctx context.Context, st *Step, t Target) string {
	if why := s.Self(t); why != "" || s.Home == nil {
		return why
	}
	return s.Home(ctx, t.Cluster).Touches(st, t)
}

func (s *Sheriff) granted(st *Step, t Target, grants []Grant) (Verdict, bool) {
	level := Read
	for _, g := range grants {
		if g.Fits(t) {
			level = max(level, min(g.Tier, s.Rules.Maximum))
		}
	}
	if st.Tier <= level {
		return Verdict{}, true
	}
	is := fmt.Sprintf("%s changes are not allowed here; allowed: %s", st.Tier, level)
	if level == Read {
		is = "this server is read-only here"
		if scopes := s.scopesIn(grants, t.Cluster); len(scopes) > 0 {
			is += "; allowed: " + strings.Join(scopes, "; ")
		}
	}
	if st.Tier > s.Rules.Maximum {
		return deny(is, fmt.Sprintf("the configuration's changes.maximum is %s", s.Rules.Maximum)), false
	}
	return deny(is, OwnerRuns(s.program(), "allow "+st.Tier.String()+" --for 8h")), false
}

// Granted are the grants in force for parts of a cluster, as people say them; none where no limit to a part is to be told.
func (s *Sheriff) Granted(ctx context.Context, cluster string) ([]string, error) {
	grants, err := s.Grants(ctx)
	if err != nil {
		return nil, err
	}
	grants = s.inForce(grants)
	if !slices.ContainsFunc(grants, func(g Grant) bool { return !g.everything() }) {
		return nil, nil
	}
	return s.scopesIn(grants, cluster), nil
}

// scopesShown bounds the grants that one text names.
const scopesShown = 4

// scopesIn says the first grants that can hold in a cluster, as far as the configuration lets them: those of others are not told.
func (s *Sheriff) scopesIn(grants []Grant, cluster string) []string {
	var out []string
	for _, g := range grants {
		if g.Cluster != "" && g.Cluster != cluster {
			continue
		}
		if len(out) == scopesShown {
			return append(out, "and more")
		}
		g.Tier = min(g.Tier, s.Rules.Maximum)
		out = append(out, g.String())
	}
	return out
}

// caps counts what was sent within the last hour, on top of what the plan wants.
func (s *Sheriff) caps(ctx context.Context, b *Body) (Verdict, bool, error) {
	c := s.Rules.Caps
	if n := b.objects(); c.PerPlan > 0 && n > c.PerPlan {
		return deny(fmt.Sprintf("the plan changes %d guests, at most %d are allowed at once", n, c.PerPlan), "narrow the query"), false, nil
	}
	nodes, heavy, destroys := map[string]int{}, 0, 0
	for k := range b.Steps {
		if st := &b.Steps[k]; st.Noop == "" && st.Tier >= Disruptive {
			heavy += st.touches()
			for _, node := range st.nodes() {
				nodes[node]++
			}
			if st.Tier >= Destructive {
				destroys += st.touches()
			}
		}
	}
	type limit struct {
		name       string
		want, most int
		filter     store.StepFilter
	}
	hour := s.Clock().Add(-time.Hour)
	limits := []limit{
		{"disruptive steps", heavy, c.PerHour, store.StepFilter{MinTier: int(Disruptive), Since: hour}},
		{"destructive steps", destroys, c.DestroyPerHour, store.StepFilter{MinTier: int(Destructive), Since: hour}},
	}
	for node, n := range nodes {
		limits = append(limits, limit{"disruptive steps on node " + node, n, c.PerNode,
			store.StepFilter{Cluster: b.Cluster, Node: node, MinTier: int(Disruptive), Since: hour}})
	}
	for _, l := range limits {
		if l.want == 0 || l.most == 0 {
			continue
		}
		n, err := s.Count(ctx, l.filter)
		if err != nil {
			return Verdict{}, false, err
		}
		if n+l.want > l.most {
			return deny(fmt.Sprintf("%d %s within the last hour and %d more: at most %d are allowed", n, l.name, l.want, l.most),
				"wait, or let the owner raise changes.caps"), false, nil
		}
	}
	return Verdict{}, true, nil
}

// recovery demands a way back before something is destroyed (S11).
func (s *Sheriff) recovery(b *Body) (Verdict, bool) {
	if s.Rules.BackupWithin == 0 || b.Tier < Destructive {
		return Verdict{}, true
	}
	oldest := s.Clock().Add(-s.Rules.BackupWithin)
	if len(b.Blast.NoBackup)+len(b.Blast.Unknown) > 0 || b.Blast.LastBackup == nil || b.Blast.LastBackup.Before(oldest) {
		return deny(fmt.Sprintf("the owner demands a backup of the last %s before anything is destroyed", s.Rules.BackupWithin), "back it up first"), false
	}
	return Verdict{}, true
}

// decide is who has to agree, by the plan's tier.
func (s *Sheriff) decide(b *Body, who Caller) Verdict {
	switch {
	case b.Tier <= Reversible:
		return Verdict{Decision: RunNow}
	case s.Rules.SnapshotFirst && len(b.Blast.Unsaved) > 0:
		return Verdict{Decision: Operator, Reasons: []string{"no snapshot can be taken first: an operator approves it"}}
	case s.Rules.SnapshotFirst && slices.ContainsFunc(b.Steps, func(st Step) bool { return st.Program != nil }):
		return Verdict{Decision: Operator, Reasons: []string{"no snapshot is taken before code is applied: an operator approves it"}}
	case b.Tier == Disruptive && !s.Rules.OperatorForR2:
		if who.Elicits {
			return Verdict{Decision: Ask, Reasons: []string{"it is disruptive"}}
		}
		return Verdict{Decision: Confirm, Reasons: []string{"it is disruptive: only applying this plan does it"}}
	}
	return Verdict{Decision: Operator, Reasons: []string{"it is " + b.Tier.String() + ": an operator approves it"}}
}

// Err is a verdict as an error, for who asked beforehand.
func (v Verdict) Err() error {
	if v.Decision != Deny {
		return nil
	}
	return fault.New(fault.Denied, "%s", v.Reasons[0]).WithHint("%s", v.Hint)
}
