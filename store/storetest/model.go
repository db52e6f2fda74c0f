package storetest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testRoundTrip writes a guest with every field set and reads it back.
func testRoundTrip(t *testing.T, s *suite) {
	at := t0.Add(1234 * time.Millisecond)
	g := store.Guest{
		VMID: 104, Life: 1, Type: "lxc", Node: "pve2", Name: "dns", Status: "unknown", Lock: "backup", Tags: "a;b", Pool: "lab",
		HAState: "started", Template: true,
		CPU: new(0.25), MaxCPU: new(4.0), Mem: new(int64(1)), MaxMem: new(int64(2)), Disk: new(int64(0)), MaxDisk: new(int64(1) << 60),
		Uptime: new(int64(5)), NetIn: new(int64(6)), NetOut: new(int64(7)),
		ConfigHash: "h", Digest: "d", ConfigAt: at, Facets: `{"os":"debian"}`, Addresses: `["10.0.0.5"]`, AddressesAt: at,
		Snapshots: `[]`, SnapshotsAt: at, FirstSeen: t0, LastSeen: at, UnknownSince: at, UnknownReason: "node pve2 is silent", GoneAt: at,
	}
	done := s.apply(t, s.lease(t, "p"), store.Batch{Guests: []store.Guest{g}})
	g.Cluster, g.Gen = "a", done.Generation
	same(t, "guests", []store.Guest{g}, must(s.Guests(t.Context(), store.GuestFilter{WithGone: true}))(t))
}

// testAbsent keeps what Proxmox VE did not say apart from 0.
func testAbsent(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	g := guest(100, 1)
	g.CPU = new(0.5)
	s.apply(t, l, store.Batch{Guests: []store.Guest{g}})
	g.CPU = nil
	done := s.apply(t, l, store.Batch{Guests: []store.Guest{g}})
	g.Cluster, g.Gen = "a", done.Generation
	same(t, "guests", []store.Guest{g}, must(s.Guests(t.Context(), store.GuestFilter{}))(t))
}

// testHostileText writes what an attacker may put into names: it comes back as it was, NUL bytes and broken UTF-8 removed.
func testHostileText(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	nasty := "x'; DROP TABLE guests;-- \"?\" ?0 $1 \u202e\x1b[31m\n" + strings.Repeat("ä", 1000)
	g := guest(100, 1)
	g.Name, g.Node = nasty+"\x00\xff", "\x00"
	s.apply(t, l, store.Batch{
		Guests:  []store.Guest{g},
		Objects: []store.Object{{Ref: store.Ref{Kind: store.KindNode, ID: nasty + "\x00"}, Life: 1}},
		Changes: []store.Change{{Ref: store.Ref{Kind: store.KindNode, ID: nasty}, What: "changed", Old: "\x00" + nasty}},
		Tasks:   []store.Task{{UPID: nasty, Node: "n\x00"}},
	})
	same(t, "name", nasty, must(s.Guests(t.Context(), store.GuestFilter{}))(t)[0].Name)
	same(t, "node", "", must(s.Guests(t.Context(), store.GuestFilter{}))(t)[0].Node)
	same(t, "object", nasty, must(s.Objects(t.Context(), "a", 0))(t)[0].ID)
	same(t, "old", nasty, must(s.Changes(t.Context(), store.HistoryFilter{Cluster: "a"}))(t)[0].Old)
	same(t, "upid", nasty, must(s.Tasks(t.Context(), store.TaskFilter{Node: "n\x00"}))(t)[0].UPID)
	must(s.Versions(t.Context(), store.Ref{Cluster: nasty + "\x00", Kind: "k", ID: nasty}))(t)
	_, err := s.Content(t.Context(), nasty+"\x00")
	wantCode(t, err, fault.NotFound)
}

func testGuestFilter(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	gone := guest(103, 1)
	gone.GoneAt = t0
	first := s.apply(t, l, store.Batch{Guests: []store.Guest{guest(101, 1), guest(100, 1), gone}})
	s.apply(t, l, store.Batch{Cluster: "b", Guests: []store.Guest{guest(100, 1)}})
	s.apply(t, l, store.Batch{Guests: []store.Guest{guest(101, 1)}})
	for name, tc := range map[string]struct {
		f    store.GuestFilter
		want []string
	}{
		"all":     {store.GuestFilter{}, []string{"a/100", "a/101", "b/100"}},
		"cluster": {store.GuestFilter{Cluster: "a"}, []string{"a/100", "a/101"}},
		"gone":    {store.GuestFilter{Cluster: "a", WithGone: true}, []string{"a/100", "a/101", "a/103"}},
		"after":   {store.GuestFilter{AfterGen: first.Generation, WithGone: true}, []string{"a/101", "b/100"}},
		"nothing": {store.GuestFilter{AfterGen: 99}, nil},
		"unknown": {store.GuestFilter{Cluster: "z"}, nil},
	} {
		var got []string
		for _, g := range must(s.Guests(t.Context(), tc.f))(t) {
			got = append(got, g.Cluster+"/"+string(rune('0'+g.VMID/100))+"0"+string(rune('0'+g.VMID%10)))
		}
		same(t, name, tc.want, got)
	}
}

