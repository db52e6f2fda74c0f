package inventory

import "context"

// Wait returns when the syncs that are under way have ended, or ctx has. A command that answered and is about to end calls it: a
// sync that is broken off at each command would never reach its end.
func (i *Inventory) Wait(ctx context.Context) {
	for _, c := range i.clusters {
		f := c.flying()
		if f == nil {
			continue
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return
		}
	}
}
