package replay

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// Options choose what is replayed and how.
type Options struct {
	// Methods limits which exchanges are sent and counted; empty means all.
	Methods []string
	// SchemaFile is an API schema; with it each request whose method and path are not in it is noted.
	SchemaFile string
	// Out gets a line per difference and note as they are found; nil is silent.
	Out io.Writer
	// Min is the least share in percent that must agree in each scenario and in total; see Main.
	Min float64
	// Dial connects to another implementation than the simulator of this project; nil starts one per scenario. Then
	// Sleep waits for real.
	Dial Dial
}

// Difference is one way in which an exchange does not agree.
type Difference struct {
	Scenario     string
	N            int
	Method, Path string
	Text         string
}

func (d Difference) String() string {
	return fmt.Sprintf("%s/%03d %s %s: %s", d.Scenario, d.N, d.Method, d.Path, d.Text)
}

// Result tells how many exchanges of a scenario were sent and agree.
type Result struct {
	Scenario string
	Tally
	Differences []Difference
	// Notes name requests that the schema does not know.
	Notes []string
}

// runner is the replay of one scenario.
type runner struct {
	name     string
	opts     Options
	schema   *schema        // what may be asked
	params   *pvesim.Schema // by which the simulator checks parameters
	world    *pvesim.World
	dial     Dial
	offset   atomic.Int64 // how far the virtual clock was advanced
	captured map[string]string
	logins   map[string]login
	result   Result
}

type login struct{ ticket, csrf string }

// Run replays one scenario, a folder with world.json and numbered exchanges.
func Run(ctx context.Context, dir string, opts Options) (Result, error) {
	w, list, err := load(dir)
	if err != nil {
		return Result{}, err
	}
	r := &runner{name: scenarioName(dir), opts: opts, world: w, dial: opts.Dial, captured: map[string]string{}, logins: map[string]login{}}
	r.result.Scenario = r.name
	if opts.SchemaFile != "" {
		if r.schema, err = loadSchema(opts.SchemaFile); err != nil {
			return Result{}, err
		}
		if r.params, err = pvesim.OpenSchema(opts.SchemaFile); err != nil {
			return Result{}, err
		}
	}
	if r.dial == nil {
		stop := r.start()
		defer stop()
	}
	for i := 0; i < len(list); {
		n := i + 1
		for list[i].Parallel != nil && n < len(list) && fmt.Sprint(list[n].Parallel) == fmt.Sprint(list[i].Parallel) {
			n++
		}
		if err := r.group(ctx, list[i:n]); err != nil {
			return r.result, fmt.Errorf("%s/%03d: %w", r.name, list[i].N, err)
		}
		i = n
	}
	return r.result, nil
}

var leadingNumber = lazy.Regexp(`^\d+`)

// scenarioName is the number of a folder such as 02-cluster-and-node-reads, or its whole name.
func scenarioName(dir string) string {
	base := filepath.Base(dir)
	if n := leadingNumber().FindString(base); n != "" {
		return n
	}
	return base
}

// start runs a simulator over the scenario's world whose clock begins when the world was dumped. It goes on by what was
// recorded alone (pass, sleep), so that a busy machine changes no answer.
func (r *runner) start() (stop func()) {
	base := r.world.TakenAt
	clock := func() time.Time { return base.Add(time.Duration(r.offset.Load())) }
	sim := pvesim.New(r.world, pvesim.WithClock(clock), pvesim.WithoutDelays(), pvesim.WithRecordedCertificates(), pvesim.WithSchema(r.params))
	l := pvesim.NewPipeListener()
	e := sim.Serve(l, "")
	r.dial = func(ctx context.Context) (net.Conn, error) { return l.DialContext(ctx, "tcp", "") }
	return func() { _ = e.Close() }
}

