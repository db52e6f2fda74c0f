package resources

import (
	"maps"
	"slices"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// maxPerCaller bounds the addresses that one caller subscribes to, over all its sessions and streams; maxSubscriptions all callers'.
	maxPerCaller     = 2000
	maxSubscriptions = 10000
)

// subscriber is a session that subscribed, or one stream of subscriptions/listen.
type subscriber struct {
	session mcpserver.ClientSession
	stream  any // id of the request that opened the stream; nil for a session
	who     string
	uris    map[string]wanted // by the one spelling of an address
}

// wanted is an address as the client wrote it.
type wanted struct{ uri, cluster string }

// hub knows who wants to hear of what.
type hub struct {
	mu        sync.Mutex
	byAddress map[string]map[*subscriber]bool
	sessions  map[mcpserver.ClientSession]*subscriber // of those that subscribed by resources/subscribe
	perCaller map[string]int
	clusters  map[string]int // subscriptions by cluster
	total     int
	wake      chan struct{} // told of the first subscription
	kick      chan struct{} // told when the inventory learnt something
}

func newHub() *hub {
	return &hub{byAddress: map[string]map[*subscriber]bool{}, sessions: map[mcpserver.ClientSession]*subscriber{}, perCaller: map[string]int{}, clusters: map[string]int{},
		wake: make(chan struct{}, 1), kick: make(chan struct{}, 1)}
}

// full says why a caller gets no further subscription, nil when it does.
func (h *hub) full(who string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fullLocked(who)
}

func (h *hub) fullLocked(who string) error {
	switch {
	case h.perCaller[who] >= maxPerCaller:
		return fault.New(fault.RateLimited, "you have %d subscriptions, which is the most: end some", maxPerCaller)
	case h.total >= maxSubscriptions:
		return fault.New(fault.RateLimited, "this server has as many subscriptions as it serves")
	}
	return nil
}

// session is the subscriber of a session.
func (h *hub) session(s mcpserver.ClientSession, who string) *subscriber {
	h.mu.Lock()
	defer h.mu.Unlock()
	sub := h.sessions[s]
	if sub == nil {
		sub = &subscriber{session: s, who: who, uris: map[string]wanted{}}
		h.sessions[s] = sub
	}
	return sub
}

// add subscribes to one address; uri is how the client wrote it. What is subscribed already, and what is too much, changes nothing.
func (h *hub) add(sub *subscriber, a address, uri string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := a.String()
	if _, ok := sub.uris[key]; ok || h.fullLocked(sub.who) != nil {
		return
	}
	sub.uris[key] = wanted{uri, a.cluster}
	if h.byAddress[key] == nil {
		h.byAddress[key] = map[*subscriber]bool{}
	}
	h.byAddress[key][sub] = true
	h.perCaller[sub.who]++
	h.clusters[a.cluster]++
	h.total++
	nudge(h.wake)
}

// remove ends one subscription of a session.
func (h *hub) remove(s mcpserver.ClientSession, a address) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if sub := h.sessions[s]; sub != nil {
		h.removeLocked(sub, a.String(), a.cluster)
	}
}

func (h *hub) removeLocked(sub *subscriber, key, cluster string) {
	if _, ok := sub.uris[key]; !ok {
		return
	}
	delete(sub.uris, key)
	if delete(h.byAddress[key], sub); len(h.byAddress[key]) == 0 {
		delete(h.byAddress, key)
	}
	if h.perCaller[sub.who]--; h.perCaller[sub.who] <= 0 {
		delete(h.perCaller, sub.who)
	}
	if h.clusters[cluster]--; h.clusters[cluster] <= 0 {
		delete(h.clusters, cluster)
	}
	h.total--
}

// drop ends all of a subscriber.
func (h *hub) drop(sub *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, w := range sub.uris {
		h.removeLocked(sub, key, w.cluster)
	}
	if h.sessions[sub.session] == sub {
		delete(h.sessions, sub.session)
	}
}

// gone ends what a session subscribed to.
func (h *hub) gone(s mcpserver.ClientSession) {
	h.mu.Lock()
	sub := h.sessions[s]
	h.mu.Unlock()
	if sub != nil {
		h.drop(sub)
	}
}

// watched are the clusters that somebody subscribed to something of, in order.
func (h *hub) watched() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.clusters))
}

// fire tells everybody who subscribed to one of these addresses, once each. A client that does not read what it was told before is left out:
// its next read shows the same. It returns how many were told.
func (h *hub) fire(keys map[string]bool) (told int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range keys {
		for sub := range h.byAddress[key] {
			params := mcp.NotificationParams{AdditionalFields: map[string]any{"uri": sub.uris[key].uri}}
			if sub.stream != nil {
				params.Meta = map[string]any{mcp.MetaKeySubscriptionID: sub.stream}
			}
			n := mcp.JSONRPCNotification{JSONRPC: mcp.JSONRPC_VERSION, Notification: mcp.Notification{Method: mcp.MethodNotificationResourceUpdated, Params: params}}
			select {
			case sub.session.NotificationChannel() <- n:
				told++
			default:
			}
		}
	}
	return told
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
