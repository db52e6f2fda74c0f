package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

//go:embed approval
var approvalFiles embed.FS

const (
	// approvalLife is how long the page waits for a person: a plan that waits expires about then.
	approvalLife = 30 * time.Minute
	// approvalBody bounds what a browser may send: a passphrase and some ids.
	approvalBody = 8 << 10
	// wrongTokens end the page: nobody mistypes a link.
	wrongTokens = 5
)

// Approval is one plan that a person decides about on a page of this machine.
type Approval struct {
	Review string // what the plan does, for people
	Typing bool   // ids have to be typed
	// Decide is called at most once at a time. An error is shown, and the person may try again; else the page ends with the text.
	Decide func(ctx context.Context, d ApprovalAnswer) (text string, err error)
}

// ApprovalAnswer is what the person said.
type ApprovalAnswer struct {
	Approve    bool   `json:"approve"`
	Typed      string `json:"typed"`
	Passphrase string `json:"passphrase"`
}

// ErrUndecided ends a page on which nobody decided.
var ErrUndecided = fault.New(fault.Cancelled, "nobody decided on the page; the plan still waits")

// ServeApproval serves the page on l, which has to be on the loopback, tells its link once, and returns when the decision was made, ctx
// ended or the page's time is over. Who decides proves the passphrase; the link's token keeps other programs of this machine out.
func ServeApproval(ctx context.Context, l net.Listener, a Approval, tell func(link string)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, approvalLife, ErrUndecided)
	defer cancel()
	p := &approvalPage{Approval: a, ctx: ctx, host: l.Addr().String(), token: rand.Text(), done: make(chan error, 1)}
	srv := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = srv.Serve(l) }() // it ends by Shutdown
	tell("http://" + p.host + "/#" + p.token)
	var err error
	select {
	case err = <-p.done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	ending, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	return errors.Join(err, srv.Shutdown(ending))
}

type approvalPage struct {
	Approval
	ctx         context.Context //nolint:containedctx // of the page's life, which outlasts a request whose browser went away
	host, token string
	done        chan error

	mu    sync.Mutex
	wrong int
	over  bool
}

func (p *approvalPage) handler() http.Handler {
	mux := http.NewServeMux()
	for path, file := range map[string]string{"GET /{$}": "page.html", "GET /page.css": "page.css", "GET /page.js": "page.js"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			data, err := fs.ReadFile(approvalFiles, "approval/"+file)
			if err != nil {
				http.Error(w, "missing", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", mime.TypeByExtension(file[4:]))
			_, _ = w.Write(data) // a browser that went away reads nothing
		})
	}
	mux.HandleFunc("POST /review", p.review)
	mux.HandleFunc("POST /decide", p.decide)
	return p.guard(mux)
}

// guard admits requests of this very page alone: the Host is the address that we listen on (no rebinding), a POST comes from our origin.
func (p *approvalPage) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if r.Host != p.host || r.Method == http.MethodPost && r.Header.Get("Origin") != "http://"+p.host {
			refuse(w, http.StatusForbidden, "this request does not come from the page itself")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, status int, text string) {
	reply(w, status, map[string]string{"error": text})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a browser that went away reads nothing
}

// read decodes a request and checks its token; false when it was refused.
func (p *approvalPage) read(w http.ResponseWriter, r *http.Request) (ApprovalAnswer, bool) {
	var in struct {
		Token string `json:"token"`
		ApprovalAnswer
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, approvalBody))
	if kind != "application/json" || dec.Decode(&in) != nil {
		refuse(w, http.StatusBadRequest, "this is not what the page sends")
		return in.ApprovalAnswer, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
		refuse(w, http.StatusGone, "this page is closed")
		return in.ApprovalAnswer, false
	case subtle.ConstantTimeCompare([]byte(in.Token), []byte(p.token)) != 1:
		if p.wrong++; p.wrong >= wrongTokens {
			p.end(fault.New(fault.Denied, "the page was asked with wrong tokens and closed; the plan still waits"))
		}
		refuse(w, http.StatusForbidden, "the link is not the one that was shown: open it as a whole")
		return in.ApprovalAnswer, false
	}
	return in.ApprovalAnswer, true
}

// end closes the page once; p.mu is held.
func (p *approvalPage) end(err error) {
	if !p.over {
		p.over = true
		p.done <- err
	}
}

func (p *approvalPage) review(w http.ResponseWriter, r *http.Request) {
	if _, ok := p.read(w, r); ok {
		reply(w, http.StatusOK, map[string]any{"text": p.Review, "typing": p.Typing})
	}
}

func (p *approvalPage) decide(w http.ResponseWriter, r *http.Request) {
	in, ok := p.read(w, r)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		refuse(w, http.StatusGone, "this page is closed")
		return
	}
	text, err := p.Decide(p.ctx, in)
	if err != nil {
		e := fault.Of(err)
		refuse(w, http.StatusConflict, redact.Text(e.Error()))
		return
	}
	reply(w, http.StatusOK, map[string]string{"text": text})
	p.end(nil)
}
