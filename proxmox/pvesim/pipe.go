package pvesim

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// PipeListener is a listener in memory: no network, and every wait is on something that a testing/synctest bubble
// understands. Its connections buffer what is written, as sockets do.
type PipeListener struct {
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
	mu      sync.Mutex
	refused bool
}

// NewPipeListener makes a listener whose clients connect with Dial or DialContext.
func NewPipeListener() *PipeListener {
	return &PipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

// Accept waits for a client.
func (l *PipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses clients from now on.
func (l *PipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is a made-up address.
func (l *PipeListener) Addr() net.Addr { return pipeAddr{} }

// Refuse makes Dial fail with "connection refused" while on is true (F47).
func (l *PipeListener) Refuse(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refused = on
}

// Dial connects to the listener.
func (l *PipeListener) Dial() (net.Conn, error) {
	return l.DialContext(context.Background(), "tcp", "")
}

// DialContext is Dial for http.Transport; network and address are not looked at.
func (l *PipeListener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	l.mu.Lock()
	refused := l.refused
	l.mu.Unlock()
	if refused {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: syscall.ECONNREFUSED}
	}
	client, server := newPipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: pipeAddr{}, Err: syscall.ECONNREFUSED}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// pipeHost is the name under which a PipeListener's address shows; certificates are valid for it.
const pipeHost = "pve.sim"

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return pipeHost + ":8006" }

// half is one direction of a connection.
type half struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      bytes.Buffer
	closed   bool
	deadline time.Time
	timer    *time.Timer
}

type pipeConn struct{ in, out *half }

func newPipe() (a, b net.Conn) {
	x, y := newHalf(), newHalf()
	return &pipeConn{x, y}, &pipeConn{y, x}
}

func newHalf() *half {
	h := &half{}
	h.cond = sync.NewCond(&h.mu)
	return h
}

func (c *pipeConn) Read(p []byte) (int, error) {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case !h.deadline.IsZero() && !time.Now().Before(h.deadline):
			return 0, os.ErrDeadlineExceeded
		case h.buf.Len() > 0:
			return h.buf.Read(p)
		case h.closed:
			return 0, io.EOF
		}
		h.cond.Wait()
	}
}

func (c *pipeConn) Write(p []byte) (int, error) {
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return 0, errors.Join(io.ErrClosedPipe, syscall.EPIPE)
	}
	n, err := h.buf.Write(p)
	h.cond.Broadcast()
	return n, err
}

// Close ends both directions; the peer may still read what was written before.
func (c *pipeConn) Close() error {
	for _, h := range []*half{c.in, c.out} {
		h.mu.Lock()
		h.closed = true
		if h.timer != nil {
			h.timer.Stop()
		}
		h.cond.Broadcast()
		h.mu.Unlock()
	}
	return nil
}

// SetReadDeadline bounds Read; writes never wait.
func (c *pipeConn) SetReadDeadline(t time.Time) error {
	h := c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.timer != nil {
		h.timer.Stop()
		h.timer = nil
	}
	h.deadline = t
	if !t.IsZero() && !h.closed {
		h.timer = time.AfterFunc(time.Until(t), h.wake)
	}
	h.cond.Broadcast()
	return nil
}

func (h *half) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cond.Broadcast()
}

func (c *pipeConn) SetWriteDeadline(time.Time) error { return nil }
func (c *pipeConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *pipeConn) LocalAddr() net.Addr              { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr             { return pipeAddr{} }

var (
	_ net.Conn     = (*pipeConn)(nil)
	_ net.Listener = (*PipeListener)(nil)
)
