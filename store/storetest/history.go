package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testVersions changes a content there and back: three versions, two bodies.
func testVersions(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	ref := store.Ref{Cluster: "a", Kind: store.KindGuest, ID: "100"}
	var want []store.Version
	for i, body := range []string{`{"cores":1}`, `{"cores":2}`, `{"cores":1}`} {
		c := content("100", 1, body)
		if i > 0 {
			c.NotBefore = s.clock().Add(-time.Second)
		}
		if done := s.apply(t, l, store.Batch{SyncID: int64(7 + i), Contents: []store.Content{c}}); done.NewVersions != 1 {
			t.Fatalf("%s made %d versions", body, done.NewVersions)
		}
		want = append(want, store.Version{
			Ref: ref, Life: 1, Seq: i + 1, Hash: c.Hash, SeenAt: s.clock(), NotBefore: c.NotBefore, SyncID: int64(7 + i),
		})
		same(t, "content", json.RawMessage(body), must(s.Content(t.Context(), c.Hash))(t))
		s.pass(time.Minute)
	}
	same(t, "versions", want, must(s.Versions(t.Context(), ref))(t))
	revised := []store.Revision{{Version: want[2], Old: want[1].Hash}, {Version: want[1], Old: want[0].Hash}}
	same(t, "revisions", revised, must(s.Revisions(t.Context(), store.HistoryFilter{Cluster: "a"}))(t))
	same(t, "revisions since", revised[:1], must(s.Revisions(t.Context(), store.HistoryFilter{Since: want[2].SeenAt}))(t))
	same(t, "revisions until", revised[1:], must(s.Revisions(t.Context(), store.HistoryFilter{Cluster: "a", Until: want[2].SeenAt}))(t))
	same(t, "no revision of others", 0, len(must(s.Revisions(t.Context(), store.HistoryFilter{Cluster: "b"}))(t)))
	same(t, "newest revision", revised[:1], must(s.Revisions(t.Context(), store.HistoryFilter{Cluster: "a", Limit: 1}))(t))
	same(t, "bodies", int64(2), s.rows(t)["contents"])
}

// testVersionsInBatch sends two contents of one object and a repetition in one batch.
func testVersionsInBatch(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	done := s.apply(t, l, store.Batch{Contents: []store.Content{
		content("100", 1, `1`), content("100", 1, `2`), content("100", 1, `2`), content("101", 1, `1`),
	}})
	same(t, "new versions", 3, done.NewVersions)
	same(t, "known content", 0, s.apply(t, l, store.Batch{Contents: []store.Content{content("100", 1, `2`)}}).NewVersions)
	same(t, "older content", 1, s.apply(t, l, store.Batch{Contents: []store.Content{content("100", 1, `1`)}}).NewVersions)
}

// testSharedContent stores equal contents of many objects once, across kinds and clusters.
func testSharedContent(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	var b store.Batch
	for i := range 2500 {
		b.Contents = append(b.Contents, content(fmt.Sprint(100+i), 1, `{"same":true}`))
	}
	b.Contents[0].Kind = store.KindPool
	same(t, "versions", 2500, s.apply(t, l, b).NewVersions)
	same(t, "again", 0, s.apply(t, l, b).NewVersions)
	b.Cluster = "b"
	same(t, "other cluster", 2500, s.apply(t, l, b).NewVersions)
	same(t, "bodies", int64(1), s.rows(t)["contents"])
}

// testBadContent refuses what a check would call damaged, with the whole batch.
func testBadContent(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	wrong, nul := content("100", 1, `{}`), content("100", 1, "{\"a\":\"\x00\"}")
	wrong.Hash = pve.Hash([]byte("other"))
	for name, c := range map[string]store.Content{"hash": wrong, "nul": nul} {
		_, err := s.ApplyBatch(t.Context(), l, store.Batch{
			Cluster: "a", At: t0, Guests: []store.Guest{guest(100, 1)}, Contents: []store.Content{c},
		})
		wantCode(t, err, fault.Invalid)
		same(t, name+": guests", int64(0), s.rows(t)["guests"])
	}
}

