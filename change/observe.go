package change

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// seen is what reading back showed.
type seen struct {
	ok      bool
	proof   bool // what is wanted was not so before: the state alone shows that the step was carried out
	text    string
	gone    bool
	target  Target
	diff    []Diff
	left    map[string]string // hashes of the values of diff
	taken   int64             // time of the snapshot that is wanted
	pending []string
	undo    []Call // the way back, of a step that finds it
	over    bool   // looking again shows nothing else
	pid     int    // of a program in the guest
	output  *Output
}

func (o *seen) into(r *Result) {
	r.Observed, r.Status, r.Digest, r.Diff, r.Pending, r.Node = o.text, o.target.Status, o.target.Digest, o.diff, o.pending, o.target.Node
	r.PID, r.Output, r.Left, r.Taken = o.pid, o.output, o.left, o.taken
	if o.undo != nil {
		r.Undo = o.undo
	}
}

// observe reads the object until it is as the step wants it, for as long as that may take: guests under HA are started and stopped by
// the manager, after the task has ended (F26). Where the task failed one look is enough.
func (e *Engine) observe(ctx context.Context, c Cluster, s *Step, js store.PlanStep, patient bool) (seen, error) {
	wait := max(e.opt.Timing.Settle, s.Patience)
	if s.Target.HA != "" {
		wait = max(wait, e.opt.Timing.HA)
	}
	for deadline := e.now().Add(wait); ; {
		o, err := e.readBack(ctx, c, s, js)
		if err == nil && (o.ok || o.over) || !patient && err == nil || !e.now().Before(deadline) {
			return o, err
		}
		pause := e.opt.Timing.Poll
		if wait > e.opt.Timing.HA { // what takes minutes is not asked every second
			pause *= 5
		}
		if !sleep(ctx, pause) {
			return o, ctx.Err()
		}
	}
}

func (e *Engine) readBack(ctx context.Context, c Cluster, s *Step, js store.PlanStep) (seen, error) {
	w, t := &s.Want, s.Target
	if k, ok := kinds[t.Kind]; ok {
		return k.observe(ctx, e, c, s, js)
	}
	if w.Ran {
		return e.ran(ctx, c, s, js)
	}
	if w.Pool != nil {
		return e.pooled(ctx, c, s, js)
	}
	t.Node = cmp.Or(w.Node, t.Node)
	cfg, err := c.GuestConfig(ctx, t.Node, t.Type, t.VMID)
	if fault.CodeOf(err) == fault.NotFound {
		return e.missing(ctx, c, s)
	}
	if err != nil {
		return seen{}, err
	}
	var st pve.GuestStatus
	if w.ofStatus() { // two requests at most: the others need a second one of their own
		if st, err = c.GuestStatus(ctx, t.Node, t.Type, t.VMID); err != nil {
			return seen{}, err
		}
	}
	var b before
	if err := json.Unmarshal(js.Before, &b); err != nil {
		b = before{}
	}
	o := seen{ok: true, target: observed(t, lifeCount(t.Life), cfg, st), diff: diffOf(b.Config, cfg)}
	o.left = marks(o.diff, cfg)
	o.compare(w, cfg, st, b, e.now().Sub(js.Sent))
	if w.Snapshot != "" || w.NoSnapshot != "" {
		if err := o.snapshots(ctx, c, s); err != nil {
			return o, err
		}
	}
	o.proof = o.proves(w, b)
	if s.Pending && b.Status != "stopped" {
		o.pending, err = pendingKeys(ctx, c, t)
		o.pending = slices.DeleteFunc(o.pending, func(k string) bool { return !w.about(k) }) // what waited before is another's
	}
	return o, err
}

// about says whether a key of the configuration is one that is wanted to be other than it was.
func (w *Want) about(key string) bool {
	_, set := w.Set[key]
	_, sized := w.Sizes[key]
	_, moved := w.Moved[key]
	return set || sized || moved || slices.Contains(w.Unset, key)
}

