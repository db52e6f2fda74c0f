package proxmox

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// toFault maps an answer to the error that every layer above speaks, with what to do about it.
func toFault(e *APIError, s *settings, c *call) *fault.Error {
	f := &fault.Error{Cause: e.cause(), Err: e}
	f.Code = e.code()
	switch f.Code {
	case fault.Unauthenticated:
		e.unauthenticated(f, s, c)
	case fault.Forbidden:
		e.forbidden(f, s)
	case fault.NodeSilent:
		e.nodeSilent(f)
	case fault.UnknownOutcome:
		f.Message = fmt.Sprintf("it is not known whether Proxmox VE carried out %s %s: the answer was lost (%d)", e.Method, e.Path, e.Status)
		f.Hint = "look it up in the task list before anything is sent again"
	case fault.RateLimited:
		f.Message, f.Retryable = "a proxy in front of Proxmox VE limits requests (429)", true
	case fault.Unreachable:
		f.Message, f.Retryable = fmt.Sprintf("a proxy in front of Proxmox VE answers %d for it", e.Status), true
		f.Hint = "pveproxy itself is probably down or restarting; see the proxy's log"
	case fault.Unsupported:
		f.Message = fmt.Sprintf("this Proxmox VE does not have %s %s", e.Method, e.Path)
	case fault.Invalid:
		e.invalid(f)
	case fault.BadAnswer:
		f.Message, f.Retryable = e.oddAnswer(), c.read()
	default:
		f.Message = fmt.Sprintf("%s %s", e.Method, e.Path)
	}
	e.words(f)
	return f
}

// words fills the message of errors that Proxmox VE explains itself.
func (e *APIError) words(f *fault.Error) {
	switch {
	case e.generic:
		f.Cause = fmt.Sprintf("%d %s", e.Status, e.Reason)
		if f.Code == fault.Upstream {
			f.Message = fmt.Sprintf("Proxmox VE refused %s %s without a reason", e.Method, e.Path)
			f.Hint = "only the generic status came through: an HTTP/2 proxy in between drops the reason; ask the node directly on port 8006"
		}
	case f.Code == fault.NotFound, f.Code == fault.Upstream, f.Code == fault.Locked, f.Code == fault.Conflict:
		f.Message = e.cause()
	}
	if strings.Contains(e.Message, "no quorum") {
		f.Hint = "the cluster has no quorum: reads go on, changes are refused until enough members are back"
	}
}

func (e *APIError) cause() string {
	if len(e.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, 0, len(e.Fields))
	for _, k := range slices.Sorted(maps.Keys(e.Fields)) {
		parts = append(parts, k+": "+e.Fields[k])
	}
	return strings.TrimSuffix(e.Message, ".") + ": " + strings.Join(parts, "; ")
}

// code tells the kind of the error. "Not found" and "exists" are mostly 500 (pve-api.md 12-13).
func (e *APIError) code() fault.Code {
	write := e.Method != http.MethodGet
	text := strings.ToLower(e.cause())
	switch {
	case e.Status == http.StatusUnauthorized:
		return fault.Unauthenticated
	case e.Status == statusConnect:
		return fault.NodeSilent // nothing was sent to the node, so a write was not carried out
	case write && slices.Contains([]int{502, 504, statusHandshake, statusBodyLost, statusAborted, statusGarbled}, e.Status) &&
		!isCertText(e.Reason):
		return fault.UnknownOutcome
	case e.Status == statusHandshake:
		return fault.NodeSilent
	case e.Status == http.StatusTooManyRequests:
		return fault.RateLimited
	case e.Status >= 502 && e.Status <= 504:
		return fault.Unreachable
	case e.Status >= statusBodyLost && e.Status <= statusGarbled || e.Status < 400:
		return fault.BadAnswer
	case e.Status == http.StatusNotImplemented && !strings.Contains(text, "too large"):
		return fault.Unsupported
	}
	return codeOfText(e.Status, text)
}

func codeOfText(status int, text string) fault.Code {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case status == http.StatusNotFound, has("does not exist", "no such ", "unable to find configuration file", "hostname lookup"):
		return fault.NotFound
	case status == http.StatusForbidden:
		return fault.Forbidden
	case has("already exists", "checksum mismatch", "detected modified configuration"):
		return fault.Conflict
	case has("is locked (", "can't lock file"):
		return fault.Locked
	case status == http.StatusBadRequest, has("too large"):
		return fault.Invalid
	}
	return fault.Upstream
}

func (e *APIError) invalid(f *fault.Error) {
	f.Message = e.cause()
	if keys := slices.Sorted(maps.Keys(e.Fields)); len(keys) > 0 {
		f.Field, f.Rule = keys[0], e.Fields[keys[0]]
	}
}

func (e *APIError) oddAnswer() string {
	if e.Status < 400 {
		return fmt.Sprintf("%s answered with a redirect (%d), as Proxmox VE never does over https; it was not followed", e.Endpoint, e.Status)
	}
	if e.Node == "" {
		return fmt.Sprintf("the answer of %s was lost on its way (%d)", e.Endpoint, e.Status)
	}
	return fmt.Sprintf("the answer of node %s was lost on its way (%d)", e.Node, e.Status)
}

func (e *APIError) unauthenticated(f *fault.Error, s *settings, c *call) {
	_, id := s.who()
	f.Message = fmt.Sprintf("Proxmox VE does not accept the credentials of %s (401)", id)
	f.Hint = "check that the token or user exists, is enabled and not expired, and that the secret is complete"
	if strings.Contains(e.Message, "csrf") {
		f.Hint = "the login session is not valid any more; it is renewed with the next call"
	}
	// Beyond 300 s of difference Proxmox VE refuses every ticket (faults.md 3.5, 2).
	if c.skew.Abs() > 300*time.Second {
		f.Hint = fmt.Sprintf("node clock %.0f s %s: tickets are refused beyond 300 s; set the clocks right (NTP)", c.skew.Abs().Seconds(),
			map[bool]string{true: "ahead", false: "behind"}[c.skew > 0])
	}
}

func (e *APIError) nodeSilent(f *fault.Error) {
	f.Message, f.Retryable = fmt.Sprintf("node %s does not answer (%d); the rest of the cluster does", e.Node, e.Status), true
	f.Hint = "the node is off, restarting or cut off from the cluster network"
	if isCertText(e.Reason) {
		f.Message, f.Retryable = certMessage(e.Node, e.Endpoint, e.Status), false
		f.Hint = certHint
	}
}

func certMessage(node, endpoint string, status int) string {
	return fmt.Sprintf("node %s cannot be reached through %s: its certificate does not fit (%d)", node, endpoint, status)
}

// certHint is what to do about a node whose certificate the others do not accept (F12).
const certHint = "check the node name against the node list (no FQDN, no address); if it is right, run on that node: pvecm updatecerts"
