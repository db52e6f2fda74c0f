package proxmox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

const version = `{"version":"9.2.11","release":"9.2","repoid":"x"}`

// F01: a POST every 5 s meets a server that closes idle connections at 5 s.
func TestF01IdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(`null`)}, nil)
		defer r.close()
		for i := range 40 {
			if _, err := r.Raw(t.Context(), "POST", "/nodes/pve1/qemu/100/config", Params{}.Int("cores", 2)); err != nil {
				t.Fatalf("POST %d: %v", i, err)
			}
			time.Sleep(5*time.Second + time.Duration(i%7-3)*time.Millisecond)
		}
		if got := r.pve.count("POST"); got != 40 {
			t.Errorf("%d POSTs arrived", got)
		}
	})
}

// F01, F14: a write whose answer is lost is unknown and is not sent again, whatever way it gets lost.
func TestLostWriteIsUnknownAndSentOnce(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"closed without an answer": hangUp,
		"cut body":                 cut(`{"data":"UPID:pve1:1:2:3:qmstart:100:root@pam:"}`, 20),
		"half JSON":                func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"data":"UPI`) },
		"empty body":               func(http.ResponseWriter, *http.Request) {},
		"502":                      failing(502, "Bad Gateway", ""),
		"504":                      failing(504, "Gateway Timeout", ""),
		"596":                      failing(596, "Connection timed out", ""),
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, map[string]http.HandlerFunc{"*": h}, nil)
			defer r.close()
			_, err := r.Raw(t.Context(), "POST", "/nodes/pve1/qemu/100/status/start", nil)
			if fault.CodeOf(err) != fault.UnknownOutcome {
				t.Errorf("%s: code %s: %v", name, fault.CodeOf(err), err)
			}
			if n := r.pve.count("POST"); n != 1 {
				t.Errorf("%s: sent %d times", name, n)
			}
			noCanary(t, err)
		})
	}
}

func cut(body string, at int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = fmt.Fprintf(buf, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:at])
		_ = buf.Flush()
		_ = conn.Close()
	}
}

// F14: a prefix is never parsed; the GET is repeated and fails only when all tries are cut.
func TestF14CutAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body := `{"data":[{"id":"qemu/1","type":"qemu"},{"id":"qemu/2","type":"qemu"}]}`
		var n atomic.Int32
		r := newRig(t, map[string]http.HandlerFunc{"GET /cluster/resources": func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1) == 1 {
				cut(body, 40)(w, q)
				return
			}
			_, _ = io.WriteString(w, body)
		}}, nil)
		defer r.close()
		rows, _, err := r.Resources(t.Context(), "")
		if err != nil || len(rows) != 2 {
			t.Errorf("after one cut answer: %d rows, %v", len(rows), err)
		}
		r.pve.on("GET /cluster/resources", cut(body, 40))
		if rows, _, err = r.Resources(t.Context(), ""); fault.CodeOf(err) != fault.BadAnswer || rows != nil {
			t.Errorf("always cut: %d rows, %s %v", len(rows), fault.CodeOf(err), err)
		}
	})
}

// F02: the server closes after 100 requests per connection.
func TestF02ConnectionPer100Requests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1)%100 == 0 {
				w.Header().Set("Connection", "close")
			}
			data(version)(w, q)
		}}, nil)
		defer r.close()
		for range 350 {
			if _, err := r.Version(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r.net.dials != 4 || r.Stats().Retries != 0 {
			t.Errorf("%d connections, %d retries", r.net.dials, r.Stats().Retries)
		}
	})
}