// compare looks at each thing that is wanted; text says what is, not what was meant.
func (o *seen) compare(w *Want, cfg pve.Config, st pve.GuestStatus, b before, since time.Duration) {
	var text []string
	miss := func(bad bool, format string, args ...any) {
		o.ok = o.ok && !bad
		text = append(text, fmt.Sprintf(format, args...))
	}
	if w.Gone {
		miss(true, "it still exists")
	}
	if w.Node != "" {
		miss(o.target.Node != w.Node, "it is on %s", o.target.Node)
	}
	if w.Status != "" || w.ofStatus() && !w.Restarted {
		miss(w.Status != "" && o.target.Status != w.Status, "it is %s", cmp.Or(o.target.Status, "in an unknown state"))
	}
	if w.Restarted {
		up := int64(-1)
		if st.Uptime != nil {
			up = int64(*st.Uptime)
		}
		miss(up < 0 || !younger(up, b.Uptime, since), "it is %s, up %s", o.target.Status, time.Duration(max(up, 0))*time.Second)
	}
	for _, k := range slices.SortedFunc(maps.Keys(w.Set), pve.CompareKeys) {
		miss(!holds(k, w.Set[k], cfg), "%s is %s", k, shown(cfg, k))
	}
	for _, k := range w.Unset {
		miss(strings.TrimSpace(cfg.Str(k)) != "", "%s is %s", k, shown(cfg, k)) // boot stays empty when its only drive goes with it
	}
	o.disks(w, cfg, miss)
	if w.Parent != "" {
		miss(cfg.Str("parent") != w.Parent, "its newest snapshot is %s", shown(cfg, "parent"))
	}
	o.text = strings.Join(text, ", ")
}

// disks looks at the volumes that disks have, and at their sizes.
func (o *seen) disks(w *Want, cfg pve.Config, miss func(bad bool, format string, args ...any)) {
	bySlot := map[string]pve.Disk{}
	for _, d := range cfg.Disks() {
		bySlot[d.Slot] = d
	}
	for _, slot := range slices.SortedFunc(maps.Keys(w.Sizes), pve.CompareKeys) {
		miss(bySlot[slot].Size < w.Sizes[slot], "%s is %s", slot, shown(cfg, slot))
	}
	for _, slot := range slices.SortedFunc(maps.Keys(w.Moved), pve.CompareKeys) {
		d, m := bySlot[slot], w.Moved[slot]
		miss(d.Storage != m.Storage || d.Source == m.Not, "%s is %s", slot, shown(cfg, slot))
	}
}

// younger says whether an uptime is that of a guest that was started anew within since: one that was not would be up for what it was
// before and since. Half of what it was leaves room for rounding.
func younger(up, before int64, since time.Duration) bool {
	return up <= int64(since/time.Second)+max(1, before/2)
}

// ofStatus says whether reading back has to look at what the guest does, beside its configuration.
func (w *Want) ofStatus() bool {
	return len(w.Set)+len(w.Unset)+len(w.Sizes)+len(w.Moved) == 0 && w.Snapshot == "" && w.NoSnapshot == ""
}

// proves says whether the state that was read can only come from the step: a reset leaves no trace in the state, and a roll-back to the
// newest snapshot none but a new vmgenid.
func (o *seen) proves(w *Want, b before) bool {
	switch {
	case b.Config == nil:
		return false
	case w.Restarted, w.Snapshot != "", w.NoSnapshot != "":
		return true
	case w.Parent != "":
		return pve.Config(b.Config).Str("parent") != w.Parent || slices.ContainsFunc(o.diff, func(d Diff) bool { return d.Field == "vmgenid" })
	case len(w.Set)+len(w.Unset)+len(w.Sizes)+len(w.Moved) > 0:
		return len(o.diff) > 0
	case w.Node != "":
		return true
	}
	return b.Status != w.Status
}

// missing is a guest whose node has no configuration of it: gone, unless another node has it, to which it was moved meanwhile.
func (e *Engine) missing(ctx context.Context, c Cluster, s *Step) (seen, error) {
	row, err := resource(ctx, c, s.Target.VMID)
	if err != nil {
		return seen{}, err
	}
	if row != nil && (s.Want.Node != "" || string(row.Node) != s.Target.Node) {
		return seen{text: "it is on node " + cleanLine(string(row.Node))}, nil
	}
	return seen{ok: s.Want.Gone, proof: s.Want.Gone, gone: true, text: "it does not exist any more"}, nil
}

// holds says whether a configuration key has the value that was sent, in whatever spelling Proxmox VE gave it: lists are sorted, a
// network device gets its address, a disk its size, a text its last line break; what looks like a secret in a text is read masked.
func holds(key, want string, cfg pve.Config) bool {
	got := cfg.Str(key)
	_, secret := Param{key, want}.reference()
	switch {
	case !cfg.Has(key):
		return false
	case strings.TrimSpace(got) == strings.TrimSpace(redact.Text(want)), secret, sameSwitch(got, want):
		return true
	case key == "tags":
		return slices.Equal(slices.Compact(splitTags(strings.ToLower(got))), slices.Compact(sorted(splitTags(strings.ToLower(want)))))
	}
	return contains(got, want)
}

func sorted(s []string) []string { slices.Sort(s); return s }

