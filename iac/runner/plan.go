package runner

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// Plan is what the program would do.
type Plan struct {
	Import, Add, Change, Destroy, Forget int
	Same                                 int // resources that are as the code says
	Objects                              []Object
	// Errors are why there is no plan: then the counts say nothing.
	Errors []Diagnostic
}

// Clean says whether an apply would change nothing.
func (p *Plan) Clean() bool { return len(p.Errors) == 0 && p.Add+p.Change+p.Destroy == 0 }

// Idle says that an apply would do nothing at all, not even write state.
func (p *Plan) Idle() bool { return p.Clean() && p.Import+p.Forget == 0 }

// Summary is what an apply would do: "25 to import, 0 to add, 1 to change, 0 to destroy".
func (p *Plan) Summary() string {
	s := fmt.Sprintf("%d to import, %d to add, %d to change, %d to destroy", p.Import, p.Add, p.Change, p.Destroy)
	if p.Forget > 0 {
		s += fmt.Sprintf(", %d to forget", p.Forget)
	}
	return s
}

// Object is a resource that would be changed.
type Object struct {
	Address string
	Type    string // proxmox_virtual_environment_vm
	Action  string // create, update, delete, replace
	Reason  string // the program's own word for why it replaces or deletes
	Fields  []Field
	// VMID is of the guest that it is or belongs to, as it is now, or as it would be made; 0 for none.
	VMID int
	Node string // that it is on, "" for none
	ID   string // the provider's; "" before it is made
	// Tags and Pool are those that it would have afterwards; nil where they stay.
	Tags []string
	Pool *string
}

// Field is one value that would change. Live is what the cluster has, Code what the code says; "" = absent.
type Field struct {
	Path string `json:"path"`
	Live string `json:"live"`
	Code string `json:"code"`
}

// Plan plans into a file and reads it. An error means that the program could not be run; faults of the code or of the cluster are in the Plan.
func (r *Runner) Plan(ctx context.Context, file string) (*Plan, error) {
	out, _, err := r.run(ctx, "plan", "-input=false", "-lock=false", "-json", "-out="+file)
	if err != nil {
		p := &Plan{Errors: errorsOf(out)}
		if fault.CodeOf(err) == fault.CheckFailed && len(p.Errors) > 0 {
			return p, nil
		}
		return nil, err
	}
	return r.Show(ctx, file)
}

// errorsOf are the errors in a stream of messages, one JSON object per line.
func errorsOf(stream []byte) []Diagnostic {
	var out []Diagnostic
	s := bufio.NewScanner(bytes.NewReader(stream))
	s.Buffer(nil, len(stream)+1)
	for s.Scan() {
		var m struct {
			Type       string
			Diagnostic rawDiagnostic
		}
		if json.Unmarshal(s.Bytes(), &m) == nil && m.Type == "diagnostic" && m.Diagnostic.Severity == "error" {
			out = append(out, m.Diagnostic.clean())
		}
	}
	return out
}

// rawPlan is the part of a plan's JSON form that is read.
type rawPlan struct {
	Changes []struct {
		Address string
		Type    string
		Mode    string
		Reason  string `json:"action_reason"`
		Change  struct {
			Actions         []string
			Importing       *struct{}
			Before, After   any
			AfterUnknown    any `json:"after_unknown"`
			BeforeSensitive any `json:"before_sensitive"`
			AfterSensitive  any `json:"after_sensitive"`
		}
	} `json:"resource_changes"`
}

// Show reads a saved plan.
func (r *Runner) Show(ctx context.Context, file string) (*Plan, error) {
	out, _, err := r.run(ctx, "show", "-json", file)
	if err != nil {
		return nil, err
	}
	var raw rawPlan
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.UseNumber()
	if err := dec.Decode(&raw); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the plan cannot be read")
	}
	return raw.plan(), nil
}

