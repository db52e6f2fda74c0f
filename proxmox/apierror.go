package proxmox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	goproxmox "github.com/luthermonson/go-proxmox"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// APIError is an answer of Proxmox VE that is not 2xx. It also is a *fault.Error for errors.As, and goproxmox.ErrNotAuthorized for
// errors.Is when it is a 401 or 403. No field holds a secret.
type APIError struct {
	Method    string
	Path      string // below /api2/json, without the query
	Status    int
	Reason    string            // reason phrase of the status line
	Message   string            // text of the JSON body, or of the reason phrase when the body has none
	Fields    map[string]string // parameter errors by parameter
	Privilege string            // what a 403 says is missing: "VM.Audit", or alternatives "VM.Config.Disk|VM.Config.CPU"
	PrivPath  string            // where: "/vms/110"
	Node      string            // target node, "" for calls of the cluster
	Endpoint  string            // host:port that answered

	generic bool // no text at all came through
	fault   *fault.Error
}

// Error keeps "status text" together, as go-proxmox's own checks look for it.
func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d %s", e.Method, e.Path, e.Status, e.Message)
	for i, k := range slices.Sorted(maps.Keys(e.Fields)) {
		b.WriteString(map[bool]string{true: " (", false: "; "}[i == 0] + k + ": " + e.Fields[k])
	}
	if len(e.Fields) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// Is matches goproxmox.ErrNotAuthorized for 401 and 403: some of go-proxmox's functions forgive it.
func (e *APIError) Is(target error) bool {
	return target == goproxmox.ErrNotAuthorized && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}

// As gives the error as *fault.Error.
func (e *APIError) As(target any) bool {
	if f, ok := target.(**fault.Error); ok && e.fault != nil {
		*f = e.fault
		return true
	}
	return false
}

// maxText bounds the texts taken from an answer.
const maxText = 2000

// newAPIError is the one place where a status becomes an error: reason phrase, JSON message and parameter errors are read, whichever of
// them came (F09, F10).
func newAPIError(c *call, resp *http.Response, data []byte) *APIError {
	e := &APIError{Method: c.method, Path: c.path, Status: resp.StatusCode, Reason: tidy(reasonOf(resp)), Node: c.node}
	if c.endpoint != nil {
		e.Endpoint = c.endpoint.addr
	}
	var b struct {
		Message any            `json:"message"`
		Errors  map[string]any `json:"errors"`
	}
	if json.Unmarshal(data, &b) == nil {
		if m, ok := b.Message.(string); ok {
			e.Message = tidy(m)
		}
		e.Fields = fieldTexts(b.Errors)
	} else if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") || len(data) < 200 && !strings.Contains(string(data), "<") {
		e.Message = tidy(string(data))
	}
	if e.Message == "" {
		e.Message = e.Reason
		e.generic = len(e.Fields) == 0 && isGeneric(e.Status, e.Reason)
	}
	e.readPrivilege()
	return e
}

func fieldTexts(m map[string]any) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[tidy(k)] = tidy(fmt.Sprint(v))
	}
	return out
}

func tidy(s string) string {
	s = strings.TrimSpace(strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return redact.Text(s)
}

// reasonOf is the reason phrase of an answer.
func reasonOf(resp *http.Response) string {
	_, reason, _ := strings.Cut(resp.Status, " ")
	return reason
}

// isGeneric tells a phrase that says no more than the number.
func isGeneric(status int, reason string) bool {
	return reason == "" || strings.EqualFold(reason, http.StatusText(status)) || strings.EqualFold(reason, "Internal Server Error") ||
		strings.EqualFold(reason, "error")
}

var permission = lazy.Regexp(`Permission check failed \((/[^,()]*),\s*([A-Za-z.|]+(?:\s*,\s*[A-Za-z.]+)*)\)`)

func (e *APIError) readPrivilege() {
	if e.Status != http.StatusForbidden {
		return
	}
	for _, s := range []string{e.Message, e.Reason} {
		if m := permission().FindStringSubmatch(s); m != nil {
			e.PrivPath, e.Privilege = m[1], m[2]
			return
		}
	}
}

var _ error = (*APIError)(nil)
