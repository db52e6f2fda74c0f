// Package fault holds the one error type that every layer returns and each door renders: what went wrong, Proxmox VE's own words,
// what to do about it. Codes are stable: programs and agents read them.
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code is the machine-readable kind of an error. Each door maps it once (MCP isError, exit code, HTTP status).
type Code string

// The codes. Their texts are part of the public interface.
const (
	Invalid         Code = "invalid_argument" // an input breaks a rule; Field, Rule and Example say which
	NotFound        Code = "not_found"
	Ambiguous       Code = "ambiguous"       // a name fits several objects
	Unauthenticated Code = "unauthenticated" // Proxmox VE refused the credentials (401)
	Forbidden       Code = "forbidden"       // a privilege is missing (403)
	ReadOnly        Code = "read_only"       // this client may not send writes
	Denied          Code = "denied"          // the policy of this server forbids it; Proxmox VE was not asked
	Stale           Code = "stale"           // the object is not as it was when the plan was made
	Locked          Code = "locked"
	Conflict        Code = "conflict"      // exists already, or changed meanwhile
	Unreachable     Code = "unreachable"   // no endpoint answered at all
	Untrusted       Code = "tls_untrusted" // certificate not trusted, or not the pinned one
	NodeSilent      Code = "node_silent"   // the cluster answers, this node does not (595, 596)
	Timeout         Code = "timeout"
	RateLimited     Code = "rate_limited"
	Upstream        Code = "proxmox_error" // Proxmox VE answered with an error of its own
	BadAnswer       Code = "bad_answer"    // an answer that cannot be read: cut off, not JSON, null for a list
	Unsupported     Code = "unsupported"   // this Proxmox VE version does not have it (501)
	UnknownOutcome  Code = "unknown_outcome"
	TaskFailed      Code = "task_failed"
	CheckFailed     Code = "check_failed" // a comparison or check that was asked for did not hold
	Config          Code = "config_invalid"
	Store           Code = "store_failed"
	StoreNewer      Code = "store_newer" // the store was written by a newer version
	StoreCorrupt    Code = "store_corrupt"
	StoreReadOnly   Code = "store_read_only"
	StoreFull       Code = "store_full"
	Fenced          Code = "fenced" // a lease was lost to another process
	Cancelled       Code = "cancelled"
	Internal        Code = "internal"
)

// Error says what went wrong in a form for people and machines. Message is one sentence; Cause is Proxmox VE's (or the system's)
// own text; Hint says what to do; Next names the tool or command to call. No field ever holds a secret.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Cause     string `json:"cause,omitempty"`
	Hint      string `json:"hint,omitempty"`
	Next      string `json:"next,omitempty"`
	Field     string `json:"field,omitempty"`
	Rule      string `json:"rule,omitempty"`
	Example   string `json:"example,omitempty"`
	Retryable bool   `json:"retryable"`
	Err       error  `json:"-"`
}

// Error joins message and cause; hints are for the doors to show.
func (e *Error) Error() string {
	if e.Cause != "" && !strings.Contains(e.Message, e.Cause) {
		return e.Message + ": " + e.Cause
	}
	return e.Message
}

// Unwrap gives the wrapped error, so that errors.Is and errors.As see the cause through all layers.
func (e *Error) Unwrap() error { return e.Err }

// New returns an Error with a formatted message.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap returns an Error that keeps err and shows its text as the cause. Without an err it is New.
func Wrap(code Code, err error, format string, args ...any) *Error {
	if err == nil {
		return New(code, format, args...)
	}
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: err.Error(), Err: err}
}

// WithHint sets what to do about it.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithNext names the tool or command to call next.
func (e *Error) WithNext(next string) *Error { e.Next = next; return e }

// Retry marks the error as worth trying again.
func (e *Error) Retry() *Error { e.Retryable = true; return e }

// BadField is an input that breaks a rule: the field, the rule and an example of a good value.
func BadField(field, rule, example string) *Error {
	return &Error{Code: Invalid, Message: fmt.Sprintf("%s: %s", field, rule), Field: field, Rule: rule, Example: example}
}

// CodeOf tells the code of err: that of the first Error in its chain, Cancelled or Timeout for context errors, else Internal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Internal
}

// Of returns err as an *Error; what is none becomes Internal, or Cancelled or Timeout for context errors. nil stays nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return Wrap(CodeOf(err), err, "%s", map[Code]string{
		Cancelled: "the call was cancelled", Timeout: "the call took too long", Internal: "internal error",
	}[CodeOf(err)])
}
