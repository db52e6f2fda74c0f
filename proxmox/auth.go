package proxmox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

const (
	// A ticket lives 2 h (pve-access-control, $ticket_lifetime); renewed at half of it, a failed renewal leaves an hour to succeed.
	ticketRenewAt = time.Hour
	ticketLife    = 2 * time.Hour
	// loginRest is how long a refused login is not tried again: a loop would cost 3 s each and can lock the account (F04).
	loginRest = 30 * time.Second
)

const userAgent = "proxmox-mcp"

// auth adds the credentials: an API token, or a ticket that it gets, renews and replaces. One login is in flight at a time; a 401 leads
// to one new login and one more try, never to a loop.
type auth struct {
	next  http.RoundTripper
	set   *settings
	now   func() time.Time
	stats *stats
	limit time.Duration   // of one login
	life  context.Context //nolint:containedctx // of the client: logins outlive their callers, not the client
	end   context.CancelFunc

	mu      sync.Mutex
	ticket  ticket
	going   *login // nil when none is in flight
	refused error
	retryAt time.Time
}

// login is one that is in flight. It goes on when those who wait for it have left, so that its outcome is remembered: one that is refused
// after its caller's deadline must not be tried again (F04).
type login struct {
	done   chan struct{} // closed at its end; the outcome may be read then
	ticket ticket
	err    error
}

func newAuth(next http.RoundTripper, set *settings, o *options, st *stats) *auth {
	a := &auth{next: next, set: set, now: o.now, stats: st, limit: o.limits.Timeout}
	a.life, a.end = context.WithCancel(context.Background())
	return a
}

type ticket struct {
	value, csrf redact.Secret
	born        time.Time
	serial      int
}

// RoundTrip implements http.RoundTripper.
func (a *auth) RoundTrip(req *http.Request) (*http.Response, error) {
	if a.set.Token.IsSet() {
		out := a.dress(req)
		out.Header.Set("Authorization", "PVEAPIToken="+a.set.Token.Reveal())
		return a.next.RoundTrip(out)
	}
	t, err := a.valid(req.Context(), 0)
	if err != nil {
		return nil, err
	}
	resp, err := a.next.RoundTrip(a.withTicket(req, t))
	if err != nil || resp.StatusCode != http.StatusUnauthorized || rewind(req) != nil {
		return resp, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	if t, err = a.valid(req.Context(), t.serial); err != nil {
		return nil, err
	}
	return a.next.RoundTrip(a.withTicket(req, t))
}

func (a *auth) dress(req *http.Request) *http.Request {
	out := req.WithContext(req.Context())
	out.Header = req.Header.Clone()
	for _, h := range []string{"Cookie", "Authorization", "CSRFPreventionToken"} {
		out.Header.Del(h)
	}
	out.Header.Set("User-Agent", userAgent)
	out.Header.Set("Accept", "application/json")
	return out
}

func (a *auth) withTicket(req *http.Request, t ticket) *http.Request {
	out := a.dress(req)
	out.Header.Set("Cookie", "PVEAuthCookie="+escapeValue(t.value.Reveal()))
	if req.Method != http.MethodGet {
		out.Header.Set("CSRFPreventionToken", t.csrf.Reveal())
	}
	return out
}

// valid returns a ticket younger than an hour and newer than serial; it logs in when there is none.
func (a *auth) valid(ctx context.Context, serial int) (ticket, error) {
	for {
		t, l, err := a.join(ctx, serial)
		if l == nil {
			return t, err
		}
		select {
		case <-l.done:
		case <-ctx.Done():
			return ticket{}, ctx.Err()
		}
		// A renewal that failed leaves the old ticket, which is of no use to a call that it was refused to: that one asks once more.
		if l.err != nil || l.ticket.serial > serial {
			return l.ticket, l.err
		}
	}
}

// join gives the ticket that there is or the login to wait for, which it starts if none is in flight.
func (a *auth) join(ctx context.Context, serial int) (ticket, *login, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, age := a.ticket, a.now().Sub(a.ticket.born)
	switch {
	case t.serial > serial && age < ticketRenewAt:
		return t, nil, nil
	case a.going != nil:
		return ticket{}, a.going, nil
	case a.refused != nil && a.now().Before(a.retryAt):
		return ticket{}, nil, a.refused
	}
	renew := t
	if t.serial <= serial || age >= ticketLife {
		renew = ticket{}
	}
	l := &login{done: make(chan struct{})}
	a.going = l
	// A call that asks one endpoint alone does not decide for the others where they log in.
	go a.run(context.WithValue(context.WithoutCancel(ctx), keyOnly, nil), l, renew)
	return ticket{}, l, nil
}

// run logs in for all who wait, by the ticket renew if there is one.
func (a *auth) run(ctx context.Context, l *login, renew ticket) {
	l.ticket, l.err = a.obtain(ctx, renew)
	a.mu.Lock()
	a.going = nil
	if l.err != nil && fault.CodeOf(l.err) == fault.Unauthenticated {
		a.refused, a.retryAt = l.err, a.now().Add(loginRest)
	}
	a.mu.Unlock()
	close(l.done)
}

func (a *auth) obtain(ctx context.Context, renew ticket) (ticket, error) {
	if renew.serial > 0 {
		// The ticket itself is the password of its renewal (01/004).
		if t, err := a.logIn(ctx, renew.value); err == nil {
			return t, nil
		} else if fault.CodeOf(err) != fault.Unauthenticated {
			return renew, nil // it still works; the next call tries again
		}
	}
	return a.logIn(ctx, a.set.Password)
}

// forget drops the ticket: the server answered as if it were not valid (F54).
func (a *auth) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ticket.born = time.Time{}
}

