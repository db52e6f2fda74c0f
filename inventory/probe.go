package inventory

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const (
	// probeLimit bounds one round of questions; probeTTL outlives it, so that the lease need not be renewed.
	probeLimit = 20 * time.Second
	probeTTL   = 25 * time.Second
	// maxReason holds two clauses: what happened, and Proxmox VE's own words.
	maxReason = 140
	// probeFlush is how often answers are stored while others are still awaited.
	probeFlush = time.Second
	// probeFlying bounds the questions in flight per node: as soon as one shows that it is silent, the others are not put.
	probeFlying = 2
	// How long check_health waits for answers: when some were there before, and when a question was never answered (a cold
	// apt/update takes 3.7 s, recording 02/065). What is still awaited then is named as not checked.
	waitProbe      = 3 * time.Second
	waitProbeBrief = 1200 * time.Millisecond // an overview waits until the first answers are kept (probeFlush), and says what is missing
	waitProbeFirst = 5 * time.Second
	// After a failure a question is asked again: a missing right or function does not come by itself.
	probeRetry       = time.Minute
	probeRetryDenied = 10 * time.Minute
)

// topic is one thing that check_health asks Proxmox VE for beyond what syncs read. Its answer is kept in the store, so that no process
// asks again before every has passed, however often it starts.
type topic struct {
	name    string
	every   time.Duration
	cluster bool                                // asked once, not of each node
	wants   func(v *clusterView, n string) bool // nil = of every node
	// ask gives what is kept, and the names of what is wrong in it: since when is remembered by name.
	ask func(ctx context.Context, p *prober, node string) (data any, wrong []string, err error)
}

// probeState is the stored answer to one question (kind probe, id node/topic or topic).
type probeState struct {
	At    time.Time            `json:"at,omitzero"` // of the last answer
	Tried time.Time            `json:"tried"`
	Code  fault.Code           `json:"code,omitempty"` // why there was none at the last try; "" = there was
	Why   string               `json:"why,omitempty"`
	Data  json.RawMessage      `json:"data,omitempty"`
	First map[string]time.Time `json:"first,omitempty"` // what is wrong: since when that was noticed
}

// due says that the question should be asked (again). fresh asks at once what may be asked often; disks are never asked more than daily.
func (t *topic) due(s probeState, now time.Time, fresh bool) bool {
	switch {
	case s.Tried.IsZero() || s.Tried.After(now):
		return true
	case fresh && (s.Code != "" || t.every < time.Hour):
		return true
	case s.Code == fault.Forbidden || s.Code == fault.Unsupported:
		return now.Sub(s.Tried) >= probeRetryDenied
	case s.Code != "":
		return now.Sub(s.Tried) >= probeRetry
	}
	return now.Sub(s.At) >= t.every
}

// question is a topic of a node; node is "" for topics of the cluster.
type question struct {
	topic *topic
	node  string
}

func (q question) id() string {
	if q.node == "" {
		return q.topic.name
	}
	return q.node + "/" + q.topic.name
}

// questions are all that could be asked of the cluster as it is known; nodes that are away cannot be asked.
func (c *clusterView) questions() []question {
	var out []question
	for k := range topics {
		t := &topics[k]
		if t.cluster {
			out = append(out, question{topic: t})
			continue
		}
		for i := range c.nodes {
			if n := &c.nodes[i]; n.away() == "" && (t.wants == nil || t.wants(c, n.name)) {
				out = append(out, question{t, n.name})
			}
		}
	}
	return out
}

func (c *clusterView) due(now time.Time, fresh bool) (out []question, first bool) {
	for _, q := range c.questions() {
		s := c.probes[q.id()]
		if q.topic.due(s, now, fresh) || q.topic.name == "disks" && c.wokenSince(q.node, s.Tried, now) {
			out, first = append(out, q), first || s.Tried.IsZero()
		}
	}
	return out, first
}

// wokenSince says that a person said since then that the node's disks never sleep: now they may be asked.
func (c *clusterView) wokenSince(node string, then, now time.Time) bool {
	return c.wants(store.KindNode, node, now) == store.WantAwake && c.intents[string(store.KindNode)+"/"+node].SetAt.After(then)
}

// away is why a node cannot be asked, "" when it can.
func (n *nodeView) away() string {
	switch {
	case n.st.Status != "online":
		return n.st.Status
	case n.st.Silent != "":
		return "does not answer"
	}
	return ""
}

// probe asks what is due and waits, within bounds, until the answers are in the store. Failures are part of the answers.
func (c *cluster) probe(ctx context.Context, fresh bool) {
	v := c.inv.proj.cluster(c.name)
	if _, err := c.lastError(); err != nil || !v.synced {
		return
	}
	due, first := v.due(c.inv.now(), fresh)
	if len(due) == 0 {
		return
	}
	bound := waitProbe
	switch {
	case fresh:
		bound = waitFresh
	case first:
		bound = waitProbeFirst
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	select {
	case <-c.startProbe(fresh):
	case <-ctx.Done():
	}
}

// probeFirst asks what was never asked and waits for it a moment.
func (c *cluster) probeFirst(ctx context.Context) {
	v := c.inv.proj.cluster(c.name)
	if _, err := c.lastError(); err != nil || !v.synced {
		return
	}
	if _, first := v.due(c.inv.now(), false); !first {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, waitProbeBrief)
	defer cancel()
	select {
	case <-c.startProbe(false):
	case <-ctx.Done():
	}
}

// startProbe starts a round of questions or joins the one under way; the channel closes at its end.
func (c *cluster) startProbe(fresh bool) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probing != nil {
		return c.probing
	}
	done := make(chan struct{})
	c.probing = done
	end := func() {
		c.mu.Lock()
		c.probing = nil
		c.mu.Unlock()
		close(done)
	}
	if !c.inv.background(func(ctx context.Context) {
		defer end()
		if err := c.askDue(ctx, fresh); err != nil && ctx.Err() == nil {
			c.inv.opt.Logger.WarnContext(ctx, "health could not be asked", "cluster", c.name, "code", fault.CodeOf(err), "error", err.Error())
		}
	}) {
		c.probing = nil
		close(done)
	}
	return done
}

