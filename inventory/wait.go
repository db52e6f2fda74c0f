package inventory

import "context"

// Wait returns when the syncs and health questions that are under way have ended, or ctx has. A command that answered and is about to end calls it: a
// sync that is broken off at each command would never reach its end.
func (i *Inventory) Wait(ctx context.Context) {
	for _, c := range i.clusters {
		c.mu.Lock()
		f, probing := c.running, c.probing
		c.mu.Unlock()
		if f != nil {
			await(ctx, f.done)
		}
		if probing != nil {
			await(ctx, probing)
		}
	}
}

func await(ctx context.Context, done <-chan struct{}) {
	select {
	case <-done:
	case <-ctx.Done():
	}
}
