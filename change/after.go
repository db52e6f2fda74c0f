package change

import (
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// after is a guest as steps will have left it, as far as they say what they make: what a later request of the same plan is planned on.
// steps are all of the plan so far. It is an error to plan anything on a guest that they remove.
func (l *Live) after(steps []Step) (*Live, error) {
	out, touched := *l, false
	for k := range steps {
		s := &steps[k]
		if s.Noop != "" || s.Target.Kind != "" || s.Target.VMID != l.VMID {
			continue
		}
		if s.Want.Gone {
			return nil, fault.New(fault.Conflict, "%s is removed by an earlier step of this plan", l.Label())
		}
		if !touched {
			out.Config, out.Snapshots, touched = maps.Clone(l.Config), slices.Clone(l.Snapshots), true
		}
		out.expect(&s.Want)
	}
	return &out, nil
}

func (l *Live) expect(w *Want) {
	if l.Config == nil {
		l.Config = pve.Config{}
	}
	for k, v := range w.Set {
		l.Config[k] = v
	}
	for _, k := range w.Unset {
		delete(l.Config, k)
	}
	l.expectDisks(w)
	if w.Status != "" {
		l.Target.Status = w.Status
	}
	if w.Node != "" {
		l.Target.Node = w.Node
	}
	if w.Pool != nil {
		l.Target.Pool = *w.Pool
	}
	switch {
	case w.Snapshot != "":
		l.CanSnapshot = nil // a change behind it needs no further one first
		l.Snapshots = append(l.Snapshots, pve.Snapshot{Name: pve.Text(w.Snapshot)})
	case w.NoSnapshot != "":
		l.Snapshots = slices.DeleteFunc(l.Snapshots, func(s pve.Snapshot) bool { return string(s.Name) == w.NoSnapshot })
	}
	l.Target.Tags, l.Target.Protection = splitTags(l.Config.Str("tags")), l.Config.Bool("protection")
}

// expectDisks gives disks the sizes and storages that a step makes.
func (l *Live) expectDisks(w *Want) {
	for slot, size := range w.Sizes {
		var parts []string
		for p := range strings.SplitSeq(l.Config.Str(slot), ",") {
			if !strings.HasPrefix(p, "size=") && p != "" {
				parts = append(parts, p)
			}
		}
		l.Config[slot] = strings.Join(append(parts, "size="+exactSize(size)), ",")
	}
	for slot, m := range w.Moved {
		_, name, _ := strings.Cut(m.Not, ":")
		l.Config[slot] = strings.Replace(l.Config.Str(slot), m.Not, m.Storage+":"+name, 1)
	}
}

// later makes steps fit to come behind others of the same guest: a request that names a digest takes the one of the last look before it.
func later(steps, before []Step) []Step {
	for k := range steps {
		s := &steps[k]
		if !slices.ContainsFunc(before, func(b Step) bool { return b.Noop == "" && b.Target.key() == s.Target.key() }) {
			continue
		}
		s.Call.Params = slices.Clone(s.Call.Params)
		for n := range s.Call.Params {
			if s.Call.Params[n].Key == "digest" {
				s.Call.Params[n].Value = lastSeen
			}
		}
	}
	return steps
}
