package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// addressAge is how old the last observed addresses may be before a running guest is asked again.
	addressAge = time.Minute
	// addressBudget bounds that question: an agent that does not answer blocks a worker of its node.
	addressBudget = 3 * time.Second
	// agentPause is how long a guest whose agent failed is left alone, agentRest after it has failed agentTries times in a row: a call may harm
	// the guest (faults.md F38). A guest that was started since then is asked again.
	agentPause = 5 * time.Minute
	agentTries = 3
	agentRest  = 24 * time.Hour
)

// liveGuest is what Proxmox VE says of one guest now. snaps is nil when the list could not be read.
type liveGuest struct {
	status pve.GuestStatus
	config pve.Config
	snaps  []pve.Snapshot
}

func (c *cluster) readLive(ctx context.Context, r *row) (liveGuest, error) {
	var l liveGuest
	src, err := c.source(ctx)
	if err != nil {
		return l, err
	}
	var statusErr, snapErr error
	var wg sync.WaitGroup
	wg.Go(func() { l.status, statusErr = src.GuestStatus(ctx, r.g.Node, r.typ(), r.g.VMID) })
	wg.Go(func() { l.snaps, snapErr = src.Snapshots(ctx, r.g.Node, r.typ(), r.g.VMID) })
	l.config, err = src.GuestConfig(ctx, r.g.Node, r.typ(), r.g.VMID)
	wg.Wait()
	if err == nil {
		err = statusErr
	}
	if snapErr != nil {
		l.snaps = nil
	} else if l.snaps == nil {
		l.snaps = []pve.Snapshot{}
	}
	return l, err
}

// breaker remembers, per guest, the last observed addresses and until when its agent is not asked again. Syncs take the
// addresses over into the store.
type breaker struct {
	mu     sync.Mutex
	guests map[int]*observed
}

type observed struct {
	addresses []Address
	at        time.Time
	note      string
	until     time.Time // not before
	fails     int       // in a row
	failed    time.Time // the last one
}

func (b *breaker) get(vmid int) observed {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := b.guests[vmid]; o != nil {
		return *o
	}
	return observed{}
}

func (b *breaker) set(vmid int, o observed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.guests == nil {
		b.guests = map[int]*observed{}
	}
	b.guests[vmid] = &o
}

// liveAddresses fills the addresses: the last observed ones, asked anew where that makes sense, else the configured ones.
func (c *cluster) liveAddresses(ctx context.Context, r *row, d *GuestDetail) {
	last := c.lastAddresses(r)
	d.AddressNote = c.whyNot(d, last)
	if d.AddressNote == "" {
		last = c.ask(ctx, r, last)
		d.AddressNote = last.note
	}
	d.Addresses, d.AddressesAt = last.addresses, last.at
	if len(d.Addresses) == 0 {
		d.Addresses = configured(d.NICs)
	}
	d.IPs = nil
	for _, a := range d.Addresses {
		if useful(a.IP) {
			d.IPs = append(d.IPs, a.IP)
		}
	}
}

func (c *cluster) lastAddresses(r *row) observed {
	o := c.agent.get(r.g.VMID)
	if r.g.AddressesAt.After(o.at) {
		o.addresses, o.at = decodeAddresses(r.g.Addresses), r.g.AddressesAt
	}
	return o
}

// whyNot says why the guest is not asked for its addresses now; "" = it is.
func (c *cluster) whyNot(d *GuestDetail, last observed) string {
	now := c.inv.now()
	switch {
	case d.State == stUnknown:
		return "the guest's state is unknown"
	case d.State != stRunning:
		return "guest " + d.State
	case d.Type == pve.Qemu && d.Agent == nil:
		return "configuration not read yet"
	case d.Type == pve.Qemu && !*d.Agent:
		return "agent not configured"
	case now.Before(last.until) && (last.fails < agentTries || !startedSince(d.Uptime, last.failed, now)):
		return last.note
	case !last.at.IsZero() && now.Sub(last.at) < addressAge:
		return "observed " + ago(now.Sub(last.at)) + " ago"
	}
	return ""
}

// startedSince says that the guest runs for less time than has passed.
func startedSince(uptime *int64, t, now time.Time) bool {
	return uptime != nil && now.Add(-time.Duration(*uptime)*time.Second).After(t)
}

