package proxmox

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// body gives each try its deadline and reads the answer whole, bounded and decompressed. So a cut answer is an error of this try (and
// a GET is repeated), never half a list, and the slots below are free as soon as the bytes are here.
type body struct {
	next   http.RoundTripper
	limits Limits
}

// RoundTrip implements http.RoundTripper.
func (b *body) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callOf(req.Context())
	ctx, cancel := context.WithTimeoutCause(req.Context(), c.timeout(b.limits), errOwnDeadline)
	defer cancel()
	out := req.WithContext(ctx)
	if c.big() {
		out.Header = req.Header.Clone()
		out.Header.Set("Accept-Encoding", "gzip")
	}
	resp, err := b.next.RoundTrip(out)
	if err != nil {
		return nil, ownDeadline(ctx, err)
	}
	data, err := readAll(resp, c.maxBody())
	_ = resp.Body.Close()
	if _, ok := errors.AsType[*fault.Error](err); ok && c.read() {
		return nil, err // too large: the same answer would come again
	}
	if err != nil {
		return nil, ownDeadline(ctx, &wireError{addr: addrOf(c), sent: true, err: err})
	}
	resp.Body = io.NopCloser(bytes.NewReader(data))
	resp.ContentLength = int64(len(data))
	return resp, nil
}

func addrOf(c *call) string {
	if c.endpoint != nil {
		return c.endpoint.addr
	}
	return "endpoint"
}

// ownDeadlineError is the cause of a context that our own deadline ended. It is a net.Error, as net/http passes it on.
type ownDeadlineError struct{}

func (ownDeadlineError) Error() string   { return "no answer in time" }
func (ownDeadlineError) Timeout() bool   { return true }
func (ownDeadlineError) Temporary() bool { return true }

var errOwnDeadline error = ownDeadlineError{}

// tryTimeout says that our own deadline for one try ended it, not the caller's.
type tryTimeout struct{ err error }

func (e *tryTimeout) Error() string { return e.err.Error() }
func (e *tryTimeout) Unwrap() error { return e.err }

func ownDeadline(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), errOwnDeadline) {
		return &tryTimeout{err}
	}
	return err
}

var gzipPool = sync.Pool{New: func() any { return new(gzip.Reader) }}

// readAll reads a body whole. /journal comes compressed whether asked or not (pve-api.md 9).
func readAll(resp *http.Response, limit int64) ([]byte, error) {
	var r io.Reader = resp.Body
	size := resp.ContentLength
	if strings.EqualFold(resp.Header.Get("Content-Encoding"), "gzip") {
		z, _ := gzipPool.Get().(*gzip.Reader)
		defer gzipPool.Put(z)
		if err := z.Reset(resp.Body); err != nil {
			return nil, fmt.Errorf("decompress: %w", err)
		}
		r, size = z, -1
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		resp.Uncompressed = true
	}
	if size > limit {
		return nil, tooLarge(limit)
	}
	buf := new(bytes.Buffer)
	if size > 0 {
		buf.Grow(int(size) + bytes.MinRead)
	}
	n, err := buf.ReadFrom(io.LimitReader(r, limit+1))
	if n > limit {
		return nil, tooLarge(limit)
	}
	return buf.Bytes(), err
}

func tooLarge(limit int64) error {
	return fault.New(fault.BadAnswer, "the answer is larger than %d MiB and was not read", limit>>20)
}

// onClose runs do once, when the body is closed.
type onClose struct {
	io.ReadCloser
	once sync.Once
	do   func()
}

// Close implements io.Closer.
func (b *onClose) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(b.do)
	return err
}

var _ http.RoundTripper = (*body)(nil)
