package change

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// planTTL is how long a plan may wait for its second call or its approval: long enough for a person, short enough that the
	// cluster is still the one that was planned for. Digests are compared at apply in any case.
	planTTL = 30 * time.Minute
	// leaseTTL is how long a killed process keeps a plan or a guest from others; leases are renewed at a third of it (DESIGN §5).
	leaseTTL = 15 * time.Second
	// parallel is how many guests of one plan are worked on at a time.
	parallel = 4
)

// Options are what an Engine works with. All but Logger and Programs are needed.
type Options struct {
	Store   func(ctx context.Context) (Store, error)
	Cluster func(name string) (Cluster, error)
	Guests  Guests
	Policy  Policy
	Secrets Secrets
	// Programs runs saved plans of code; nil: this process runs none.
	Programs Programs
	Clock    func() time.Time
	Logger   *slog.Logger
	// Program gives how the owner starts this program in a shell, for hints; nil: proxmox-mcp.
	Program func() string
	// Owner names this process in leases; empty: a random name.
	Owner string
	// Timing is how long the engine waits for what; the zero value means DefaultTiming.
	Timing Timing
}

// Timing is how long the engine waits for what.
type Timing struct {
	Lost   time.Duration // how long a lost answer is looked for in the task list
	Settle time.Duration // how long reading back may differ before a step counts as failed
	HA     time.Duration // the same for guests that the HA manager acts on later (F26)
	Lock   time.Duration // how long a step waits for a guest that another plan works on
	Poll   time.Duration // pause between two looks
}

// DefaultTiming waits 45 s for a lost answer, because a proxy gives up after 30 s while the node still begins the task (F13).
func DefaultTiming() Timing {
	return Timing{Lost: 45 * time.Second, Settle: 20 * time.Second, HA: 2 * time.Minute, Lock: 30 * time.Second, Poll: time.Second}
}

// Engine plans and applies changes. It is safe for concurrent use; Close it when done.
type Engine struct {
	opt   Options
	ctx   context.Context // of all runs; ends at Close
	stop  context.CancelFunc
	group sync.WaitGroup

	mu   sync.Mutex
	runs map[string]*run // by plan id
	shut bool
}

// New makes an engine. It touches neither store nor network.
func New(o Options) *Engine {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Owner == "" {
		o.Owner = "change-" + rand.Text()[:10]
	}
	if o.Timing == (Timing{}) {
		o.Timing = DefaultTiming()
	}
	if o.Program == nil {
		o.Program = func() string { return "proxmox-mcp" }
	}
	e := &Engine{opt: o, runs: map[string]*run{}}
	e.ctx, e.stop = context.WithCancel(context.Background())
	return e
}

// Close ends the following of what runs; tasks in Proxmox VE go on, and the journal lets the next process go on following.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.shut = true
	e.mu.Unlock()
	e.stop()
	e.group.Wait()
	return nil
}

func (e *Engine) now() time.Time { return e.opt.Clock().UTC().Truncate(time.Millisecond) }

// audit makes an entry about a plan.
func (e *Engine) audit(event, outcome string, who Caller, p *store.Plan, detail string) store.AuditEntry {
	return store.AuditEntry{At: e.now(), Principal: who.Principal, Door: who.Door, Event: event, Plan: p.ID, Cluster: p.Cluster, Tool: p.Tool,
		Tier: p.Tier, Outcome: outcome, Detail: detail}
}

// begin registers work that Close waits for.
func (e *Engine) begin(f func(ctx context.Context)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.shut {
		return fault.New(fault.Cancelled, "the server is shutting down; nothing was begun")
	}
	e.group.Go(func() { f(e.ctx) })
	return nil
}

// sleep waits; it answers false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
