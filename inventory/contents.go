package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// listing is what a storage holds, as one node sees it. node is "" for a shared storage, which is the same everywhere.
type listing struct {
	node, storage string
	rows          []pve.VolumeRow
}

// label names a storage in answers: with its node unless it is shared.
func (l *listing) label() string {
	if l.node == "" {
		return l.storage
	}
	return l.node + "/" + l.storage
}

// contents lists storages: one call for each that pick takes, a shared one once, through a node that answers. kind narrows what is listed ("" = all
// kinds). What could not be read is noted in gaps. oldest is when the oldest listing was read; zero = there is none.
func (c *cluster) contents(ctx context.Context, cv *clusterView, kind string, fresh bool, g *gaps, pick func(s *Storage) bool) (out []listing, oldest time.Time) {
	for _, shared := range []bool{false, true} { // what hangs is mostly on the network: a node's own storages do not wait behind it
		lists, at := c.contentsOf(ctx, cv, kind, fresh, g, func(s *Storage) bool { return s.Shared == shared && s.Status != "disabled" && pick(s) })
		out = append(out, lists...)
		if oldest.IsZero() || !at.IsZero() && at.Before(oldest) {
			oldest = at
		}
	}
	slices.SortFunc(out, func(a, b listing) int { return strings.Compare(a.label(), b.label()) })
	return out, oldest
}

func (c *cluster) contentsOf(ctx context.Context, cv *clusterView, kind string, fresh bool, g *gaps, pick func(s *Storage) bool) (out []listing, oldest time.Time) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for k := range cv.storages {
		s := &cv.storages[k]
		if !pick(s) {
			continue
		}
		l := listing{storage: s.Name}
		if !s.Shared {
			l.node = s.Nodes[0]
		}
		nodes, away := cv.askable(s, k)
		if len(nodes) == 0 {
			g.add(l.label(), time.Time{}, c.inv.now(), fault.New(fault.NodeSilent, "%s", away))
			continue
		}
		wg.Go(func() {
			rows, at, err := c.content(ctx, l, nodes, kind, fresh)
			g.add(l.label(), at, c.inv.now(), err)
			if at.IsZero() {
				return
			}
			l.rows = rows
			mu.Lock()
			defer mu.Unlock()
			out = append(out, l)
			if oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
		})
	}
	wg.Wait()
	return out, oldest
}

// askable are the nodes through which a storage can be asked, those first on which it is active; the turn spreads shared storages over the
// nodes. Without any, away says why.
func (c *clusterView) askable(s *Storage, turn int) (nodes []string, away string) {
	var idle []string
	for k := range s.Nodes {
		n := s.Nodes[(k+turn)%len(s.Nodes)]
		if why := c.nodeAway(n); why != "" {
			away = why
			continue
		}
		if decodeState[storageState](c.usage[n+"/"+s.Name].State).Status == "available" {
			nodes = append(nodes, n)
		} else {
			idle = append(idle, n)
		}
	}
	return append(nodes, idle...), away
}

// content is one storage's listing. A silent node makes room for the next one; a storage that hangs does so everywhere and is left alone.
func (c *cluster) content(ctx context.Context, l listing, nodes []string, kind string, fresh bool) ([]pve.VolumeRow, time.Time, error) {
	key := "content " + l.label() + " "
	keep := c.inv.opt.Freshness
	if rows, at, ok := c.wholeContent(key, kind, fresh); ok {
		return rows, at, nil
	}
	q := asking{key: key + kind, lane: "node " + nodes[0], keep: keep, fresh: fresh}
	return recall(ctx, c, q, func(ctx context.Context, src Source) (rows []pve.VolumeRow, err error) {
		for _, node := range nodes[:min(len(nodes), 2)] {
			if rows, err = src.StorageContent(ctx, node, l.storage, kind); !isSilent(err) {
				break
			}
		}
		return rows, err
	})
}

// wholeContent takes one kind out of a young listing of all kinds.
func (c *cluster) wholeContent(key, kind string, fresh bool) ([]pve.VolumeRow, time.Time, bool) {
	if kind == "" || fresh {
		return nil, time.Time{}, false
	}
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	a := c.asked.items[key]
	if a == nil || a.value == nil || c.inv.now().Sub(a.at) >= c.inv.opt.Freshness {
		return nil, time.Time{}, false
	}
	all, ok := a.value.([]pve.VolumeRow)
	return slices.DeleteFunc(slices.Clone(all), func(v pve.VolumeRow) bool { return string(v.Content) != kind }), a.at, ok
}

// takes says that a storage is configured for a kind of content: images, rootdir, iso, vztmpl, backup, snippets, import.
func (s *Storage) takes(kind string) bool {
	return slices.Contains(strings.FieldsFunc(s.Content, func(r rune) bool { return r == ',' || r == ' ' }), kind)
}

// permissions are the token's, remembered for the time of freshness.
func (c *cluster) permissions(ctx context.Context, fresh bool) (Rights, error) {
	p, _, err := recall(ctx, c, asking{key: "permissions", keep: c.inv.opt.Freshness, fresh: fresh},
		func(ctx context.Context, src Source) (map[string]map[string]bool, error) { return src.Permissions(ctx) })
	return p, err
}

// older moves an answer's date back to its oldest part.
func (m *Meta) older(at, now time.Time) {
	if !at.IsZero() && (m.AsOf.IsZero() || at.Before(m.AsOf)) {
		m.AsOf, m.Age = at, max(0, now.Sub(at))
	}
}

// tell appends the warnings of a cluster's gaps, with its name where there are several.
func (m *Meta) tell(c *cluster, warnings []Warning) {
	for _, w := range warnings {
		if len(c.inv.clusters) > 1 {
			w.Text = fmt.Sprintf("%s: %s", c.name, w.Text)
		}
		m.Warnings = append(m.Warnings, w)
	}
}
