package storetest

import (
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testIntents keeps one intent per object, newest wins, and lets other processes notice each change.
func testIntents(t *testing.T, s *suite) {
	guest := store.Ref{Cluster: "a", Kind: store.KindGuest, ID: "104"}
	off := store.Intent{Ref: guest, Life: 2, Want: store.WantOff, Note: "spare \x1b[31m ü", Who: "local:1000", SetAt: t0}
	work := store.Intent{Ref: guest, Life: 2, Want: store.WantMaintenance, Until: t0.Add(time.Hour), Who: "local:1001", SetAt: t0.Add(time.Minute)}
	node := store.Intent{Ref: store.Ref{Cluster: "b", Kind: store.KindNode, ID: "pve1"}, Want: store.WantAwake, SetAt: t0}
	for i, in := range []store.Intent{off, node, work} {
		if err := s.SetIntent(t.Context(), in); err != nil {
			t.Fatal(err)
		}
		same(t, "generation", int64(i+1), must(s.Generation(t.Context()))(t))
	}
	other := s.open(t)
	same(t, "of a", []store.Intent{work}, must(other.Intents(t.Context(), "a"))(t))
	same(t, "of all", []store.Intent{work, node}, must(other.Intents(t.Context(), ""))(t))
	if !must(other.ClearIntent(t.Context(), guest))(t) || must(other.ClearIntent(t.Context(), guest))(t) {
		t.Error("an intent is not cleared exactly once")
	}
	same(t, "generation at the end", int64(4), must(s.Generation(t.Context()))(t))
	same(t, "left", []store.Intent{node}, must(s.Intents(t.Context(), ""))(t))
}
