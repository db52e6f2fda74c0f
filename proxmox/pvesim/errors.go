package pvesim

import (
	"fmt"
	"strings"
)

// apiError is an answer that is not 200. Message ends in a newline as the real ones do; the reason phrase is its
// first line (facts 10).
type apiError struct {
	status  int
	message string
	errors  map[string]string
	// bare answers have the message as a text body without content type, or, with empty, no body.
	bare, empty bool
	// mute answers have no body either, but say that it is JSON (03/095).
	mute bool
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.status, e.reason()) }

func (e *apiError) reason() string {
	first, _, _ := strings.Cut(e.message, "\n")
	return first
}

// fail is a 500, the status of nearly everything that goes wrong (facts 12).
func fail(format string, args ...any) error {
	return &apiError{status: 500, message: fmt.Sprintf(format, args...) + "\n"}
}

// forbidden is a failed permission check, worded with path and privileges.
func forbidden(path string, privs ...string) error {
	return &apiError{status: 403, message: fmt.Sprintf("Permission check failed (%s, %s)\n", path, strings.Join(privs, "|"))}
}

// badParam is a 400 for one parameter, badParams for several.
func badParam(name, msg string) error { return badParams(map[string]string{name: msg}) }

func badParams(errs map[string]string) error {
	return &apiError{status: 400, message: "Parameter verification failed.\n", errors: errs}
}

// plain is an error of the HTTP layer: the text is the body, without content type.
func plain(status int, format string, args ...any) *apiError {
	return &apiError{status: status, message: fmt.Sprintf(format, args...), bare: true}
}

// silent is an error with an empty body: what the proxy says by itself (401, 595).
func silent(status int, reason string) *apiError {
	return &apiError{status: status, message: reason, empty: true}
}

// unimplemented is the answer for an unknown path or a wrong method.
func unimplemented(method, path string) error {
	return &apiError{status: 501, message: fmt.Sprintf("Method '%s %s' not implemented", method, path)}
}

// perlError is a failure inside the HTTP server, which tells its source line.
func perlError(msg string, line int) error {
	return &apiError{status: 500, bare: true, message: fmt.Sprintf("%s at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line %d.\n", msg, line)}
}
