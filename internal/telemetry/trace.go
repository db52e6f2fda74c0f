package telemetry

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"
)

// The kinds of spans, as OTLP numbers them.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
)

// spanContext names a place in a trace. The zero value is no place.
type spanContext struct {
	trace   [16]byte
	span    [8]byte
	sampled bool
}

func (c spanContext) ok() bool { return c.trace != [16]byte{} && c.span != [8]byte{} }

// Span is a piece of a trace's work. A nil one takes everything and does nothing.
type Span struct {
	t      *T
	at     spanContext
	parent [8]byte
	name   string
	kind   int
	began  time.Time
	ended  time.Time

	mu     sync.Mutex
	attrs  []attribute
	failed string
}

// attribute is a text or a number.
type attribute struct {
	key, text string
	number    int
	isNumber  bool
}

type (
	spanKey   struct{}
	remoteKey struct{}
)

// Remote puts the W3C trace context of a request that came in into ctx; what is malformed is ignored, and of several the first counts.
func Remote(ctx context.Context, traceparent string) context.Context {
	at, ok := parseTraceparent(traceparent)
	if _, has := ctx.Value(remoteKey{}).(spanContext); !ok || has {
		return ctx
	}
	return context.WithValue(ctx, remoteKey{}, at)
}

// parseTraceparent reads 00-<32 hex>-<16 hex>-<2 hex>; versions above 00 may go on behind it.
func parseTraceparent(s string) (at spanContext, ok bool) {
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" || s[:2] == "00" && len(s) != 55 || len(s) > 55 && s[55] != '-' {
		return at, false
	}
	var version, flags [1]byte
	for _, p := range []struct {
		to   []byte
		text string
	}{{version[:], s[:2]}, {at.trace[:], s[3:35]}, {at.span[:], s[36:52]}, {flags[:], s[53:55]}} {
		for i := range p.text {
			if c := p.text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return spanContext{}, false
			}
		}
		if _, err := hex.Decode(p.to, []byte(p.text)); err != nil {
			return spanContext{}, false
		}
	}
	at.sampled = flags[0]&1 == 1
	return at, at.ok()
}

// root begins the span of a request, as part of the client's trace where it gave one. A client that does not record its trace is followed in that.
func (t *T) root(ctx context.Context, name string) (context.Context, *Span) {
	if t.o.Traces == nil {
		return ctx, nil
	}
	s := &Span{t: t, name: name, kind: kindServer, began: t.o.Clock(), at: spanContext{sampled: true}}
	if remote, ok := ctx.Value(remoteKey{}).(spanContext); ok {
		if !remote.sampled {
			return ctx, nil
		}
		s.at.trace, s.parent = remote.trace, remote.span
	} else {
		fill(s.at.trace[:])
	}
	fill(s.at.span[:])
	return context.WithValue(ctx, spanKey{}, s), s
}

// fill makes an id. It has to be unique, not secret.
func fill(id []byte) {
	for i := range id {
		id[i] = byte(rand.Uint32()) //nolint:gosec // ids of spans need no secrecy
	}
	id[0] |= 1 // never all zero
}

// Start begins a part of the trace that ctx belongs to; without one the span is nil, which is fine to use.
func Start(ctx context.Context, name string) (context.Context, *Span) {
	return start(ctx, name, kindInternal)
}

func start(ctx context.Context, name string, kind int) (context.Context, *Span) {
	parent, _ := ctx.Value(spanKey{}).(*Span)
	if parent == nil {
		return ctx, nil
	}
	s := &Span{t: parent.t, name: name, kind: kind, began: parent.t.o.Clock(), parent: parent.at.span, at: parent.at}
	fill(s.at.span[:])
	return context.WithValue(ctx, spanKey{}, s), s
}

// Carry gives to the trace of from: for work that outlives the request which began it.
func Carry(to, from context.Context) context.Context {
	if s, _ := from.Value(spanKey{}).(*Span); s != nil {
		return context.WithValue(to, spanKey{}, s)
	}
	return to
}

// TraceID is the trace that ctx belongs to, 32 hexadecimal digits; "" where there is none.
func TraceID(ctx context.Context) string {
	if s, _ := ctx.Value(spanKey{}).(*Span); s != nil {
		return hex.EncodeToString(s.at.trace[:])
	}
	return ""
}

// Set adds a text. Neither arguments nor names of guests belong here.
func (s *Span) Set(name, text string) {
	if s != nil {
		s.add(attribute{key: name, text: label(text)})
	}
}

// SetInt adds a number.
func (s *Span) SetInt(name string, n int) {
	if s != nil {
		s.add(attribute{key: name, number: n, isNumber: true})
	}
}

func (s *Span) add(a attribute) {
	s.mu.Lock()
	s.attrs = append(s.attrs, a)
	s.mu.Unlock()
}

// Fail marks the span as failed with a kind of error, never its message; "" = it did not.
func (s *Span) Fail(kind string) {
	if s != nil && kind != "" {
		s.Set("error.type", kind)
		s.mu.Lock()
		s.failed = kind
		s.mu.Unlock()
	}
}

// End ends the span and hands it to the exporter.
func (s *Span) End() {
	if s != nil {
		s.ended = s.t.o.Clock()
		s.t.o.Traces.add(s)
	}
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