func (raw *rawPlan) plan() *Plan {
	p := &Plan{}
	for i := range raw.Changes {
		c := &raw.Changes[i]
		if c.Mode == "data" {
			continue
		}
		if c.Change.Importing != nil {
			p.Import++
		}
		action := actionOf(c.Change.Actions)
		switch action {
		case "no-op", "read":
			p.Same++
			continue
		case "forget":
			p.Forget++
			continue
		case "create":
			p.Add++
		case "update":
			p.Change++
		case "delete":
			p.Destroy++
		default:
			p.Add++
			p.Destroy++
		}
		o := Object{Address: clean.Line(c.Address, maxSummary), Type: clean.Line(c.Type, maxSummary), Action: action,
			Reason: clean.Line(strings.ReplaceAll(c.Reason, "_", " "), maxSummary)}
		if action == "update" || action == "replace" {
			d := fieldDiff{}
			d.walk("", c.Change.Before, c.Change.After, c.Change.AfterUnknown, c.Change.BeforeSensitive, c.Change.AfterSensitive)
			o.Fields = d.out
		}
		o.guest(c.Change.Before, c.Change.After)
		p.Objects = append(p.Objects, o)
	}
	return p
}

// guest reads which guest a resource is or belongs to, and how that would be labelled afterwards.
func (o *Object) guest(before, after any) {
	now := before
	if now == nil {
		now = after
	}
	for _, key := range []string{"vm_id", "container_id"} {
		if n, err := strconv.Atoi(text(at(now, key))); err == nil && n > 0 {
			o.VMID = n
			break
		}
	}
	o.Node, o.ID = text(at(now, "node_name")), text(at(now, "id"))
	if o.VMID == 0 || after == nil {
		return
	}
	if text(at(before, "tags")) != text(at(after, "tags")) {
		list, _ := at(after, "tags").([]any)
		o.Tags = make([]string, len(list))
		for i, t := range list {
			o.Tags[i] = text(t)
		}
	}
	if pool := text(at(after, "pool_id")); text(at(before, "pool_id")) != pool {
		o.Pool = &pool
	}
}

func actionOf(actions []string) string {
	if len(actions) == 2 {
		return "replace"
	}
	return strings.Join(actions, "")
}

// fieldDiff compares two values of a resource leaf by leaf.
type fieldDiff struct{ out []Field }

func (d *fieldDiff) walk(path string, live, code, unknown, secretLive, secretCode any) {
	if secretLive == true || secretCode == true {
		if text(live) != text(code) {
			d.out = append(d.out, Field{path, "(secret)", "(secret)"})
		}
		return
	}
	if unknown == true {
		return // only known after the apply: nothing to compare
	}
	l, isMap := live.(map[string]any)
	c, isMap2 := code.(map[string]any)
	if isMap && isMap2 {
		keys := slices.Sorted(maps.Keys(l))
		for k := range c {
			if _, ok := l[k]; !ok {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			d.walk(strings.TrimPrefix(path+"."+k, "."), l[k], c[k], at(unknown, k), at(secretLive, k), at(secretCode, k))
		}
		return
	}
	ll, isList := live.([]any)
	cl, isList2 := code.([]any)
	if isList && isList2 && len(ll) == len(cl) {
		for i := range ll {
			d.walk(path+"["+itoa(i)+"]", ll[i], cl[i], index(unknown, i), index(secretLive, i), index(secretCode, i))
		}
		return
	}
	if was, is := text(live), text(code); was != is {
		d.out = append(d.out, Field{path, was, is})
	}
}

func at(v any, key string) any {
	m, _ := v.(map[string]any)
	return m[key]
}

func index(v any, i int) any {
	l, _ := v.([]any)
	if i < len(l) {
		return l[i]
	}
	return nil
}

// maxValue bounds a value that is shown.
const maxValue = 300

// text is a value in a line; "" for null.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return clean.Line(redact.Text(v), maxValue)
	case json.Number, bool:
		return fmt.Sprint(v)
	}
	raw, err := json.Marshal(v)
	if err != nil { // what came out of JSON goes into it
		return ""
	}
	return clean.Line(redact.Text(string(raw)), maxValue)
}

func itoa(n int) string { return strconv.Itoa(n) }
