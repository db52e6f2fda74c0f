package proxmox

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	canary    = "c0ffee00-1234-4321-abcd-00c0ffee0042"
	testToken = "agent@pve!mcp=" + canary
)

// identity is a certificate of a fake node.
type identity struct {
	cert tls.Certificate
	pin  string
}

var (
	certA = newIdentity("pve1")
	certB = newIdentity("pve1-new")
)

func newIdentity(name string) identity {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(der)
	return identity{tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, formatFingerprint(sum[:])}
}

// memNet is a network in memory: addresses with listeners, everything else refuses.
type memNet struct {
	mu        sync.Mutex
	listeners map[string]*memListener
	refuse    map[string]error
	dials     int
}

type memListener struct {
	addr   string
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *memListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *memListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8006} }

func (n *memNet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n.mu.Lock()
	l, err := n.listeners[addr], n.refuse[addr]
	n.dials++
	n.mu.Unlock()
	if err == nil && l == nil {
		err = syscall.ECONNREFUSED
	}
	if err == nil {
		client, server := bufPipe()
		select {
		case l.conns <- server:
			return client, nil
		case <-l.closed:
			err = syscall.ECONNREFUSED
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: &os.SyscallError{Syscall: "connect", Err: err}}
}

func (n *memNet) set(addr string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refuse[addr] = err
}

// serve starts a TLS server for addr that lives until the returned stop function is called.
func (n *memNet) serve(addr string, id identity, idle time.Duration, h http.Handler) (stop func()) {
	l := &memListener{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h, IdleTimeout: idle, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{id.cert}}}
	n.mu.Lock()
	n.listeners[addr] = l
	n.mu.Unlock()
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.ServeTLS(l, "", "") }()
	return func() { _ = srv.Close(); <-done }
}

// fakePVE answers from a table "METHOD /path" -> handler, and records what it saw.
type fakePVE struct {
	mu     sync.Mutex
	routes map[string]http.HandlerFunc
	seen   []string
	header []http.Header
}

func (f *fakePVE) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), apiPrefix)
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+path)
	f.header = append(f.header, r.Header.Clone())
	h := f.routes[r.Method+" "+path]
	if h == nil {
		h = f.routes["*"]
	}
	f.mu.Unlock()
	if h == nil {
		answer(w, 501, "Method '"+r.Method+" "+path+"' not implemented", `{"data":null}`)
		return
	}
	h(w, r)
}

func (f *fakePVE) count(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, s := range f.seen {
		if strings.HasPrefix(s, prefix) {
			n++
		}
	}
	return n
}

func (f *fakePVE) on(route string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes[route] = h
}

// data answers 200 with a data part.
func data(json string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		_, _ = io.WriteString(w, `{"data":`+json+`}`)
	}
}

// answer writes a status with its own reason phrase and closes the connection, as pveproxy does from 400 on.
func answer(w http.ResponseWriter, status int, reason, body string, header ...string) {
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = fmt.Fprintf(buf, "HTTP/1.1 %d %s\r\nContent-Length: %d\r\nConnection: close\r\n", status, reason, len(body))
	if strings.HasPrefix(body, "{") {
		_, _ = buf.WriteString("Content-Type: application/json;charset=UTF-8\r\n")
	}
	for _, h := range header {
		_, _ = buf.WriteString(h + "\r\n")
	}
	_, _ = buf.WriteString("\r\n" + body)
	_ = buf.Flush()
	_ = conn.Close()
}

func failing(status int, reason, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { answer(w, status, reason, body, header...) }
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

const addr1 = "192.0.2.1:8006"

// rig is a client with a fake cluster behind it.
type rig struct {
	*Client
	pve  *fakePVE
	net  *memNet
	logs *bytes.Buffer
	stop []func()
}

func newNet() *memNet {
	return &memNet{listeners: map[string]*memListener{}, refuse: map[string]error{}}
}

func newRig(t *testing.T, routes map[string]http.HandlerFunc, change func(*ClusterConfig), opts ...Option) *rig {
	t.Helper()
	r := &rig{pve: &fakePVE{routes: routes}, net: newNet(), logs: new(bytes.Buffer)}
	if r.pve.routes == nil {
		r.pve.routes = map[string]http.HandlerFunc{}
	}
	r.stop = append(r.stop, r.net.serve(addr1, certA, 5*time.Second, r.pve))
	cfg := ClusterConfig{Name: "lab", Endpoints: []string{addr1}, Token: redact.NewSecret(testToken), Fingerprints: []string{certA.pin}}
	if change != nil {
		change(&cfg)
	}
	logger := slog.New(slog.NewTextHandler(&lockedWriter{w: r.logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := New(cfg, append([]Option{WithDialer(r.net.dial), WithLogger(logger)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	t.Cleanup(func() {
		r.close()
		if strings.Contains(r.logs.String(), canary) {
			t.Errorf("the token is in the log:\n%s", r.logs)
		}
	})
	return r
}

func (r *rig) close() {
	r.Close()
	for _, s := range r.stop {
		s()
	}
	r.stop = nil
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// noCanary fails when an error, printed in any way, shows the secret.
func noCanary(t *testing.T, err error) {
	t.Helper()
	if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, canary) {
		t.Errorf("the token is in the error: %s", s)
	}
}

// shared finds the folder of recordings beside the module, as the checkout lays it out.
func shared(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			p := filepath.Join(dir, "..", "shared", "pve", "recordings")
			if _, err := os.Stat(p); err == nil {
				return p
			}
			break
		}
		dir = filepath.Dir(dir)
	}
	if os.Getenv("CI") != "" {
		t.Fatal("the recordings are not there")
	}
	t.Skip("the recordings are not there")
	return ""
}

// exchange is a recorded request and its answer.
type exchange struct {
	N       int `json:"n"`
	Request struct {
		Method, Path, Format string
		Params               map[string]any
	}
	Response struct {
		Status int
		Reason string
		JSON   json.RawMessage
		Text   string
	}
	file string
}

func recorded(t testing.TB, scenario string) []exchange {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(shared(t), scenario, "[0-9][0-9][0-9].json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings of %s: %v", scenario, err)
	}
	out := make([]exchange, 0, len(files))
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var e exchange
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		e.file = filepath.Base(filepath.Dir(f)) + "/" + filepath.Base(f)
		out = append(out, e)
	}
	return out
}

type timeoutError struct{}

func (timeoutError) Error() string   { return "i/o timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }

var (
	errRefused           = syscall.ECONNREFUSED
	errNoRoute           = syscall.EHOSTUNREACH
	errDialTimeout error = timeoutError{}
)

func gzipped(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Content-Type", "application/json")
	z := gzip.NewWriter(w)
	_, _ = io.WriteString(z, body)
	_ = z.Close()
}
