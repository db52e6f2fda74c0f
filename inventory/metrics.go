package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// metricsBudget bounds what get_metrics waits for: where nodes are slow one rrddata takes 1.7 s (performance.md 5), and two are asked.
const metricsBudget = 5 * time.Second

// Timeframes are those of rrddata (schema: .../rrddata), shortest first. Points of an hour and a day are of one minute; those of a week and
// a month are means of 30 minutes, those of a year of 6 hours.
var Timeframes = []string{"hour", "day", "week", "month", "year"}

// MetricQuery asks for the figures of a guest (vmid or name), a node or a storage ("tank", or "pve1/local" as that node sees it). Values is
// how many points each figure is to come with; 0 = none.
type MetricQuery struct {
	Object    string
	Timeframe string // "" = day
	Values    int
	ReadOptions
}

// MetricSet is the figures of one object. Kind is guest, node or storage. Without samples Metrics is empty and a warning says why.
type MetricSet struct {
	Meta
	Cluster   string
	Kind      string
	Object    string // "vm 104 jellyfin", "node pve1", "storage pve1/local"
	Node      string
	State     string
	Timeframe string
	From, To  time.Time
	Step      time.Duration
	Metrics   []Metric
	Others    []string // storages of the same name on other nodes, where the object was named without one: pve2/local
}

// Metrics answers the figures of one object over a time frame, asked of its node within 5 s. Errors: fault.NotFound with the nearest names,
// fault.Ambiguous, fault.Invalid, and those of an empty store. A node that cannot be asked is a warning.
func (i *Inventory) Metrics(ctx context.Context, q MetricQuery) (MetricSet, error) {
	ctx = i.opt.Waiting(ctx)
	if q.Timeframe == "" {
		q.Timeframe = "day"
	}
	if !slices.Contains(Timeframes, q.Timeframe) {
		return MetricSet{}, fault.BadField("timeframe", "it must be one of "+strings.Join(Timeframes, ", "), "day")
	}
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return MetricSet{}, err
	}
	o, err := i.sampled(scope, q.Object)
	if err != nil {
		return MetricSet{}, err
	}
	set := MetricSet{Meta: o.c.meta(i.now()), Cluster: o.c.name, Kind: o.kind, Object: o.label, Node: o.at.Node, State: o.state, Timeframe: q.Timeframe, Others: o.others}
	if o.why != "" {
		set.Warnings = append(set.Warnings, Warning{"node_silent", "no figures: " + o.why})
		return set, nil
	}
	means, peaks, err := o.read(ctx, q.Timeframe)
	if err != nil {
		set.Warnings = append(set.Warnings, Warning{liveCode(err), fmt.Sprintf("the figures of %s could not be read: %s", o.label, fault.Of(err).Error())})
		return set, nil
	}
	set.AsOf, set.Age = i.now(), 0
	set.Step = step(means)
	if o.at.VMID != 0 {
		diskSeen(o.at.Type, means, peaks)
	}
	set.Metrics = metricsOf(o.defs, means, peaks, q.Values)
	if n := len(means.Times); n > 0 {
		set.From, set.To = time.Unix(means.Times[0], 0).UTC(), time.Unix(means.Times[n-1], 0).UTC()
	}
	if !slices.ContainsFunc(set.Metrics, func(m Metric) bool { return m.Known > 0 }) {
		set.Warnings = append(set.Warnings, Warning{"partial", "Proxmox VE has no sample of it in this time"})
	}
	return set, nil
}

// sampledObject is an object whose samples can be asked for; why says why not.
type sampledObject struct {
	c           *cluster
	kind, label string
	state       string
	at          pve.Sampled
	defs        []metricDef
	why         string
	others      []string
}

// read asks for the means, and for the peaks as well where a point spans more than a minute: a mean of 30 minutes hides them.
func (o *sampledObject) read(ctx context.Context, timeframe string) (means, peaks pve.Series, err error) {
	ctx, cancel := context.WithTimeout(ctx, metricsBudget)
	defer cancel()
	src, err := o.c.source(ctx)
	if err != nil {
		return means, peaks, err
	}
	var wg sync.WaitGroup
	if timeframe != "hour" && timeframe != "day" {
		// Without them the highest mean is shown.
		wg.Go(func() { peaks, _ = src.Samples(ctx, o.at, timeframe, "MAX") })
	}
	means, err = src.Samples(ctx, o.at, timeframe, "")
	wg.Wait()
	return means, peaks, err
}

