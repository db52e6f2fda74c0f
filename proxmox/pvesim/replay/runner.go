package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
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
	Scenario     string
	Total, Agree int
	Differences  []Difference
	// Notes name requests that the schema does not know.
	Notes []string
}

// Percent is the share that agrees, 100 for none at all.
func (r Result) Percent() float64 {
	if r.Total == 0 {
		return 100
	}
	return 100 * float64(r.Agree) / float64(r.Total)
}

// runner is the replay of one scenario.
type runner struct {
	name     string
	opts     Options
	schema   *schema
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

var leadingNumber = regexp.MustCompile(`^\d+`)

// scenarioName is the number of a folder such as 02-cluster-and-node-reads, or its whole name.
func scenarioName(dir string) string {
	base := filepath.Base(dir)
	if n := leadingNumber.FindString(base); n != "" {
		return n
	}
	return base
}

// start runs a simulator over the scenario's world whose clock begins when the world was dumped.
func (r *runner) start() (stop func()) {
	began := time.Now()
	base := r.world.TakenAt
	clock := func() time.Time { return base.Add(time.Since(began) + time.Duration(r.offset.Load())) }
	sim := pvesim.New(r.world, pvesim.WithClock(clock), pvesim.WithoutDelays(), pvesim.WithRecordedCertificates())
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
	r.judge(list, answers)
	return nil
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
	r.result.Total++
	if len(found) == 0 {
		r.result.Agree++
	}
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
	interval := time.Duration(x.Poll.IntervalS * float64(time.Second))
	for waited := 0.0; waited < x.Poll.TimeoutS && !x.Poll.reached(a); waited += x.Poll.IntervalS {
		if err := r.sleep(ctx, interval); err != nil {
			return a, err
		}
		if a, err = r.send(ctx, q); err != nil {
			return a, err
		}
	}
	return a, nil
}

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

// prepare puts captured values, secrets and tickets into a request.
func (r *runner) prepare(ctx context.Context, x *exchange) (request, error) {
	if x.AfterS > 0 {
		if err := r.sleep(ctx, time.Duration(x.AfterS*float64(time.Second))); err != nil {
			return request{}, err
		}
	}
	raw, err := json.Marshal(x.Request)
	if err != nil {
		return request{}, err
	}
	var failed error
	filled := placeholder.ReplaceAllStringFunc(string(raw), func(m string) string {
		v, err := r.value(ctx, m[2:len(m)-1])
		if err != nil {
			failed = err
		}
		quoted, err := json.Marshal(v)
		if err != nil {
			failed = err
		}
		return strings.Trim(string(quoted), `"`)
	})
	if failed != nil {
		return request{}, failed
	}
	var q request
	d := json.NewDecoder(strings.NewReader(filled))
	d.UseNumber()
	if err := d.Decode(&q); err != nil {
		return request{}, err
	}
	if r.schema != nil {
		if note := r.schema.note(q.Method, q.Path); note != "" {
			r.result.Notes = append(r.result.Notes, fmt.Sprintf("%s/%03d %s", r.name, x.N, note))
			r.say(fmt.Sprintf("note: %s/%03d %s", r.name, x.N, note))
		}
	}
	return q, nil
}

var placeholder = regexp.MustCompile(`\$\{[^}]*\}`)

func (r *runner) value(ctx context.Context, name string) (string, error) {
	what, who, ok := strings.Cut(name, ":")
	if !ok {
		return r.captured[name], nil
	}
	if what == "secret" {
		return r.world.Principals[who].Secret, nil
	}
	l, err := r.login(ctx, who)
	switch what {
	case "ticket":
		return url.QueryEscape(l.ticket), err
	case "rawticket":
		return l.ticket, err
	case "csrf":
		return l.csrf, err
	}
	return "", fmt.Errorf("unknown placeholder %q", name)
}

// login logs a principal in when it is first needed and keeps ticket and CSRF token.
func (r *runner) login(ctx context.Context, who string) (login, error) {
	if l, ok := r.logins[who]; ok {
		return l, nil
	}
	p := r.world.Principals[who]
	a, err := r.send(ctx, request{Method: "POST", Path: "/access/ticket", Encoding: "form", ContentType: "application/x-www-form-urlencoded",
		Params: map[string]any{"username": p.UserID, "password": p.Password}})
	if err != nil {
		return login{}, err
	}
	ticket, _ := lookup(a.value, "$.data.ticket")
	csrf, _ := lookup(a.value, "$.data.CSRFPreventionToken")
	l := login{scalar(ticket), scalar(csrf)}
	r.logins[who] = l
	return l, nil
}

// compare lists how an answer differs from the recorded one.
func (x *exchange) compare(a answer) []string {
	want := x.Response
	if a.status != want.Status {
		return []string{fmt.Sprintf("recorded status %d %s, got %d %s", want.Status, want.Reason, a.status, a.reason)}
	}
	var out []string
	if !slices.Contains(x.Volatile, "@reason") && normalise(strings.TrimSpace(want.Reason)) != normalise(strings.TrimSpace(a.reason)) {
		out = append(out, fmt.Sprintf("recorded reason %q, got %q", want.Reason, a.reason))
	}
	if w := mediaType(want.Headers["content-type"]); w != a.mediaType {
		out = append(out, fmt.Sprintf("recorded media type %q, got %q", w, a.mediaType))
	}
	return append(out, x.compareBody(a)...)
}

func (x *exchange) compareBody(a answer) []string {
	if len(x.Response.JSON) == 0 {
		if x.Response.Text != nil && !slices.Contains(x.Volatile, "@text") && normalise(*x.Response.Text) != normalise(string(a.body)) {
			return []string{fmt.Sprintf("recorded text %s, got %s", short(*x.Response.Text), short(string(a.body)))}
		}
		return nil
	}
	if !a.isJSON {
		return []string{"the body is not JSON: " + short(string(a.body))}
	}
	var want any
	d := json.NewDecoder(strings.NewReader(string(x.Response.JSON)))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		return []string{"recorded body: " + err.Error()}
	}
	c := &comparison{volatile: parseMarks(x.Volatile), normal: parseMarks(x.Normal), optional: parseMarks(x.Optional),
		pending: strings.HasSuffix(x.Request.Path, "/pending")}
	c.walk(nil, want, a.value)
	return c.found
}
