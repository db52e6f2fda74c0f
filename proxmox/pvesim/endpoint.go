package pvesim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Endpoint is one node's pveproxy on a listener.
type Endpoint struct {
	// URL is https://host:port, without a path.
	URL string
	// Fingerprint is the SHA-256 of the certificate as "AA:BB:...".
	Fingerprint string
	// Node is the node whose daemon answers here.
	Node string

	sim    *Sim
	l      net.Listener
	cancel context.CancelFunc
	wg     sync.WaitGroup
	crew   crew
}

// Start listens on 127.0.0.1 with TLS and acts as the given node's daemon; an empty node is the first one.
func (s *Sim) Start(node string) (*Endpoint, error) { return s.StartAt("127.0.0.1:0", node) }

// StartAt is Start at a given address.
func (s *Sim) StartAt(addr, node string) (*Endpoint, error) {
	if node == "" {
		node = s.firstNode()
	}
	s.mu.RLock()
	known := s.world.Node(node) != nil
	s.mu.RUnlock()
	if !known {
		return nil, fmt.Errorf("pvesim: no node %q", node)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("pvesim: %w", err)
	}
	return s.Serve(l, node), nil
}

// Serve acts as the given node's daemon over any listener, with TLS on each connection. It returns at once; Close
// ends it, closes the listener and waits for its connections.
func (s *Sim) Serve(l net.Listener, node string) *Endpoint {
	if node == "" {
		node = s.firstNode()
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &Endpoint{URL: "https://" + l.Addr().String(), Fingerprint: s.certs.of(node).fingerprint, Node: node,
		sim: s, l: l, cancel: cancel}
	e.wg.Go(func() { e.accept(ctx) })
	return e
}

func (e *Endpoint) accept(ctx context.Context) {
	for {
		conn, err := e.l.Accept()
		if err != nil {
			return
		}
		if e.sim.faults.refusing(e.Node) || e.sim.off(e.Node) {
			reset(conn)
			continue
		}
		e.wg.Go(func() { e.handle(ctx, conn) })
	}
}

func (e *Endpoint) handle(ctx context.Context, conn net.Conn) {
	done := e.sim.stats.connected()
	defer done()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	plain := e.secured(ctx, conn)
	if plain == nil {
		_ = conn.Close()
		return
	}
	secure := tls.Server(plain, e.sim.tlsConfig(e.Node))
	hctx, cancel := context.WithTimeout(ctx, idleTimeout)
	err := secure.HandshakeContext(hctx)
	cancel()
	if err != nil {
		_ = conn.Close()
		return
	}
	e.sim.stats.handshake()
	e.sim.serveConn(ctx, secure, e.Node, e.crew.assign())
}

// reset ends a connection so that the peer sees it refused rather than closed in good order.
func reset(conn net.Conn) {
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}

// Close stops listening, ends all connections and waits for them.
func (e *Endpoint) Close() error {
	e.cancel()
	err := e.l.Close()
	e.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// tlsConfig offers HTTP/1.1 only: the real daemon knows no h2 (facts 1).
func (s *Sim) tlsConfig(node string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		// As OpenSSL before 3.5, that of Proxmox VE 8: post-quantum keys take most of a handshake's time under the race detector.
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.certs.of(node).pair, nil
		},
	}
}
