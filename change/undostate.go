package change

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// back makes the steps that take back what one step did to a guest. sofar are those that come before them in the same undo. A state that holds
// already takes no request; else what they touch has to be as the step left it: what else was changed on the guest stays as it is.
func (e *Engine) back(ctx context.Context, c Cluster, d doneStep, t Target, sofar []Step) (*Live, []Step, error) {
	s := d.step
	l, err := e.asLeft(ctx, c, t, Needs{Snapshots: s.Want.Snapshot != ""})
	switch {
	case err != nil:
		return nil, nil, err
	case l.Life != s.Target.Life:
		return nil, nil, notAsLeft(s, "another guest has its vmid now")
	case l.Lock != "":
		return nil, nil, lockedNow(l)
	}
	if s.Want.Pool != nil {
		if err := inPool(ctx, c, s, l); err != nil {
			return nil, nil, err
		}
	}
	now, err := l.after(sofar)
	if err != nil {
		return nil, nil, err
	}
	if holds := d.undoneAlready(now); holds != "" {
		return l, []Step{{Action: s.Action + ".undo", Tier: s.Tier, Target: l.Target, Noop: holds}}, nil
	}
	if why := d.changedSince(l, now); why != "" {
		return nil, nil, notAsLeft(s, why)
	}
	var out []Step
	for _, call := range d.result.Undo {
		if rest, ok := strings.CutPrefix(call.Path, "/nodes/"+t.Node+"/"); ok { // it may have been moved since
			call.Path = "/nodes/" + now.Node + "/" + rest
		}
		out = append(out, undoStep(s, l, call, d, len(out) == 0 && d.newest))
	}
	return l, out, nil
}

func lockedNow(l *Live) error {
	return fault.New(fault.Locked, "guest %s is locked (%s): something works on it; nothing was planned", l.Label(), l.Lock).Retry().
		WithHint("ask for the undo again when that has ended")
}

// undoneAlready is how the state before the step holds already, "" where it does not.
func (d *doneStep) undoneAlready(now *Live) string {
	w, t := &d.step.Want, &d.step.Target
	switch {
	case w.Node != "":
		if now.Node == t.Node {
			return "it is on " + t.Node + " already"
		}
	case w.Snapshot != "":
		if snapshotOf(now, w.Snapshot) == nil {
			return "snapshot " + cleanLine(w.Snapshot) + " does not exist any more"
		}
	case w.Pool != nil:
		if now.Target.Pool == t.Pool {
			return "its pool is " + cmp.Or(cleanLine(t.Pool), "none") + " already"
		}
	case len(w.Moved) > 0:
		was := Live{Config: d.before.Config}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(w.Moved)), func(slot string) bool { return storageOf(now, slot) != storageOf(&was, slot) }) {
			return "its disk is there already"
		}
	case w.Status != "":
		if now.Target.Status == d.before.Status {
			return "it is " + now.Target.Status + " already"
		}
	case len(w.Set)+len(w.Unset) > 0:
		if d.configuredBack(now.Config) {
			return "it is configured so already"
		}
	}
	return ""
}

// configuredBack says whether a configuration has what all inverse requests would make of it.
func (d *doneStep) configuredBack(now pve.Config) bool {
	for _, call := range d.result.Undo {
		for _, p := range call.Params {
			switch {
			case !strings.HasSuffix(call.Path, "/config"):
				return false
			case p.Key == "delete":
				if slices.ContainsFunc(strings.Split(p.Value, ","), now.Has) {
					return false
				}
			case p.Key != "digest" && p.Key != "force" && (!now.Has(p.Key) || now.Str(p.Key) != p.Value):
				return false
			}
		}
	}
	return len(d.result.Undo) > 0
}

// changedSince is what of that which the inverse requests touch is not as the step left it; "" where all of it is.
func (d *doneStep) changedSince(l, now *Live) string {
	w := &d.step.Want
	switch {
	case w.Node != "" && now.Node != w.Node:
		return "it is on " + now.Node + " now"
	case d.newest && w.Status != "" && l.Target.Status != d.result.Status:
		return fmt.Sprintf("it was %s and is %s now", d.result.Status, l.Target.Status)
	case d.after == "" || l.Digest == d.after:
		return ""
	case w.Snapshot != "":
		if x := snapshotOf(now, w.Snapshot); d.result.Taken == 0 || x.SnapTime == nil || int64(*x.SnapTime) != d.result.Taken {
			return "its configuration was changed, and whether snapshot " + cleanLine(w.Snapshot) + " is still the same is not known"
		}
		return ""
	}
	for _, call := range d.result.Undo {
		keys, known := touchedKeys(call)
		if !known {
			return "its configuration was changed since"
		}
		for _, k := range keys {
			left, ok := d.result.Left[k]
			free := strings.HasPrefix(k, "unused") && !now.Config.Has(k) // where a container's volume comes to when it is let go
			if !free && (!ok || left != mark(now.Config, k)) {
				return fmt.Sprintf("%s was changed since, it is %s now", k, shown(now.Config, k))
			}
		}
	}
	return ""
}

func snapshotOf(l *Live, name string) *pve.Snapshot {
	k := slices.IndexFunc(l.Snapshots, func(x pve.Snapshot) bool { return string(x.Name) == name })
	if k < 0 {
		return nil
	}
	return &l.Snapshots[k]
}

// touchedKeys are the keys of the configuration that a request changes; false for one of which that is not known.
func touchedKeys(call Call) (keys []string, known bool) {
	tail := call.Path[strings.LastIndexByte(call.Path, '/')+1:]
	switch {
	case tail == "config":
		for _, p := range call.Params {
			switch p.Key {
			case "digest", "force":
			case "delete":
				keys = append(keys, strings.Split(p.Value, ",")...)
			default:
				keys = append(keys, p.Key)
			}
		}
		return keys, true
	case tail == "move_disk", tail == "move_volume":
		return []string{call.param("disk") + call.param("volume")}, true
	}
	// These leave the configuration as it is, but for what Proxmox VE itself keeps there.
	return nil, tail == "pools" || tail == "migrate" || strings.Contains(call.Path, "/status/")
}

// marks are hashes of the values that a step changed: what an undo compares, to the last letter, without keeping the values once more.
func marks(diff []Diff, now pve.Config) map[string]string {
	var out map[string]string
	for _, f := range diff {
		if redact.IsSecretKey(f.Field) { // it is read masked: equal says nothing
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[f.Field] = mark(now, f.Field)
	}
	return out
}

// mark is the hash of one value, "" where the key is not set.
func mark(c pve.Config, key string) string {
	if !c.Has(key) {
		return ""
	}
	return pve.Hash([]byte(c.Str(key)))[:16]
}