// F03, F11: a dead node costs two calls, then one probe per interval; the others go on and nobody calls it an authentication problem.
func TestF11DeadNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, q *http.Request) {
			if strings.Contains(q.URL.Path, "/pve3/") {
				time.Sleep(3 * time.Second) // the proxying node's connect time
				answer(w, 595, "No route to host", "")
				return
			}
			data(`{"digest":"x"}`)(w, q)
		}}, nil)
		defer r.close()
		var wg sync.WaitGroup
		var silent, fine atomic.Int32
		for i := range 200 {
			for _, node := range []string{"pve1", "pve3"} {
				wg.Go(func() {
					_, err := r.GuestConfig(t.Context(), node, pve.Qemu, 100+i)
					switch {
					case err == nil:
						fine.Add(1)
					case fault.CodeOf(err) == fault.NodeSilent && node == "pve3":
						silent.Add(1)
					default:
						t.Errorf("%s: %v", node, err)
					}
				})
			}
		}
		start := time.Now()
		wg.Wait()
		if fine.Load() != 200 || silent.Load() != 200 {
			t.Errorf("%d answered, %d silent", fine.Load(), silent.Load())
		}
		// Two at a time are in flight when the circuit opens, each with its retry.
		if n := r.pve.count("GET /nodes/pve3/"); n > 4 {
			t.Errorf("the dead node was asked %d times", n)
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("took %s", took)
		}
		if s := r.SilentNodes(); len(s) != 1 || s[0].Node != "pve3" || s[0].Cause != "No route to host" {
			t.Errorf("silent nodes: %+v", s)
		}
		before := r.pve.count("GET /nodes/pve3/")
		time.Sleep(11 * time.Second)
		for range 20 {
			wg.Go(func() { _, _ = r.GuestConfig(t.Context(), "pve3", pve.Qemu, 100) })
		}
		wg.Wait()
		if n := r.pve.count("GET /nodes/pve3/") - before; n != 1 {
			t.Errorf("%d probes after the interval", n)
		}
		r.pve.on("*", data(`{"digest":"x"}`))
		time.Sleep(61 * time.Second)
		if _, err := r.GuestConfig(t.Context(), "pve3", pve.Qemu, 100); err != nil || len(r.SilentNodes()) != 0 {
			t.Errorf("back again: %v, %v", err, r.SilentNodes())
		}
	})
}

// F12: a certificate text at 596 is not retried.
func TestF12StaleCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": failing(596, "tls_process_server_certificate: certificate verify failed", "")}, nil)
		defer r.close()
		_, err := r.NodeStatus(t.Context(), "pve2.example.org")
		if f := fault.Of(err); f.Code != fault.NodeSilent || f.Retryable || !strings.Contains(f.Hint, "pvecm updatecerts") {
			t.Errorf("%+v", f)
		}
		if n := r.pve.count("GET"); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// F13: a busy target: 596 after 30 s; a GET is asked once more.
func TestF13BusyNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1) == 1 {
				time.Sleep(30 * time.Second)
				answer(w, 596, "Connection timed out", "")
				return
			}
			data(`{"uptime":5}`)(w, q)
		}}, nil)
		defer r.close()
		st, err := r.NodeStatus(t.Context(), "pve2")
		if err != nil || st.Uptime == nil || *st.Uptime != 5 {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

// I4: a node that swallows everything ends at the stated deadline, and the caller's own deadline is kept.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }}, nil)
		defer r.close()
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := r.Version(ctx)
		if fault.CodeOf(err) != fault.Timeout || time.Since(start) != 2*time.Second {
			t.Errorf("caller's deadline: %s after %s", fault.CodeOf(err), time.Since(start))
		}
		start = time.Now()
		_, err = r.Version(t.Context())
		if took := time.Since(start); fault.CodeOf(err) != fault.Timeout || took > 25*time.Second {
			t.Errorf("own deadline: %v after %s", err, took)
		}
		start = time.Now()
		_, err = r.Raw(t.Context(), "POST", "/nodes/pve1/qemu/100/config", nil)
		if took := time.Since(start); fault.CodeOf(err) != fault.UnknownOutcome || took != 65*time.Second {
			t.Errorf("write: %v after %s", err, took)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err = r.Version(ctx); fault.CodeOf(err) != fault.Cancelled {
			t.Errorf("cancelled: %v", err)
		}
	})
}

