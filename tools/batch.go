package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

type batchIn struct {
	Steps   []batchStep `json:"steps" req:"true" example:"[{\"tool\": \"power_guest\", \"args\": {\"guest\": \"104\", \"action\": \"start\"}}]" desc:"changing tools, in order" help:"the calls, as JSON: [{\"tool\": ..., \"args\": {...}}, ...]"`
	Cluster string      `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

type batchStep struct {
	Tool string          `json:"tool" req:"true" example:"power_guest"`
	Args json.RawMessage `json:"args" example:"{\"guest\": \"104\"}"`
}

// batchSteps is the most calls that one plan takes: a review of more would show only the first.
const batchSteps = 20

func planBatch() Spec {
	return define(Spec{
		Name: "plan_batch", Title: "Batch", Family: "change", Command: "plan batch", Args: []string{"steps"}, Tier: R1,
		Needs:   []Need{needGuests},
		Summary: `Several changes as one plan, one approval and one undo; stops at the first failure. In args "$1.vmid" (name, node, volid) is what step 1 chose.`,
		Examples: []Example{
			{CLI: `plan batch '[{"tool":"snapshot_guest","args":{"guest":"208","action":"create","snapshot":"before"}},{"tool":"update_guest","args":{"guest":"$1.vmid","memory_mib":3072}}]' --dry-run`,
				Args: map[string]any{"dry_run": true, "steps": []any{
					map[string]any{"tool": "snapshot_guest", "args": map[string]any{"guest": "208", "action": "create", "snapshot": "before"}},
					map[string]any{"tool": "update_guest", "args": map[string]any{"guest": "$1.vmid", "memory_mib": 3072}}}},
				Why: "a snapshot, then more memory"},
		},
	}, func(ctx context.Context, d Deps, in *batchIn) (*planOut, error) {
		if len(in.Steps) > batchSteps {
			return nil, fault.BadField("steps", fmt.Sprintf("at most %d calls are one plan", batchSteps), "two plans")
		}
		b, chosen := d.Changes.Batch("plan_batch", d.Who), []choice(nil)
		for k, st := range in.Steps {
			c, err := st.add(ctx, &d, b, in.Cluster, chosen)
			if err != nil {
				return nil, ofStep(k+1, st.Tool, err)
			}
			chosen = append(chosen, c)
		}
		p, err := b.Propose(ctx)
		if err != nil {
			return nil, err
		}
		if in.DryRun {
			return dryRun(d, p), nil
		}
		return carryOn(ctx, d, p, in.wait(d))
	})
}

// ofStep says which call of a batch an error is about.
func ofStep(n int, tool string, err error) error {
	e := *fault.Of(err)
	e.Message = fmt.Sprintf("step %d (%.40s): %s", n, tool, e.Message)
	return &e
}

// add makes one call a part of the plan and answers what it chose.
func (st *batchStep) add(ctx context.Context, d *Deps, b *change.Batch, cluster string, chosen []choice) (choice, error) {
	s, err := Find(strings.TrimSpace(st.Tool))
	switch {
	case err != nil:
		return nil, err
	case s.request == nil:
		return nil, fault.New(fault.Invalid, "it makes no plan of its own that could be a part of one").WithHint("call it by itself")
	}
	args, err := resolve(st.Args, chosen)
	if err != nil {
		return nil, err
	}
	in := reflect.New(s.in)
	if err := decodeInput(args, s.fields(), in.Elem()); err != nil {
		return nil, err
	}
	if w, ok := reflect.TypeAssert[writing](in); ok && w.onlyPlanned() {
		return nil, fault.BadField("dry_run", "it is an input of the batch, not of a step", "")
	}
	r, err := s.request(ctx, *d, in.Interface())
	if err != nil {
		return nil, err
	}
	if r.Cluster == "" {
		r.Cluster = cluster
	}
	steps, err := b.Add(ctx, r)
	if err != nil {
		return nil, err
	}
	c := choiceOf(steps)
	if vmid, err := strconv.Atoi(c["vmid"]); err == nil {
		d.Taken = append(d.Taken, vmid)
	}
	return c, nil
}

// choice is what a later call may use of an earlier one: vmid, name and node of the guest that it makes or changes, volid of the volume.
type choice map[string]string

// choiceOf reads what steps are about. Of several guests none is the chosen one, unless one is made.
func choiceOf(steps []change.Step) choice {
	c := choice{}
	var guest *change.Target
	for k := range steps {
		t := &steps[k].Target
		switch {
		case t.Kind == "volume":
			c["volid"] = t.Object
		case t.Kind != "" || guest != nil && guest.VMID == t.VMID:
		case steps[k].Makes:
			guest = t
		case guest == nil:
			guest = t
		case !guest.New:
			return c
		}
	}
	if guest == nil {
		return c
	}
	c["vmid"], c["name"], c["node"] = strconv.Itoa(guest.VMID), guest.Name, guest.Node
	return c
}

// reference is a part of an argument that stands for what an earlier step chose: $1.vmid.
var reference = lazy.Regexp(`\$([0-9]{1,2})\.([a-z]+)`)

// resolve replaces the references in the texts of a call's arguments.
func resolve(raw json.RawMessage, chosen []choice) (json.RawMessage, error) {
	if !reference().Match(raw) {
		return raw, nil
	}
	var args any
	if err := json.Unmarshal(raw, &args); err != nil {
		return nil, fault.BadField("args", "must be a JSON object", `{"guest": "$1.vmid"}`)
	}
	args, err := resolved(args, chosen)
	if err != nil {
		return nil, err
	}
	return json.Marshal(args)
}

func resolved(v any, chosen []choice) (_ any, err error) {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			if x[k], err = resolved(x[k], chosen); err != nil {
				return nil, err
			}
		}
	case []any:
		for k := range x {
			if x[k], err = resolved(x[k], chosen); err != nil {
				return nil, err
			}
		}
	case string:
		return resolvedText(x, chosen)
	}
	return v, nil
}

func resolvedText(text string, chosen []choice) (_ string, err error) {
	text = reference().ReplaceAllStringFunc(text, func(ref string) string {
		value, rerr := lookUp(ref, chosen)
		if rerr != nil {
			err = rerr
		}
		return value
	})
	return text, err
}

func lookUp(ref string, chosen []choice) (string, error) {
	part := reference().FindStringSubmatch(ref)
	n, err := strconv.Atoi(part[1])
	if err != nil || n < 1 || n > len(chosen) {
		return "", fault.BadField("args", ref+" names no step before this one", "$1.vmid")
	}
	if value := chosen[n-1][part[2]]; value != "" {
		return value, nil
	}
	var has []string
	for _, name := range []string{"vmid", "name", "node", "volid"} {
		if chosen[n-1][name] != "" {
			has = append(has, fmt.Sprintf("$%d.%s", n, name))
		}
	}
	return "", fault.BadField("args", fmt.Sprintf("step %d has no %s that is known before it runs", n, part[2]), strings.Join(has, ", "))
}
