package proxmox

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// breaker keeps calls away from a node that does not answer: after two silent answers in a row only one probe per interval goes out,
// so that 200 guests of a dead node do not cost 200 connect timeouts and the work for other nodes goes on (I4, F03, F11).
type breaker struct {
	next  http.RoundTripper
	now   func() time.Time
	every time.Duration

	mu    sync.Mutex
	nodes map[string]*circuit
}

// silentAfter is how many silent answers in a row open the circuit: the first and its one retry.
const silentAfter = 2

// maxProbeGap bounds the growing interval between probes, so that a node that comes back is seen within a minute.
const maxProbeGap = time.Minute

type circuit struct {
	fails int
	since time.Time // first failure
	until time.Time // no call before
	gap   time.Duration
	probe chan struct{} // closed when the probe in flight ends; nil when there is none
	why   string        // what the node's proxy said, or else that there was no answer in time
	via   string        // the endpoint that said so
}

// SilentNode is a node that does not answer although the cluster does.
type SilentNode struct {
	Node  string
	Since time.Time // first failure
	Until time.Time // next probe
	Cause string
}

// RoundTrip implements http.RoundTripper.
func (b *breaker) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callOf(req.Context())
	if c.node == "" {
		return b.next.RoundTrip(req)
	}
	if err := b.allow(req.Context(), c.node); err != nil {
		return nil, err
	}
	start := b.now()
	resp, err := b.next.RoundTrip(req)
	b.record(c, resp, err, b.now().Sub(start))
	return resp, err
}

// probeWait is how long other calls wait for a probe in flight: a node that is back answers it well before, and must not look silent
// to the calls beside the probe.
const probeWait = 3 * time.Second

func (b *breaker) allow(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	for {
		probe, err := b.admit(node)
		if probe == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-probe:
		case <-ctx.Done():
		}
	}
}

// admit lets a call pass, makes it the probe, or refuses it; probe is then the one in flight whose outcome decides.
func (b *breaker) admit(node string) (probe <-chan struct{}, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ci := b.nodes[node]
	if ci == nil || ci.fails < silentAfter {
		return nil, nil
	}
	if ci.probe == nil && !b.now().Before(ci.until) {
		ci.probe = make(chan struct{})
		return nil, nil
	}
	return ci.probe, ci.fault(node)
}

// fault tells why no call goes to the node: what was found when one did, not only that it is so.
func (ci *circuit) fault(node string) *fault.Error {
	again := ci.until.Format(time.TimeOnly)
	f := fault.New(fault.NodeSilent, "node %s has not answered since %s and is asked again at %s", node, ci.since.Format(time.TimeOnly), again).Retry()
	f.Cause = ci.why
	if isCertText(ci.why) {
		f.Message = certMessage(node, ci.via, statusHandshake) + "; it is asked again at " + again
		f.Hint, f.Retryable = certHint, false
	}
	return f
}

// settle ends the probe in flight, if there is one; b.mu is held.
func (ci *circuit) settle() {
	if ci != nil && ci.probe != nil {
		close(ci.probe)
		ci.probe = nil
	}
}

func (b *breaker) record(c *call, resp *http.Response, err error, took time.Duration) {
	verdict, text := judgeSilence(c, resp, err, took)
	b.mu.Lock()
	defer b.mu.Unlock()
	ci := b.nodes[c.node]
	switch verdict {
	case nodeAnswered:
		ci.settle()
		delete(b.nodes, c.node)
	case nodeUnjudged:
		ci.settle()
	case nodeSilent:
		if ci == nil {
			ci = &circuit{since: b.now(), gap: b.every}
			b.nodes[c.node] = ci
		}
		if ci.probe != nil {
			ci.gap = min(2*ci.gap, maxProbeGap)
		}
		// Our own lost patience tells less than what a proxy said before.
		if ci.fails++; ci.why == "" || text != noAnswer {
			ci.why, ci.via = text, addrOf(c)
		}
		ci.until = b.now().Add(ci.gap)
		ci.settle()
	}
}

type verdict int

const (
	nodeUnjudged verdict = iota
	nodeAnswered
	nodeSilent
)

// hungAfter is when a caller's own short deadline counts against the node: a healthy node answers a plain read long before.
const hungAfter = 5 * time.Second

const noAnswer = "no answer in time"

// judgeSilence tells a silent node from everything else. A hung storage or guest agent is not a silent node (F39), a 501 neither (F35),
// and an endpoint that does not answer says nothing about the node.
func judgeSilence(c *call, resp *http.Response, err error, took time.Duration) (verdict, string) {
	if err == nil {
		switch resp.StatusCode {
		case statusConnect, statusHandshake:
			return nodeSilent, reasonOf(resp)
		case 502, 503, 504, statusBodyLost, statusAborted, statusGarbled, http.StatusTooManyRequests, http.StatusUnauthorized:
			return nodeUnjudged, ""
		}
		return nodeAnswered, ""
	}
	if we, ok := errors.AsType[*wireError](err); !ok || !we.sent {
		return nodeUnjudged, "" // the time went by elsewhere: in a queue, at a login, on the way to an endpoint
	}
	_, ours := errors.AsType[*tryTimeout](err)
	if c.class == classNormal && c.read() && (ours || errors.Is(err, context.DeadlineExceeded) && took >= hungAfter) {
		return nodeSilent, noAnswer
	}
	return nodeUnjudged, ""
}

// silent lists the nodes whose circuit is open.
func (b *breaker) silent() []SilentNode {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []SilentNode
	for n, ci := range b.nodes {
		if ci.fails >= silentAfter {
			out = append(out, SilentNode{n, ci.since, ci.until, ci.why})
		}
	}
	slices.SortFunc(out, func(a, b SilentNode) int { return strings.Compare(a.Node, b.Node) })
	return out
}

var _ http.RoundTripper = (*breaker)(nil)
