package change

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// check reads the object again and compares it with the plan: identity, digest, state, lock, rules. Nothing is sent when one differs.
// was is what earlier steps of this plan left of it.
func (r *run) check(ctx context.Context, s *Step, js store.PlanStep, was left) (*Live, error) {
	for k := range s.Also {
		if err := r.concerned(ctx, s, s.Also[k]); err != nil {
			return nil, err
		}
	}
	if err := r.programAsPlanned(ctx, s); err != nil {
		return nil, err
	}
	switch k := kinds[s.Target.Kind]; {
	case s.Target.Kind != "" && k.check != nil:
		if err := k.check(ctx, r.c, s); err != nil {
			return nil, err
		}
		return nil, r.rules(ctx, s, s.Target)
	case s.Target.Kind != "":
		return nil, r.rules(ctx, s, s.Target)
	case s.Makes && s.Target.New:
		if err := vacant(ctx, r.c, s.Target); err != nil {
			return nil, err
		}
		return nil, r.rules(ctx, s, s.Target)
	}
	return r.guest(ctx, s, js, was)
}

// guest is check for a guest that exists.
func (r *run) guest(ctx context.Context, s *Step, js store.PlanStep, was left) (*Live, error) {
	want := s.Target
	want.Digest, want.Life, want.Node = cmp.Or(was.digest, want.Digest), cmp.Or(was.life, want.Life), cmp.Or(was.node, want.Node)
	if want.Life == "" {
		return nil, stale(s.Target, "it was not made")
	}
	l, err := r.same(ctx, s, want, js)
	switch {
	case err != nil:
		return nil, err
	case was == left{} && (s.Want.Status != "" || s.Want.Gone) && l.Target.Status != want.Status:
		return nil, stale(s.Target, fmt.Sprintf("it was %s and is %s now", want.Status, l.Target.Status))
	}
	return l, r.rules(ctx, s, l.Target)
}

// concerned looks again at a guest that a step concerns beside its own: a source with a digest is read, of others what the inventory knows
// has to pass the rules.
func (r *run) concerned(ctx context.Context, s *Step, t Target) error {
	if t.New || t.Kind != "" { // it is made by the step, or is read by no digest
		return r.rules(ctx, s, t)
	}
	if t.Digest == "" {
		f, err := r.e.opt.Guests.FindOne(ctx, t.Cluster, t.ID())
		if err != nil {
			return staleRead(t, err)
		}
		return r.rules(ctx, s, f.Target)
	}
	l, err := r.same(ctx, s, t, store.PlanStep{})
	if err != nil {
		return err
	}
	return r.rules(ctx, s, l.Target)
}

// same reads a guest and compares it with what was planned for: place, identity, lock, configuration.
func (r *run) same(ctx context.Context, s *Step, want Target, js store.PlanStep) (*Live, error) {
	f, err := r.e.known(ctx, want)
	if err != nil {
		return nil, staleRead(want, err)
	}
	l, err := r.e.look(ctx, r.c, f, Needs{})
	if err != nil {
		return nil, staleRead(want, err)
	}
	switch {
	case l.Life != want.Life:
		return nil, stale(want, "another guest has its vmid now")
	case l.Node != want.Node && l.Node == s.Want.Node:
		return nil, errThere
	case l.Node != want.Node:
		return nil, stale(want, fmt.Sprintf("it moved from %s to %s", want.Node, l.Node))
	case l.Lock != "" && l.Lock != s.Lock: // before the digest, which a lock changes too
		return nil, r.locked(ctx, l)
	case l.Digest != want.Digest:
		return nil, stale(want, drift(js.Before, l.Config, s.Diff))
	}
	return l, nil
}

// errThere says that a guest was moved meanwhile to where the step would move it, by HA for example: there is nothing left to do.
var errThere = errors.New("it is there already")

// vacant says whether a vmid is still free, also of guests that this token cannot see (GET /cluster/nextid?vmid=, recording 02/011).
func vacant(ctx context.Context, c Cluster, t Target) error {
	_, err := c.Raw(ctx, "GET", "/cluster/nextid", proxmox.Params{}.Str("vmid", t.ID()))
	if code := fault.CodeOf(err); code != fault.Invalid && code != fault.Conflict {
		return err
	}
	return fault.New(fault.Stale, "vmid %d is taken meanwhile; nothing was sent", t.VMID).WithHint("ask again: another free vmid is chosen where none is given")
}

// known is the object of a step as the inventory knows it now. A container has no identity of its own: only the inventory notices that it was
// made anew, restored over for example, with the same configuration (F31).
func (e *Engine) known(ctx context.Context, t Target) (Found, error) {
	f := Found{Target: t, Life: lifeCount(t.Life)}
	if t.Type != pve.LXC {
		return f, nil
	}
	now, err := e.opt.Guests.FindOne(ctx, t.Cluster, t.ID())
	f.Life = now.Life
	return f, err
}

