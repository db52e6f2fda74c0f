package storetest

import (
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testCounts counts guests that are there, plans by state and the newest finished syncs.
func testCounts(t *testing.T, s *suite) {
	empty := must(s.Counts(t.Context()))(t)
	if empty.Bytes <= 0 || len(empty.Plans)+len(empty.Guests)+len(empty.Synced) > 0 {
		t.Errorf("an empty store: %+v", empty)
	}
	l := s.lease(t, "p")
	container, gone := guest(101, 1), guest(102, 1)
	container.Type, container.Status = "lxc", "stopped"
	gone.GoneAt = t0
	s.apply(t, l, store.Batch{Guests: []store.Guest{guest(100, 1), container, gone}})
	s.save(t, plan("p-a"), 1)
	done := plan("p-b")
	done.State = "done"
	s.save(t, done, 0)
	s.finish(t, l)
	s.pass(time.Second)
	last := s.finish(t, l)
	must(s.BeginSync(t.Context(), l, store.Sync{Cluster: "a", Mode: "tick", Started: s.clock()}))(t)
	got := must(s.Counts(t.Context()))(t)
	got.Bytes = 0
	first := guest(100, 1)
	same(t, "counts", store.Counts{
		Plans: map[string]int64{"waiting": 1, "done": 1}, Synced: map[string]time.Time{"a": last.Finished},
		Guests: []store.GuestCount{{Cluster: "a", Type: "lxc", Status: "stopped", N: 1}, {Cluster: "a", Type: first.Type, Status: first.Status, N: 1}},
	}, got)
}
