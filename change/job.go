package change

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Job creates, changes, switches or deletes a backup job of the cluster. Was is the job as it was read, nil for one that is made.
type Job struct {
	Cluster, ID string
	Verb        string // create, update, enable, disable, delete
	Set         map[string]string
	Delete      []string
	Was         pve.Config
}

var _ Direct = Job{}

// Name implements Direct.
func (j Job) Name() string { return "job." + j.Verb }

// Title implements Direct.
func (j Job) Title() string { return j.Verb + " backup job " + j.ID }

// jobID is the form of ids in section files (schema: pve-configid).
var jobID = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_-]{1,49}$`)

// Steps implements Direct.
func (j Job) Steps(*Found) ([]Step, error) {
	if !jobID().MatchString(j.ID) {
		return nil, fault.BadField("job", "letters, digits, - and _, 2 to 50 characters", "nightly")
	}
	s := Step{Action: j.Name(), Tier: Disruptive, Target: Target{Kind: "job", Object: j.ID, Cluster: j.Cluster, Digest: jobSum(j.Was)}}
	path := "/cluster/backup/" + j.ID
	switch j.Verb {
	case "create":
		s.Call = Call{Method: "POST", Path: "/cluster/backup", Params: append([]Param{{"id", j.ID}}, sortedParams(j.Set)...)}
		s.Want.Set, s.Undo = j.Set, []Call{{Method: "DELETE", Path: path}}
	case "delete":
		old := jobSettings(j.Was)
		s.Call, s.Want.Gone = Call{Method: "DELETE", Path: path}, true
		s.Undo = []Call{{Method: "POST", Path: "/cluster/backup", Params: append([]Param{{"id", j.ID}}, sortedParams(old)...)}}
		s.Diff = []Diff{{"job", j.ID, ""}}
	default:
		j.change(&s, path)
	}
	for _, k := range slices.Sorted(maps.Keys(s.Want.Set)) {
		s.Diff = append(s.Diff, Diff{k, jobValue(j.Was[k]), s.Want.Set[k]})
	}
	for _, k := range s.Want.Unset {
		s.Diff = append(s.Diff, Diff{k, jobValue(j.Was[k]), ""})
	}
	return []Step{s}, nil
}

// change fills a step that changes a job: what is so already is left out.
func (j Job) change(s *Step, path string) {
	set := map[string]string{}
	for k, v := range j.Set {
		if !sameJobValue(jobValue(j.Was[k]), v) {
			set[k] = v
		}
	}
	undo := map[string]string{}
	var gone []string
	for k := range set {
		if j.Was.Has(k) {
			undo[k] = jobValue(j.Was[k])
		} else {
			gone = append(gone, k)
		}
	}
	for _, k := range slices.Compact(slices.Sorted(slices.Values(append(replaced(set), j.Delete...)))) {
		if j.Was.Has(k) && set[k] == "" {
			undo[k], s.Want.Unset = jobValue(j.Was[k]), append(s.Want.Unset, k)
		}
	}
	s.Want.Set = set
	if len(set)+len(s.Want.Unset) == 0 {
		s.Noop = "it is so already"
	}
	s.Call = j.call(path, set, s.Want.Unset)
	slices.Sort(gone)
	s.Undo = []Call{j.call(path, undo, gone)}
}

// replaced are the ways to choose guests that go when another one is set: Proxmox VE drops them without a word, and an undo has to name them.
func replaced(set map[string]string) []string {
	switch {
	case set["vmid"] != "":
		return []string{"all", "exclude", "pool"}
	case set["pool"] != "":
		return []string{"all", "exclude", "vmid"}
	case set["all"] != "", set["exclude"] != "":
		return []string{"pool", "vmid"}
	}
	return nil
}

// withStorage are settings that the schema takes beside a storage only (requires).
var withStorage = []string{"notes-template", "protected"}

func (j Job) call(path string, set map[string]string, del []string) Call {
	if set["storage"] == "" && j.Was.Has("storage") && slices.ContainsFunc(withStorage, func(k string) bool { return set[k] != "" }) {
		set = maps.Clone(set)
		set["storage"] = j.Was.Str("storage")
	}
	c := Call{Method: "PUT", Path: path, Params: sortedParams(set)}
	if len(del) > 0 {
		c.Params = append(c.Params, Param{"delete", strings.Join(del, ",")})
	}
	return c
}

func sortedParams(m map[string]string) []Param {
	var out []Param
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, Param{k, m[k]})
	}
	return out
}

// jobSettings are what a job was given: without what Proxmox VE adds (15/027).
func jobSettings(c pve.Config) map[string]string {
	out := map[string]string{}
	for k, v := range c {
		if k != "id" && k != "type" && k != "next-run" && k != "digest" {
			out[k] = jobValue(v)
		}
	}
	return out
}

// jobValue is a setting as it is sent: what is shown taken apart (prune-backups, 15/027) is a property string.
func jobValue(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return pve.Config{"": v}.Str("")
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+pve.Config(m).Str(k))
	}
	return strings.Join(parts, ",")
}

// sameJobValue compares settings in whatever order lists have.
func sameJobValue(a, b string) bool {
	parts := func(s string) []string {
		return sorted(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' }))
	}
	return strings.TrimSpace(a) == strings.TrimSpace(b) || sameSwitch(a, b) || a != "" && slices.Equal(parts(a), parts(b))
}

// jobSum tells one state of a job from another; "" for none. Jobs have no digest.
func jobSum(c pve.Config) string {
	if c == nil {
		return ""
	}
	raw, err := json.Marshal(jobSettings(c))
	if err != nil {
		return ""
	}
	return pve.Hash(raw)
}

// readJob is a job as it is now, nil without one: that is a 400 (15/029).
func readJob(ctx context.Context, c Cluster, id string) (pve.Config, error) {
	path, err := proxmox.Path("cluster", "backup", id)
	if err != nil {
		return nil, err
	}
	raw, err := c.Raw(ctx, "GET", path, nil)
	if code := fault.CodeOf(err); code == fault.Invalid || code == fault.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return pve.DecodeConfig(raw)
}

// jobAsPlanned refuses a job that was changed since, and to make one that is there.
func jobAsPlanned(ctx context.Context, c Cluster, s *Step) error {
	now, err := readJob(ctx, c, s.Target.Object)
	switch sum := jobSum(now); {
	case err != nil:
		return err
	case sum != s.Target.Digest && s.Target.Digest == "":
		return fault.New(fault.Stale, "%s exists already; nothing was sent", s.Target.Label())
	case sum != s.Target.Digest:
		return fault.New(fault.Stale, "%s was changed since it was planned; nothing was sent", s.Target.Label()).
			WithHint("ask for the change again: a new plan is made from what is now")
	}
	return nil
}

func jobSeen(ctx context.Context, _ *Engine, c Cluster, s *Step, _ store.PlanStep) (seen, error) {
	now, err := readJob(ctx, c, s.Target.Object)
	if err != nil {
		return seen{}, err
	}
	o := seen{target: s.Target, gone: now == nil}
	o.target.Digest = jobSum(now)
	if now == nil || s.Want.Gone {
		o.ok = now == nil && s.Want.Gone
		o.text = "it exists"
		if now == nil {
			o.text = "it does not exist"
		}
		o.proof = o.ok
		return o, nil
	}
	o.ok = true
	var text []string
	for _, k := range slices.Sorted(maps.Keys(s.Want.Set)) {
		o.ok = o.ok && sameJobValue(jobValue(now[k]), s.Want.Set[k])
		text = append(text, k+" is "+quoted(jobValue(now[k])))
	}
	for _, k := range s.Want.Unset {
		o.ok = o.ok && !now.Has(k)
		text = append(text, k+" is "+quoted(jobValue(now[k])))
	}
	o.text, o.proof = cmp.Or(strings.Join(text, ", "), "it exists"), o.ok
	return o, nil
}

// jobBack takes a change of a job back, where it still is as the change left it.
func jobBack(s *Step, r Result) []Step {
	var out []Step
	for _, call := range r.Undo {
		u := Step{Action: s.Action + ".undo", Tier: s.Tier, Target: s.Target, Call: call, NoUndo: "it is an undo itself; ask for the change again"}
		u.Target.Digest = r.Digest
		for _, f := range s.Diff {
			u.Diff = append(u.Diff, Diff{Field: f.Field, Old: f.New, New: f.Old})
		}
		u.Want.Gone = call.Method == "DELETE"
		u.Want.Set = map[string]string{}
		for _, p := range call.Params {
			switch p.Key {
			case "id":
			case "delete":
				u.Want.Unset = strings.Split(p.Value, ",")
			default:
				u.Want.Set[p.Key] = p.Value
			}
		}
		out = append(out, u)
	}
	return out
}
