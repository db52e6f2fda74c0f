// Package tasks is what people ask of an agent, in plain words, with one way to do each: a list of calls. Each task has a checker that looks at the
// simulated homelab afterwards, and at what was answered where the task is a question. The test does every solution over MCP; an agent
// can be given Say alone and judged by the same checker.
package tasks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// Task is something that a person wants of the homelab of pvesim.DemoWorld.
type Task struct {
	Name string
	Say  string // in the words of somebody who knows no tool
	// Prepare makes the homelab as the task needs it; nil: as it is.
	Prepare func(w *pvesim.World)
	// Solution is one way that reaches it. An argument "$plan" stands for the newest plan that was answered, "$task" for the newest task.
	Solution []Call
	// Check says what is missing: w is the homelab afterwards, was what Before noted, said all answers.
	Check func(w *pvesim.World, was string, said string) error
	// Settings are appended to the configuration of the program.
	Settings string
	// Break is what goes wrong once the homelab runs: the backups that it came with do not have it; nil: nothing.
	Break func(w *pvesim.World)
	// Before notes something of the homelab as it was; nil: nothing.
	Before func(w *pvesim.World) string
}

// Call is a call of a tool. With Approve the owner agrees to the newest plan before it.
type Call struct {
	Tool    string
	Args    map[string]any
	Approve bool
}

func call(tool string, args ...any) Call {
	c := Call{Tool: tool, Args: map[string]any{}}
	for pair := range slices.Chunk(args, 2) {
		if name, ok := pair[0].(string); ok {
			c.Args[name] = pair[1]
		}
	}
	return c
}

// apply is the second call of what is disruptive; approved is what it is after an owner's approval.
func apply() Call { return call("apply_plan", "plan", "$plan") }

func approved() Call {
	c := apply()
	c.Approve = true
	return c
}

// All are the tasks, questions first.
func All() []Task {
	return slices.Concat(questions(), power(), configuration(), snapshots(), plans(), lifecycle())
}

// guest is a guest that has to exist.
func guest(w *pvesim.World, vmid int, f func(g *pvesim.Guest) error) error {
	g := w.Guest(vmid)
	if g == nil {
		return fmt.Errorf("guest %d does not exist", vmid)
	}
	return f(g)
}

// value is a configuration key as the API shows it, what waits for a restart included.
func value(g *pvesim.Guest, key string) string {
	if v, ok := g.Pending[key]; ok {
		return fmt.Sprint(v)
	}
	if v, ok := g.Config[key]; ok && !slices.Contains(g.Deleted, key) {
		return fmt.Sprint(v)
	}
	return ""
}

// has wants a key of a guest to have a value, or to begin with it.
func has(vmid int, key, want string) func(*pvesim.World, string, string) error {
	return func(w *pvesim.World, _, _ string) error {
		return guest(w, vmid, func(g *pvesim.Guest) error {
			if got := value(g, key); got != want && (want == "" || !strings.HasPrefix(got, want)) {
				return fmt.Errorf("%s of %d is %q, want %q", key, vmid, got, want)
			}
			return nil
		})
	}
}

// is wants a guest to be running or stopped.
func is(vmid int, status string) func(*pvesim.World, string, string) error {
	return func(w *pvesim.World, _, _ string) error {
		return guest(w, vmid, func(g *pvesim.Guest) error {
			if g.Status() != status {
				return fmt.Errorf("%d is %s, want %s", vmid, g.Status(), status)
			}
			return nil
		})
	}
}

// tells wants the answers to hold what is true of the homelab.
func tells(truth func(w *pvesim.World) []string) func(*pvesim.World, string, string) error {
	return func(w *pvesim.World, _, said string) error {
		want := truth(w)
		if len(want) == 0 {
			return fmt.Errorf("the homelab holds nothing to tell")
		}
		for _, text := range want {
			if !strings.Contains(said, text) {
				return fmt.Errorf("the answer lacks %q", text)
			}
		}
		return nil
	}
}

// all wants every one of several things.
func all(list ...func(*pvesim.World, string, string) error) func(*pvesim.World, string, string) error {
	return func(w *pvesim.World, was, said string) error {
		for _, check := range list {
			if err := check(w, was, said); err != nil {
				return err
			}
		}
		return nil
	}
}

// name is what people call a guest.
func name(g *pvesim.Guest) string {
	for _, key := range []string{"name", "hostname"} {
		if v, ok := g.Config[key].(string); ok {
			return v
		}
	}
	return ""
}
