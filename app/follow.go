package app

import (
	"context"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// follower keeps exported code in step after synchronisations, one run at a time: those that end meanwhile make one more.
type follower struct {
	mu      sync.Mutex
	running bool
	more    bool
	ended   bool
	wg      sync.WaitGroup
	gen     int64 // of the store when the code was last looked at
}

// follow is called after each synchronisation. It waits for nothing.
func (p *parts) follow() {
	if !p.cfg.Code.Follow {
		return
	}
	f := &p.following
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more = f.running; f.running || f.ended {
		return
	}
	f.running = true
	f.wg.Go(func() {
		for again := true; again; {
			p.followOnce(context.Background())
			f.mu.Lock()
			again, f.more = f.more && !f.ended, false
			f.running = again
			f.mu.Unlock()
		}
	})
}

// followOnce writes the code of all clusters again where it changed; what fails is logged, and tried after the next synchronisation.
func (p *parts) followOnce(ctx context.Context) {
	db, err := p.openStore(ctx, p.clock)
	if err != nil {
		return // the synchronisation that could not write has said so
	}
	gen, err := db.Generation(ctx)
	if err != nil || gen == p.following.gen {
		return
	}
	p.following.gen = gen
	for _, name := range p.pool.Names() {
		p.followCluster(ctx, name)
	}
}

func (p *parts) followCluster(ctx context.Context, name string) {
	e, err := p.code.Follow(ctx, name)
	switch {
	case err != nil:
		p.log.Warn("the code of a cluster was not brought up to date", "cluster", name, "err", fault.Of(err))
	case e != nil:
		p.log.Info("the code of a cluster was brought up to date", "cluster", name, "folder", e.Dir, "differences", len(e.Differences), "commit", e.Commit)
	}
}

// end waits for a run that is under way; none begins after it.
func (f *follower) end() {
	f.mu.Lock()
	f.ended = true
	f.mu.Unlock()
	f.wg.Wait()
}
