package proxmox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Statuses of AnyEvent::HTTP that a proxying node passes on (faults.md 3.3, 4-8).
const (
	statusConnect   = 595 // the target node could not be connected
	statusHandshake = 596 // TLS, sending or waiting for the header failed
	statusBodyLost  = 597
	statusAborted   = 598
	statusGarbled   = 599
)

const (
	retryBase = 100 * time.Millisecond
	retryCap  = 3 * time.Second
	// maxTries of a GET when the server answers or loses answers; a restart of pveproxy is waited for by time, not by tries (F47).
	maxTries = 4
	// An endpoint that never answered in this process is probably a typing error: three tries, then tell the user.
	maxTriesUnknown = 3
	// maxRetryAfter is the longest wait that a server may ask for.
	maxRetryAfter = 30 * time.Second
)

// retry repeats GETs: with full jitter, inside the caller's deadline, honouring Retry-After. Everything else is sent once.
type retry struct {
	next  http.RoundTripper
	ends  *endpoints
	now   func() time.Time
	rest  time.Duration // no try begins later
	log   *slog.Logger
	stats *stats
}

// RoundTrip implements http.RoundTripper.
func (r *retry) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet {
		return r.next.RoundTrip(req)
	}
	start := r.now()
	for try := 1; ; try++ {
		resp, err := r.next.RoundTrip(req)
		again, wait := r.again(resp, err, try, r.now().Sub(start))
		if !again || !fitsDeadline(req.Context(), r.now().Add(wait)) {
			return resp, err
		}
		if resp != nil {
			_ = resp.Body.Close()
		}
		r.log.Debug("retry", "path", callOf(req.Context()).path, "try", try, "wait", wait)
		r.stats.retry()
		if sleep(req.Context(), wait) != nil {
			return nil, req.Context().Err()
		}
	}
}

func fitsDeadline(ctx context.Context, t time.Time) bool {
	d, ok := ctx.Deadline()
	return ctx.Err() == nil && (!ok || t.Before(d))
}

func (r *retry) again(resp *http.Response, err error, try int, spent time.Duration) (bool, time.Duration) {
	wait := jitter(try)
	if err != nil {
		return r.againAfterError(err, try, spent), wait
	}
	limit := maxTries
	switch resp.StatusCode {
	case statusConnect, statusHandshake:
		if resp.StatusCode == statusHandshake && isCertText(reasonOf(resp)) {
			return false, 0 // a wrong node name or stale certificates do not heal by asking again (F12)
		}
		// Once, however long the first try took: a proxying node needs 30 s to find out (F13).
		return try == 1, wait
	case http.StatusTooManyRequests, 502, 503, 504:
		if after, ok := retryAfter(resp, r.now()); ok {
			wait = after + wait
		}
	case statusBodyLost, statusGarbled:
	default:
		return false, 0
	}
	return try < limit && spent+wait < r.rest, wait
}

func (r *retry) againAfterError(err error, try int, spent time.Duration) bool {
	if errors.Is(err, context.Canceled) || spent >= r.rest {
		return false
	}
	if _, ok := errors.AsType[*tryTimeout](err); ok {
		return try == 1
	}
	if _, ok := errors.AsType[*certError](err); ok {
		return false
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return false
	}
	we, ok := errors.AsType[*wireError](err)
	if !ok {
		return false
	}
	switch {
	case errors.Is(we.err, errFull):
		return true
	case !r.ends.everAnswered():
		return try < maxTriesUnknown
	case !we.sent:
		return true // no connection: a restart takes seconds (F47); bounded by rest
	}
	return try < maxTries
}

func isDial(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func isCertText(reason string) bool {
	return strings.Contains(strings.ToLower(reason), "certificate")
}

// jitter is "full jitter": a random part of an exponentially growing wait, so that clients that failed together do not return together.
func jitter(try int) time.Duration {
	limit := min(retryBase<<min(try, 10), retryCap)
	return retryBase/2 + rand.N(limit) //nolint:gosec // jitter needs no secrecy
}

func retryAfter(resp *http.Response, now time.Time) (time.Duration, bool) {
	v := resp.Header.Get("Retry-After")
	if v == "" {
		return 0, false
	}
	if n, err := strconv.Atoi(v); err == nil && n >= 0 {
		return min(time.Duration(min(n, 3600))*time.Second, maxRetryAfter), true
	}
	if t, err := http.ParseTime(v); err == nil {
		return min(max(0, t.Sub(now)), maxRetryAfter), true
	}
	return 0, false
}

// sleep waits, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var _ http.RoundTripper = (*retry)(nil)
