package proxmox

import (
	"bytes"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bufConn is one end of an in-memory connection with unbounded buffers. net.Pipe has none, so that two ends that close at once wait for
// each other's TLS goodbye.
type bufConn struct {
	net.Conn // nil; the methods below are all that is used
	in, out  *stream
}

type stream struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      bytes.Buffer
	closed   bool
	deadline time.Time
	timer    *time.Timer
}

func newStream() *stream {
	s := new(stream)
	s.cond = sync.NewCond(&s.mu)
	return s
}

func bufPipe() (client, server net.Conn) {
	a, b := newStream(), newStream()
	return &bufConn{in: a, out: b}, &bufConn{in: b, out: a}
}

func (c *bufConn) Read(p []byte) (int, error) {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case !s.deadline.IsZero() && !time.Now().Before(s.deadline):
			return 0, os.ErrDeadlineExceeded
		case s.buf.Len() > 0:
			return s.buf.Read(p)
		case s.closed:
			return 0, io.EOF
		}
		s.cond.Wait()
	}
}

func (c *bufConn) Write(p []byte) (int, error) {
	s := c.out
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.cond.Broadcast()
	return s.buf.Write(p)
}

func (c *bufConn) Close() error {
	for _, s := range []*stream{c.in, c.out} {
		s.mu.Lock()
		s.closed = true
		if s.timer != nil {
			s.timer.Stop()
		}
		s.cond.Broadcast()
		s.mu.Unlock()
	}
	return nil
}

func (c *bufConn) SetReadDeadline(t time.Time) error {
	s := c.in
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	if s.timer != nil {
		s.timer.Stop()
	}
	if !t.IsZero() && !s.closed {
		s.timer = time.AfterFunc(time.Until(t), func() { s.mu.Lock(); defer s.mu.Unlock(); s.cond.Broadcast() })
	}
	s.cond.Broadcast()
	return nil
}

func (c *bufConn) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *bufConn) SetWriteDeadline(time.Time) error { return nil }
func (c *bufConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8006} }
func (c *bufConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 40000} }
