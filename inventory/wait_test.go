package inventory

import (
	"context"
	"testing"
	"time"
)

// TestWait asks an empty store, which sets a sync off, and waits for its end.
func TestWait(t *testing.T) {
	r := newRig(t, newWorld(2, 40))
	if _, err := r.FindGuests(t.Context(), GuestQuery{}); err != nil {
		t.Fatal(err)
	}
	r.Wait(t.Context())
	for _, c := range r.clusters {
		if c.flying() != nil || c.inv.proj.cluster(c.name).unread > 0 {
			t.Errorf("the sync of %s goes on", c.name)
		}
	}
	f := newFlight(modeFull, time.Now())
	r.clusters[0].running = f
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.Wait(ctx) // a context that has ended ends the wait as well
	r.clusters[0].running = nil
	f.finish(SyncReport{}, nil)
}