// F04: a 401 takes 3 s and is no timeout.
func TestF04SlowRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(3 * time.Second)
			answer(w, 401, "Authentication failed!", "")
		}}, nil)
		defer r.close()
		_, err := r.Version(t.Context())
		if fault.CodeOf(err) != fault.Unauthenticated || r.pve.count("") != 1 {
			t.Errorf("%v after %d requests", err, r.pve.count(""))
		}
		noCanary(t, err)
	})
}

// F35: a missing path is asked once, and never marks the node down.
func TestF35MissingPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{
			"GET /nodes/pve1/status":             data(`{"uptime":1}`),
			"GET /nodes/pve1/lxc/201/interfaces": failing(501, "internal error", ""), // an old server's 501 for an ordinary error
		}, nil)
		defer r.close()
		for i := range 10 {
			if _, err := r.GuestAddresses(t.Context(), "pve1", pve.LXC, 200+2*i); fault.CodeOf(err) != fault.Unsupported {
				t.Fatalf("%v", err)
			}
		}
		if n := r.pve.count("GET /nodes/pve1/lxc/"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if _, err := r.NodeStatus(t.Context(), "pve1"); err != nil {
			t.Errorf("the node: %v", err)
		}
		time.Sleep(time.Hour)
		for range 2 {
			_, _ = r.GuestAddresses(t.Context(), "pve1", pve.LXC, 201)
		}
		if n := r.pve.count("GET /nodes/pve1/lxc/201"); n != 2 {
			t.Errorf("a 501 that proves nothing was remembered: %d", n)
		}
	})
}

// F08: a refusal is remembered for seconds in the background, and asked again at once for a user.
func TestForbiddenMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": failing(403, "Permission check failed (/vms/100, VM.Audit)", "")}, nil)
		defer r.close()
		for range 5 {
			_, err := r.GuestConfig(t.Context(), "pve1", pve.Qemu, 100)
			if fault.CodeOf(err) != fault.Forbidden {
				t.Fatal(err)
			}
		}
		if n := r.pve.count(""); n != 1 {
			t.Errorf("asked %d times", n)
		}
		r.pve.on("*", data(`{"digest":"x"}`))
		if _, err := r.GuestConfig(WithUserWaiting(t.Context()), "pve1", pve.Qemu, 100); err != nil {
			t.Errorf("after the grant: %v", err)
		}
		time.Sleep(memo403)
		if _, err := r.GuestConfig(t.Context(), "pve1", pve.Qemu, 100); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// F46: Retry-After is honoured for GETs, inside the caller's deadline.
func TestF46RetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, q *http.Request) {
			if n.Add(1) == 1 {
				answer(w, 429, "Too Many Requests", "", "Retry-After: 7")
				return
			}
			data(version)(w, q)
		}}, nil)
		defer r.close()
		start := time.Now()
		if _, err := r.Version(t.Context()); err != nil || time.Since(start) < 7*time.Second || time.Since(start) > 9*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		n.Store(0)
		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := r.Version(ctx); fault.CodeOf(err) != fault.RateLimited || time.Since(start) > time.Second {
			t.Errorf("short deadline: %v after %s", err, time.Since(start))
		}
	})
}

// F47: pveproxy restarts; a GET waits for it. An address that never answered fails soon.
func TestF47Restart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, nil)
		defer r.close()
		start := time.Now()
		r.net.set(addr1, errRefused)
		if _, err := r.Version(t.Context()); fault.CodeOf(err) != fault.Unreachable || time.Since(start) > 2*time.Second {
			t.Errorf("never answered: %v after %s", err, time.Since(start))
		}
		r.net.set(addr1, nil)
		if _, err := r.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Close() // the restart closes the idle connection
		r.net.set(addr1, errRefused)
		time.AfterFunc(5*time.Second, func() { r.net.set(addr1, nil) })
		start = time.Now()
		if _, err := r.Version(t.Context()); err != nil || time.Since(start) < 5*time.Second {
			t.Errorf("restart: %v after %s", err, time.Since(start))
		}
		r.Close()
		r.net.set(addr1, errRefused)
		if _, err := r.Raw(t.Context(), "POST", "/x", nil); fault.CodeOf(err) != fault.Unreachable {
			t.Errorf("a write that was never sent: %v", err)
		}
	})
}