// testUnchanged repeats a sync: not one row more, and the same generation.
func testUnchanged(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	full := store.Batch{
		Guests: []store.Guest{guest(100, 1)}, Contents: []store.Content{content("100", 1, `{}`)},
		Objects: []store.Object{{Ref: store.Ref{Kind: store.KindNode, ID: "pve1"}}},
		Changes: []store.Change{{Ref: store.Ref{Kind: store.KindGuest, ID: "100"}, What: "appeared"}},
	}
	first := s.apply(t, l, full)
	before := s.rows(t)
	for _, b := range []store.Batch{{Contents: full.Contents}, {}} {
		done := s.apply(t, l, b)
		same(t, "applied", store.Applied{Generation: first.Generation}, done)
	}
	s.apply(t, l, store.Batch{Guests: full.Guests, Objects: full.Objects, Contents: full.Contents}) // rows replaced, none added
	same(t, "rows", before, s.rows(t))
}

// testAllOrNothing breaks a batch in its last part.
func testAllOrNothing(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	before, gen := s.rows(t), must(s.Generation(t.Context()))(t)
	bad := content("101", 1, `{}`)
	bad.Hash = "x"
	_, err := s.ApplyBatch(t.Context(), l, store.Batch{
		Cluster: "a", At: t0, Guests: []store.Guest{guest(100, 1)}, Contents: []store.Content{content("100", 1, `{}`), bad},
		Tasks: []store.Task{{UPID: "u"}},
	})
	wantCode(t, err, fault.Invalid)
	same(t, "rows", before, s.rows(t))
	same(t, "generation", gen, must(s.Generation(t.Context()))(t))
}

func testChanges(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	for i := range 3 {
		s.apply(t, l, store.Batch{SyncID: int64(i), Changes: []store.Change{{
			Ref: store.Ref{Kind: store.KindGuest, ID: "100"}, Life: 1, What: "changed", Field: "cores", Old: fmt.Sprint(i), New: fmt.Sprint(i + 1),
			NotBefore: s.clock().Add(-time.Second),
		}}})
		s.pass(time.Minute)
	}
	s.apply(t, l, store.Batch{Cluster: "b", Changes: []store.Change{{What: "appeared", At: t0}}})
	got := must(s.Changes(t.Context(), store.HistoryFilter{Cluster: "a", Since: t0.Add(time.Minute)}))(t)
	want := store.Change{
		ID: got[0].ID, Ref: store.Ref{Cluster: "a", Kind: store.KindGuest, ID: "100"}, Life: 1, What: "changed", Field: "cores", Old: "2",
		New: "3", At: t0.Add(2 * time.Minute), NotBefore: t0.Add(2*time.Minute - time.Second), SyncID: 2,
	}
	same(t, "newest", want, got[0])
	same(t, "since is inclusive", 2, len(got))
	same(t, "limit", 1, len(must(s.Changes(t.Context(), store.HistoryFilter{Cluster: "a", Limit: 1}))(t)))
	for field, n := range map[string]int{"cores": 3, "pool": 0} {
		same(t, "field "+field, n, len(must(s.Changes(t.Context(), store.HistoryFilter{Field: field}))(t)))
	}
	same(t, "all clusters", 4, len(must(s.Changes(t.Context(), store.HistoryFilter{}))(t)))
}

