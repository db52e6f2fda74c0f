package prompts

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Caller makes one call of a recipe, as the door makes it that runs the recipe: with its caller, its questions and its progress.
type Caller func(ctx context.Context, spec tools.Spec, args json.RawMessage) (tools.Answer, error)

// Done is one step that was run, or left out.
type Done struct {
	Tool   string          `json:"tool"`
	Args   json.RawMessage `json:"args,omitempty"`
	Answer tools.Answer    `json:"answer,omitempty"`
	Skip   string          `json:"skipped,omitempty"` // why it was not run
}

// Run makes the calls of a recipe in order and stops at the first that fails, or that next says no after: a change that waits, for instance. A dry
// run reads, plans what can be planned and leaves out the rest: what a later step takes from an earlier one may not be known before it runs. The
// steps that were run are returned with an error, too.
func (r *Recipe) Run(ctx context.Context, args map[string]string, dry bool, call Caller, next func(Done) error) ([]Done, error) {
	values, err := valuesOf(r.Arguments, args)
	if err != nil {
		return nil, err
	}
	var done []Done
	var answers []any // decoded; nil for a step that was not run
	for k := range r.Steps {
		d, answer, err := r.step(ctx, k, values, answers, dry, call)
		if err != nil {
			return done, ofStep(k, err)
		}
		done, answers = append(done, d), append(answers, answer)
		if err := next(d); err != nil {
			return done, err
		}
	}
	return done, nil
}

func (r *Recipe) step(ctx context.Context, k int, values map[string]string, answers []any, dry bool, call Caller) (Done, any, error) {
	st := &r.Steps[k]
	d := Done{Tool: st.Tool}
	spec, err := tools.Find(st.Tool)
	if err != nil {
		return d, nil, err
	}
	unknown := false
	args, err := replaced(st.Args, func(ref string) (any, error) {
		n, path, ok := stepOf(ref)
		if !ok {
			return values[ref], nil
		}
		v, err := field(answers[n-1], path)
		unknown = unknown || err != nil
		if err != nil {
			return nil, fault.New(fault.Invalid, "$%s: %v", ref, err)
		}
		return v, nil
	})
	changes := spec.Tier > tools.R0
	switch {
	case dry && unknown:
		d.Skip = "what it takes from an earlier step is known only when that has run"
		return d, nil, nil
	case err != nil:
		return d, nil, err
	case dry && changes && !hasInput(spec, "dry_run"):
		d.Skip = "it cannot be planned alone"
		return d, nil, nil
	}
	in, ok := args.(map[string]any)
	if !ok || in == nil {
		in = map[string]any{}
	}
	if dry && changes {
		in["dry_run"] = true
	}
	if d.Args, err = json.Marshal(in); err != nil {
		return d, nil, err
	}
	if d.Answer, err = call(ctx, spec, d.Args); err != nil {
		return d, nil, err
	}
	answer, err := decoded(d.Answer)
	return d, answer, err
}

func hasInput(s tools.Spec, name string) bool {
	return slices.ContainsFunc(s.Inputs(tools.Caller{Level: tools.R4}), func(in tools.Input) bool { return in.Name == name })
}

// decoded is an answer as its JSON has it. Numbers keep their digits.
func decoded(a tools.Answer) (any, error) {
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	err = dec.Decode(&v)
	return v, err
}

// field follows a path into an answer: names of fields and places in lists. In a list of rows the place comes first, then the column.
func field(v any, path []string) (any, error) {
	for at, name := range path {
		switch x := v.(type) {
		case map[string]any:
			if cell, ok := row(x, path[at:]); ok {
				return cell, nil
			}
			next, ok := x[name]
			if !ok {
				return nil, fmt.Errorf("the answer has no field %s", name)
			}
			v = next
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(x) {
				return nil, fmt.Errorf("the list of %d has no place %s", len(x), name)
			}
			v = x[n]
		default:
			return nil, fmt.Errorf("there is nothing at %s", name)
		}
	}
	if v == nil || v == "" {
		return nil, fmt.Errorf("the answer does not know it")
	}
	return v, nil
}

// row is a cell of an answer of columns and rows.
func row(x map[string]any, path []string) (any, bool) {
	columns, ok := x["columns"].([]any)
	rows, ok2 := x["rows"].([]any)
	if !ok || !ok2 || len(path) != 2 {
		return nil, false
	}
	n, err := strconv.Atoi(path[0])
	at := slices.Index(columns, any(path[1]))
	if err != nil || n < 0 || n >= len(rows) || at < 0 {
		return nil, false
	}
	cells, ok := rows[n].([]any)
	if !ok || at >= len(cells) {
		return nil, false
	}
	return cells[at], true
}
