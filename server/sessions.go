package server

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	// sessionIdle is how long a session may be unused: a client that comes later is told to begin anew (404), as the protocol wants.
	sessionIdle = 30 * time.Minute
	// sessionsInAll bounds what clients of older revisions make us remember (about 10 kB each in mcp-go), sessionsOfOne what one
	// principal does: above it the longest idle ends. All users of a loopback door are one principal.
	sessionsInAll = 1024
	sessionsOfOne = 256
	// sessionSweep is how often sessions that ran out are forgotten.
	sessionSweep = time.Minute
)

// sessions are the sessions of clients before revision 2026-07-28. An id is random, signed, and of use to its principal alone. mcp-go's
// own managers take made-up ids or remember ended ones for ever, and none knows who asks (facts: mcp.md 5, 6.1 gap 5).
type sessions struct {
	key []byte // of this process: sessions do not outlive it
	now func() time.Time
	// forget frees what mcp-go keeps of a session.
	forget func(id string)

	mu   sync.Mutex
	held map[string]*session
}

type session struct {
	who  string
	used time.Time
	busy int    // requests and streams under way
	end  func() // ends its stream; nil for sessions that mcp-go keeps by id
}

func newSessions(now func() time.Time, forget func(id string)) *sessions {
	return &sessions{key: []byte(rand.Text()), now: now, forget: forget, held: map[string]*session{}}
}

// open makes a session of who, and ends others where there are too many.
func (s *sessions) open(who string, end func()) string {
	id := s.sign(rand.Text(), who)
	s.mu.Lock()
	gone := s.takeExpired()
	for {
		victim := s.crowded(who)
		if victim == "" {
			break
		}
		gone = append(gone, s.take(victim))
	}
	s.held[id] = &session{who: who, used: s.now(), end: end}
	s.mu.Unlock()
	for _, end := range gone {
		end()
	}
	return id
}

// crowded is the session that has to make room for another one of who, "" = there is room; s.mu is held.
func (s *sessions) crowded(who string) string {
	own, ofOwn, ofAll := 0, "", ""
	for id, h := range s.held {
		if ofAll == "" || h.idler(s.held[ofAll]) {
			ofAll = id
		}
		if h.who != who {
			continue
		}
		if own++; ofOwn == "" || h.idler(s.held[ofOwn]) {
			ofOwn = id
		}
	}
	switch {
	case own >= sessionsOfOne:
		return ofOwn
	case len(s.held) >= sessionsInAll:
		return ofAll
	}
	return ""
}

func (h *session) idler(than *session) bool {
	if (h.busy == 0) != (than.busy == 0) {
		return h.busy == 0
	}
	return h.used.Before(than.used)
}

// use says whether id is a session of who that still lives; done ends the use.
func (s *sessions) use(id, who string) (done func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[id]
	if h == nil || h.who != who || s.expired(h) {
		return nil, false
	}
	h.busy++
	h.used = s.now()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.busy--
		h.used = s.now()
	}, true
}

// lives is use for a moment.
func (s *sessions) lives(id, who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[id]
	return h != nil && h.who == who && !s.expired(h)
}

// why is what a client is told whose session use did not find: one of ours that ended, which the signature proves, or a made-up one.
func (s *sessions) why(id, who string) string {
	if hmac.Equal([]byte(id), []byte(s.sign(id[:min(len(id), idLetters)], who))) {
		return "this session has ended; begin another one with initialize"
	}
	return "there is no such session; begin one with initialize"
}

func (s *sessions) expired(h *session) bool { return h.busy == 0 && s.now().Sub(h.used) >= sessionIdle }

// close ends a session; one that is not known stays so.
func (s *sessions) close(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, id)
}

// sweep ends the sessions that ran out.
func (s *sessions) sweep() {
	s.mu.Lock()
	gone := s.takeExpired()
	s.mu.Unlock()
	for _, end := range gone {
		end()
	}
}

// takeExpired takes those that ran out off the list and returns what ends them elsewhere, to be called without the lock; s.mu is held.
func (s *sessions) takeExpired() []func() {
	var gone []func()
	for id, h := range s.held {
		if s.expired(h) {
			gone = append(gone, s.take(id))
		}
	}
	return gone
}

// take takes one off the list and returns what ends it elsewhere; s.mu is held.
func (s *sessions) take(id string) func() {
	h := s.held[id]
	delete(s.held, id)
	if h.end != nil {
		return h.end
	}
	return func() { s.forget(id) }
}

// idLetters is the length of rand.Text, the random part of an id.
const idLetters = 26

func (s *sessions) sign(text, who string) string {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte(text + " " + who))
	return text + base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// ResolveSessionIdManager implements mcp-go's resolver: the manager knows whose request it is. Without a request everything may be ended.
func (s *sessions) ResolveSessionIdManager(r *http.Request) mcpserver.SessionIdManager { //nolint:revive // mcp-go's name
	if r == nil {
		return sessionsOf{s, ""}
	}
	return sessionsOf{s, PrincipalOf(r.Context()).String()}
}

// sessionsOf are the sessions as mcp-go sees them in a request of who.
type sessionsOf struct {
	*sessions
	who string
}

func (s sessionsOf) Generate() string { return s.open(s.who, nil) }

var errNoSession = errors.New("no such session")

// Validate refuses what guard did not see: a request without an id.
func (s sessionsOf) Validate(id string) (ended bool, err error) {
	if !s.lives(id, s.who) {
		return false, errNoSession
	}
	return false, nil
}

func (s sessionsOf) Terminate(id string) (refused bool, err error) {
	s.close(id)
	return false, nil
}

// guard admits requests of sessions that live and belong to who asks; mcp-go does not check a GET at all. Revision 2026-07-28 has no sessions.
func (s *sessions) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(mcpserver.HeaderKeySessionID)
		switch {
		case mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion)):
		case id != "":
			who := PrincipalOf(r.Context()).String()
			done, ok := s.use(id, who)
			if !ok {
				refuse(w, http.StatusNotFound, s.why(id, who))
				return
			}
			defer done()
		case r.Method != http.MethodPost:
			refuse(w, http.StatusBadRequest, "this needs the "+mcpserver.HeaderKeySessionID+" that initialize answered")
			return
		}
		next.ServeHTTP(w, r)
	})
}

type streamKey struct{}

// stream is what an open stream of HTTP+SSE has to say to the maker of its session's id, and is told back.
type stream struct {
	end context.CancelFunc
	id  string
}

// guardSSE binds the stream's session to its principal for as long as it is open.
func (s *sessions) guardSSE(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		st := &stream{end: cancel}
		defer func() { s.close(st.id) }()
		next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, streamKey{}, st)))
	})
}

// newSSE makes the session of a stream that guardSSE let through. It is in use until the stream ends.
func (s *sessions) newSSE(ctx context.Context, _ *http.Request) (string, error) {
	st, ok := ctx.Value(streamKey{}).(*stream)
	if !ok {
		return "", errNoSession
	}
	who := PrincipalOf(ctx).String()
	st.id = s.open(who, st.end)
	_, _ = s.use(st.id, who) // it was made just now
	return st.id, nil
}

// guardMessage admits messages to streams of who asks.
func (s *sessions) guardMessage(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		done, ok := s.use(r.URL.Query().Get("sessionId"), PrincipalOf(r.Context()).String())
		if !ok {
			refuse(w, http.StatusNotFound, "there is no such session; open a stream with GET /sse")
			return
		}
		defer done()
		next.ServeHTTP(w, r)
	})
}
