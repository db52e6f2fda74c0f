package pvesim

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// NodeDown takes a node off the network (F11): the entry node answers 595 for it, its guests keep their last figures for
// 300 s of the simulator's clock and are unknown after that (F15). Whether they run nobody can know: here they go on.
func NodeDown(node string) Fault {
	return Fault{Name: "F11 node " + node + " down", Node: node, install: func(s *Sim) func() {
		s.Update(func(w *World) { w.SetNodeReachable(node, false) })
		return func() { s.Update(func(w *World) { w.SetNodeReachable(node, true) }) }
	}}
}

// PowerCut switches a node off as NodeDown does, but its guests and tasks end with it; removed, it boots and starts those
// that start with it.
func PowerCut(node string) Fault {
	set := func(on bool) func(*World) { return func(w *World) { w.SetNodeOnline(node, on) } }
	f := onWorld("node "+node+" without power", set(false), set(true))
	f.Node = node
	return f
}

// NetworkSplit cuts nodes off from the others: the part without the majority has no quorum.
func NetworkSplit(nodes ...string) Fault {
	return onWorld("network split", func(w *World) { w.SetPartition(nodes) }, func(w *World) { w.SetPartition() })
}

// StatsExpired drops the statistics of a node's guests although the node answers (F16, a hanging pvestatd).
func StatsExpired(node string) Fault {
	return Fault{Name: "F16 statistics of " + node + " expired", Node: node, install: func(s *Sim) func() {
		set := func(at time.Time) {
			s.Update(func(w *World) {
				if n := w.Node(node); n != nil {
					n.StatsSince = at
				}
			})
		}
		set(time.Unix(1, 0))
		return func() { set(time.Time{}) }
	}}
}

// NodeExpired is a node that has been off for longer than its statistics live (F15).
func NodeExpired(node string) Fault {
	f := NodeDown(node)
	down := f.install
	f.Name = "F15 node " + node + " off for long"
	f.install = func(s *Sim) func() {
		undo := down(s)
		s.Update(func(w *World) {
			if n := w.Node(node); n != nil {
				n.DownSince = time.Time{}
			}
		})
		return undo
	}
	return f
}

// NoQuorum takes the quorum away (F17).
func NoQuorum() Fault {
	return Fault{Name: "F17 no quorum", install: func(s *Sim) func() {
		set := func(q bool) { s.Update(func(w *World) { w.Cluster.Quorate = q }) }
		set(false)
		return func() { set(true) }
	}}
}

// Standalone makes the entry node one that is in no cluster: cluster/status has no cluster entry (F18).
func Standalone() Fault {
	return Fault{Name: "F18 standalone", install: func(s *Sim) func() {
		name := ""
		s.Update(func(w *World) { name, w.Cluster.Name = w.Cluster.Name, "" })
		return func() { s.Update(func(w *World) { w.Cluster.Name = name }) }
	}}
}

// StaleStatistics makes cluster/resources show each guest as it was before its last change for a while (facts 47).
func StaleStatistics(lag time.Duration) Fault {
	return Fault{Name: "statistics lag " + lag.String(), install: func(s *Sim) func() {
		s.Update(func(w *World) { w.StatLag = lag })
		return func() { s.Update(func(w *World) { w.StatLag = 0 }) }
	}}
}

// CertificateRotated gives a node a new certificate (F41). Removing the fault does not bring the old one back.
func CertificateRotated(node string) Fault {
	return Fault{Name: "F41 certificate of " + node + " rotated", Node: node, install: func(s *Sim) func() {
		s.RotateCertificate(node)
		return func() {}
	}}
}

// ClockSkew sets a node's clock off: its Date header and its idea of a ticket's age (F06). "" is every node.
func ClockSkew(node string, by time.Duration) Fault {
	return Fault{Name: "F06 clock of " + node + " off by " + by.String(), Node: node, skewBy: by}
}

// Refuse makes a node refuse connections, as while pveproxy restarts (F47). "" is every node.
func Refuse(node string) Fault { return Fault{Name: "F47 refused", Node: node, refuse: true} }

// CloseRace closes a connection at the moment when a request arrives on it after n others (F01).
func CloseRace(n int) Fault { return Fault{Name: "F01 close race", race: max(1, n)} }

// Delay makes matching requests wait.
func Delay(d time.Duration) Fault { return Fault{Name: "delay " + d.String(), delay: d} }

// Drop ends the connection without an answer.
func Drop() Fault {
	return Fault{Name: "dropped", before: func(*Sim, *exchange) *response { return &response{status: 500, wire: wire{drop: true}} }}
}

// ProxyError is what the entry node answers when the way to the target fails: 595 connection, 596 TLS, 597 body,
// 599 anything else (faults.md 3.3). The body is empty.
func ProxyError(status int, reason string) Fault {
	return Fault{Name: strconv.Itoa(status) + " " + reason, before: func(*Sim, *exchange) *response {
		return &response{status: status, reason: reason}
	}}
}

