package proxmox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// probeTimeout bounds the probe of a learnt address: one that is not in our network usually swallows packets (F20).
const probeTimeout = 3 * time.Second

// LearntNode is what LearnPins found out about a node.
type LearntNode struct {
	Node         string
	Addr         string   // host:port from the cluster's member list; "" when unknown
	Fingerprints []string // of the certificates that its pveproxy can show
	Usable       bool     // the address answered with such a certificate and is used for failover
	Err          error    // why not
}

// LearnPins reads the member list and the certificates of all nodes through the endpoint that is trusted already. The fingerprints are
// pinned for this process, and each member's address becomes a further endpoint after a probe with its own pin, so that failover works
// with one configured endpoint and one pin. A node that does not answer is reported, not an error.
func (c *Client) LearnPins(ctx context.Context) ([]LearntNode, error) {
	members, err := c.ClusterStatus(ctx)
	if err != nil {
		return nil, err
	}
	var out []LearntNode
	for _, m := range members {
		if m.Type != "node" {
			continue
		}
		out = append(out, c.learn(ctx, m))
	}
	return out, ctx.Err()
}

func (c *Client) learn(ctx context.Context, m pve.ClusterMember) LearntNode {
	l := LearntNode{Node: string(m.Name)}
	if m.IP != "" {
		l.Addr = net.JoinHostPort(string(m.IP), defaultPort)
	}
	card, err := c.card(ctx, m)
	if err != nil {
		l.Err = err
		return l
	}
	l.Fingerprints = card.Shown
	c.trust.learn(l.Fingerprints)
	l.Usable, l.Err = c.adopt(ctx, l)
	return l
}

var (
	errNoPin    = errors.New("the node named no certificate of its own")
	errLoopback = errors.New("not probed: the configured endpoint is on this machine, so member addresses need not mean anything here")
)

// tunnelled says that only loopback endpoints are configured: a tunnel or a simulator, from where the members' addresses could belong
// to somebody else.
func (c *Client) tunnelled() bool {
	return c.opts.system && !slices.ContainsFunc(c.set.hosts, func(hostport string) bool {
		host, _, err := net.SplitHostPort(hostport)
		addr, perr := netip.ParseAddr(host)
		return err != nil || (host != "localhost" && (perr != nil || !addr.IsLoopback()))
	})
}

// adopt probes a learnt address and adds it as an endpoint.
func (c *Client) adopt(ctx context.Context, l LearntNode) (bool, error) {
	switch {
	case l.Addr == "" || len(l.Fingerprints) == 0:
		return false, errNoPin
	case slices.Contains(c.set.hosts, l.Addr):
		return true, nil
	}
	if c.tunnelled() {
		return false, errLoopback
	}
	e := newEndpoint(l.Addr, c.trust, l.Fingerprints, &c.opts)
	e.setNode(l.Node)
	if err := c.prove(ctx, e); err != nil {
		e.close()
		return false, err
	}
	return true, nil
}
