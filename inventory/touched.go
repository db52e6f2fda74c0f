package inventory

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// trustTouched is how long the status of a guest that this program changed counts more than its row in cluster/resources: the row
// was seen to lag by up to 10 s (facts: pve-api.md 47), and pvestatd may miss a round.
const trustTouched = 20 * time.Second

// touch is one change of a guest by this program.
type touch struct {
	at    time.Time
	known bool             // what Proxmox VE said of it after the change is in the store
	live  *pve.GuestStatus // GET status/current after the change; nil until it was read, or when the row agreed
	gone  bool             // it did not exist then
}

// touched are the guests that this program changed a moment ago, by vmid. A change that follows takes the place of the one before.
type touched struct {
	mu      sync.Mutex
	ids     map[int]*touch
	heardOf map[string]time.Time // steps of the journal, with when they ended
}

func (t *touched) add(id int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ids == nil {
		t.ids = map[int]*touch{}
	}
	t.ids[id] = &touch{at: now}
}

// young are copies of those that count still; the others are forgotten once they were read.
func (t *touched) young(now time.Time) map[int]*touch {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[int]*touch{}
	for id, one := range t.ids {
		if one.known && now.Sub(one.at) >= trustTouched {
			delete(t.ids, id)
			continue
		}
		out[id] = one
	}
	return out
}

// pending says that a change is so new that the store does not have it yet. A Proxmox VE that is away does not hold up readers for longer.
func (t *touched) pending(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range t.ids {
		if !one.known && now.Sub(one.at) < trustTouched {
			return true
		}
	}
	return false
}

// stored says that what a run read of these changes is in the store.
func (t *touched) stored(list map[int]*touch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, one := range list {
		one.known = true
	}
}

// heard keeps what Proxmox VE said of a guest after its change.
func (t *touched) heard(one *touch, live *pve.GuestStatus, gone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.live, one.gone = live, gone
}

// Touched says that this program changed a guest: it is read again at once, by a tick that begins now, and its status is taken from the
// guest itself until the cluster's list has caught up. What storages hold and which jobs there are is asked anew, too; 0 is no guest.
func (i *Inventory) Touched(ctx context.Context, clusterName string, vmid int) {
	k := slices.IndexFunc(i.clusters, func(c *cluster) bool { return c.name == clusterName })
	if k < 0 {
		return
	}
	i.clusters[k].asked.forget()
	if vmid == 0 {
		return
	}
	i.clusters[k].touched.add(vmid, i.now())
	i.clusters[k].start(ctx, modeTick, false)
}

// truth replaces the rows of touched guests by what the guests say themselves, one call for each change, and returns the guests that
// were not read since they were changed.
func (r *run) truth(ctx context.Context, rows map[int][]*pve.Resource) (unread map[int]bool) {
	list := r.c.touched.young(r.started)
	r.own, unread = map[int]*touch{}, map[int]bool{}
	var wg sync.WaitGroup
	for _, id := range sortedIDs(list) {
		if list[id].known {
			continue
		}
		r.own[id], unread[id] = list[id], true
		if len(rows[id]) == 1 {
			wg.Go(func() { r.hear(ctx, list[id], rows[id][0]) })
		}
	}
	wg.Wait()
	for _, id := range sortedIDs(list) {
		if len(rows[id]) == 1 {
			r.believe(list[id], rows, id)
		}
	}
	return unread
}

// changedByAnybody takes over what the journal says was changed a moment ago, by whichever process: the one that reads, and the one that
// looks at the cluster for all of them, need not be the one that changed it.
func (i *Inventory) changedByAnybody(ctx context.Context, st Store) {
	steps, err := st.Steps(ctx, store.StepFilter{Ended: i.now().Add(-trustTouched)})
	if err != nil {
		i.opt.Logger.DebugContext(ctx, "the journal of changes cannot be read", "error", err)
		return
	}
	for _, s := range steps {
		k := slices.IndexFunc(i.clusters, func(c *cluster) bool { return c.name == s.Cluster })
		if k < 0 || !i.clusters[k].touched.news(s.Plan+"/"+strconv.Itoa(s.N), s.Ended) {
			continue
		}
		i.clusters[k].asked.forget()
		if vmid, err := strconv.Atoi(s.Object); err == nil && vmid > 0 {
			i.clusters[k].touched.since(vmid, s.Ended)
		}
	}
}

// news says that a step was not heard of before; those that count no more are forgotten.
func (t *touched) news(step string, ended time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.heardOf == nil {
		t.heardOf = map[string]time.Time{}
	}
	if _, ok := t.heardOf[step]; ok {
		return false
	}
	maps.DeleteFunc(t.heardOf, func(_ string, at time.Time) bool { return ended.Sub(at) > 2*trustTouched })
	t.heardOf[step] = ended
	return true
}

// since is add, unless this process knows of that change, or of a later one.
func (t *touched) since(id int, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.ids[id]; one != nil && !one.at.Before(at) {
		return
	}
	if t.ids == nil {
		t.ids = map[int]*touch{}
	}
	t.ids[id] = &touch{at: at}
}

// hear asks a guest for its status. What cannot be read leaves the row as it is; a node that is silent is found out by other calls.
func (r *run) hear(ctx context.Context, one *touch, res *pve.Resource) {
	if ok, _ := r.trusts(string(res.Node)); !ok {
		return
	}
	s, err := r.src.GuestStatus(ctx, string(res.Node), pve.GuestType(res.Type), int(res.VMID))
	switch {
	case err == nil && s.Status != "":
		r.c.touched.heard(one, &s, false)
	case fault.CodeOf(err) == fault.NotFound && !r.elsewhere(ctx, res):
		r.c.touched.heard(one, nil, true)
	}
}

// elsewhere says that a guest is, or may be, on another node than the list says: right after a migration that names the old one (F55), and
// a guest is not gone because it is not there. One that is offline received none.
func (r *run) elsewhere(ctx context.Context, res *pve.Resource) bool {
	for name := range r.nodes {
		if ok, _ := r.trusts(name); !ok || name == string(res.Node) {
			continue
		}
		if _, err := r.src.GuestConfig(ctx, name, pve.GuestType(res.Type), int(res.VMID)); fault.CodeOf(err) != fault.NotFound {
			return true
		}
	}
	return false
}

// believe takes the guest's own word for the row, until both agree.
func (r *run) believe(one *touch, rows map[int][]*pve.Resource, id int) {
	switch {
	case one.gone:
		delete(rows, id) // whether it exists is asked once more before it counts as gone
	case one.live == nil:
	case one.live.Status == rows[id][0].Status:
		r.c.touched.heard(one, nil, false)
	default:
		res, s := *rows[id][0], one.live
		res.Status, res.CPU, res.Mem, res.Disk, res.Uptime, res.NetIn, res.NetOut = s.Status, s.CPU, s.Mem, s.Disk, s.Uptime, s.NetIn, s.NetOut
		if res.Name == "" {
			res.Name = s.Name
		}
		rows[id] = []*pve.Resource{&res}
	}
}