// sampled finds the object that a text names: "guest 104", "node pve1" and "storage pve1/local" as findings call them, or the name alone,
// of a guest first, then of a node, then of a storage.
func (i *Inventory) sampled(scope []*cluster, text string) (*sampledObject, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, fault.BadField("object", "a guest, node or storage is needed", "104, pve1 or local-lvm")
	}
	kind, name := "", text
	if k, rest, ok := strings.Cut(text, " "); ok && slices.Contains([]string{"guest", "vm", "ct", "node", "storage"}, k) {
		kind, name = k, strings.TrimSpace(rest)
	}
	if kind != "node" && kind != "storage" {
		first, _, _ := strings.Cut(name, " ") // "guest 104 web"
		for _, n := range []string{name, first} {
			r, err := i.resolve(scope, n)
			if err == nil {
				return i.sampledGuest(r), nil
			}
			if fault.CodeOf(err) == fault.Ambiguous {
				return nil, err
			}
		}
	}
	return i.sampledHost(scope, kind, name, text)
}

// sampledHost finds a node, else a storage, of the one cluster that has it.
func (i *Inventory) sampledHost(scope []*cluster, kind, name, text string) (*sampledObject, error) {
	var found []*sampledObject
	var at []*cluster
	for _, c := range scope {
		cv := i.proj.cluster(c.name)
		var o *sampledObject
		if kind != "storage" {
			o = c.sampledNode(cv, name)
		}
		if o == nil && kind != "node" {
			o = c.sampledStorage(cv, name)
		}
		if o != nil {
			found, at = append(found, o), append(at, c)
		}
	}
	switch len(found) {
	case 0:
		return nil, i.unknownObject(scope, text)
	case 1:
		return found[0], nil
	}
	return nil, whichCluster(fault.New(fault.Ambiguous, "%d clusters have a %s %s", len(found), found[0].kind, clean.Line(name, maxName)), namesOf(at))
}

func (i *Inventory) sampledGuest(r *row) *sampledObject {
	c := i.clusterOf(r.g.Cluster)
	return &sampledObject{c: c, kind: "guest", label: strings.TrimSpace(fmt.Sprintf("%s %d %s", r.typ().Short(), r.g.VMID, r.g.Name)), state: r.state,
		at: pve.Sampled{Node: r.g.Node, Type: r.typ(), VMID: r.g.VMID}, defs: guestMetrics, why: i.proj.cluster(c.name).nodeAway(r.g.Node)}
}

func (c *cluster) sampledNode(cv *clusterView, name string) *sampledObject {
	for _, n := range cv.nodes {
		if strings.EqualFold(n.name, name) {
			return &sampledObject{c: c, kind: "node", label: "node " + n.name, state: n.st.Status, at: pve.Sampled{Node: n.name}, defs: nodeMetrics, why: cv.nodeAway(n.name)}
		}
	}
	return nil
}

// sampledStorage takes the named node, else the first that answers: a storage that is not shared is another one on each node, and the label
// says whose it is.
func (c *cluster) sampledStorage(cv *clusterView, text string) *sampledObject {
	node, name, ok := strings.Cut(text, "/")
	if !ok {
		node, name = "", text
	}
	var best *sampledObject
	var own []string // by node, of what is not shared
	for _, s := range cv.storages {
		for _, n := range s.Nodes {
			if s.Name != name || node != "" && n != node || s.Status == "disabled" {
				continue
			}
			o := &sampledObject{c: c, kind: "storage", label: "storage " + n + "/" + s.Name, state: s.Status, at: pve.Sampled{Node: n, Storage: s.Name}, defs: storageMetrics, why: cv.nodeAway(n)}
			if !s.Shared && node == "" {
				own = append(own, n+"/"+s.Name)
			}
			if best == nil || best.why != "" && o.why == "" {
				best = o
			}
		}
	}
	if best != nil {
		best.others = slices.DeleteFunc(own, func(o string) bool { return "storage "+o == best.label })
	}
	return best
}

// nodeAway says why a node cannot be asked, "" = it can.
func (c *clusterView) nodeAway(name string) string {
	for i := range c.nodes {
		switch n := &c.nodes[i]; {
		case n.name != name:
		case n.st.Silent != "":
			return "node " + name + " does not answer"
		case n.st.Status != "online":
			return "node " + name + " is " + n.st.Status
		}
	}
	return ""
}

// unknownObject names what is near.
func (i *Inventory) unknownObject(scope []*cluster, text string) error {
	v := i.proj.view.Load()
	missing := fault.Of(i.unknownGuest(v, scope, text))
	var names []string
	for _, c := range scope {
		cv := v.clusters[c.name]
		for _, n := range cv.nodes {
			names = append(names, n.name)
		}
		for _, s := range cv.storages {
			names = append(names, s.Name)
		}
		for _, r := range cv.rows {
			names = append(names, r.g.Name)
		}
	}
	missing.Message = fmt.Sprintf("no guest, node or storage %q is known", clean.Line(text, maxName))
	if like := near.Words(text, names, 3); len(like) > 0 && !missing.Retryable {
		return missing.WithHint("did you mean %s?", strings.Join(slices.Compact(like), ", "))
	}
	if _, number := vmidOf(text); number || missing.Retryable {
		return missing
	}
	return missing.WithHint("get_overview names the nodes and storages, find_guests the guests").WithNext("get_overview")
}