func lifeCount(life string) int {
	var n int
	if _, err := fmt.Sscanf(life, "life %d", &n); err != nil {
		return 0
	}
	return n
}

func staleRead(t Target, err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return stale(t, "it does not exist any more")
	}
	return err
}

func stale(t Target, how string) error {
	return fault.New(fault.Stale, "guest %s is not as it was planned for: %s; nothing was sent", t.Label(), how).
		WithHint("ask for the change again: a new plan is made from what is now")
}

// rules asks policy on live state: a tag that the plan itself or somebody else took away meanwhile unlocks nothing (S08).
func (r *run) rules(ctx context.Context, s *Step, live Target) error {
	if live.VMID != 0 && !live.New {
		if err := r.listed(ctx, &live); err != nil {
			return err
		}
		if s.Want.Pool != nil && live.VMID == s.Target.VMID && live.Pool != s.Target.Pool {
			return stale(s.Target, "it is in another pool now: "+cmp.Or(cleanLine(live.Pool), "none"))
		}
	}
	one := r.p.Body
	one.Steps = []Step{*s}
	v, err := r.e.opt.Policy.Judge(ctx, &one, r.who, []Target{live})
	if err != nil {
		return err
	}
	if v.Decision == Deny {
		return fault.New(fault.Denied, "%s is not allowed: %s", s.Target.Label(), strings.Join(v.Reasons, "; "))
	}
	return nil
}

// locked names who holds the lock. It is never taken away: a lock without a task is for a person to look at (F28, F29).
func (r *run) locked(ctx context.Context, l *Live) error {
	e := fault.New(fault.Locked, "guest %s is locked (%s); nothing was sent", l.Label(), l.Lock)
	for _, t := range r.tasksOf(ctx, l.Target, "active") {
		return e.WithHint("task %s (%s of %s) works on it: try again when it has ended", pve.TaskHandle(t.UPID), cleanLine(string(t.Type)), cleanLine(string(t.User))).Retry()
	}
	if !r.seesTasks(ctx, l.Node) {
		return e.WithHint("tasks of others are not visible to this token (Sys.Audit on /nodes/%s): whether one works on it is not known; try again later", l.Node).Retry()
	}
	return e.WithHint("no running task is seen that holds the lock; after a crash the administrator runs: %s unlock %d", program(l.Type), l.VMID)
}

// seesTasks says whether this token is shown tasks that others began on a node: without Sys.Audit the list has its own alone, and none in
// it is no proof (F52).
func (r *run) seesTasks(ctx context.Context, node string) bool {
	raw, err := r.c.Raw(ctx, "GET", "/access/permissions", proxmox.Params{}.Str("path", "/nodes/"+node))
	var rights map[string]map[string]pve.Int
	if err != nil || json.Unmarshal(raw, &rights) != nil {
		return false
	}
	_, ok := rights["/nodes/"+node]["Sys.Audit"]
	return ok
}

func program(t pve.GuestType) string {
	if t == pve.LXC {
		return "pct"
	}
	return "qm"
}

// drift is the three-way difference: what the plan saw, what is now, and where the plan wants the same field.
func drift(base json.RawMessage, now pve.Config, diff []Diff) string {
	var b before
	if json.Unmarshal(base, &b) != nil || b.Config == nil {
		return "its configuration changed"
	}
	old, wanted := pve.Config(b.Config), map[string]string{}
	for _, d := range diff {
		wanted[d.Field] = d.New
	}
	var out []string
	for _, k := range slices.SortedFunc(maps.Keys(union(old, now)), pve.CompareKeys) {
		if k == "digest" || same(old[k], now[k]) {
			continue
		}
		line := fmt.Sprintf("%s was %s, is %s", k, shown(old, k), shown(now, k))
		if w, ok := wanted[k]; ok {
			line += ", plan wants " + quoted(w)
		}
		out = append(out, line)
	}
	if len(out) == 0 {
		return "its configuration file was written meanwhile"
	}
	return strings.Join(out[:min(len(out), 8)], "; ")
}

func union(a, b pve.Config) pve.Config {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && strings.Trim(string(x), `"`) == strings.Trim(string(y), `"`)
}

func shown(c pve.Config, key string) string {
	if !c.Has(key) {
		return "not set"
	}
	return quoted(c.Str(key))
}

// maxShown is how much of a value an error or a review shows.
const maxShown = 80

func quoted(s string) string {
	if s == "" {
		return "not set"
	}
	return clean.Line(s, maxShown)
}

func cleanLine(s string) string { return clean.Line(s, maxShown) }

func tail(lines []string, n int) []string {
	out := make([]string, 0, n)
	for _, l := range lines[max(0, len(lines)-n):] {
		out = append(out, clean.Line(l, 200))
	}
	return out
}

func warningLines(log []string) []string {
	var out []string
	for _, l := range log {
		if strings.HasPrefix(l, "WARN") {
			out = append(out, clean.Line(l, 200))
		}
	}
	return out
}
