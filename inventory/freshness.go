package inventory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// How long a read waits for a sync: a stale store, an empty one, and when the caller asked for fresh data (DESIGN §6).
	waitStale = 2 * time.Second
	waitEmpty = 5 * time.Second
	waitFresh = 20 * time.Second
	// retryAfter spares a Proxmox VE that is away: after a failed sync reads answer from the store at once for this long.
	retryAfter = 10 * time.Second
	// fullAfter is the age of the last sync beyond which too much may have left no trace: everything is read again.
	fullAfter = 15 * time.Minute
)

// ready makes the projection current for a read and returns the clusters it spans. It fails only when there is nothing to
// answer from: the store cannot be read, or it is empty and Proxmox VE cannot be reached.
func (i *Inventory) ready(ctx context.Context, ro ReadOptions) ([]*cluster, error) {
	i.watched.touch(i.now())
	scope, err := i.scope(ro.Cluster)
	if err != nil {
		return nil, err
	}
	if err := i.proj.refresh(ctx); err != nil {
		return nil, err
	}
	if !ro.Fresh && i.allYoung(scope) {
		return scope, nil
	}
	if err := i.proj.relast(ctx); err != nil {
		return nil, err
	}
	if !ro.Fresh && i.allYoung(scope) {
		return scope, nil
	}
	i.waitAll(ctx, scope, ro.Fresh)
	if err := errors.Join(i.proj.refresh(ctx), i.proj.relast(ctx)); err != nil {
		return nil, err
	}
	return scope, i.nothing(scope)
}

func (i *Inventory) allYoung(scope []*cluster) bool {
	now := i.now()
	for _, c := range scope {
		if !c.young(now) {
			return false
		}
	}
	return true
}

func (c *cluster) young(now time.Time) bool {
	v := c.inv.proj.cluster(c.name)
	return v.synced && now.Sub(v.asOf()) < c.inv.opt.Freshness
}

// waitAll lets each cluster that is not young enough catch up, all at once: a cluster that is down delays the others by nothing.
func (i *Inventory) waitAll(ctx context.Context, scope []*cluster, fresh bool) {
	var wg sync.WaitGroup
	for _, c := range scope {
		if fresh || !c.young(i.now()) {
			wg.Go(func() { c.catchUp(ctx, fresh) })
		}
	}
	wg.Wait()
}

// catchUp starts or joins a sync and waits for its rows, within the bound that suits.
func (c *cluster) catchUp(ctx context.Context, fresh bool) {
	v := c.inv.proj.cluster(c.name)
	if err, at := c.lastError(); err != nil && !fresh && c.inv.now().Sub(at) < retryAfter {
		return
	}
	bound := waitStale
	switch {
	case fresh:
		bound = waitFresh
	case !v.synced && len(v.rows) == 0:
		bound = waitEmpty
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	f, joined := c.start(c.mode(), fresh || !v.synced)
	c.await(ctx, f, fresh)
	if fresh && joined && ctx.Err() == nil {
		// The flight began before this read: what happened in between it may have missed.
		f, _ = c.start(c.mode(), true)
		c.await(ctx, f, fresh)
	}
}

func (c *cluster) await(ctx context.Context, f *flight, fresh bool) {
	rows := f.rows
	if fresh {
		rows = f.done
	}
	select {
	case <-rows:
	case <-f.done:
	case <-ctx.Done():
	}
}

// mode chooses between a full sync and a tick: full at the first time and after a long absence.
func (c *cluster) mode() string {
	v := c.inv.proj.cluster(c.name)
	if !v.synced || v.state.FullAt.IsZero() || c.inv.now().Sub(v.asOf()) > fullAfter {
		return modeFull
	}
	return modeTick
}

// nothing is the error of the first cluster that failed when none of the scope has anything to show.
func (i *Inventory) nothing(scope []*cluster) error {
	var first error
	for _, c := range scope {
		v := i.proj.cluster(c.name)
		if v.synced || len(v.rows) > 0 || len(v.nodes) > 0 {
			return nil
		}
		if err, _ := c.lastError(); err != nil && first == nil {
			first = err
		}
	}
	if first == nil {
		return fault.New(fault.Timeout, "no cluster has answered within %s; nothing is known yet", waitEmpty).
			WithHint("try again in a moment: the first sync goes on").Retry()
	}
	return first
}

// meta dates an answer over the clusters of its scope and says what it lacks.
func (i *Inventory) meta(scope []*cluster) Meta {
	var m Meta
	now := i.now()
	for _, c := range scope {
		cm := c.meta(now)
		if m.AsOf.IsZero() || (!cm.AsOf.IsZero() && cm.AsOf.Before(m.AsOf)) {
			m.AsOf = cm.AsOf
		}
		m.Warnings = append(m.Warnings, cm.Warnings...)
	}
	if !m.AsOf.IsZero() {
		m.Age = max(0, now.Sub(m.AsOf))
	}
	return m
}

func (c *cluster) meta(now time.Time) Meta {
	v := c.inv.proj.cluster(c.name)
	m := Meta{AsOf: v.asOf()}
	if !v.synced {
		m.AsOf = v.stateObj.LastSeen
	}
	if !m.AsOf.IsZero() {
		m.Age = max(0, now.Sub(m.AsOf))
	}
	m.Warnings = c.warnings(v, m, now)
	if len(c.inv.clusters) > 1 {
		for k := range m.Warnings {
			m.Warnings[k].Text = c.name + ": " + m.Warnings[k].Text
		}
	}
	return m
}

// warnings are those of the last sync and those that come from the state of this process: loading, unreachable, stale.
func (c *cluster) warnings(v *clusterView, m Meta, now time.Time) []Warning {
	var out []Warning
	c.mu.Lock()
	err, f := c.failed, c.running
	c.mu.Unlock()
	switch {
	case err != nil && fault.CodeOf(err) != fault.Cancelled:
		out = append(out, unreachable(err, m))
	case v.synced && m.Age > c.inv.opt.Freshness:
		out = append(out, Warning{"stale", fmt.Sprintf("observed %s ago; a newer observation did not arrive in time", ago(m.Age))})
	}
	if w, ok := loading(v, f); ok {
		out = append(out, w)
	}
	return append(out, parseWarnings(v.last.Warnings)...)
}

func unreachable(err error, m Meta) Warning {
	e := fault.Of(err)
	text := "Proxmox VE could not be asked (" + e.Error() + ")"
	if m.AsOf.IsZero() {
		return Warning{"unreachable", text + "; nothing is known of this cluster"}
	}
	return Warning{"unreachable", fmt.Sprintf("%s; the answer is from the store, observed %s ago", text, ago(m.Age))}
}

func loading(v *clusterView, f *flight) (Warning, bool) {
	switch {
	case f == nil || f.mode != modeFull || v.synced && v.unread == 0:
		return Warning{}, false
	case len(v.rows) == 0:
		return Warning{"loading", "the first sync has only begun"}, true
	}
	return Warning{"loading", fmt.Sprintf("the first sync goes on: configurations of %d of %d guests are read; snapshots, tasks and node details may be missing",
		len(v.rows)-v.unread, len(v.rows))}, true
}

// Warnings are kept in the store as "code: text".
func (w Warning) stored() string { return w.Code + ": " + w.Text }

func parseWarnings(stored []string) []Warning {
	var out []Warning
	for _, s := range stored {
		code, text, ok := strings.Cut(s, ": ")
		if !ok {
			code, text = "partial", s
		}
		out = append(out, Warning{code, text})
	}
	return out
}