// sleep passes time: by moving the simulator's clock, or for real.
func (r *runner) sleep(ctx context.Context, d time.Duration) error {
	if r.opts.Dial == nil {
		r.offset.Add(int64(d))
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// group sends one exchange, or several at once, and compares.
func (r *runner) group(ctx context.Context, list []*exchange) error {
	list = slices.DeleteFunc(slices.Clone(list), func(x *exchange) bool {
		return len(r.opts.Methods) > 0 && !slices.Contains(r.opts.Methods, x.Request.Method)
	})
	answers := make([]answer, len(list))
	errs := make(chan error, len(list))
	for i, x := range list {
		q, err := r.prepare(ctx, x)
		if err != nil {
			return err
		}
		if len(list) == 1 {
			if answers[0], err = r.perform(ctx, x, q); err != nil {
				return err
			}
			errs <- nil
			continue
		}
		go func() {
			var err error
			answers[i], err = r.send(ctx, q)
			errs <- err
		}()
	}
	for range list {
		if err := <-errs; err != nil {
			return err
		}
	}
	for i, x := range list {
		r.capture(x, answers[i])
	}
	if r.opts.Dial == nil {
		r.pass(list)
	}
	r.judge(list, answers)
	return nil
}

// pass lets the virtual clock go on by what the real server took for the exchanges, so that what happens by itself on it
// (statistics, tasks) happens between the same ones.
func (r *runner) pass(list []*exchange) {
	took := 0.0
	for _, x := range list {
		took = max(took, x.ElapsedS)
	}
	r.offset.Add(int64(took * float64(time.Second)))
}

// judge pairs answers with recorded ones; those of parallel exchanges are sorted by status and reason first.
func (r *runner) judge(list []*exchange, answers []answer) {
	byOutcome := func(sa, sb int, ra, rb string) int {
		if sa != sb {
			return sa - sb
		}
		return strings.Compare(normalise(ra), normalise(rb))
	}
	slices.SortStableFunc(answers, func(a, b answer) int { return byOutcome(a.status, b.status, a.reason, b.reason) })
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *exchange) int {
		return byOutcome(a.Response.Status, b.Response.Status, a.Response.Reason, b.Response.Reason)
	})
	for i, x := range sorted {
		r.record(x, x.compare(answers[i]))
	}
}

func (r *runner) record(x *exchange, found []string) {
	r.result.add(x, len(found) == 0)
	for _, text := range found {
		d := Difference{r.name, x.N, x.Request.Method, x.Request.Path, text}
		r.result.Differences = append(r.result.Differences, d)
		r.say(d.String())
	}
}

func (r *runner) say(line string) {
	if r.opts.Out != nil {
		_, _ = fmt.Fprintln(r.opts.Out, line)
	}
}

// perform sends an exchange, again and again where it is polled.
func (r *runner) perform(ctx context.Context, x *exchange, q request) (answer, error) {
	a, err := r.send(ctx, q)
	if err != nil || x.Poll == nil {
		return a, err
	}
	interval := x.Poll.IntervalS
	for waited := 0.0; waited < x.Poll.TimeoutS && !x.Poll.reached(a); waited += interval {
		if err := r.sleep(ctx, time.Duration(interval*float64(time.Second))); err != nil {
			return a, err
		}
		if a, err = r.send(ctx, q); err != nil {
			return a, err
		}
		if r.opts.Dial == nil {
			interval *= pollGrowth
		}
	}
	return a, nil
}

// pollGrowth lengthens the pauses of a poll on the virtual clock: 90 s at 0.3 s become 12 requests instead of 300.
const pollGrowth = 1.5

func (p *poll) reached(a answer) bool {
	for path, want := range p.Until {
		got, ok := lookup(a.value, path)
		if !ok || scalar(got) != scalar(want) {
			return false
		}
	}
	return true
}

func (r *runner) capture(x *exchange, a answer) {
	for name, path := range x.Captures {
		if v, ok := lookup(a.value, path); ok {
			r.captured[name] = scalar(v)
		}
	}
}