func (c *cluster) ask(ctx context.Context, r *row, last observed) observed {
	ctx, cancel := context.WithTimeout(ctx, addressBudget)
	defer cancel()
	last.note, last.until = "", time.Time{}
	src, err := c.source(ctx)
	var list []pve.Interface
	if err == nil {
		list, err = src.GuestAddresses(ctx, r.g.Node, r.typ(), r.g.VMID)
	}
	now := c.inv.now()
	if err != nil {
		last = last.after(err, now)
	} else {
		last.addresses, last.at, last.fails = observedAddresses(r.typ(), list), now, 0
	}
	c.agent.set(r.g.VMID, last)
	return last
}

// after is what is remembered of an agent that failed: it is left alone for a while, after some tries for long.
func (last observed) after(err error, now time.Time) observed {
	last.note = "not answered: " + clean.Line(fault.Of(err).Error(), maxName)
	if fault.CodeOf(err) != fault.Cancelled {
		last.fails, last.failed = last.fails+1, now
		last.until = now.Add(agentPause)
	}
	if last.fails >= agentTries {
		last.until = now.Add(agentRest)
		last.note += fmt.Sprintf(" (%d times in a row, so it is left alone until %s or a restart of the guest)", last.fails, last.until.UTC().Format(time.RFC3339))
	}
	if !last.at.IsZero() {
		last.note += fmt.Sprintf("; last observed %s ago", ago(now.Sub(last.at)))
	}
	return last
}

// agentFailed remembers that an agent did not answer; a guest that is off, or a right that is missing, is no failure of it.
func (c *cluster) agentFailed(r *row, last observed, err error) {
	if f := fault.Of(err); f.Code == fault.Timeout || f.Code == fault.Conflict && strings.HasPrefix(f.Message, "the agent of") {
		c.agent.set(r.g.VMID, last.after(err, c.inv.now()))
	}
}

// AskAddresses asks a running guest for its addresses now, however often its agent has failed: that of a guest that was just made is not
// there yet. Errors: those of Guest, and why it does not tell them.
func (i *Inventory) AskAddresses(ctx context.Context, cluster, guest string) ([]string, error) {
	scope, err := i.ready(ctx, ReadOptions{Cluster: cluster})
	if err != nil {
		return nil, err
	}
	r, err := i.resolve(scope, guest)
	if err != nil {
		return nil, err
	}
	for _, c := range scope {
		if c.name != r.g.Cluster {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, addressBudget)
		defer cancel()
		src, err := c.source(ctx)
		if err != nil {
			return nil, err
		}
		list, err := src.GuestAddresses(ctx, r.g.Node, r.typ(), r.g.VMID)
		if err != nil {
			return nil, err
		}
		o := observed{addresses: observedAddresses(r.typ(), list), at: i.now()}
		c.agent.set(r.g.VMID, o)
		var ips []string
		for _, a := range o.addresses {
			ips = append(ips, a.IP)
		}
		return ips, nil
	}
	return nil, nil
}

func observedAddresses(t pve.GuestType, list []pve.Interface) []Address {
	source := "agent"
	if t == pve.LXC {
		source = "container"
	}
	out := []Address{}
	for _, n := range list {
		for _, a := range n.Addresses {
			if ip, ok := plainIP(a); ok && useful(ip) {
				out = append(out, Address{Interface: clean.Line(n.Name, maxTag), IP: ip, Source: source})
			}
		}
	}
	return out
}

func configured(nics []pve.NIC) []Address {
	var out []Address
	for _, n := range nics {
		for _, a := range []string{n.IP, n.IP6} {
			if ip, ok := plainIP(a); ok {
				out = append(out, Address{Interface: n.Slot, IP: ip, Source: "config"})
			}
		}
	}
	return out
}

// adopt puts addresses that this process observed into the row that a sync writes.
func (b *breaker) adopt(n *row) {
	o := b.get(n.g.VMID)
	if o.at.IsZero() || !o.at.After(n.g.AddressesAt) {
		return
	}
	if raw, err := json.Marshal(o.addresses); err == nil {
		n.g.Addresses, n.g.AddressesAt = string(raw), o.at
	}
}

// label names a guest in findings and warnings.
func (r *row) label() string {
	if r.g.Name == "" {
		return "guest " + strconv.Itoa(r.g.VMID)
	}
	return "guest " + strconv.Itoa(r.g.VMID) + " " + r.g.Name
}
