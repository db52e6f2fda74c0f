package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"sync"

	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	// What a client whose connection broke can have again. Answers are a few kB; a session that lost more than this asks again.
	eventsOfOne     = 256
	eventBytesOfOne = 1 << 20
	eventBytesInAll = 8 << 20
	// eventOverhead is about what an event costs beside its text.
	eventOverhead = 128
)

// events are the messages sent on streams, kept for redelivery within bounds; mcp-go's own store keeps them all until the session ends.
type events struct {
	mu    sync.Mutex
	last  uint64 // an event's id is its place in the order of all
	bytes int
	logs  map[string]*eventLog
}

type eventLog struct {
	list  []event // oldest first
	bytes int
}

type event struct {
	id      uint64
	stream  string
	message json.RawMessage
}

func (e event) size() int { return len(e.message) + eventOverhead }

func newEvents() *events { return &events{logs: map[string]*eventLog{}} }

// StoreEvent implements mcp-go's EventStore.
func (s *events) StoreEvent(_ context.Context, session, stream string, message json.RawMessage) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	log := s.logs[session]
	if log == nil {
		log = &eventLog{}
		s.logs[session] = log
	}
	s.last++
	e := event{s.last, stream, slices.Clone(message)}
	log.list = append(log.list, e)
	log.bytes += e.size()
	s.bytes += e.size()
	for len(log.list) > eventsOfOne || log.bytes > eventBytesOfOne {
		s.drop(session)
	}
	for s.bytes > eventBytesInAll {
		s.drop(s.largest())
	}
	return strconv.FormatUint(e.id, 10), nil
}

// drop forgets the oldest event of a session; s.mu is held.
func (s *events) drop(session string) {
	log := s.logs[session]
	size := log.list[0].size()
	log.list[0] = event{}
	log.list = log.list[1:]
	log.bytes -= size
	s.bytes -= size
	if len(log.list) == 0 {
		delete(s.logs, session)
	}
}

func (s *events) largest() string {
	most, name := 0, ""
	for session, log := range s.logs {
		if log.bytes > most {
			most, name = log.bytes, session
		}
	}
	return name
}

// ReplayEventsAfter implements mcp-go's EventStore. An event that was dropped is unknown: the client learns that it missed something.
func (s *events) ReplayEventsAfter(_ context.Context, session, after string, send func(id string, message json.RawMessage) error) (string, error) {
	stream, missed, err := s.after(session, after)
	if err != nil {
		return "", err
	}
	for _, e := range missed {
		if err := send(strconv.FormatUint(e.id, 10), e.message); err != nil {
			return "", err
		}
	}
	return stream, nil
}

func (s *events) after(session, after string) (stream string, missed []event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	unknown := fmt.Errorf("%w: %.40q", mcpserver.ErrUnknownEventID, after)
	id, err := strconv.ParseUint(after, 10, 64)
	log := s.logs[session]
	if err != nil || log == nil {
		return "", nil, unknown
	}
	i, ok := slices.BinarySearchFunc(log.list, id, func(e event, id uint64) int { return cmp.Compare(e.id, id) })
	if !ok {
		return "", nil, unknown
	}
	stream = log.list[i].stream
	for _, e := range log.list[i+1:] {
		if e.stream == stream {
			missed = append(missed, e)
		}
	}
	return stream, missed, nil
}

// PurgeSession implements mcp-go's EventStore.
func (s *events) PurgeSession(_ context.Context, session string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if log := s.logs[session]; log != nil {
		s.bytes -= log.bytes
		delete(s.logs, session)
	}
	return nil
}