// F54: 200 with null where a list was expected is an error, not an empty list.
func TestF54NullList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(`null`)}, nil)
		defer r.close()
		rows, _, err := r.Resources(t.Context(), "")
		if fault.CodeOf(err) != fault.BadAnswer || rows != nil {
			t.Errorf("resources: %v, %v", rows, err)
		}
		if _, err := r.ClusterTasks(t.Context()); fault.CodeOf(err) != fault.BadAnswer {
			t.Errorf("tasks: %v", err)
		}
		if _, err := r.GuestConfig(t.Context(), "pve1", pve.Qemu, 100); fault.CodeOf(err) != fault.BadAnswer {
			t.Errorf("config: %v", err)
		}
	})
}

// Each way of not being reachable has its own words (faults.md 8, 3).
func TestUnreachableTexts(t *testing.T) {
	for want, cause := range map[string]error{
		"cannot be resolved":     &net.DNSError{Err: "no such host", Name: "pve1", IsNotFound: true},
		"name server does not":   &net.DNSError{Err: "i/o timeout", Name: "pve1", IsTimeout: true},
		"refuses the connection": errRefused,
		"no route":               errNoRoute,
		"connecting timed out":   errDialTimeout,
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, nil, nil)
			defer r.close()
			r.net.set(addr1, cause)
			_, err := r.Version(t.Context())
			if f := fault.Of(err); f.Code != fault.Unreachable || !strings.Contains(f.Message, want) {
				t.Errorf("want %q, got %s: %s", want, f.Code, f.Message)
			}
			if !errors.Is(err, cause) && !strings.Contains(err.Error(), cause.Error()) {
				t.Errorf("the cause %v is lost in %v", cause, err)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version),
			"POST /access/ticket": data(`{"ticket":"PVE:root@pam:65000000::sig","CSRFPreventionToken":"csrf"}`)},
			func(c *ClusterConfig) {
				c.ReadOnly, c.Token, c.Username, c.Password = true, redact.Secret{}, "root@pam", redact.NewSecret(canary)
			})
		defer r.close()
		for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "get", "FOO"} {
			for _, p := range []string{"/nodes/pve1/qemu/100/status/stop", "/access/ticket", "/version"} {
				_, err := r.Raw(t.Context(), m, p, nil)
				if c := fault.CodeOf(err); c != fault.ReadOnly && c != fault.Invalid {
					t.Errorf("%s %s: %v", m, p, err)
				}
			}
		}
		for name, send := range map[string]func() error{
			"post":   func() error { return r.Typed().Post(t.Context(), "/nodes/pve1/x", map[string]string{"a": "b"}, nil) },
			"put":    func() error { return r.Typed().Put(t.Context(), "/nodes/pve1/x", map[string]string{"a": "b"}, nil) },
			"delete": func() error { return r.Typed().Delete(t.Context(), "/nodes/pve1/x", nil) },
		} {
			if err := send(); fault.CodeOf(err) != fault.ReadOnly {
				t.Errorf("go-proxmox %s: %v", name, err)
			}
		}
		if _, err := r.Version(t.Context()); err != nil {
			t.Error(err)
		}
		for _, s := range r.pve.seen {
			if !strings.HasPrefix(s, "GET ") && s != "POST /access/ticket" {
				t.Errorf("the server saw %s", s)
			}
		}
	})
}
