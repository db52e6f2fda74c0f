package auth

import (
	"math"
	"strconv"
	"sync"
	"time"
)

const (
	// loginEvery is how long a principal is taken for logged in: requests have no session on the newest protocol.
	loginEvery = time.Hour
	// remembered bounds the maps of this package.
	remembered = 4096
)

// seen knows who called within the last hour.
type seen struct {
	clock func() time.Time
	mu    sync.Mutex
	last  map[string]time.Time
}

// first says whether this is the first call within an hour, and remembers it.
func (s *seen) first(who string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	was, ok := s.last[who]
	if ok && now.Sub(was).Abs() < loginEvery {
		return false
	}
	if s.last == nil || len(s.last) >= remembered {
		s.last = map[string]time.Time{}
	}
	s.last[who] = now
	return true
}

const (
	// freeFailures are wrong credentials of an address without a wait: a person pastes the wrong one twice.
	freeFailures = 5
	// firstWait doubles with each further failure up to longestWait; an address without failures for forgetAfter starts anew.
	firstWait   = time.Second
	longestWait = time.Minute
	forgetAfter = 10 * time.Minute
	// tellEvery bounds what failures write into the audit: who guesses must not fill the disk.
	tellEvery = 6 * time.Second
)

// failures count wrong credentials by address.
type failures struct {
	clock func() time.Time
	mu    sync.Mutex
	peers map[string]tries
	told  time.Time
	more  int
}

type tries struct {
	n    int
	last time.Time
}

// wait is how long an address has to wait before its next credential is looked at.
func (f *failures) wait(peer string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.peers[peer]
	if t.n < freeFailures {
		return 0
	}
	wait := longestWait
	if k := t.n - freeFailures; k < 6 {
		wait = min(firstWait<<k, longestWait)
	}
	return wait - f.clock().Sub(t.last)
}

// add counts a failure. tell says whether to write it down, more how many were not since the last one that was.
func (f *failures) add(peer string) (more int, tell bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if f.peers == nil {
		f.peers = map[string]tries{}
	}
	if len(f.peers) >= remembered {
		f.forget(now)
	}
	t := f.peers[peer]
	if now.Sub(t.last) > forgetAfter {
		t.n = 0
	}
	f.peers[peer] = tries{t.n + 1, now}
	if now.Sub(f.told).Abs() < tellEvery {
		f.more++
		return 0, false
	}
	more, f.more, f.told = f.more, 0, now
	return more, true
}

// forget makes room: first what is old, then all.
func (f *failures) forget(now time.Time) {
	for peer, t := range f.peers {
		if now.Sub(t.last) > longestWait {
			delete(f.peers, peer)
		}
	}
	if len(f.peers) >= remembered {
		f.peers = map[string]tries{}
	}
}

// seconds is a wait as Retry-After says it: whole ones, at least one.
func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }
