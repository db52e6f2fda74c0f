package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// touch tells the inventory that a guest was changed and waits for the tick that this begins.
func (r *rig) touch(vmid int) {
	r.t.Helper()
	r.Touched(r.t.Context(), "lab", vmid)
	if _, err := r.Nodes(context.Background(), ReadOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

// TestTouched: what this program changed is shown as it is, whatever the cluster's list still says, for one call more; once the row
// agrees it counts again, and after 20 s in any case.
func TestTouched(t *testing.T) {
	w := newWorld(2, 10)
	r := newRig(t, w)
	r.sync()
	g := w.guests[101]
	w.set(func() { g.status, g.lagging, g.config["cores"] = "stopped", "running", "7" })
	before := w.count("guststatus")
	r.touch(101)
	d := r.guest("101")
	if d.State != "stopped" || d.Config["cores"] != "7" || d.Uptime != nil {
		t.Errorf("after the change it is %s with %v cores, up %v; want stopped, 7, unknown", d.State, d.Config["cores"], d.Uptime)
	}
	if got := r.find("state:stopped"); len(got.Rows) != 1 || got.Rows[0].VMID != 101 {
		t.Errorf("stopped guests: %v, want 101", vmids(got))
	}
	r.tick()
	if d := r.guest("101"); d.State != "stopped" {
		t.Errorf("10 s later it is %s, while its row still lags", d.State)
	}
	if n := w.count("guststatus") - before; n != 1 {
		t.Errorf("%d questions for its status, want 1", n)
	}
	w.set(func() { g.lagging = "" })
	r.tick()
	w.set(func() { g.status = "running" }) // by somebody else, and the row says so
	r.tick()
	if d := r.guest("101"); d.State != "running" {
		t.Errorf("it is %s, and its row says running", d.State)
	}
}

func TestTouchedTrustEnds(t *testing.T) {
	w := newWorld(2, 10)
	r := newRig(t, w)
	r.sync()
	g := w.guests[101]
	w.set(func() { g.status, g.lagging = "stopped", "running" })
	r.touch(101)
	r.tick()
	r.tick()
	if d := r.guest("101"); d.State != "running" {
		t.Errorf("20 s after the change it is %s: the row counts again", d.State)
	}
}

// TestTouchedGone: a guest that was destroyed is gone at once, although the cluster's list still has it.
func TestTouchedGone(t *testing.T) {
	w := newWorld(2, 10)
	r := newRig(t, w)
	r.sync()
	row := w.guests[101].resource()
	w.set(func() { delete(w.guests, 101); w.extra = append(w.extra, row) })
	r.touch(101)
	_, err := r.Guest(t.Context(), GuestRef{Name: "101"})
	if fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a destroyed guest: %v, want not_found", err)
	}
}

// TestTouchedUnheard: a guest whose status cannot be read stays as its row says, and readers are not held up for longer than 20 s.
func TestTouchedUnheard(t *testing.T) {
	w := newWorld(2, 10)
	r := newRig(t, w)
	r.sync()
	w.set(func() {
		w.fail = func(call, _ string, _ int) error {
			if call == "guststatus" {
				return fault.New(fault.Forbidden, "no")
			}
			return nil
		}
		w.guests[101].status = "stopped"
	})
	r.touch(101)
	if d := r.guest("101"); d.State != "stopped" {
		t.Errorf("it is %s", d.State)
	}
	w.set(func() { w.down = fault.New(fault.Unreachable, "away") })
	r.Touched(t.Context(), "lab", 101)
	r.clock.advance(trustTouched)
	began := time.Now()
	if d := r.guest("101"); d.State != "stopped" || time.Since(began) > waitStale {
		t.Errorf("it is %s after %s", d.State, time.Since(began))
	}
}