// askDue takes the lease and asks; while another process holds it, its answers are waited for.
func (c *cluster) askDue(ctx context.Context, fresh bool) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	st, err := c.inv.openStore(ctx)
	if err != nil {
		return err
	}
	src, err := c.source(ctx)
	if err != nil {
		return err
	}
	for {
		lease, ok, err := st.AcquireLease(ctx, "health:"+c.name, c.inv.opt.Owner, probeTTL)
		if err != nil {
			return err
		}
		if rerr := c.inv.proj.refresh(ctx); rerr != nil {
			return rerr
		}
		v := c.inv.proj.cluster(c.name)
		due, _ := v.due(c.inv.now(), fresh)
		if ok {
			p := &prober{c: c, st: st, src: src, v: v, lease: lease}
			err := p.run(c.inv.opt.Waiting(ctx), due)
			return firstError(err, c.release(ctx, st, lease))
		}
		if len(due) == 0 {
			return nil
		}
		if err := sleep(ctx, leasePoll); err != nil {
			return err
		}
	}
}

func (c *cluster) release(ctx context.Context, st Store, lease store.Lease) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := st.ReleaseLease(ctx, lease); err != nil && fault.CodeOf(err) != fault.Fenced {
		return err
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// prober is one round of questions under its lease.
type prober struct {
	c     *cluster
	st    Store
	src   Source
	v     *clusterView
	lease store.Lease
	mute  sync.Map // nodes that were found silent in this round, and why
}

type probed struct {
	q question
	s probeState
}

// run asks all at once, bounded per node, and stores what arrives every second.
func (p *prober) run(ctx context.Context, due []question) error {
	answers := make(chan probed, len(due))
	slots := map[string]chan struct{}{}
	var wg sync.WaitGroup
	for _, q := range due {
		slot := slots[q.node]
		if slot == nil {
			slot = make(chan struct{}, probeFlying)
			slots[q.node] = slot
		}
		wg.Go(func() {
			slot <- struct{}{}
			defer func() { <-slot }()
			answers <- probed{q, p.put(ctx, q)}
		})
	}
	go func() { wg.Wait(); close(answers) }()
	tick := time.NewTicker(probeFlush)
	defer tick.Stop()
	var got []probed
	var failed error
	for open := true; open; {
		select {
		case a, ok := <-answers:
			if open = ok; ok {
				got = append(got, a)
			}
			if ok {
				continue
			}
		case <-tick.C:
		}
		failed = firstError(failed, p.keep(ctx, got))
		got = nil
	}
	return failed
}

// put asks one question.
func (p *prober) put(ctx context.Context, q question) probeState {
	s, now := p.v.probes[q.id()], p.c.inv.now()
	if why, silent := p.mute.Load(q.node); silent {
		s.Tried, s.Code = now, fault.NodeSilent
		s.Why, _ = why.(string)
		return s
	}
	data, wrong, err := q.topic.ask(ctx, p, q.node)
	s.Tried, s.Code, s.Why = now, "", ""
	if err == nil {
		s.Data, err = json.Marshal(data)
	}
	if err != nil {
		e := fault.Of(err)
		s.Code, s.Why = e.Code, reasonOf(e)
		if e.Code == fault.NodeSilent && q.node != "" {
			why, _ := p.mute.LoadOrStore(q.node, s.Why)
			s.Why, _ = why.(string)
		}
		return s
	}
	first := map[string]time.Time{}
	for _, name := range wrong {
		if first[name] = now; !s.First[name].IsZero() {
			first[name] = s.First[name]
		}
	}
	s.At, s.First = now, first
	return s
}

// reasonOf is why a question has no answer, in words that are the same for all questions where the reason is.
func reasonOf(e *fault.Error) string {
	switch e.Code {
	case fault.Timeout:
		return "no answer in time"
	case fault.Forbidden, fault.Unreachable, fault.Unauthenticated, fault.Untrusted:
		return clean.Line(e.Message, maxLine)
	}
	return clean.Line(e.Error(), maxReason)
}

// keep stores answers. Time has run out by the caller's clock or not: an answer that is there is worth a moment more.
func (p *prober) keep(ctx context.Context, got []probed) error {
	if len(got) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	b := store.Batch{Cluster: p.c.name, At: p.c.inv.now()}
	for _, a := range got {
		b.Objects = append(b.Objects, store.Object{Ref: store.Ref{Cluster: p.c.name, Kind: store.KindProbe, ID: a.q.id()}, Life: 1, FirstSeen: a.s.Tried,
			LastSeen: a.s.At, State: encodeState(a.s)})
	}
	if _, err := p.st.ApplyBatch(ctx, p.lease, b); err != nil {
		return err
	}
	return p.c.inv.proj.refresh(ctx)
}
