package resources

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

const (
	// pause is the least time between two rounds: a resource is told of at most once in it, however often it changes.
	pause = time.Second
	// others is how often a round comes by itself: what another process learnt or did is in the store, and no event of ours tells.
	others = 2 * time.Second
	// perStream bounds the addresses of one subscriptions/listen.
	perStream = 500
	// settled is how long a new stream hears nothing: its acknowledgement comes first.
	settled = 50 * time.Millisecond
)

// subscriptions takes part in subscribing, in the old form (resources/subscribe) and in that of 2026-07-28 (subscriptions/listen).
func (p *Part) subscriptions(h *mcpserver.Hooks) {
	h.AddOnRequestInitialization(p.admit)
	h.AddAfterSubscribe(func(ctx context.Context, _ any, r *mcp.SubscribeRequest, _ *mcp.EmptyResult) {
		a, err := p.subscribable(ctx, r.Params.URI)
		if s := mcpserver.ClientSessionFromContext(ctx); err == nil && s != nil {
			p.hub.add(p.hub.session(s, p.o.Who(ctx)), a, r.Params.URI)
		}
	})
	h.AddAfterUnsubscribe(func(ctx context.Context, _ any, r *mcp.UnsubscribeRequest, _ *mcp.EmptyResult) {
		a, err := parse(r.Params.URI)
		if s := mcpserver.ClientSessionFromContext(ctx); err == nil && s != nil {
			p.hub.remove(s, a)
		}
	})
	h.AddOnUnregisterSession(func(_ context.Context, s mcpserver.ClientSession) { p.hub.gone(s) })
	h.AddBeforeSubscriptionsListen(p.listen)
}

// subscribable reads an address that may be subscribed to. Whether the guest or node exists does not count: it may come, and is told of then.
func (p *Part) subscribable(ctx context.Context, uri string) (address, error) {
	a, err := parse(uri)
	switch {
	case err != nil:
		return a, err
	case !a.kind.watched:
		return a, fault.New(fault.NotFound, "nothing tells when this changes: it cannot be subscribed to")
	}
	return a, p.open(ctx, a)
}

// admit refuses resources/subscribe to what cannot be subscribed to. It sees every message and looks into those alone.
func (p *Part) admit(ctx context.Context, _ any, message any) error {
	raw, ok := message.(json.RawMessage)
	if !ok || !bytes.Contains(raw, []byte(`"resources/subscribe"`)) {
		return nil
	}
	var r struct {
		Method string
		Params struct{ URI string }
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return fault.New(fault.Invalid, "this is no request that can be read")
	}
	if r.Method != string(mcp.MethodResourcesSubscribe) || r.Params.URI == "" {
		return nil
	}
	if _, err := p.subscribable(ctx, r.Params.URI); err != nil {
		return err
	}
	return p.hub.full(p.o.Who(ctx))
}

// listen leaves in a request what is served, which its acknowledgement names, and serves it until the request ends.
func (p *Part) listen(ctx context.Context, id any, r *mcp.SubscriptionsListenRequest) {
	s := mcpserver.ClientSessionFromContext(ctx)
	want := r.Params.Notifications.ResourceSubscriptions
	if s == nil || len(want) == 0 {
		return
	}
	sub := &subscriber{session: s, stream: id, who: p.o.Who(ctx), uris: map[string]wanted{}}
	var uris []string
	var at []address
	for _, uri := range want {
		a, err := p.subscribable(ctx, uri)
		if err == nil && len(uris) < perStream && p.hub.full(sub.who) == nil {
			uris, at = append(uris, uri), append(at, a)
		}
	}
	r.Params.Notifications.ResourceSubscriptions = uris
	time.AfterFunc(settled, func() {
		for k := range at {
			p.hub.add(sub, at[k], uris[k])
		}
		context.AfterFunc(ctx, func() { p.hub.drop(sub) })
	})
}

// Kick says that the inventory may have learnt something. It never waits.
func (p *Part) Kick() { nudge(p.hub.kick) }

// Serve tells subscribers what changed until ctx ends. While nobody subscribed it sleeps.
func (p *Part) Serve(ctx context.Context) {
	if p.o.Follow == nil {
		return
	}
	seen := newSeen()
	for {
		watched := p.hub.watched()
		if len(watched) == 0 {
			seen = newSeen()
			select {
			case <-ctx.Done():
				return
			case <-p.hub.wake:
			}
			continue
		}
		p.round(ctx, watched, &seen)
		if !wait(ctx, p.hub.kick) {
			return
		}
	}
}

// wait is the time between two rounds; false when ctx ended.
func wait(ctx context.Context, kick <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
	}
	select {
	case <-ctx.Done():
		return false
	case <-kick:
	case <-time.After(others - pause):
	}
	return true
}

// seen is what the last round saw.
type seen struct {
	mark       inventory.Mark
	operations int64 // -1 = nothing yet
	trouble    string
}

func newSeen() seen { return seen{operations: -1} }

func (p *Part) round(ctx context.Context, watched []string, last *seen) {
	news, mark, err := p.o.Follow(ctx, watched, last.mark)
	trouble := ""
	if err != nil && ctx.Err() == nil {
		trouble = err.Error()
	}
	if trouble != last.trouble && trouble != "" {
		p.o.Logger.WarnContext(ctx, "subscribers are not told of changes", "err", trouble)
	}
	last.mark, last.trouble = mark, trouble
	keys := map[string]bool{}
	for _, n := range news {
		for _, a := range addressesOf(n) {
			keys[a.String()] = true
		}
	}
	if p.o.Operations != nil {
		if n, err := p.o.Operations(ctx); err == nil {
			if k, ok := kindOf("operations"); ok && last.operations >= 0 && n != last.operations {
				for _, c := range watched {
					keys[address{cluster: c, kind: k}.String()] = true
				}
			}
			last.operations = n
		}
	}
	if len(keys) > 0 {
		p.hub.fire(keys)
	}
}

// addressesOf are the resources that read otherwise after that news.
func addressesOf(n inventory.News) []address {
	var out []address
	at := func(kind, value string) {
		if k, ok := kindOf(kind); ok && (value != "" || k.variable == "") {
			out = append(out, address{cluster: n.Cluster, kind: k, value: value})
		}
	}
	switch n.Kind {
	case "guest":
		at("guests", n.ID)
		at("guests", n.Name)
		at("health", "")
	case "node":
		at("nodes", n.ID)
		at("health", "")
	case "storage":
		at("storage", n.ID)
		at("health", "")
	case "task":
		at("tasks", n.ID)
		at("tasks", pve.TaskHandle(n.ID))
	default:
		at("health", "")
	}
	at("overview", "")
	return out
}
