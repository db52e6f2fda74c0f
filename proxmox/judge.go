package proxmox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// judge is the outermost layer. It lets only safe paths of this cluster pass and turns every answer that is not 2xx and every lost
// answer into an error. A RoundTripper that returns an error for a status bends net/http's contract on purpose: it is the only seam
// that go-proxmox leaves, which takes 404, 429, 503, 595 and 596 for success (libraries.md 4.4).
type judge struct {
	next http.RoundTripper
	set  *settings
	now  func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (j *judge) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != baseHost || req.URL.Scheme != "https" || req.URL.User != nil {
		return nil, fault.New(fault.Invalid, "a request for another host was refused")
	}
	escaped, ok := strings.CutPrefix(req.URL.EscapedPath(), apiPrefix)
	if !ok {
		return nil, badSegment(req.URL.Path)
	}
	path, err := checkPath(escaped)
	if err != nil {
		return nil, err
	}
	c := newCall(req.Context(), req.Method, path)
	resp, err := j.next.RoundTrip(req.WithContext(context.WithValue(req.Context(), keyCall, c)))
	if err != nil {
		return nil, j.lost(c, err)
	}
	if resp.StatusCode/100 == 2 {
		if a, ok := req.Context().Value(keyAnswered).(*answeredBy); ok {
			a.endpoint = c.endpoint
		}
		return resp, nil
	}
	data, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	c.skew = clockSkew(resp, j.now())
	e := newAPIError(c, resp, data)
	e.fault = toFault(e, j.set, c)
	return nil, e
}

// lost explains a call without an answer. Errors that are explained already pass.
func (j *judge) lost(c *call, err error) error {
	we, _ := errors.AsType[*wireError](err)
	if _, ok := errors.AsType[*fault.Error](err); ok && we == nil {
		return err
	}
	if ce, ok := errors.AsType[*certError](err); ok {
		return untrusted(ce)
	}
	switch {
	case errors.Is(err, context.Canceled):
		if we != nil && we.sent && !c.read() {
			break
		}
		return fault.Wrap(fault.Cancelled, err, "the call was cancelled")
	case we != nil && (c.read() || !we.sent):
		return unreachable(c, we)
	}
	if we != nil {
		return fault.Wrap(fault.UnknownOutcome, err, "it is not known whether Proxmox VE carried out %s %s: the answer was lost", c.method, c.path).
			WithHint("look it up in the task list before anything is sent again")
	}
	return timedOut(c, err)
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func timedOut(c *call, err error) *fault.Error {
	f := fault.Wrap(fault.Timeout, err, "no answer to %s %s in time", c.method, c.path).Retry()
	if c.class == classMayBlock {
		return f.WithHint("this call waits for a storage, disk or guest agent that may hang; other calls are not affected")
	}
	return f
}

// unreachable gives DNS, refused connections and timeouts each its own text (faults.md 8, 3).
func unreachable(c *call, we *wireError) *fault.Error {
	_, port, _ := net.SplitHostPort(we.addr)
	dns, isDNS := errors.AsType[*net.DNSError](we.err)
	dialing := isDial(we.err)
	wrap := func(format string, args ...any) *fault.Error {
		return fault.Wrap(fault.Unreachable, we.err, format, args...).Retry()
	}
	switch {
	case isDNS && dns.IsNotFound:
		return wrap("the name of %s cannot be resolved", we.addr).WithHint("check the endpoint's spelling, or give its address")
	case isDNS:
		return wrap("the name of %s could not be looked up: the name server does not answer", we.addr)
	case errors.Is(we.err, syscall.ECONNREFUSED):
		f := wrap("%s refuses the connection", we.addr).WithHint("is pveproxy running there? it restarts within seconds during an upgrade")
		if port != defaultPort {
			f.Hint = "Proxmox VE listens on port 8006: is " + port + " right?"
		}
		return f
	case errors.Is(we.err, syscall.EHOSTUNREACH), errors.Is(we.err, syscall.ENETUNREACH):
		return wrap("there is no route to %s", we.addr).WithHint("is the node on, and this machine in its network or VPN?")
	case strings.Contains(we.err.Error(), "HTTP response to HTTPS"):
		return wrap("%s does not speak TLS", we.addr).WithHint("the endpoint must be the https port of Proxmox VE, 8006")
	case isTimeout(we.err) && (dialing || strings.Contains(we.err.Error(), "TLS handshake")):
		return wrap("%s does not answer: connecting timed out", we.addr).WithHint("is the node on, and no firewall in between?")
	case isTimeout(we.err):
		return timedOut(c, we)
	case errors.Is(we.err, io.ErrUnexpectedEOF):
		f := wrap("the answer of %s to %s %s was cut off", we.addr, c.method, c.path)
		f.Code = fault.BadAnswer
		return f
	}
	return wrap("%s does not answer", we.addr)
}

// untrusted shows what came and the line that trusts it, for a person to compare.
func untrusted(e *certError) *fault.Error {
	f := fault.Wrap(fault.Untrusted, e, "%s", "")
	shown := fmt.Sprintf("%s (subject %s, issuer %s, valid %s to %s)", e.Fingerprint, e.Subject, e.Issuer,
		e.NotBefore.UTC().Format("2006-01-02"), e.NotAfter.UTC().Format("2006-01-02"))
	pin := fmt.Sprintf("PROXMOX_VE_FINGERPRINT=%s, or in the YAML file: fingerprints: [\"%s\"]", e.Fingerprint, e.Fingerprint)
	if len(e.Pinned) > 0 {
		f.Message = fmt.Sprintf("the certificate of %s is not the pinned one: it shows %s, pinned is %s", e.Addr, shown,
			strings.Join(e.Pinned, ", "))
		f.Hint = "do not continue unless you changed the certificate yourself; if you did (compare with `pvenode cert info` on the node), pin it: " + pin
		f.Cause = ""
		return f
	}
	f.Message = fmt.Sprintf("the certificate of %s is not trusted: it shows %s", e.Addr, shown)
	f.Hint = "compare with `pvenode cert info` on the node, then pin it: " + pin
	if e.Err != nil {
		f.Cause = e.Err.Error()
	}
	return f
}

var _ http.RoundTripper = (*judge)(nil)