// contains says whether each part of a property string is in another. The first part, which names a volume or model, may have been
// completed: "local:4" became "local:104/vm-104-disk-1.qcow2", "virtio" became "virtio=BC:24:...".
func contains(got, want string) bool {
	g, errG := pve.ParseProperties(got)
	w, errW := pve.ParseProperties(want)
	if errG != nil || errW != nil || len(g) < 2 && len(w) < 2 {
		return false
	}
	if w[0].Key == "" && !completes(g[0], w[0].Value) {
		return false
	}
	for _, p := range w {
		if p.Key == "" {
			continue
		}
		if !slices.ContainsFunc(g, func(q pve.Property) bool {
			return q.Key == p.Key && (q.Value == p.Value || sameSwitch(q.Value, p.Value))
		}) {
			return false
		}
	}
	return true
}

// completes says whether the first part of a property string is what was sent, or was made of it.
func completes(got pve.Property, want string) bool {
	storage, size, _ := strings.Cut(want, ":")
	allocated := size != "" && strings.Trim(size, "0123456789.") == "" && strings.HasPrefix(got.Value, storage+":")
	return got.Key == "" && (got.Value == want || sameSwitch(got.Value, want) || allocated) || got.Key == want
}

func sameSwitch(a, b string) bool {
	on := map[string]string{"1": "1", "on": "1", "yes": "1", "true": "1", "0": "0", "off": "0", "no": "0", "false": "0"}
	return on[strings.ToLower(a)] != "" && on[strings.ToLower(a)] == on[strings.ToLower(b)]
}

// diffOf is what changed in a configuration. The digest changes with everything and says nothing.
func diffOf(old map[string]any, now pve.Config) []Diff {
	if old == nil {
		return nil
	}
	var out []Diff
	a := pve.Config(old)
	for _, k := range slices.SortedFunc(maps.Keys(union(a, now)), pve.CompareKeys) {
		if k != "digest" && !same(a[k], now[k]) {
			out = append(out, Diff{Field: k, Old: cleanLine(a.Str(k)), New: cleanLine(now.Str(k))})
		}
	}
	return out
}

func (o *seen) snapshots(ctx context.Context, c Cluster, s *Step) error {
	list, err := c.Snapshots(ctx, s.Target.Node, s.Target.Type, s.Target.VMID)
	if err != nil {
		return err
	}
	name := cmp.Or(s.Want.Snapshot, s.Want.NoSnapshot)
	at := slices.IndexFunc(list, func(x pve.Snapshot) bool { return string(x.Name) == name })
	has := at >= 0
	if has && list[at].SnapTime != nil {
		o.taken = int64(*list[at].SnapTime)
	}
	o.ok = o.ok && has == (s.Want.Snapshot != "")
	word := "does not exist"
	if has {
		word = "exists"
	}
	o.text = fmt.Sprintf("snapshot %s %s", cleanLine(name), word)
	return nil
}

// pendingKeys are the keys whose change waits for a restart (GET .../pending, pve-api.md 41).
func pendingKeys(ctx context.Context, c Cluster, t Target) ([]string, error) {
	raw, err := c.Raw(ctx, "GET", (&Live{Target: t}).path("/pending"), nil)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		Key     string   `json:"key"`
		Pending any      `json:"pending"`
		Delete  *pve.Int `json:"delete"`
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the list of pending changes cannot be read")
	}
	var out []string
	for _, r := range rows {
		if r.Pending != nil || r.Delete != nil {
			out = append(out, r.Key)
		}
	}
	slices.SortFunc(out, pve.CompareKeys)
	return out, nil
}

// taskEnded looks whether a task runs no more.
func taskEnded(ctx context.Context, c Cluster, upid string) (seen, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // a task that was told to end ends within its next step
	defer cancel()
	res, err := c.WaitTask(ctx, upid, nil)
	switch {
	case ctx.Err() != nil:
		return seen{text: "the task still runs"}, nil
	case err != nil && fault.CodeOf(err) != fault.TaskFailed && res.Outcome != proxmox.TaskUnknown:
		return seen{}, err
	}
	return seen{ok: true, proof: true, text: "the task has ended: " + cleanLine(cmp.Or(res.ExitStatus, string(res.Outcome)))}, nil
}

// pooled looks which pool the guest is a member of now. Its configuration is as it was before.
func (e *Engine) pooled(ctx context.Context, c Cluster, s *Step, js store.PlanStep) (seen, error) {
	row, err := resource(ctx, c, s.Target.VMID)
	switch {
	case err != nil:
		return seen{}, err
	case row == nil:
		return seen{gone: true, text: "it is not in the list of guests"}, nil
	}
	is, t := string(row.Pool), s.Target
	t.Digest = cmp.Or(digestIn(js.Before), t.Digest)
	return seen{ok: is == *s.Want.Pool, proof: s.Target.Pool != *s.Want.Pool, target: t, text: "its pool is " + cmp.Or(cleanLine(is), "none")}, nil
}
