package change

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

// lastSeen is the digest parameter of a request whose guest an earlier step of its plan changes: what the last look before it is sent
// finds is put in.
const lastSeen = ""

// snapshotFirst puts a snapshot before steps that disturb a guest, where the owner demands it and an action says that a snapshot brings
// back what it changes. It is pure: whether the guest can be snapshotted was asked when it was read. A guest that cannot be is named in
// the plan's review, and an operator decides.
func snapshotFirst(l *Live, steps []Step) []Step {
	if l.CanSnapshot == nil || !*l.CanSnapshot || !slices.ContainsFunc(steps, savable) {
		return steps
	}
	name := snapshotNameFor(l, steps)
	first, err := Snapshot{Verb: "create", Snapshot: name, Description: "before: " + steps[0].Action}.Steps(l)
	if err != nil { // a template, which nothing of this is done to
		return steps
	}
	for k := range steps {
		s := &steps[k]
		for n, p := range s.Call.Params {
			if p.Key == "digest" {
				s.Call.Params[n].Value = lastSeen
			}
		}
		if s.NoUndo != "" {
			s.NoUndo += "; snapshot " + name + ", taken before, holds what was"
		}
	}
	return append(first, steps...)
}

// savable is a step that a snapshot before it makes up for.
func savable(s Step) bool { return s.Noop == "" && s.Tier >= Disruptive }

// snapshotNameFor is the same for the same change of the same state, and free.
func snapshotNameFor(l *Live, steps []Step) string {
	base := "before-" + pve.Hash([]byte(l.Digest + fmt.Sprint(steps[0].Call)))[:8]
	for name, n := base, 2; ; name, n = fmt.Sprintf("%s-%d", base, n), n+1 {
		if !slices.Contains(snapshotNames(l), name) {
			return name
		}
	}
}

// canSnapshot asks Proxmox VE whether all disks of a guest can be snapshotted (schema: /nodes/{node}/{type}/{vmid}/feature).
func canSnapshot(ctx context.Context, c Cluster, l *Live) (bool, error) {
	if l.Target.Template {
		return false, nil
	}
	raw, err := c.Raw(ctx, "GET", l.path("/feature"), proxmox.Params{}.Str("feature", "snapshot"))
	if err != nil {
		return false, err
	}
	var answer struct {
		Has pve.Bool `json:"hasFeature"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return false, fault.Wrap(fault.BadAnswer, err, "whether %s can be snapshotted cannot be read", l.Label())
	}
	return bool(answer.Has), nil
}

// digestIn is the digest of what was read before a step.
func digestIn(raw json.RawMessage) string {
	var b before
	if json.Unmarshal(raw, &b) != nil {
		return ""
	}
	return pve.Config(b.Config).Str("digest")
}
