package proxmox

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

func byPassword(c *ClusterConfig) {
	c.Token, c.Username, c.Password = redact.Secret{}, "root@pam", redact.NewSecret(canary)
}

// ticketOffice is a login that works as Proxmox VE's: tickets live 2 h, a live ticket is a password, refusals take 3 s.
type ticketOffice struct {
	mu       sync.Mutex
	born     map[string]time.Time
	logins   int
	byTicket int
	closed   bool
}

func (o *ticketOffice) login(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	o.mu.Lock()
	defer o.mu.Unlock()
	pw := r.PostForm.Get("password")
	_, renewal := o.born[pw]
	if o.closed || pw != canary && (!renewal || time.Since(o.born[pw]) > 2*time.Hour) {
		time.Sleep(3 * time.Second)
		answer(w, 401, "authentication failure", `{"data":null,"message":"authentication failure\n"}`)
		return
	}
	o.logins++
	if renewal {
		o.byTicket++
	}
	t := fmt.Sprintf("PVE:root@pam:%08X::c0/ffee+%d==", time.Now().Unix(), o.logins)
	o.born[t] = time.Now()
	data(fmt.Sprintf(`{"ticket":%q,"CSRFPreventionToken":"csrf%d","username":"root@pam"}`, t, o.logins))(w, r)
}

func (o *ticketOffice) guard(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		cookie, _ := strings.CutPrefix(r.Header.Get("Cookie"), "PVEAuthCookie=")
		cookie = strings.ReplaceAll(cookie, "%2B", "+")
		o.mu.Lock()
		born, ok := o.born[cookie]
		o.mu.Unlock()
		if !ok || time.Since(born) > 2*time.Hour || r.Method != "GET" && !strings.HasPrefix(r.Header.Get("CSRFPreventionToken"), "csrf") {
			time.Sleep(3 * time.Second)
			answer(w, 401, "Authentication failed!", "")
			return
		}
		next(w, r)
	}
}

func officeRig(t *testing.T) (*rig, *ticketOffice) {
	o := &ticketOffice{born: map[string]time.Time{}}
	r := newRig(t, map[string]http.HandlerFunc{"POST /access/ticket": o.login, "*": o.guard(data(version))}, byPassword)
	return r, o
}

// F05: tickets are renewed at 1 h with the ticket itself, one login at a time, and no call notices.
func TestF05TicketRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := officeRig(t)
		defer r.close()
		var wg sync.WaitGroup
		for range 5 * 6 {
			for range 3 { // more idle connections are more timers, on which Go's race detector has crashed (SIGSEGV in its stack depot)
				wg.Go(func() {
					if _, err := r.Version(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if _, err := r.Raw(t.Context(), "POST", "/nodes/pve1/x", nil); err != nil {
				t.Errorf("a write: %v", err)
			}
			time.Sleep(10 * time.Minute)
		}
		if o.logins != 5 || o.byTicket != 4 || r.Stats().Logins != 5 {
			t.Errorf("%d logins in 5 h, %d of them by ticket", o.logins, o.byTicket)
		}
		// Asleep for longer than a ticket lives: by password again.
		time.Sleep(3 * time.Hour)
		if _, err := r.Version(t.Context()); err != nil || o.logins != 6 || o.byTicket != 4 {
			t.Errorf("after the sleep: %v, %d logins, %d by ticket", err, o.logins, o.byTicket)
		}
	})
}

// A ticket that dies early leads to one new login and one more try.
func TestTicketRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := officeRig(t)
		defer r.close()
		if _, err := r.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.mu.Lock()
		clear(o.born)
		o.mu.Unlock()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := r.Version(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if o.logins != 2 {
			t.Errorf("%d logins", o.logins)
		}
	})
}

// F04: a refused login is not tried in a loop.
func TestF04NoLoginLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := officeRig(t)
		defer r.close()
		o.closed = true
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := r.Version(t.Context())
				if fault.CodeOf(err) != fault.Unauthenticated {
					t.Errorf("%v", err)
				}
				noCanary(t, err)
			})
		}
		wg.Wait()
		if n := r.pve.count("POST /access/ticket"); n != 1 {
			t.Errorf("%d logins", n)
		}
		o.closed = false
		time.Sleep(loginRest)
		if _, err := r.Version(t.Context()); err != nil {
			t.Errorf("after the rest: %v", err)
		}
	})
}

// F04: a refusal that its caller did not wait for is remembered, and a login that its caller left is there for the next one.
func TestF04LoginOutlivesItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, o := officeRig(t)
		defer r.close()
		o.closed = true
		for range 14 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := r.Version(ctx); err == nil {
				t.Error("answered")
			}
			cancel()
			time.Sleep(3 * time.Second)
		}
		if n := r.pve.count("POST /access/ticket"); n != 2 {
			t.Errorf("%d logins in about 40 s, whose callers waited a second each", n)
		}
		r.Close()
		time.Sleep(loginRest)
		if _, err := r.Version(t.Context()); err == nil {
			t.Error("a client that was closed logged in")
		}
	})
}

// A login that works but whose tickets are refused (401 for ever) ends after two tries.
func TestUselessTickets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		r := newRig(t, map[string]http.HandlerFunc{
			"POST /access/ticket": data(`{"ticket":"PVE:root@pam:65000000::x","CSRFPreventionToken":"c"}`),
			"*": func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				answer(w, 401, "Authentication failed!", "", "Date: "+time.Now().Add(412*time.Second).UTC().Format(http.TimeFormat))
			},
		}, byPassword)
		defer r.close()
		_, err := r.Version(t.Context())
		f := fault.Of(err)
		if f.Code != fault.Unauthenticated || asked.Load() != 2 || r.Stats().Logins != 2 {
			t.Errorf("%v: %d tries, %d logins", err, asked.Load(), r.Stats().Logins)
		}
		// F06: the clock is named.
		if !strings.Contains(f.Hint, "node clock 412 s ahead") {
			t.Errorf("hint: %s", f.Hint)
		}
	})
}

func TestTwoFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{
			"POST /access/ticket": data(`{"ticket":"PVE:!tfa!%7B:65000000::x","CSRFPreventionToken":"c","NeedTFA":1}`),
		}, byPassword)
		defer r.close()
		_, err := r.Version(t.Context())
		if f := fault.Of(err); f.Code != fault.Unauthenticated || !strings.Contains(f.Hint, "pveum user token add") {
			t.Errorf("%+v", f)
		}
	})
}

func TestTokenHeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, nil)
		defer r.close()
		if _, err := r.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		h := r.pve.header[0]
		if h.Get("Authorization") != "PVEAPIToken="+testToken || h.Get("Cookie") != "" || h.Get("CSRFPreventionToken") != "" {
			t.Errorf("headers %v", h)
		}
	})
}
