package inventory

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Keys of an object that stands for a whole firewall, beside its options.
const (
	ipsetsAs  = "ipsets"  // of a guest, each with its members under belowAs
	aliasesAs = "aliases" // of a guest
)

// The firewalls of nodes and guests: their own are one object each, with options, rules, sets and aliases (recordings 14/088 to 14/107).
var (
	rulesOfCluster  = setting{kind: store.KindFirewallRules, path: "/cluster/firewall/rules", priv: "Sys.Audit"}
	firewallOfNode  = setting{kind: store.KindNodeFirewall, path: "/nodes/{node}/firewall", priv: "Sys.Audit"}
	firewallOfGuest = setting{kind: store.KindGuestFirewall, priv: "VM.Audit"}
)

// firewalls reads the rules of the cluster and the firewalls of nodes and guests.
func (r *settingsRun) firewalls(ctx context.Context, slots chan struct{}) {
	var wg sync.WaitGroup
	each := func(read func()) {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			read()
		})
	}
	each(func() {
		list, err := r.listAt(ctx, rulesOfCluster.path)
		r.record(&rulesOfCluster, "", map[string]pve.Config{theOnly: {belowAs: list}}, err)
	})
	v := r.c.inv.proj.cluster(r.c.name)
	online := map[string]bool{}
	for _, n := range v.nodes {
		if online[n.name] = n.st.Status == "online"; !online[n.name] {
			r.never(store.KindNodeFirewall, n.name, silentNode(n.name))
			continue
		}
		each(func() {
			c, err := r.firewallAt(ctx, "/nodes/"+url.PathEscape(n.name)+"/firewall")
			r.record(&firewallOfNode, n.name+"/", map[string]pve.Config{theOnly: c}, err)
		})
	}
	g := &guestFirewalls{found: map[string]pve.Config{}, unread: map[string]bool{}}
	for _, row := range v.rows {
		if !r.asksFirewall(ctx, row, online[row.g.Node]) {
			g.unread[strconv.Itoa(row.g.VMID)] = true
			if !online[row.g.Node] {
				r.never(store.KindGuestFirewall, strconv.Itoa(row.g.VMID), silentNode(row.g.Node))
			}
			continue
		}
		each(func() { g.read(ctx, r, row) })
	}
	wg.Wait()
	r.guestFirewalls(g)
}

// asksFirewall says whether a guest's firewall is read: where none of its network devices is filtered it does nothing, and it is asked for
// only if there was one.
func (r *settingsRun) asksFirewall(ctx context.Context, row *row, online bool) bool {
	if _, known := r.known[store.KindGuestFirewall][strconv.Itoa(row.g.VMID)]; !online || known || row.g.ConfigHash == "" {
		return online && known
	}
	cfg, err := r.c.inv.config(ctx, row.g.ConfigHash)
	return err == nil && slices.ContainsFunc(cfg.nics, func(n pve.NIC) bool { return n.Firewall })
}

// guestFirewalls are those that were found; of unread ones nothing is known.
type guestFirewalls struct {
	mu     sync.Mutex
	found  map[string]pve.Config
	unread map[string]bool
	failed error
}

func (g *guestFirewalls) read(ctx context.Context, r *settingsRun, row *row) {
	id := strconv.Itoa(row.g.VMID)
	base := "/nodes/" + url.PathEscape(row.g.Node) + "/" + row.g.Type + "/" + id + "/firewall"
	c, err := r.firewallAt(ctx, base)
	if err == nil && len(c) > 0 {
		if c[ipsetsAs], err = r.ipsetsAt(ctx, base+"/ipset"); err == nil {
			c[aliasesAs], err = r.listAt(ctx, base+"/aliases")
		}
		c["node"], c["type"] = row.g.Node, row.g.Type
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err != nil:
		g.unread[id], g.failed = true, err
		r.never(store.KindGuestFirewall, id, whyUnread(err))
	case len(c) > 0:
		g.found[id] = c
	}
}

// guestFirewalls records what was found, and what is gone; one that could not be read may still be there.
func (r *settingsRun) guestFirewalls(g *guestFirewalls) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.count(store.KindGuestFirewall)
	if g.failed != nil {
		r.failedLocked("guest_firewall", g.failed)
	}
	seen := map[string]bool{}
	for _, id := range sortedNames(g.found) {
		seen[id] = true
		r.put(&firewallOfGuest, n, id, g.found[id])
	}
	sure := map[string]bool{}
	for _, o := range r.mine(store.KindGuestFirewall, "", seen) {
		if !g.unread[o.ID] {
			continue
		}
		sure[o.ID] = true // not gone: not asked
		if o.UnknownSince.IsZero() {
			o.UnknownSince = r.started
			r.batch.Objects = append(r.batch.Objects, o)
		}
	}
	for id := range sure {
		seen[id] = true
	}
	r.gone(n, store.KindGuestFirewall, "", seen)
}

// firewallAt is the firewall at a path: its options, and its rules where it has any. Empty: nothing was ever set.
func (r *settingsRun) firewallAt(ctx context.Context, base string) (pve.Config, error) {
	raw, err := r.src.Read(ctx, base+"/options")
	if err != nil {
		return nil, err
	}
	c, err := pve.DecodeConfig(raw)
	if err != nil {
		return nil, err
	}
	delete(c, "digest")
	rules, err := r.listAt(ctx, base+"/rules")
	if len(rules) > 0 {
		c[belowAs] = rules
	}
	return c, err
}

// listAt is a list, in its order, without digests.
func (r *settingsRun) listAt(ctx context.Context, path string) ([]any, error) {
	raw, err := r.src.Read(ctx, path)
	if err != nil {
		return nil, err
	}
	return belowOf(raw)
}

// ipsetsAt are a guest's sets with their members.
func (r *settingsRun) ipsetsAt(ctx context.Context, path string) ([]any, error) {
	sets, err := r.listAt(ctx, path)
	for _, s := range sets {
		m, ok := s.(map[string]any)
		if err != nil || !ok {
			break
		}
		m[belowAs], err = r.listAt(ctx, path+"/"+url.PathEscape(pve.Config(m).Str("name")))
	}
	return sets, err
}
