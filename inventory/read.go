package inventory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// waitedPerNode and idlePerNode are configuration reads under way per node. The client sends at most three of them at once (two in
	// the background: one of a node's three workers is left to the people who use its web interface; performance.md 2.2, 5.11);
	// the others stand ready to follow in the same instant, while what was read is decoded and recorded.
	waitedPerNode = 6
	idlePerNode   = 2
)

// target is a guest whose configuration is to be read.
type target struct {
	id    int
	node  string
	typ   pve.GuestType
	snaps bool // read the snapshot list whatever the configuration says
}

// readGuests reads configurations on all nodes at once and snapshot lists beside them, one per node because those may block.
// What fails is noted per guest; only the end of the context ends it early.
func (r *run) readGuests(ctx context.Context, targets []target) {
	byNode := map[string][]target{}
	for _, t := range targets {
		byNode[t.node] = append(byNode[t.node], t)
	}
	r.total += len(targets)
	var wg sync.WaitGroup
	for _, list := range byNode {
		wg.Go(func() { r.readNode(ctx, list) })
	}
	wg.Wait()
	r.settleLater(ctx)
}

func (r *run) readNode(ctx context.Context, list []target) {
	width := idlePerNode
	if r.waited {
		width = waitedPerNode
	}
	snaps := make(chan target, len(list))
	var at atomic.Int64
	var readers, lister sync.WaitGroup
	for range min(width, len(list)) {
		readers.Go(func() {
			for n := at.Add(1); int(n) <= len(list) && ctx.Err() == nil; n = at.Add(1) {
				if t := list[n-1]; r.readConfig(ctx, t) {
					snaps <- t
				}
			}
		})
	}
	lister.Go(func() {
		for t := range snaps {
			r.readSnapshots(ctx, t)
		}
	})
	readers.Wait()
	close(snaps)
	lister.Wait()
}

// readConfig reads one configuration and says whether the snapshot list is wanted.
func (r *run) readConfig(ctx context.Context, t target) bool {
	defer r.progress()
	if ok, _ := r.trusts(t.node); !ok {
		return false
	}
	cfg, err := r.src.GuestConfig(ctx, t.node, t.typ, t.id)
	if err != nil {
		r.configFailed(ctx, t, err)
		return false
	}
	if r.doubtful(t, cfg) {
		return false
	}
	_, want := r.settle(t.id, cfg)
	return want || t.snaps
}

func (r *run) progress() {
	r.mu.Lock()
	r.done++
	p := Progress{Cluster: r.c.name, Phase: "configs", Done: r.done, Total: r.total}
	r.mu.Unlock()
	r.flight.say(p)
}

func (r *run) configFailed(ctx context.Context, t target, err error) {
	if ctx.Err() != nil {
		return
	}
	if isSilent(err) {
		r.markSilent(t.node, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partial = true
	code := fault.CodeOf(err)
	r.fails[code] = append(r.fails[code], t.id)
	if code == fault.Unreachable || code == fault.Unauthenticated {
		r.fatal = err
	}
}

func (r *run) readSnapshots(ctx context.Context, t target) {
	if ok, _ := r.trusts(t.node); !ok {
		return
	}
	list, err := r.src.Snapshots(ctx, t.node, t.typ, t.id)
	switch {
	case err == nil:
		r.settleSnapshots(t.id, list)
	case ctx.Err() != nil:
	case isSilent(err):
		r.markSilent(t.node, err)
	default:
		r.warning("partial", fmt.Sprintf("snapshots of guest %d could not be read: %s", t.id, fault.Of(err).Error()))
		r.incomplete()
	}
}

// readFailures says which configurations could not be read; what was known of those guests stays.
func (r *run) readFailures() {
	for _, code := range sortedCodes(r.fails) {
		ids := r.fails[code]
		kind, why := "partial", "Proxmox VE refused or failed ("+string(code)+")"
		switch code {
		case fault.Forbidden:
			kind, why = "forbidden", "VM.Audit is missing on them"
		case fault.NotFound:
			why = "they moved or went away meanwhile; the next sync tells"
		case fault.BadAnswer:
			kind = "odd_data"
		}
		r.warning(kind, fmt.Sprintf("the configuration of %s could not be read: %s", guestList(ids), why))
	}
}

func sortedCodes(m map[fault.Code][]int) []fault.Code {
	byName := map[string]bool{}
	for c := range m {
		byName[string(c)] = true
	}
	var out []fault.Code
	for _, n := range sortedNames(byName) {
		out = append(out, fault.Code(n))
	}
	return out
}

// guestList names up to five guests.
func guestList(ids []int) string {
	switch {
	case len(ids) == 1:
		return fmt.Sprintf("guest %d", ids[0])
	case len(ids) <= 5:
		return fmt.Sprintf("guests %s", joinInts(ids))
	}
	return fmt.Sprintf("%d guests (%s, ...)", len(ids), joinInts(ids[:5]))
}

// release writes the guests that waited for their configuration in vain: they are the old ones until it is read, if they are at all.
func (r *run) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range sortedIDs(r.hold) {
		r.next[id] = r.next[id].doubted(doubtBack)
		r.w.guest(r.next[id], nil, nil)
	}
	clear(r.hold)
}

// silence makes the guests of nodes that turned out not to answer unknown.
func (r *run) silence() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range sortedIDs(r.next) {
		base := r.next[id]
		if r.silent[base.g.Node] == nil || !base.g.UnknownSince.IsZero() {
			continue
		}
		next := base.clone()
		next.unknown(r.started, fmt.Sprintf("node %s does not answer", base.g.Node))
		next.finish()
		r.next[id] = next
		r.w.guest(next, nil, nil)
	}
}
