package change

import (
	"slices"
	"strconv"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// PowerVerbs are what Power knows, in the order in which they are shown.
var PowerVerbs = []string{"start", "shutdown", "reboot", "stop", "reset", "suspend", "resume"}

// Power starts, stops or pauses a guest. Timeout (0 = Proxmox VE's own, 60 s) and Force (stop it when it does not react) are for shutdown
// and reboot.
type Power struct {
	Verb    string
	Timeout time.Duration
	Force   bool
}

// Name implements Action.
func (p Power) Name() string { return "guest." + p.Verb }

// Title implements Action.
func (p Power) Title() string { return p.Verb }

// Needs implements Action.
func (p Power) Needs() Needs { return Needs{} }

// powerRule says what a verb needs and makes.
type powerRule struct {
	tier   Tier
	from   []string // states it can be asked in
	to     string   // state that it makes
	undo   string   // verb that brings the state before back
	noUndo string
	vmOnly bool
}

// powerRules: reset, resume and suspend of a stopped VM are refused by Proxmox VE at once, a stop of a stopped one is a task that ends
// OK (pve-api.md 58, 34): here all that is so already is a no-op. Containers can be neither reset nor, in practice, suspended: their
// suspend needs checkpoints that most kernels refuse.
var powerRules = map[string]powerRule{
	"start":    {tier: Reversible, from: []string{"stopped"}, to: "running", undo: "shutdown"},
	"shutdown": {tier: Disruptive, from: []string{"running"}, to: "stopped", undo: "start"},
	"stop":     {tier: Disruptive, from: []string{"running", "paused"}, to: "stopped", undo: "start"},
	"reboot":   {tier: Disruptive, from: []string{"running"}, to: "running", noUndo: "a restart leaves nothing to take back"},
	"reset":    {tier: Disruptive, from: []string{"running", "paused"}, to: "running", noUndo: "a reset leaves nothing to take back", vmOnly: true},
	"suspend":  {tier: Disruptive, from: []string{"running"}, to: "paused", undo: "resume", vmOnly: true},
	"resume":   {tier: Reversible, from: []string{"paused"}, to: "running", undo: "suspend", vmOnly: true},
}

// Steps implements Action.
func (p Power) Steps(l *Live) ([]Step, error) {
	rule, ok := powerRules[p.Verb]
	switch {
	case !ok:
		return nil, fault.BadField("action", "it must be one of start, shutdown, reboot, stop, reset, suspend, resume", "start")
	case l.Target.Template:
		return nil, fault.New(fault.Conflict, "%s is a template: it never runs", l.Label()).WithHint("clone it and start the clone")
	case rule.vmOnly && l.Type != pve.Qemu:
		return nil, fault.New(fault.Invalid, "a container cannot be told to %s", p.Verb)
	}
	s := l.step(p.Name(), rule.tier, "POST", "/status/"+p.Verb, p.params()...)
	s.Task, s.Want.Status, s.Want.Restarted = l.powerTask(p.Verb), rule.to, p.Verb == "reboot"
	s.Diff = []Diff{{"status", l.Target.Status, rule.to}}
	if rule.undo != "" {
		s.Undo = []Call{{Method: "POST", Path: l.path("/status/" + rule.undo), Params: undoParams(rule.undo)}}
	}
	s.NoUndo = rule.noUndo
	return p.fit(l, s, rule)
}

// fit compares the state that the guest is in with the one that the verb needs.
func (p Power) fit(l *Live, s Step, rule powerRule) ([]Step, error) {
	is := l.Target.Status
	if slices.Contains(rule.from, is) {
		if l.Lock == "suspended" { // hibernated: stopped with that lock, and a start resumes it (03/067)
			s.Lock, s.Undo, s.NoUndo = l.Lock, nil, "the memory that it slept with is used up by its start"
		}
		if is == "paused" && rule.to == "stopped" {
			s.Undo, s.NoUndo = nil, "what it held in memory while it was paused is gone"
		}
		return []Step{s}, nil
	}
	if is == rule.to {
		s.Noop, s.Diff = "it is "+is+" already", nil
		return []Step{s}, nil
	}
	e := fault.New(fault.Conflict, "%s is %s: %s needs it to be %s", l.Label(), is, p.Verb, rule.from[0])
	if is == "paused" {
		e = e.WithHint("resume or stop it first")
	}
	return nil, e
}

func (p Power) params() []Param {
	var out []Param
	if p.Verb != "shutdown" && p.Verb != "reboot" {
		return nil
	}
	if p.Timeout > 0 {
		out = append(out, Param{"timeout", strconv.Itoa(int(p.Timeout / time.Second))})
	}
	if p.Force && p.Verb == "shutdown" {
		out = append(out, Param{"forceStop", "1"})
	}
	return out
}

// undoParams: a guest that was just started is shut down, and stopped when it does not react.
func undoParams(verb string) []Param {
	if verb == "shutdown" {
		return []Param{{"timeout", "60"}, {"forceStop", "1"}}
	}
	return nil
}

// powerTask is the task of a verb; guests under HA are started and stopped by its manager (15/057).
func (l *Live) powerTask(verb string) string {
	if l.HA != "" {
		switch verb {
		case "start":
			return "hastart"
		case "stop", "shutdown":
			return "hastop"
		}
	}
	return l.taskType(verb)
}
