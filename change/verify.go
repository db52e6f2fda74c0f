package change

import (
	"context"
	"fmt"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Verify proves that a backup can be restored: it is restored as a guest of its own with links down, started, looked at and destroyed. The
// proof is the journal's step backup.prove (Engine.Proven).
type Verify struct {
	Saved
	NewID   int
	Storage string
}

var _ Direct = Verify{}

// proveAction is the step whose success is the proof.
const proveAction = "backup.prove"

// How long a restored guest has to come up: its agent answers last of all. One without an agent has to run for upFor.
const (
	provePatience = 5 * time.Minute
	upFor         = 10 * time.Second
)

// Name implements Direct.
func (Verify) Name() string { return "backup.verify" }

// Title implements Direct.
func (v Verify) Title() string {
	return fmt.Sprintf("verify the backup of %d of %s", v.VMID, unixDay(v.At.Unix()))
}

// Steps implements Direct.
func (v Verify) Steps(concerned *Found) ([]Step, error) {
	if v.Config.Bool("template") {
		return nil, fault.New(fault.Conflict, "it is the backup of a template, which never runs")
	}
	r := Restore{Saved: v.Saved, NewID: v.NewID, NewName: fmt.Sprintf("verify-%d", v.VMID), Storage: v.Storage, Apart: true, Start: true}
	steps, err := r.Steps(concerned)
	if err != nil {
		return nil, err
	}
	steps[0].NoUndo = "it removes what it made by itself"
	guest := *steps[0].made
	guest.Target.Status = "running"
	steps = append(steps, v.prove(guest.Target))
	for _, a := range []Action{Power{Verb: "stop"}, Destroy{}} {
		more, err := a.Steps(&guest)
		if err != nil {
			return nil, err
		}
		for k := range more {
			more[k].Tier, more[k].Always, more[k].Lost = Reversible, true, nil
			more[k].Undo, more[k].NoUndo = nil, "it removes what the plan made"
		}
		steps = append(steps, more...)
		guest.Target.Status = "stopped"
	}
	return Chained("verify", steps...), nil
}

// prove is the step that looks; it sends nothing.
func (v Verify) prove(t Target) Step {
	on := Target{Kind: "proof", Object: v.VolID, Cluster: t.Cluster, Type: t.Type, VMID: t.VMID, Node: t.Node, Name: t.Name, Pool: t.Pool, Tags: t.Tags, Status: "run"}
	how := fmt.Sprintf("runs for %s", upFor)
	if agentIn(v.Type, v.Config) {
		on.Status, how = "agent", "its guest agent answers"
	}
	return Step{Action: proveAction, Tier: Reversible, Target: on, Patience: provePatience, Diff: []Diff{{"proof", "", how}}, Stays: "it changes nothing"}
}

// agentIn says whether a machine's configuration has the guest agent on (schema: agent, [enabled=]<1|0>).
func agentIn(t pve.GuestType, c pve.Config) bool {
	props, err := pve.ParseProperties(c.Str("agent"))
	if t != pve.Qemu || err != nil || len(props) == 0 {
		return false
	}
	for _, p := range props {
		if p.Key == "enabled" || p.Key == "" {
			return sameSwitch(p.Value, "1")
		}
	}
	return false
}

// proven looks whether a restored guest is up: by its agent where it has one, else by running for a while.
func proven(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
	t := s.Target
	st, err := c.GuestStatus(ctx, t.Node, t.Type, t.VMID)
	if err != nil {
		return seen{}, err
	}
	o := seen{target: t, text: "it is " + cleanLine(stateOf(st))}
	switch up := st.Uptime; {
	case stateOf(st) != "running":
	case t.Status != "agent":
		o.ok = up != nil && time.Duration(*up)*time.Second >= upFor
		if up != nil {
			o.text = fmt.Sprintf("it runs since %s", time.Duration(*up)*time.Second)
		}
	default:
		path, err := proxmox.Path("nodes", t.Node, t.Type, t.VMID, "agent", "info")
		if err != nil {
			return o, err
		}
		_, err = c.Raw(ctx, "GET", path, nil) // 16/004: refused until the agent is up
		o.ok, o.text = err == nil, "it runs and its agent answers"
		if err != nil {
			o.text = "it runs, its agent does not answer: " + cleanLine(fault.Of(err).Error())
		}
	}
	o.proof = o.ok
	return o, nil
}

// Proven are the backups of a cluster that were restored and seen to run, by volume id, with the newest time.
func (e *Engine) Proven(ctx context.Context, cluster string) (map[string]time.Time, error) {
	st, err := e.opt.Store(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := st.Steps(ctx, store.StepFilter{Cluster: cluster, Action: proveAction, States: []string{StepDone}})
	if err != nil {
		return nil, err
	}
	out := map[string]time.Time{}
	for _, s := range steps {
		if s.Ended.After(out[s.Object]) {
			out[s.Object] = s.Ended
		}
	}
	return out, nil
}