// StaleNodeCertificate is a node whose certificate the entry node does not accept (F12).
func StaleNodeCertificate(node string) Fault {
	f := ProxyError(596, "tls_process_server_certificate: certificate verify failed")
	f.Name, f.Node = "F12 stale certificate of "+node, node
	return f
}

// proxyTimeout is how long an entry node waits for a target (faults.md 3.3).
const proxyTimeout = 30 * time.Second

// NodeHangs is a node that takes connections and never answers: 596 after 30 s (F13). With Executes set the
// request is carried out all the same.
func NodeHangs(node string) Fault {
	f := ProxyError(596, "Connection timed out")
	f.Name, f.Node, f.delay = "F13 node "+node+" hangs", node, proxyTimeout
	return f
}

// MissingAPI makes a path, a glob, one that this version does not know: 501 (F35).
func MissingAPI(glob string) Fault {
	return Fault{Name: "F35 missing " + glob, Path: glob, before: func(s *Sim, x *exchange) *response {
		if err := s.admit(x); err != nil {
			return s.failure(x, err)
		}
		return s.failure(x, unimplemented(x.method, x.apiPath))
	}}
}

// Gateway is a reverse proxy in front that answers by itself: 429, 502, 503 or 504 (F46). retryAfter of 0 sends no
// such header; otherwise it is rounded up to seconds.
func Gateway(status int, retryAfter time.Duration) Fault {
	return Fault{Name: "F46 gateway " + strconv.Itoa(status), before: func(*Sim, *exchange) *response {
		r := &response{status: status, reason: http.StatusText(status), ctype: "text/html",
			body: []byte("<html><head><title>" + strconv.Itoa(status) + " " + http.StatusText(status) + "</title></head></html>\n")}
		if retryAfter > 0 {
			r.header = append(r.header, [2]string{"Retry-After", strconv.Itoa(int((retryAfter + time.Second - 1) / time.Second))})
		}
		return r
	}}
}

// PhraseOnly leaves the text of errors to the reason phrase, with the body {"data":null}, as before early 2025 (F09).
func PhraseOnly() Fault {
	return Fault{Name: "F09 phrase only", after: func(_ *exchange, r *response) {
		if r.status >= http.StatusBadRequest && r.ctype == jsonType {
			r.body = []byte(`{"data":null}`)
		}
	}}
}

// NoPhrase replaces the reason phrase by the standard one, as an HTTP/2 front does (F10); with PhraseOnly nothing
// of the error is left.
func NoPhrase() Fault {
	return Fault{Name: "F10 no phrase", after: func(_ *exchange, r *response) { r.reason = http.StatusText(r.status) }}
}

// CutBody ends the connection after n bytes of the body (F14).
func CutBody(n int) Fault {
	return Fault{Name: "F14 body cut", after: func(_ *exchange, r *response) { r.wire.cut = max(1, n) }}
}

// TruncateBody sends a well-formed answer whose JSON ends after n bytes (F14).
func TruncateBody(n int) Fault {
	return Fault{Name: "F14 JSON truncated", after: func(_ *exchange, r *response) { r.body = r.body[:min(n, len(r.body))] }}
}

// StallBody stops in the body after n bytes and keeps the connection open.
func StallBody(n int) Fault {
	return Fault{Name: "body stalls", after: func(_ *exchange, r *response) { r.wire.stall = max(1, n) }}
}

// DripBody sends the body byte by byte with a pause before each.
func DripBody(pause time.Duration) Fault {
	return Fault{Name: "body drips", after: func(_ *exchange, r *response) { r.wire.drip = pause }}
}

// NullData answers 200 with data null, as after a login that went stale (F54).
func NullData() Fault {
	return Fault{Name: "F54 data null", after: func(_ *exchange, r *response) {
		if r.status == http.StatusOK {
			r.body = []byte(`{"data":null}`)
		}
	}}
}

// ReplaceBody gives the body of successful answers to f, which returns another.
func ReplaceBody(name string, f func(path string, body []byte) []byte) Fault {
	return Fault{Name: name, after: func(x *exchange, r *response) {
		if r.status == http.StatusOK {
			r.body = f(x.apiPath, r.body)
		}
	}}
}

// rewrite gives data of successful JSON answers to f.
func rewrite(name string, f func(x *exchange, data any) any) Fault {
	return Fault{Name: name, after: func(x *exchange, r *response) {
		if r.status != http.StatusOK || !strings.HasPrefix(r.ctype, "application/json") {
			return
		}
		var body Object
		if decodeJSON(bytes.NewReader(r.body), &body) != nil {
			return
		}
		body["data"] = f(x, body["data"])
		r.body = encode(body)
	}}
}