func (a *auth) logIn(ctx context.Context, password redact.Secret) (ticket, error) {
	c := newCall(ctx, http.MethodPost, "/access/ticket")
	c.login = true
	ctx, cancel := context.WithTimeoutCause(context.WithValue(ctx, keyCall, c), a.limit, errOwnDeadline)
	defer cancel()
	defer context.AfterFunc(a.life, cancel)()
	form := Params{}.Str("username", a.set.Username).Str("password", password.Reveal())
	req, err := newRequest(ctx, http.MethodPost, "/access/ticket", form)
	if err != nil {
		return ticket{}, err
	}
	a.stats.login()
	resp, err := a.next.RoundTrip(a.dress(req))
	if we, ok := errors.AsType[*wireError](err); ok {
		// The call that waits for this login was not sent, whatever became of the login.
		return ticket{}, &wireError{addr: we.addr, err: we.err}
	}
	if err != nil {
		return ticket{}, err
	}
	data, err := readAll(resp, 1<<20)
	_ = resp.Body.Close()
	if err != nil {
		return ticket{}, &wireError{addr: addrOf(c), err: err}
	}
	if resp.StatusCode != http.StatusOK {
		c.skew = clockSkew(resp, a.now())
		e := newAPIError(c, resp, data)
		e.fault = toFault(e, a.set, c)
		return ticket{}, e
	}
	return a.keep(data)
}

func (a *auth) keep(data []byte) (ticket, error) {
	var answer struct {
		Data struct {
			Ticket string          `json:"ticket"`
			CSRF   string          `json:"CSRFPreventionToken"`
			TFA    json.RawMessage `json:"NeedTFA"`
		} `json:"data"`
	}
	if err := json.Unmarshal(data, &answer); err != nil || answer.Data.Ticket == "" {
		return ticket{}, fault.New(fault.BadAnswer, "the login answer holds no ticket")
	}
	if len(answer.Data.TFA) > 0 || strings.HasPrefix(answer.Data.Ticket, "PVE:!tfa!") {
		return ticket{}, fault.New(fault.Unauthenticated, "the user %s has two-factor authentication, which a program cannot answer", a.set.Username).
			WithHint("use an API token: pveum user token add %s mcp --privsep 1", a.set.Username)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ticket = ticket{redact.NewSecret(answer.Data.Ticket), redact.NewSecret(answer.Data.CSRF), a.now(), a.ticket.serial + 1}
	a.refused = nil
	return a.ticket, nil
}

// clockSkew is how far the node's clock is ahead of ours by its Date header, 0 when unknown. Tickets stop working beyond 300 s (F06).
func clockSkew(resp *http.Response, now time.Time) time.Duration {
	if resp.Header == nil {
		return 0
	}
	d, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0
	}
	return d.Sub(now).Round(time.Second)
}

func escapeValue(s string) string {
	// Cookies may be percent-encoded or raw (pve-api.md 20); a ticket's base64 part holds + and /.
	var b strings.Builder
	for _, r := range []byte(s) {
		if r > ' ' && r < 0x7f && r != '%' && r != ';' && r != ',' && r != '"' && r != '\\' && r != '+' {
			b.WriteByte(r)
			continue
		}
		b.WriteByte('%')
		b.WriteString(strings.ToUpper(strconv.FormatUint(uint64(r)+0x100, 16)[1:]))
	}
	return b.String()
}

// who names the identity in messages: the token id or the user, never a secret.
func (s *settings) who() (flag, id string) {
	if s.tokenID != "" {
		return "--tokens", s.tokenID
	}
	return "--users", s.Username
}

var _ http.RoundTripper = (*auth)(nil)
