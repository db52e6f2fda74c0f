package auth

import (
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/proxmox-mcp/proxmox-mcp/server"
)

// Limits bound each principal that a credential names; 0 = the default.
type Limits struct {
	Reads      int // messages that change nothing, per second
	Writes     int // calls of writing tools, per minute
	Concurrent int // messages that are answered at the same time
}

// Defaults: far above what agents do, far below what would keep a small machine busy.
const (
	defaultReads      = 50
	defaultWrites     = 30
	defaultConcurrent = 32
	// burstSeconds of reads may come at once: a client asks for all its lists when it starts.
	burstSeconds = 4
	// maxStreams are open streams of one principal: each holds a connection, none costs work while nothing happens.
	maxStreams = 64
	// restAfter is when the state of a principal that asks nothing is dropped: by then its limiter is full again.
	restAfter = 10 * time.Minute
)

type limiter struct {
	l     Limits
	clock func() time.Time
	mu    sync.Mutex
	users map[string]*user
}

type user struct {
	reads, writes    *rate.Limiter
	running, streams int
	last             time.Time
}

func newLimiter(l Limits, clock func() time.Time) *limiter {
	pick := func(n, byDefault int) int {
		if n == 0 {
			return byDefault
		}
		return n
	}
	return &limiter{clock: clock, users: map[string]*user{},
		l: Limits{pick(l.Reads, defaultReads), pick(l.Writes, defaultWrites), pick(l.Concurrent, defaultConcurrent)}}
}

// enter takes a request in, or refuses it; done is called when it was answered. Users of this machine, whom no credential names, are not
// bounded: they are not on stdio either.
func (l *limiter) enter(who server.Principal, c call) (done func(), no *refusal) {
	if who == server.LoopbackPrincipal() {
		return func() {}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	u := l.user(who.String(), now)
	count, most, what := &u.running, l.l.Concurrent, "calls at the same time"
	if c.stream {
		count, most, what = &u.streams, maxStreams, "open streams"
	}
	if *count >= most {
		return nil, tooMany("you have too many "+what, time.Second)
	}
	bucket, what := u.reads, "calls"
	if c.writes {
		bucket, what = u.writes, "changes"
	}
	if r := bucket.ReserveN(now, 1); r.DelayFrom(now) > 0 {
		wait := r.DelayFrom(now)
		r.CancelAt(now)
		return nil, tooMany("you ask for too many "+what+" in a short time", wait)
	}
	*count++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		*count--
	}, nil
}

func tooMany(text string, wait time.Duration) *refusal {
	return &refusal{status: http.StatusTooManyRequests, text: text, wait: wait}
}

// user gives the state of a principal; l.mu is held. What rests is dropped when the map is full.
func (l *limiter) user(who string, now time.Time) *user {
	u := l.users[who]
	if u == nil {
		if len(l.users) >= remembered {
			l.drop(now)
		}
		u = &user{reads: rate.NewLimiter(rate.Limit(l.l.Reads), l.l.Reads*burstSeconds), writes: rate.NewLimiter(rate.Limit(l.l.Writes)/60, l.l.Writes)}
		l.users[who] = u
	}
	u.last = now
	return u
}

// drop makes room: what rests, and if nothing does, who asked longest ago and has nothing running.
func (l *limiter) drop(now time.Time) {
	oldest := ""
	for who, u := range l.users {
		if u.running+u.streams > 0 {
			continue
		}
		if now.Sub(u.last) > restAfter {
			delete(l.users, who)
		} else if oldest == "" || u.last.Before(l.users[oldest].last) {
			oldest = who
		}
	}
	if len(l.users) >= remembered {
		delete(l.users, oldest)
	}
}
