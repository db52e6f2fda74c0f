package inventory

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	// logShown is how many lines an answer has at most: the newest ones.
	logShown = 60
	// logSearched is how many of the newest lines are read where no time bounds the question and something is looked for.
	logSearched = 5000
	// logBack is how far back a question reaches that names its end alone.
	logBack = 24 * time.Hour
)

// OwnLine is a line of this program's own log, secrets masked.
type OwnLine struct {
	At   time.Time
	Text string
}

// LogQuery asks for the newest lines of a node's journal, or of this program's own log where Node is "". Zero times are open ends; Match
// is a text in any case or a regular expression (RE2), Unit a syslog identifier such as pvedaemon.
type LogQuery struct {
	Node         string
	Since, Until time.Time
	Match, Unit  string
	ReadOptions
}

// NodeLog is the newest 60 lines that match, the newest last; times in them are in the node's own zone. Matched counts those that match
// among the Read lines. Tail says that only the newest lines were read, so that there may be more that match before them.
type NodeLog struct {
	Meta
	Cluster, Node string
	Lines         []string
	Matched, Read int
	Tail          bool
}

// Log reads a log, live: a node is asked with one call, in 3 s, or 10 s where Fresh. Errors: fault.NotFound for a node that is not known,
// fault.Invalid for a bad input, fault.NodeSilent, fault.Forbidden (Sys.Syslog on /nodes/NODE).
func (i *Inventory) Log(ctx context.Context, q LogQuery) (NodeLog, error) {
	matches, odd, err := logMatcher(q.Match)
	if err != nil {
		return NodeLog{}, err
	}
	if !q.Until.IsZero() && q.Since.IsZero() {
		q.Since = q.Until.Add(-logBack)
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return NodeLog{}, fault.BadField("since", "it must be before until", "1h")
	}
	out := NodeLog{Meta: Meta{AsOf: i.now()}, Node: q.Node}
	var lines []string
	if q.Node == "" {
		if q.Unit != "" {
			return NodeLog{}, fault.BadField("unit", "it goes with a node: our own log has none", "pvedaemon")
		}
		lines = i.ownLines(&q)
	} else if lines, err = i.journal(ctx, &q, &out); err != nil {
		return NodeLog{}, err
	}
	out.Read = len(lines)
	for _, l := range lines {
		if l = clean.Line(l, maxLine); matches(l) && (q.Unit == "" || hasUnit(l, q.Unit)) {
			out.Lines = append(out.Lines, l)
		}
	}
	out.Matched = len(out.Lines)
	if out.Matched == 0 && odd != nil {
		return NodeLog{}, odd
	}
	out.Lines = out.Lines[max(0, out.Matched-logShown):]
	return out, nil
}

func (i *Inventory) ownLines(q *LogQuery) []string {
	var out []string
	if i.opt.OwnLog == nil {
		return nil
	}
	for _, l := range i.opt.OwnLog() {
		if !l.At.Before(q.Since) && (q.Until.IsZero() || !l.At.After(q.Until)) {
			out = append(out, l.Text)
		}
	}
	return out
}

// journal asks the node. Without a time it reads the newest lines: as many as are shown, or more where something is looked for.
func (i *Inventory) journal(ctx context.Context, q *LogQuery, out *NodeLog) ([]string, error) {
	began := i.now()
	ctx = i.opt.Waiting(ctx)
	c, err := i.nodeOf(ctx, q)
	if err != nil {
		return nil, err
	}
	out.Cluster = c.name
	src, err := c.source(ctx)
	if err != nil {
		return nil, err
	}
	last := 0
	if q.Since.IsZero() {
		if last = logShown; q.Match != "" || q.Unit != "" {
			last = logSearched
		}
	}
	ctx, cancel := i.budget(ctx, q.Fresh, began)
	defer cancel()
	lines, err := src.NodeJournal(ctx, q.Node, q.Since, q.Until, last)
	out.Tail = last > 0 && len(lines) >= last
	return lines, err
}

// nodeOf is the cluster of the scope that has a node.
func (i *Inventory) nodeOf(ctx context.Context, q *LogQuery) (*cluster, error) {
	o := q.ReadOptions
	o.Fresh = false // the log is read now anyway
	scope, err := i.ready(ctx, o)
	if err != nil {
		return nil, err
	}
	v := i.proj.view.Load()
	var found []*cluster
	for _, c := range scope {
		if _, ok := v.clusters[c.name].nodeObjs[q.Node]; ok {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return nil, i.unknown(v, scope, q.Node, "node", v.objectNames(scope)).WithNext("list_nodes")
	case 1:
		return found[0], nil
	}
	return nil, whichCluster(fault.New(fault.Ambiguous, "%d clusters have a node %s", len(found), clean.Line(q.Node, maxName)), namesOf(found))
}

// logMatcher matches a text as it stands, in any case, or as a regular expression. odd is what is wrong with the expression where the text may
// be meant as it stands (pvedaemon[12): an error only where no line holds it.
func logMatcher(text string) (matches func(string) bool, odd, err error) {
	if text == "" {
		return func(string) bool { return true }, nil, nil
	}
	lower := strings.ToLower(text)
	re, err := regexp.Compile("(?i)" + text)
	if err != nil {
		odd = fault.BadField("match", "it must be a text that a line holds or a regular expression (RE2): "+clean.Line(err.Error(), maxName), "error|failed")
		if slices.ContainsFunc([]string{".*", ".+", "^", "|", `\`}, func(s string) bool { return strings.Contains(text, s) }) {
			return nil, nil, odd
		}
	}
	return func(l string) bool {
		return strings.Contains(strings.ToLower(l), lower) || re != nil && re.MatchString(l)
	}, odd, nil
}

// hasUnit reads the identifier of "Nov 20 18:00:01 pve1 pvedaemon[1234]: text".
func hasUnit(line, unit string) bool {
	parts := strings.SplitN(line, " ", 6)
	for k, p := range parts {
		if id, ok := strings.CutSuffix(p, ":"); ok && k > 2 {
			id, _, _ = strings.Cut(id, "[")
			return strings.EqualFold(id, strings.TrimSuffix(unit, ".service"))
		}
	}
	return false
}
