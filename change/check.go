package change

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// check reads the object again and compares it with the plan: identity, digest, state, lock, rules. Nothing is sent when one differs.
// digest is what an earlier step of this plan left; "" means that of the plan.
func (r *run) check(ctx context.Context, s *Step, js store.PlanStep, digest string) (*Live, error) {
	if s.Target.Kind != "" {
		return nil, r.rules(ctx, s, s.Target)
	}
	f, err := r.e.known(ctx, s)
	if err != nil {
		return nil, staleRead(s, err)
	}
	l, err := r.e.look(ctx, r.c, f, Needs{})
	if err != nil {
		return nil, staleRead(s, err)
	}
	want := s.Target
	if digest != "" {
		want.Digest = digest
	}
	switch {
	case l.Node != want.Node:
		return nil, stale(s, fmt.Sprintf("it moved from %s to %s", want.Node, l.Node))
	case l.Life != want.Life:
		return nil, stale(s, "another guest has its vmid now")
	case l.Lock != "" && l.Lock != s.Lock: // before the digest, which a lock changes too
		return nil, r.locked(ctx, s, l)
	case l.Digest != want.Digest:
		return nil, stale(s, drift(js.Before, l.Config, s.Diff))
	case digest == "" && (s.Want.Status != "" || s.Want.Gone) && l.Target.Status != want.Status:
		return nil, stale(s, fmt.Sprintf("it was %s and is %s now", want.Status, l.Target.Status))
	}
	return l, r.rules(ctx, s, l.Target)
}

// known is the object of a step as the inventory knows it now. A container has no identity of its own: only the inventory notices that it was
// made anew, restored over for example, with the same configuration (F31).
func (e *Engine) known(ctx context.Context, s *Step) (Found, error) {
	f := Found{Target: s.Target, Life: lifeCount(s.Target.Life)}
	if s.Target.Type != pve.LXC {
		return f, nil
	}
	now, err := e.opt.Guests.FindOne(ctx, s.Target.Cluster, s.Target.ID())
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

func staleRead(s *Step, err error) error {
	if fault.CodeOf(err) == fault.NotFound {
		return stale(s, "it does not exist any more")
	}
	return err
}

func stale(s *Step, how string) error {
	return fault.New(fault.Stale, "guest %s is not as it was planned for: %s; nothing was sent", s.Target.Label(), how).
		WithHint("ask for the change again: a new plan is made from what is now")
}

// rules asks policy on live state: a tag that the plan itself or somebody else took away meanwhile unlocks nothing (S08).
func (r *run) rules(ctx context.Context, s *Step, live Target) error {
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
func (r *run) locked(ctx context.Context, s *Step, l *Live) error {
	e := fault.New(fault.Locked, "guest %s is locked (%s); nothing was sent", s.Target.Label(), l.Lock)
	for _, t := range r.tasksOf(ctx, l.Target, "active") {
		return e.WithHint("task %s (%s of %s) works on it: try again when it has ended", pve.TaskHandle(t.UPID), cleanLine(string(t.Type)), cleanLine(string(t.User))).Retry()
	}
	return e.WithHint("no running task is seen that holds the lock; after a crash the administrator runs: %s unlock %d", program(l.Type), l.VMID)
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