// testLives gives a vmid to a second guest: its history begins anew and the first one's stays; one of the two is present.
func testLives(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	s.apply(t, l, store.Batch{Guests: []store.Guest{guest(100, 1)}, Contents: []store.Content{content("100", 1, `{"a":1}`)}})
	s.pass(time.Minute)
	done := s.apply(t, l, store.Batch{
		Guests: []store.Guest{guest(100, 2), guest(101, 1)}, Contents: []store.Content{content("100", 2, `{"a":1}`)},
	})
	if done.NewVersions != 1 {
		t.Errorf("a new life with equal content made %d versions, want its own first one", done.NewVersions)
	}
	all := must(s.Guests(t.Context(), store.GuestFilter{Cluster: "a", WithGone: true}))(t)
	if len(all) != 3 || all[0].Life != 1 || !all[0].GoneAt.Equal(s.clock()) || all[0].Gen != done.Generation || !all[1].GoneAt.IsZero() {
		t.Errorf("guests %+v: life 1 must be gone since the batch, life 2 present", all)
	}
	versions := must(s.Versions(t.Context(), store.Ref{Cluster: "a", Kind: store.KindGuest, ID: "100"}))(t)
	if len(versions) != 2 || versions[0].Life != 1 || versions[1].Life != 2 || versions[1].Seq != 1 {
		t.Errorf("versions %+v", versions)
	}
}

// testGone keeps a guest that went, its versions and its content, and takes it back.
func testGone(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	c := content("100", 1, `{"a":1}`)
	first := s.apply(t, l, store.Batch{Guests: []store.Guest{guest(100, 1)}, Contents: []store.Content{c}})
	g := guest(100, 1)
	g.GoneAt = t0.Add(time.Minute)
	s.apply(t, l, store.Batch{Guests: []store.Guest{g}})
	if left := must(s.Guests(t.Context(), store.GuestFilter{}))(t); len(left) != 0 {
		t.Errorf("a gone guest is listed: %+v", left)
	}
	changed := must(s.Guests(t.Context(), store.GuestFilter{AfterGen: first.Generation, WithGone: true}))(t)
	if len(changed) != 1 || !changed[0].GoneAt.Equal(g.GoneAt) {
		t.Errorf("followers do not see that it went: %+v", changed)
	}
	same(t, "content", json.RawMessage(c.JSON), must(s.Content(t.Context(), c.Hash))(t))
	s.apply(t, l, store.Batch{Guests: []store.Guest{guest(100, 1)}})
	if back := must(s.Guests(t.Context(), store.GuestFilter{}))(t); len(back) != 1 {
		t.Errorf("it did not come back: %+v", back)
	}
}

func testObjects(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	node := store.Object{
		Ref: store.Ref{Cluster: "a", Kind: store.KindNode, ID: "pve1"}, Life: 1, Hash: "h", State: json.RawMessage(`{"status":"online"}`),
		FirstSeen: t0, LastSeen: t0, UnknownSince: t0, GoneAt: t0,
	}
	pool := store.Object{Ref: store.Ref{Cluster: "a", Kind: store.KindPool, ID: "lab"}, Life: 1}
	first := s.apply(t, l, store.Batch{Objects: []store.Object{pool, node}})
	node.Gen, pool.Gen = first.Generation, first.Generation
	same(t, "objects", []store.Object{node, pool}, must(s.Objects(t.Context(), "a", 0))(t))
	same(t, "all clusters", 2, len(must(s.Objects(t.Context(), "", 0))(t)))
	pool.State = json.RawMessage(`{}`)
	pool.Gen = s.apply(t, l, store.Batch{Objects: []store.Object{pool}}).Generation
	same(t, "changed", []store.Object{pool}, must(s.Objects(t.Context(), "a", first.Generation))(t))
	same(t, "other cluster", 0, len(must(s.Objects(t.Context(), "b", 0))(t)))
}

// testLastRowWins sends the same row twice in one batch.
func testLastRowWins(t *testing.T, s *suite) {
	early, late := guest(100, 1), guest(100, 1)
	late.Name = "late"
	obj := store.Ref{Kind: store.KindPool, ID: "lab"}
	s.apply(t, s.lease(t, "p"), store.Batch{
		Guests:  []store.Guest{early, late},
		Objects: []store.Object{{Ref: obj, Hash: "early"}, {Ref: obj, Hash: "late"}},
		Tasks:   []store.Task{{UPID: "u", Exit: "early"}, {UPID: "u", Exit: "late"}},
	})
	same(t, "guest", "late", must(s.Guests(t.Context(), store.GuestFilter{}))(t)[0].Name)
	same(t, "object", "late", must(s.Objects(t.Context(), "a", 0))(t)[0].Hash)
	same(t, "task", "late", must(s.Tasks(t.Context(), store.TaskFilter{}))(t)[0].Exit)
}

// testByteOrder sorts texts by their bytes, whatever language the database is set to.
func testByteOrder(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	want := []string{"-", "B", "_", "a", "b", "ä"}
	var b store.Batch
	for _, id := range []string{"b", "ä", "_", "a", "B", "-"} {
		b.Objects = append(b.Objects, store.Object{Ref: store.Ref{Kind: store.KindPool, ID: id}})
	}
	s.apply(t, l, b)
	var got []string
	for _, o := range must(s.Objects(t.Context(), "a", 0))(t) {
		got = append(got, o.ID)
	}
	same(t, "order", want, got)
}
