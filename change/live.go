package change

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// readAtOnce bounds how many guests of a plan are read at a time; the client's limit per node is below it.
const readAtOnce = 8

// look reads one guest live: configuration and status, and what an action needs besides. A guest that is not on its node any more is
// looked up once again (F32).
func (e *Engine) look(ctx context.Context, c Cluster, f Found, n Needs) (*Live, error) {
	l, err := e.lookAt(ctx, c, f, n)
	if fault.CodeOf(err) != fault.NotFound {
		return l, err
	}
	e.opt.Guests.Resync(ctx, f.Cluster, f.VMID)
	again, ferr := e.opt.Guests.FindOne(ctx, f.Cluster, f.ID())
	if ferr != nil {
		return nil, ferr
	}
	if again.Node == f.Node {
		return nil, err
	}
	return e.lookAt(ctx, c, again, n)
}

func (e *Engine) lookAt(ctx context.Context, c Cluster, f Found, n Needs) (*Live, error) {
	cfg, err := c.GuestConfig(ctx, f.Node, f.Type, f.VMID)
	if err != nil {
		return nil, err
	}
	st, err := c.GuestStatus(ctx, f.Node, f.Type, f.VMID)
	if err != nil {
		return nil, err
	}
	l := &Live{Target: f.Target, Found: f, Config: cfg, Status: st}
	l.Target = observed(f.Target, f.Life, cfg, st)
	if n.Backups {
		l.Backup = &Backup{}
		l.Backup.At, l.Backup.Known = e.opt.Guests.LastBackup(ctx, f.Cluster, f.VMID)
	}
	if n.Savable {
		can, err := canSnapshot(ctx, c, l)
		if err != nil {
			return nil, err
		}
		l.CanSnapshot = &can
	}
	if n.Snapshots || n.Savable {
		if l.Snapshots, err = c.Snapshots(ctx, f.Node, f.Type, f.VMID); err != nil {
			return nil, err
		}
	}
	return l, e.around(ctx, c, l, n)
}

// around reads what an action needs to know beside its guest.
func (e *Engine) around(ctx context.Context, c Cluster, l *Live, n Needs) (err error) {
	if n.Places {
		if l.Places, err = e.opt.Guests.Places(ctx, l.Cluster); err != nil {
			return err
		}
	}
	if n.Bridges {
		l.Bridges = e.opt.Guests.Bridges(ctx, l.Cluster, l.Node)
	}
	if n.Migration {
		if l.Migration, err = migration(ctx, c, l); err != nil {
			return err
		}
	}
	if n.NewID != nil {
		l.NewID, err = freeID(ctx, c, *n.NewID, n.taken)
	}
	return err
}

// freeID is the vmid that is wanted, which has to be free, or the next free one: Proxmox VE knows also guests that this token cannot see.
func freeID(ctx context.Context, c Cluster, wanted int, taken map[int]*Live) (int, error) {
	if wanted != 0 {
		err := vacant(ctx, c, Target{VMID: wanted})
		if fault.CodeOf(err) == fault.Stale || taken[wanted] != nil {
			return 0, fault.New(fault.Conflict, "vmid %d is taken already", wanted).WithHint("without vmid the next free one is chosen")
		}
		return wanted, err
	}
	raw, err := c.Raw(ctx, "GET", "/cluster/nextid", nil)
	if err != nil {
		return 0, err
	}
	var next pve.Int // a string (pve-api.md 26)
	if err := json.Unmarshal(raw, &next); err != nil {
		return 0, fault.Wrap(fault.BadAnswer, err, "the next free vmid cannot be read")
	}
	for id := int(next); ; id++ {
		if taken[id] != nil {
			continue
		}
		if id == int(next) {
			return id, nil
		}
		if err := vacant(ctx, c, Target{VMID: id}); fault.CodeOf(err) != fault.Stale {
			return id, err
		}
	}
}

// observed fills a target with what was read.
func observed(t Target, life int, cfg pve.Config, st pve.GuestStatus) Target {
	t.Digest, t.Lock, t.Template, t.Protection = cfg.Str("digest"), cfg.Str("lock"), cfg.Bool("template"), cfg.Bool("protection")
	t.Name = cmp.Or(cfg.Str("name"), cfg.Str("hostname"), t.Name)
	t.Tags = splitTags(cfg.Str("tags"))
	t.MACs = nil
	for _, n := range cfg.NICs() {
		if n.MAC != "" {
			t.MACs = append(t.MACs, strings.ToUpper(n.MAC))
		}
	}
	t.Life = lifeOf(t.Type, cfg, life)
	t.Status = stateOf(st)
	return t
}

// stateOf is what a guest does: a paused VM reports running (facts: pve-api.md 48).
func stateOf(st pve.GuestStatus) string {
	switch string(st.QMPStatus) {
	case "paused", "suspended":
		return "paused"
	}
	return string(st.Status)
}

func splitTags(s string) []string {
	tags := strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' || r == ' ' })
	slices.Sort(tags)
	return tags
}

// lifeOf is what tells a guest from another under the same vmid: smbios1 uuid for a VM (vmgenid changes with each roll-back), the
// inventory's count for a container.
func lifeOf(t pve.GuestType, cfg pve.Config, life int) string {
	if t == pve.Qemu {
		props, err := pve.ParseProperties(cfg.Str("smbios1"))
		if err == nil {
			for _, p := range props {
				if p.Key == "uuid" {
					return strings.ToLower(p.Value)
				}
			}
		}
	}
	return "life " + strconv.Itoa(life)
}

// lookAll reads many guests, in the order given. Errors stand beside the guests that answered.
func (e *Engine) lookAll(ctx context.Context, c Cluster, found []Found, n Needs) ([]*Live, []error) {
	lives, errs := make([]*Live, len(found)), make([]error, len(found))
	slots := make(chan struct{}, readAtOnce)
	var group sync.WaitGroup
	for k, f := range found {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			lives[k], errs[k] = e.look(ctx, c, f, n)
		})
	}
	group.Wait()
	return lives, errs
}
