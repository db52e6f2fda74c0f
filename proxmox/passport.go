package proxmox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Passport is what a cluster tells of itself: its name ("" = a standalone node) and, by node, address and certificates. All of it is
// public, so that an equal passport is a claim, which only Join proves.
type Passport struct {
	Name  string
	Nodes map[string]NodeCard
}

// NodeCard is one node: what it did not tell is empty. Own is the certificate that the cluster's authority CA gave to this node alone;
// Shown are all that its API can show, a custom one too, which several nodes may share (a wildcard).
type NodeCard struct {
	IP, CA, Own string
	Shown       []string
}

// Passport reads the member list (02/003, needs Sys.Audit) and each node's certificates (02/062, anybody may), all at once.
func (c *Client) Passport(ctx context.Context) (Passport, error) {
	members, err := c.ClusterStatus(ctx)
	if err != nil {
		return Passport{}, err
	}
	p := Passport{Nodes: map[string]NodeCard{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range members {
		switch m.Type {
		case "cluster":
			p.Name = string(m.Name)
		case "node":
			wg.Go(func() {
				card, _ := c.card(ctx, m) // a node that is away has told nothing
				mu.Lock()
				defer mu.Unlock()
				p.Nodes[string(m.Name)] = card
			})
		}
	}
	wg.Wait()
	return p, ctx.Err()
}

func (c *Client) card(ctx context.Context, m pve.ClusterMember) (NodeCard, error) {
	n := NodeCard{IP: string(m.IP)}
	certs, err := small[struct {
		Filename    pve.Text `json:"filename"`
		Fingerprint pve.Text `json:"fingerprint"`
	}](ctx, c, nil, "nodes", string(m.Name), "certificates", "info")
	for _, cert := range certs {
		print, err := ParseFingerprint(string(cert.Fingerprint))
		if err != nil {
			continue
		}
		switch cert.Filename {
		case "pve-root-ca.pem":
			n.CA = print
		case "pve-ssl.pem":
			n.Own = print
			n.Shown = append(n.Shown, print)
		case "pveproxy-ssl.pem": // pveproxy shows it in place of the node's own
			n.Shown = append(n.Shown, print)
		}
	}
	return n, err
}

// Differs says why two passports are not those of one cluster, "" when they are: the same name, the same nodes at the same addresses,
// the same authority, and nodes' own certificates that are equal (faults.md F42). What cannot be compared is a difference, but for
// nodes that are away while another one can be.
func (p Passport) Differs(o Passport) string {
	switch {
	case p.Name != o.Name:
		return fmt.Sprintf("the clusters are called %q and %q", clean.Line(p.Name, 60), clean.Line(o.Name, 60))
	case !maps.EqualFunc(p.Nodes, o.Nodes, func(NodeCard, NodeCard) bool { return true }):
		return "they have other nodes"
	}
	proved := false
	for _, name := range slices.Sorted(maps.Keys(p.Nodes)) {
		a, b := p.Nodes[name], o.Nodes[name]
		shown := clean.Line(name, 60)
		switch {
		case other(a.CA, b.CA):
			return fmt.Sprintf("the authorities of %s differ", shown)
		case other(a.Own, b.Own):
			return fmt.Sprintf("the own certificates of %s differ", shown)
		case other(a.IP, b.IP):
			return fmt.Sprintf("%s has the addresses %s and %s", shown, clean.Line(a.IP, 60), clean.Line(b.IP, 60))
		}
		proved = proved || a.CA != "" && b.CA != "" && a.Own != "" && b.Own != ""
	}
	if !proved {
		return "no node tells its certificates to both"
	}
	return ""
}

func other(a, b string) bool { return a != "" && b != "" && a != b }

// Pins are the certificates that the nodes' API can show.
func (p Passport) Pins() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.Nodes)) {
		out = append(out, p.Nodes[name].Shown...)
	}
	return slices.Compact(slices.Sorted(slices.Values(out)))
}

// Join makes those of the addresses endpoints of this cluster that hold the key of one of its nodes' certificates: pins are what this
// cluster tells of its own nodes. The handshake decides, before a request is sent, so that an address that merely claims to be ours
// never sees our token. It returns the addresses that were proved, host:port; the error is that of the last one that was not.
func (c *Client) Join(ctx context.Context, addrs, pins []string) (joined []string, err error) {
	if len(pins) == 0 {
		return nil, errNoPin
	}
	for _, addr := range addrs {
		if c.ends.has(addr) {
			joined = append(joined, addr)
			continue
		}
		e := newEndpoint(addr, c.trust, pins, &c.opts)
		if perr := c.prove(ctx, e); perr != nil {
			e.close()
			err = perr
			continue
		}
		joined = append(joined, addr)
	}
	return joined, err
}

// Adopt makes addresses endpoints that Join has proved in an earlier process. Each connection is held to the pins all the same.
func (c *Client) Adopt(addrs, pins []string) {
	for _, addr := range addrs {
		if len(pins) > 0 {
			c.ends.add(newEndpoint(addr, c.trust, pins, &c.opts))
		}
	}
}

// Unchecked says that any certificate is taken: what the cluster tells of its nodes could come from anybody.
func (c *Client) Unchecked() bool { return c.set.Insecure && len(c.set.pins) == 0 }

// Addresses are the configured endpoints, host:port.
func (c *Client) Addresses() []string { return slices.Clone(c.set.hosts) }

// prove sends the smallest request through an endpoint alone, and keeps the endpoint when it is answered.
func (c *Client) prove(ctx context.Context, e *endpoint) error {
	ctx, cancel := context.WithTimeout(onlyVia(ctx, e), probeTimeout)
	defer cancel()
	if _, err := c.Raw(ctx, "GET", "/version", nil); err != nil {
		return err
	}
	if !c.ends.add(e) {
		e.close()
	}
	return nil
}
