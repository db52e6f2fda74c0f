package inventory

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// withSnapshots gives every tenth guest a snapshot and says how many have one.
func withSnapshots(w *world) (n int) {
	for id, g := range w.guests {
		if id%10 == 0 {
			n++
			g.config["parent"] = "clean"
			g.snaps = []pve.Snapshot{{Name: "clean", SnapTime: pve.Ptr(pve.Int(1_790_000_000))}}
		}
	}
	return n
}

// Golden call counts: 1 resources, 1 cluster status, 6 side calls, 2 per node, N configurations, S snapshot lists.
func TestFullSyncCalls(t *testing.T) {
	for _, c := range []struct{ guests, nodes, want int }{{25, 3, 42}, {1000, 5, 1118}, {10_000, 20, 11_048}} {
		t.Run(fmt.Sprint(c.guests), func(t *testing.T) {
			w := newWorld(c.nodes, c.guests)
			s := withSnapshots(w)
			r := newRig(t, w)
			rep := r.sync()
			if bound := c.guests*105/100 + s + 12*c.nodes + 15; rep.Calls > bound || rep.Calls != c.want {
				t.Errorf("%d calls, want %d (bound %d)", rep.Calls, c.want, bound)
			}
			if rep.Guests != c.guests || rep.Created != c.guests || rep.Snapshots != s || !rep.Complete || rep.Warnings != nil {
				t.Errorf("report %+v", rep)
			}
			if most := w.maxFlight(); most > waitedPerNode+3 {
				t.Errorf("%d requests in flight on one node", most)
			}
			if c := r.find("").Counts; c.Total != rep.Guests || c.Running != rep.Guests {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

func TestUnchangedSyncAddsNothing(t *testing.T) {
	w := newWorld(3, 40)
	withSnapshots(w)
	r := newRig(t, w)
	r.sync()
	versions, changes, rows := len(r.st.versions), len(r.st.changes), r.st.rows
	r.clock.advance(time.Minute)
	rep := r.sync()
	if rep.Unchanged != 40 || rep.Updated+rep.Created+rep.Gone != 0 {
		t.Errorf("report %+v", rep)
	}
	if len(r.st.versions) != versions || len(r.st.changes) != changes || r.st.rows != rows {
		t.Errorf("versions %d>%d, changes %d>%d, rows %d>%d", versions, len(r.st.versions), changes, len(r.st.changes), rows, r.st.rows)
	}
	if got := r.guest("100").AsOf; !got.Equal(r.clock.now()) {
		t.Errorf("as of %s, want %s", got, r.clock.now())
	}
}

// The wall time of a full sync that a user waits for: at most 1.25 times calls*t/(3K) (issue 2).
func TestFullSyncWall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(5, 1000)
		w.delay = 15 * time.Millisecond
		inv := open(t, w, newMemStore(time.Now), time.Now)
		reports, err := inv.Sync(t.Context(), SyncRequest{})
		if err != nil {
			t.Fatal(err)
		}
		bound := time.Duration(float64(reports[0].Calls) * 15 / 15 * 1.25 * float64(time.Millisecond))
		if reports[0].Elapsed > bound {
			t.Errorf("took %s, bound %s", reports[0].Elapsed, bound)
		}
		inv.Close()
	})
}

func TestTickCalls(t *testing.T) {
	w := newWorld(3, 60)
	r := newRig(t, w)
	r.sync()
	if rep := r.tick(); rep.Calls-rep.Swept != 3 || rep.Swept != 1 {
		t.Errorf("idle tick: %d calls, %d of them swept", rep.Calls, rep.Swept)
	}
	w.guests[110].tags = "web"
	w.guests[110].config["tags"] = "web"
	w.guests[111].status = "stopped"
	w.guests[112].cpu = 0.9
	rep := r.tick()
	if got := rep.Calls - rep.Swept; got != 5 || rep.Swept < 8 {
		t.Errorf("tick with 2 dirty guests: %d calls, %d swept", got, rep.Swept)
	}
	if got := vmids(r.find("tag:web")); !cmp.Equal(got, []int{110}) {
		t.Errorf("tag:web finds %v", got)
	}
	if got := vmids(r.find("cpu>80")); !cmp.Equal(got, []int{112}) {
		t.Errorf("cpu>80 finds %v", got)
	}
	if got := r.st.what("status"); !cmp.Equal(got, []string{"111 running>stopped"}) {
		t.Errorf("status changes %v", got)
	}
}

// What leaves no trace in rows and tasks is found by the sweep within one second per guest.
func TestSweepFindsSilentEdit(t *testing.T) {
	w := newWorld(2, 30)
	r := newRig(t, w)
	r.sync()
	first := r.clock.now()
	w.guests[129].config["description"] = "edited by hand"
	for range 5 {
		r.tick()
	}
	vs, _ := r.st.Versions(t.Context(), store.Ref{Cluster: "lab", Kind: store.KindGuest, ID: "129"})
	if len(vs) != 2 || !vs[1].NotBefore.Equal(first) {
		t.Fatalf("versions %+v", vs)
	}
	if got := r.guest("129").Description; got != "edited by hand" {
		t.Errorf("description %q", got)
	}
}

func TestConfigIsWholeAndRedacted(t *testing.T) {
	w := newWorld(1, 1)
	w.guests[100].config["cipassword"] = "canary-7f3a"
	w.guests[100].lock = "backup"
	r := newRig(t, w)
	r.sync()
	d := r.guest("100")
	want := pve.Config{}
	maps.Copy(want, w.guests[100].config)
	want["lock"], want["cipassword"] = "backup", "**********"
	if diff := cmp.Diff(want, d.Config); diff != "" {
		t.Error(diff)
	}
	for _, body := range r.st.contents {
		c, _ := pve.DecodeConfig(body)
		if c.Has("digest") || c.Has("lock") || c.Str("cipassword") == "canary-7f3a" {
			t.Errorf("stored content %s", body)
		}
	}
}
