package proxmox

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// A feature does not appear without an upgrade; an hour keeps error loops (each a new TLS connection, F03) away.
	memo501 = time.Hour
	// A missing right is granted by a person who then tries again at once: a short memory, and none while a user waits.
	memo403 = 10 * time.Second
	// memoMax bounds the memory; beyond it everything is forgotten.
	memoMax = 2000
)

// memo answers GETs from memory that were lately refused: 501 per node and kind of path, 403 per exact path (F03, F35).
type memo struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	seen map[string]refusal
}

type refusal struct {
	status string
	code   int
	header http.Header
	body   []byte
	until  time.Time
}

// RoundTrip implements http.RoundTripper.
func (m *memo) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return m.next.RoundTrip(req)
	}
	c := callOf(req.Context())
	if resp := m.recall(req, c); resp != nil {
		return resp, nil
	}
	resp, err := m.next.RoundTrip(req)
	if err == nil && (resp.StatusCode == http.StatusNotImplemented || resp.StatusCode == http.StatusForbidden) {
		err = m.remember(req, c, resp)
	}
	return resp, err
}

func (m *memo) recall(req *http.Request, c *call) *http.Response {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) == 0 {
		return nil
	}
	for _, key := range []string{key501(c), key403(req)} {
		r, ok := m.seen[key]
		switch {
		case !ok:
		case !m.now().Before(r.until):
			delete(m.seen, key)
		case r.code == http.StatusForbidden && c.user:
		default:
			return r.response(req)
		}
	}
	return nil
}

func key501(c *call) string           { return "501 " + c.node + " " + c.template }
func key403(req *http.Request) string { return "403 " + req.URL.RequestURI() }

func (m *memo) remember(req *http.Request, c *call, resp *http.Response) error {
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	key, ttl := key403(req), memo403
	if resp.StatusCode == http.StatusNotImplemented {
		// Before 2025 ordinary errors came as 501 too: only these words prove a missing path (faults.md 3.5, 10).
		if text := reasonOf(resp); !strings.Contains(text, "not implemented") && !strings.Contains(text, "not available") {
			return nil
		}
		key, ttl = key501(c), memo501
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) >= memoMax {
		clear(m.seen)
	}
	m.seen[key] = refusal{resp.Status, resp.StatusCode, resp.Header, data, m.now().Add(ttl)}
	return nil
}

func (m *memo) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.seen)
}

func (r refusal) response(req *http.Request) *http.Response {
	return &http.Response{Status: r.status, StatusCode: r.code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header,
		Body: io.NopCloser(bytes.NewReader(r.body)), ContentLength: int64(len(r.body)), Request: req}
}

var _ http.RoundTripper = (*memo)(nil)