// testHistoryFilter selects changes and versions of two kinds and two clusters: all that is asked for is looked for before the limit cuts.
func testHistoryFilter(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	refs := []store.Ref{{Kind: store.KindGuest, ID: "100"}, {Kind: store.KindPool, ID: "100"}, {Kind: store.KindGuest, ID: "101"}}
	for i := range 4 {
		for _, cluster := range []string{"a", "b"} {
			b := store.Batch{Cluster: cluster}
			for _, ref := range refs {
				c := content(ref.ID, 1, fmt.Sprintf(`{"n":%d}`, i))
				c.Kind = ref.Kind
				b.Contents = append(b.Contents, c)
				b.Changes = append(b.Changes, store.Change{Ref: ref, What: fmt.Sprint(i)})
			}
			s.apply(t, l, b)
		}
		s.pass(time.Minute)
	}
	for name, tc := range map[string]struct {
		f                  store.HistoryFilter
		changes, revisions int
	}{
		"all":      {store.HistoryFilter{}, 24, 18},
		"cluster":  {store.HistoryFilter{Cluster: "b"}, 12, 9},
		"kind":     {store.HistoryFilter{Kind: store.KindPool}, 8, 6},
		"id":       {store.HistoryFilter{Cluster: "a", ID: "100"}, 8, 6},
		"object":   {store.HistoryFilter{Cluster: "a", Kind: store.KindGuest, ID: "101"}, 4, 3},
		"until":    {store.HistoryFilter{Cluster: "a", Kind: store.KindGuest, ID: "101", Until: t0.Add(2 * time.Minute)}, 2, 1},
		"span":     {store.HistoryFilter{Since: t0.Add(time.Minute), Until: t0.Add(2 * time.Minute)}, 6, 6},
		"unknown":  {store.HistoryFilter{ID: "102"}, 0, 0},
		"hostile":  {store.HistoryFilter{ID: "1' OR '1'='1\x00"}, 0, 0},
		"of limit": {store.HistoryFilter{Cluster: "b", ID: "101", Limit: 2, Until: t0.Add(3 * time.Minute)}, 2, 2},
	} {
		changes, revisions := must(s.Changes(t.Context(), tc.f))(t), must(s.Revisions(t.Context(), tc.f))(t)
		same(t, name+": changes", tc.changes, len(changes))
		same(t, name+": revisions", tc.revisions, len(revisions))
		if name == "of limit" {
			same(t, "newest of the limit", []string{"2", "1"}, []string{changes[0].What, changes[1].What})
		}
	}
}

// upid builds a task id of the form that Proxmox VE uses.
func upid(i int) string {
	return fmt.Sprintf("UPID:pve1:%08X:%08X:%08X:qmstart:100:root@pam:", i, i, t0.Unix()+int64(i))
}

func testTasks(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	tasks := []store.Task{
		{UPID: upid(1), Node: "pve1", Type: "qmstart", ID: "100", User: "root@pam", Start: t0, End: t0.Add(time.Second), Exit: "OK"},
		{UPID: upid(2), Node: "pve2", ID: "100", Start: t0.Add(time.Minute), End: t0.Add(time.Hour), Exit: "command failed"},
		{UPID: upid(3), Node: "pve1", ID: "101", Start: t0.Add(2 * time.Minute)},
		{UPID: upid(4), Node: "pve1", ID: "101", Start: t0.Add(3 * time.Minute), End: t0.Add(time.Hour), Exit: "WARNINGS: 2"},
		{UPID: upid(5), Node: "pve1", Start: t0.Add(4 * time.Minute), End: t0.Add(time.Hour), User: "root@pam!auto", Type: "vzdump"},
		{UPID: upid(7), Node: "pve3", Start: t0.Add(-2 * time.Hour), End: t0.Add(time.Hour), User: "rooty@pam", Type: "qmstop", Exit: "unexpected status"},
	}
	gen := s.apply(t, l, store.Batch{Tasks: tasks}).Generation
	s.apply(t, l, store.Batch{Cluster: "b", Tasks: []store.Task{{UPID: upid(6), Start: t0.Add(-time.Hour)}}})
	for name, tc := range map[string]struct {
		f    store.TaskFilter
		want []int
	}{
		"all":     {store.TaskFilter{}, []int{5, 4, 3, 2, 1, 6, 7}},
		"cluster": {store.TaskFilter{Cluster: "a"}, []int{5, 4, 3, 2, 1, 7}},
		"object":  {store.TaskFilter{ID: "100"}, []int{2, 1}},
		"node":    {store.TaskFilter{Node: "pve2"}, []int{2}},
		"since":   {store.TaskFilter{Since: t0.Add(2 * time.Minute)}, []int{5, 4, 3}},
		"failed":  {store.TaskFilter{State: "failed"}, []int{2}},
		"running": {store.TaskFilter{State: "running", Cluster: "a"}, []int{3}},
		"ok":      {store.TaskFilter{State: "ok"}, []int{1}},
		"warning": {store.TaskFilter{State: "warning"}, []int{4}},
		"unknown": {store.TaskFilter{State: "unknown"}, []int{5, 7}},
		"state?":  {store.TaskFilter{State: "none such"}, nil},
		"until":   {store.TaskFilter{Until: t0}, []int{6, 7}},
		"type":    {store.TaskFilter{Type: "qmstart"}, []int{1}},
		"types":   {store.TaskFilter{Type: "qm*"}, []int{1, 7}},
		"LIKE":    {store.TaskFilter{Type: "qm_tart"}, nil},
		"user":    {store.TaskFilter{User: "root@pam"}, []int{5, 1}},
		"realm":   {store.TaskFilter{User: "root"}, []int{5, 1}},
		"offset":  {store.TaskFilter{Offset: 5}, []int{6, 7}},
		"limit":   {store.TaskFilter{Limit: 2}, []int{5, 4}},
	} {
		var want, got []string
		for _, i := range tc.want {
			want = append(want, upid(i))
		}
		for _, task := range must(s.Tasks(t.Context(), tc.f))(t) {
			got = append(got, task.UPID)
		}
		same(t, name, want, got)
		if tc.f.Offset == 0 && tc.f.Limit == 0 {
			same(t, name+": count", len(want), must(s.CountTasks(t.Context(), tc.f))(t))
		}
	}
	tasks[0].Cluster, tasks[0].Gen = "a", gen
	got, ok, err := s.TaskByHandle(t.Context(), pve.TaskHandle(upid(1)))
	if err != nil || !ok {
		t.Fatalf("TaskByHandle: %v, %v", ok, err)
	}
	same(t, "by handle", tasks[0], got)
	if _, ok, err := s.TaskByHandle(t.Context(), "t-nonesuch"); ok || err != nil {
		t.Errorf("unknown handle: %v, %v", ok, err)
	}
}

