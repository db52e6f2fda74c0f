package proxmox

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// class groups calls by what they may cost the server.
type class int

const (
	classNormal   class = iota // answered from /etc/pve or memory
	classMayBlock              // can hang on a storage, a guest agent or a big guest list and then holds a worker
)

// call is what the chain knows about one API call. It travels in the request's context.
type call struct {
	method   string
	path     string // unescaped, below /api2/json
	template string // path with names replaced: /nodes/{node}/qemu/{vmid}/config
	node     string // target node, "" for the entry node itself
	class    class
	user     bool      // a user waits
	endpoint *endpoint // that answered last
	login    bool      // our own login: allowed when read-only, never retried
	skew     time.Duration
	counter  *Counter
}

func (c *call) read() bool { return c.method == http.MethodGet }

type ctxKey int

const (
	keyCall ctxKey = iota
	keyUser
	keyCounter
	keyOnly
	keyAnswered
	keyPermit
)

// WithUserWaiting marks calls that a user waits for: they may use 3 slots per node instead of 2 and go before the others.
func WithUserWaiting(ctx context.Context) context.Context {
	return context.WithValue(ctx, keyUser, true)
}

// WithCallCounter also counts the requests made with ctx in c, so that a sync can count its own.
func WithCallCounter(ctx context.Context, c *Counter) context.Context {
	return context.WithValue(ctx, keyCounter, c)
}

// WithPermit lets one write pass a client that was made WithPermits.
func WithPermit(ctx context.Context) context.Context { return context.WithValue(ctx, keyPermit, true) }

// onlyVia restricts a call to one endpoint: the probe of a learnt address.
func onlyVia(ctx context.Context, e *endpoint) context.Context {
	return context.WithValue(ctx, keyOnly, e)
}

// answeredBy tells a read which endpoint answered it.
type answeredBy struct{ endpoint *endpoint }

func newCall(ctx context.Context, method, path string) *call {
	c := &call{method: method, path: path}
	c.template, c.node = templateOf(path)
	c.class = classOf(c.template)
	c.user, _ = ctx.Value(keyUser).(bool)
	c.counter, _ = ctx.Value(keyCounter).(*Counter)
	return c
}

func callOf(ctx context.Context) *call {
	if c, ok := ctx.Value(keyCall).(*call); ok {
		return c
	}
	return &call{}
}

// names says which path segment follows as a name, by the segment before it.
var names = map[string]string{
	"nodes": "{node}", "qemu": "{vmid}", "lxc": "{vmid}", "tasks": "{upid}", "storage": "{storage}", "snapshot": "{snapname}",
	"pools": "{poolid}", "users": "{userid}", "token": "{tokenid}", "roles": "{roleid}", "groups": "{group}", "domains": "{realm}",
	"backup": "{id}",
}

// templateOf replaces the names in a path, so that calls can be counted and classified, and tells the target node.
func templateOf(path string) (template, node string) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i := 1; i < len(parts); i++ {
		name, ok := names[parts[i-1]]
		switch {
		case !ok || (parts[0] == "cluster" && parts[i-1] != "backup"):
			continue
		case name == "{vmid}" && !isNumber(parts[i]):
			continue
		case name == "{node}" && i == 1:
			node = parts[i]
		}
		parts[i] = name
	}
	for i, p := range parts {
		// A volume id may hold slashes (pve-api.md 45): everything behind content is one name.
		if p == "content" && i+1 < len(parts) {
			parts = append(parts[:i+1:i+1], "{volume}")
			break
		}
	}
	return "/" + strings.Join(parts, "/"), node
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// blocking are calls that pvedaemon serves and that touch storages, guests or disks (faults.md 3.2, 4). Task status and log are
// protected too, but only read small files.
var blocking = map[string]bool{
	"/nodes/{node}/storage":               true, // asks each storage for its usage
	"/nodes/{node}/qemu":                  true,
	"/nodes/{node}/lxc":                   true,
	"/nodes/{node}/qemu/{vmid}/migrate":   true,
	"/nodes/{node}/lxc/{vmid}/migrate":    true,
	"/nodes/{node}/lxc/{vmid}/interfaces": true,
	"/nodes/{node}/qemu/{vmid}/snapshot":  true,
	"/nodes/{node}/lxc/{vmid}/snapshot":   true,
	"/nodes/{node}/qemu/{vmid}/feature":   true,
	"/nodes/{node}/lxc/{vmid}/feature":    true,
	"/nodes/{node}/vzdump/extractconfig":  true,
}

var blockingParts = []string{
	"/status/current", "/rrd", "/agent", "/content", "/disks", "/scan", "/prunebackups", "/file-restore", "/cloudinit",
}

func classOf(template string) class {
	if !strings.HasPrefix(template, "/nodes/{node}/") {
		return classNormal
	}
	if blocking[template] || strings.HasPrefix(template, "/nodes/{node}/storage/") {
		return classMayBlock
	}
	for _, part := range blockingParts {
		if strings.Contains(template, part) {
			return classMayBlock
		}
	}
	return classNormal
}

// kind is the class as metrics name it.
func (c *call) kind() string {
	switch {
	case c.login:
		return "login"
	case !c.read():
		return "write"
	case c.class == classMayBlock:
		return "blocking"
	}
	return "read"
}

// timeout is the deadline of one try of this call.
func (c *call) timeout(l Limits) time.Duration {
	switch {
	case !c.read():
		return l.WriteTimeout
	case c.node != "":
		return l.NodeTimeout
	}
	return l.Timeout
}

// maxBody bounds an answer: 64 MiB for what grows with the cluster (10,000 guests are 3.6 MB of resources, performance.md 2.2), else
// 16 MiB.
func (c *call) maxBody() int64 {
	if c.big() {
		return 64 << 20
	}
	return 16 << 20
}

// big tells answers that grow with the cluster or its history: they are asked for compressed.
func (c *call) big() bool {
	switch c.template {
	case "/cluster/resources", "/cluster/metrics/export", "/nodes/{node}/journal":
		return true
	}
	return strings.HasSuffix(c.template, "/log") || strings.HasSuffix(c.template, "/content")
}
