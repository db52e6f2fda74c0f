package pvesim

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Worker processes of pveproxy (faults.md 3.1).
const (
	proxyWorkers   = 3
	workerRequests = 1000 // after so many a worker ends, and its connections with it
)

// crew are the worker processes that share the connections of an endpoint.
type crew struct {
	mu      sync.Mutex
	next    int
	members [proxyWorkers]*proxyWorker
}

// proxyWorker counts what one process has answered.
type proxyWorker struct{ served atomic.Int64 }

// assign gives a new connection to a worker, in turn. One that has had its share is replaced by a fresh one.
func (c *crew) assign() *proxyWorker {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.next % proxyWorkers
	c.next++
	if w := c.members[i]; w == nil || w.served.Load() >= workerRequests {
		c.members[i] = &proxyWorker{}
	}
	return c.members[i]
}

// spent counts a request and tells whether the worker ends with it.
func (w *proxyWorker) spent() bool { return w.served.Add(1) >= workerRequests }

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	br *bufio.Reader
}

// Read reads what was looked at, then the rest.
func (p *peeked) Read(b []byte) (int, error) { return p.br.Read(b) }

var _ net.Conn = (*peeked)(nil)

// tlsRecord is the first byte of a TLS handshake.
const tlsRecord = 0x16

// secured waits for the first byte of a connection. It is nil when that begins no TLS: plain HTTP is answered with the
// way to https (facts 8).
func (e *Endpoint) secured(ctx context.Context, conn net.Conn) net.Conn {
	p := &peeked{conn, bufio.NewReader(conn)}
	_ = conn.SetReadDeadline(time.Now().Add(idleTimeout))
	first, err := p.br.Peek(1)
	if err != nil {
		return nil
	}
	if first[0] == tlsRecord {
		_ = conn.SetReadDeadline(time.Time{})
		return p
	}
	r, err := http.ReadRequest(p.br)
	if err != nil || ctx.Err() != nil {
		return nil
	}
	_ = conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 301 Moved Permanently\r\nConnection: close\r\nLocation: https://%s%s\r\nContent-Length: 0\r\n\r\n",
		r.Host, r.RequestURI)
	return nil
}