// testTaskRetention keeps 30 days and 20,000 tasks, and running ones whatever their age.
func testTaskRetention(t *testing.T, s *suite) {
	l := s.lease(t, "p")
	b := store.Batch{Tasks: []store.Task{
		{UPID: "running", Start: t0.Add(-90 * 24 * time.Hour)},
		{UPID: "old", Start: t0.Add(-31 * 24 * time.Hour), End: t0},
		{UPID: "kept", Start: t0.Add(-29 * 24 * time.Hour), End: t0},
	}}
	s.apply(t, l, b)
	s.apply(t, l, store.Batch{Cluster: "b", Tasks: b.Tasks})
	s.finish(t, l)
	var left []string
	for _, task := range must(s.Tasks(t.Context(), store.TaskFilter{Cluster: "a"}))(t) {
		left = append(left, task.UPID)
	}
	same(t, "left by age", []string{"kept", "running"}, left)
	same(t, "other cluster untouched", 3, len(must(s.Tasks(t.Context(), store.TaskFilter{Cluster: "b"}))(t)))

	var many store.Batch
	for i := range 20_500 {
		many.Tasks = append(many.Tasks, store.Task{UPID: upid(i), Start: t0.Add(time.Duration(i) * time.Second), End: t0.Add(time.Hour)})
	}
	s.apply(t, l, many)
	s.finish(t, l)
	same(t, "left by number", int64(20_001+3), s.rows(t)["tasks"]) // the running one beyond, three of cluster b
	if _, ok, _ := s.TaskByHandle(t.Context(), pve.TaskHandle(upid(20_499))); !ok {
		t.Error("the newest task was forgotten")
	}
}

// finish runs an empty sync.
func (s *suite) finish(t *testing.T, l store.Lease) store.Sync {
	t.Helper()
	run := store.Sync{Cluster: "a", Mode: "tick", Started: s.clock()}
	id, err := s.BeginSync(t.Context(), l, run)
	if err != nil {
		t.Fatal(err)
	}
	run.ID, run.Finished = id, s.clock()
	if err := s.FinishSync(t.Context(), l, run); err != nil {
		t.Fatal(err)
	}
	return run
}
