package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	// The store first: opening it tells which clusters are one.
	storeErr := i.proj.glance(ctx)
	scope, err := i.scope(ctx, ro.Cluster)
	if err := cmp.Or(err, storeErr); err != nil {
		return nil, err
	}
	if !ro.Fresh && i.allYoung(scope) && !i.unfinished(scope) {
		return scope, nil
	}
	if err := errors.Join(i.proj.refresh(ctx), i.proj.relast(ctx)); err != nil {
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

// unfinished says that rows are newer than the last sync that is known to have ended: its warnings may be there by now. Its end alone
// does not move the generation.
func (i *Inventory) unfinished(scope []*cluster) bool {
	return slices.ContainsFunc(scope, func(c *cluster) bool { v := i.proj.cluster(c.name); return v.state.RowsAt.After(v.last.Started) })
}

func (c *cluster) young(now time.Time) bool {
	v := c.inv.proj.cluster(c.name)
	return v.synced && now.Sub(v.asOf()) < c.inv.opt.Freshness && !c.touched.pending(now)
}

// waitAll lets each cluster that is not young enough catch up, all at once: a cluster in trouble delays the others by nothing.
func (i *Inventory) waitAll(ctx context.Context, scope []*cluster, fresh bool) {
	// With nothing to show at all the answer would be the last error: then it is worth asking again at once.
	insist := fresh || !slices.ContainsFunc(scope, func(c *cluster) bool { return !c.empty() })
	i.each(ctx, scope, func(ctx context.Context, _ int, c *cluster) {
		if fresh || !c.young(i.now()) {
			c.catchUp(ctx, fresh, insist)
		}
	})
}

// empty says that nothing is known of the cluster yet.
func (c *cluster) empty() bool {
	v := c.inv.proj.cluster(c.name)
	return !v.synced && len(v.rows) == 0
}

// catchUp starts or joins a sync and waits for its rows, within the bound that suits.
func (c *cluster) catchUp(ctx context.Context, fresh, insist bool) {
	v := c.inv.proj.cluster(c.name)
	if at, err := c.lastError(); err != nil && !insist && c.inv.now().Sub(at) < retryAfter {
		return
	}
	bound := waitStale
	switch {
	case fresh:
		bound = waitFresh
	case c.empty():
		bound = waitEmpty
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	changed := c.touched.pending(c.inv.now())
	f, joined := c.start(ctx, c.mode(), fresh || changed || !v.synced)
	c.await(ctx, f, fresh || changed)
	if (fresh || c.touched.pending(c.inv.now())) && joined && ctx.Err() == nil {
		// The flight began before this read: what happened in between it may have missed.
		f, _ = c.start(ctx, c.mode(), true)
		c.await(ctx, f, true)
	}
	if fresh && ctx.Err() != nil && !errors.Is(context.Cause(ctx), errNotAwaited) {
		c.late.Store(f)
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
		if _, err := c.lastError(); err != nil && first == nil {
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
	if w := i.news.Swap(nil); w != nil {
		m.Warnings = append(m.Warnings, *w)
	}
	return m
}

func (c *cluster) meta(now time.Time) Meta {
	v := c.inv.proj.cluster(c.name)
	m := Meta{AsOf: v.asOf()}
	if !m.AsOf.IsZero() {
		m.Age = max(0, now.Sub(m.AsOf))
	}
	m.Warnings = c.warnings(v, m)
	if len(c.inv.clusters) > 1 {
		for k := range m.Warnings {
			m.Warnings[k].Text = c.name + ": " + m.Warnings[k].Text
		}
	}
	return m
}

// warnings are those of the last sync and those that come from the state of this process: loading, unreachable, stale.
func (c *cluster) warnings(v *clusterView, m Meta) []Warning {
	var out []Warning
	failAt, err := c.lastError()
	f := c.flying()
	switch {
	case err != nil && !failAt.Before(m.AsOf) && tellsReaders(err):
		out = append(out, unreachable(err, m))
	case v.synced && m.Age > c.inv.opt.Freshness:
		out = append(out, Warning{"stale", fmt.Sprintf("observed %s ago; a newer observation did not arrive in time", ago(m.Age))})
	}
	if w, ok := loading(v, f); ok {
		out = append(out, w)
	}
	if f != nil && c.late.Load() == f {
		out = append(out, Warning{"partial", "a new look was asked for and has not ended, so a node probably hangs; what it has not answered is shown as known before"})
	}
	stored := parseWarnings(v.last.Warnings)
	if newer := v.meanwhile(c.inv.now(), c.inv.opt.Zone); newer != nil {
		stored = slices.DeleteFunc(stored, func(w Warning) bool { return w.Code == "node_silent" }) // of before
		out = append(out, newer...)
	}
	return append(out, stored...)
}

// meanwhile are the warnings of a sync whose rows are stored and which has not ended: its own come with its end.
func (c *clusterView) meanwhile(now time.Time, zone *time.Location) []Warning {
	if !c.state.RowsAt.After(c.last.Started) {
		return nil
	}
	var out []Warning
	away := map[string]nodeState{}
	for _, n := range c.nodes {
		if n.away() != "" {
			away[n.name] = n.st
		}
	}
	if w, ok := awayWarning(away, now, zone); ok {
		out = append(out, w)
	}
	reasons, count := map[string]bool{}, 0
	for _, r := range c.rows {
		if _, said := away[r.g.Node]; r.state == stUnknown && r.g.UnknownReason != "" && !said {
			reasons[r.g.UnknownReason] = true
			count++
		}
	}
	if count > 0 {
		out = append(out, Warning{"partial", fmt.Sprintf("%s unknown: %s", guestsAre(count), shortList(sortedNames(reasons), 3))})
	}
	return out
}

// guestsAre is a number of guests with its verb.
func guestsAre(n int) string {
	if n == 1 {
		return "1 guest is"
	}
	return fmt.Sprintf("%d guests are", n)
}

// tellsReaders says that a failed sync is worth a warning: a lost lease means that another process does the work.
func tellsReaders(err error) bool {
	code := fault.CodeOf(err)
	return code != fault.Cancelled && code != fault.Fenced
}

func unreachable(err error, m Meta) Warning {
	e := fault.Of(err)
	text := "Proxmox VE could not be asked: "
	switch e.Code {
	case fault.Store, fault.StoreFull, fault.StoreReadOnly, fault.StoreCorrupt, fault.StoreNewer:
		text = "what Proxmox VE says now could not be stored: "
	case fault.Untrusted:
		// The library's own words add nothing to the certificate that the message shows.
		e = &fault.Error{Message: e.Message, Hint: e.Hint}
	}
	text += e.Error()
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	if m.AsOf.IsZero() {
		return Warning{"unreachable", "nothing is known of this cluster. " + text}
	}
	return Warning{"unreachable", fmt.Sprintf("from the store, observed %s ago. %s", ago(m.Age), text)}
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
