package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// The states of a storage on its nodes (StorageUse.State).
const (
	StorageActive   = "active"
	StorageInactive = "inactive" // its node answers and does not report it: not mounted, or its server is away
	StorageDisabled = "disabled"
	StorageUnknown  = "unknown" // its node is away, or sends no statistics
)

// StorageUse is a storage on a node, or a shared one on all its nodes. Used and Total are nil unless they are of now. Idle are the nodes of a shared
// storage on which it is not active, Silent those of which that is not known. Meta is the fill of a thin pool's metadata, 0..1, nil when not told.
type StorageUse struct {
	Storage
	State        string
	Why          string // of StorageUnknown
	Idle, Silent []string
	Meta         *float64
}

// StorageQuery asks for storages. Empty fields do not filter.
type StorageQuery struct {
	Name, Node string
	Cursor     string
	ReadOptions
}

func (q *StorageQuery) sum() string {
	return cursorSum(strings.Join([]string{q.Name, q.Node, q.Cluster}, "\x00"))
}

// StoragePage is a page of storages by name and node.
type StoragePage struct {
	Meta
	Rows       []StorageUse
	Total      int
	NextCursor string
}

// Storages answers each storage on each node, a shared one once, from the store. Only the metadata of thin pools is asked for, one call per node that
// has such a storage, kept for the time of freshness. Errors: fault.NotFound for a name that is not known, and those of FindGuests.
func (i *Inventory) Storages(ctx context.Context, q StorageQuery) (StoragePage, error) {
	offset, err := decodePage(q.Cursor, q.sum())
	if err != nil {
		return StoragePage{}, err
	}
	began := i.now()
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return StoragePage{}, err
	}
	if err := cmp.Or(i.knownStorage(scope, q.Name), i.knownNode(scope, q.Node)); err != nil {
		return StoragePage{}, err
	}
	ctx, cancel := i.budget(ctx, q.Fresh, began)
	defer cancel()
	page := StoragePage{Meta: i.meta(scope)}
	rows, missing := make([][]StorageUse, len(scope)), make([]gaps, len(scope))
	i.each(ctx, scope, func(ctx context.Context, k int, c *cluster) { rows[k] = c.storageUses(ctx, &q, &missing[k]) })
	for k, c := range scope {
		page.Rows = append(page.Rows, rows[k]...)
		page.tell(c, missing[k].warnings("thin pool metadata"))
	}
	page.Total = len(page.Rows)
	end := min(page.Total, offset+defaultPage)
	if end < page.Total {
		page.NextCursor = pageCursor(end, q.sum())
	}
	page.Rows = page.Rows[min(offset, end):end]
	return page, nil
}

func (c *cluster) storageUses(ctx context.Context, q *StorageQuery, g *gaps) []StorageUse {
	cv := c.inv.proj.cluster(c.name)
	var out []StorageUse
	for k := range cv.storages {
		s := &cv.storages[k]
		if q.Name == "" || q.Name == s.Name {
			if q.Node == "" || slices.Contains(s.Nodes, q.Node) {
				out = append(out, cv.storageUse(s))
			}
		}
	}
	out = append(out, cv.unreported(q)...)
	slices.SortStableFunc(out, func(a, b StorageUse) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), slices.Compare(a.Nodes, b.Nodes))
	})
	c.thinMeta(ctx, cv, out, q.Fresh, g)
	return out
}

// unreported are storages that are defined and that no node lists: nothing is known of them now.
func (c *clusterView) unreported(q *StorageQuery) []StorageUse {
	var out []StorageUse
	for _, id := range sortedNames(c.defs) {
		def, err := pve.DecodeConfig(c.defs[id].State)
		listed := slices.ContainsFunc(c.storages, func(s Storage) bool { return s.Name == name(id) })
		if err != nil || listed || q.Name != "" && q.Name != id {
			continue
		}
		s := disabledStorage(c.name, id, def, c.defs[id].LastSeen)
		s.Status = stUnknown
		if q.Node == "" || slices.Contains(s.Nodes, q.Node) {
			out = append(out, StorageUse{Storage: s, State: StorageUnknown, Why: "no node reports it", Silent: s.Nodes})
		}
	}
	return out
}

// storageUse says where a storage is active. What Proxmox VE calls unknown is a storage that nobody reported for 300 s: inactive where the
// node's own statistics move, not known where they do not.
func (c *clusterView) storageUse(s *Storage) StorageUse {
	u := StorageUse{Storage: *s, State: StorageDisabled}
	u.Used, u.Total = nil, nil
	if s.Status == "disabled" {
		return u
	}
	active := 0
	for _, n := range s.Nodes {
		why := c.nodeAway(n)
		if why == "" && c.stale(n) {
			why = "statistics of node " + n + " are stale"
		}
		switch {
		case why != "":
			u.Why, u.Silent = why, append(u.Silent, n)
		case decodeState[storageState](c.usage[n+"/"+s.Name].State).Status == "available":
			active++
		default:
			u.Idle = append(u.Idle, n)
		}
	}
	switch {
	case active > 0:
		u.State, u.Why, u.Used, u.Total, u.SeenAt = StorageActive, "", s.Used, s.Total, later(s.SeenAt, c.asOf())
	case len(u.Silent) > 0:
		u.State = StorageUnknown
	default:
		u.State = StorageInactive
	}
	return u
}

func (c *clusterView) stale(node string) bool {
	k := slices.IndexFunc(c.nodes, func(n nodeView) bool { return n.name == node })
	return k >= 0 && c.nodes[k].st.Stale
}

// thinMeta asks the nodes with thin pools how full their metadata is: a pool whose metadata is full stops, whatever room its data has.
func (c *cluster) thinMeta(ctx context.Context, cv *clusterView, list []StorageUse, fresh bool, g *gaps) {
	byNode := map[string][]*StorageUse{}
	for k := range list {
		if s := &list[k]; s.Type == "lvmthin" && s.State == StorageActive {
			byNode[s.Nodes[0]] = append(byNode[s.Nodes[0]], s)
		}
	}
	var wg sync.WaitGroup
	for node, uses := range byNode {
		wg.Go(func() {
			rows, at, err := c.thinPools(ctx, node, fresh)
			if code := fault.CodeOf(err); code != fault.Unsupported {
				g.add("node "+node, at, c.inv.now(), err)
			}
			for _, s := range uses {
				s.Meta = metaOf(rows, cv.defs[s.Name].State)
			}
		})
	}
	wg.Wait()
}

func (c *cluster) thinPools(ctx context.Context, node string, fresh bool) ([]pve.ThinPoolRow, time.Time, error) {
	return recall(ctx, c, asking{key: "thin " + node, lane: "node " + node, keep: c.inv.opt.Freshness, fresh: fresh},
		func(ctx context.Context, src Source) ([]pve.ThinPoolRow, error) { return src.ThinPools(ctx, node) })
}

// metaOf finds the pool that a storage's definition names.
func metaOf(rows []pve.ThinPoolRow, raw []byte) *float64 {
	def, err := pve.DecodeConfig(raw)
	if err != nil {
		return nil
	}
	for _, p := range rows {
		if string(p.VG) == def.Str("vgname") && string(p.LV) == def.Str("thinpool") && p.MetadataSize != nil && p.MetadataUsed != nil && *p.MetadataSize > 0 {
			return pve.Ptr(float64(*p.MetadataUsed) / float64(*p.MetadataSize))
		}
	}
	return nil
}
