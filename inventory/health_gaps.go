package inventory

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// miss is a part of a check that could not be done, with the reason; no nodes = all of it.
type miss struct {
	check  string
	reason string
	nodes  []string
}

// gaps says what of a check cannot be done on a cluster now, and whether any of it can.
func (k *check) gaps(c *checkup) (ran bool, out []miss) {
	switch why := k.skipped(c); {
	case why != "":
		return false, []miss{{check: k.name, reason: why}}
	case k.topic == "":
		return true, nil
	}
	t := topicNamed(k.topic)
	if t.cluster {
		why, known := c.unanswered(t, "")
		if why != "" {
			out = append(out, miss{check: k.name, reason: why})
		}
		return known, append(out, k.inside(c)...)
	}
	byReason := map[string][]string{}
	for i := range c.cv.nodes {
		n := &c.cv.nodes[i]
		if t.wants != nil && !t.wants(c.cv, n.name) {
			ran = true
			continue
		}
		why, known := c.unanswered(t, n.name)
		ran = ran || known
		if why != "" {
			byReason[why] = append(byReason[why], n.name)
		}
	}
	for _, why := range sortedNames(byReason) {
		out = append(out, miss{k.name, why, byReason[why]})
	}
	return ran, append(out, k.inside(c)...)
}

// unchecked names the checks that say nothing of now although they could be asked for, and those that cannot be done at all.
func (i *Inventory) unchecked(scope []*cluster) []string {
	v, now := i.proj.view.Load(), i.now()
	var out []string
	for _, k := range checks {
		for _, c := range scope {
			cu := &checkup{cv: v.clusters[c.name], now: now}
			if cu.cv.synced && k.topic != "" && k.open(cu) {
				out = append(out, k.name)
				break
			}
		}
	}
	return out
}

// staleAnswer is for how long an answer about what changes within minutes still counts in an overview.
const staleAnswer = time.Hour

// open says that a node that could be asked has given no answer to a check's question, or an old one.
func (k *check) open(c *checkup) bool {
	t := topicNamed(k.topic)
	return slices.ContainsFunc(c.cv.questions(), func(q question) bool {
		s := c.cv.probes[q.id()]
		return q.topic == t && (len(s.Data) == 0 || c.now.Sub(s.At) > max(2*t.every, staleAnswer))
	})
}

func (k *check) inside(c *checkup) []miss {
	if k.lacks == nil {
		return nil
	}
	out := k.lacks(c)
	for i := range out {
		out[i].check = k.name
	}
	return out
}

// unanswered says why there is no answer of now to a question, "" when there is one; known says that an older one is there.
func (c *checkup) unanswered(t *topic, node string) (why string, known bool) {
	s := c.cv.probes[question{t, node}.id()]
	known = len(s.Data) > 0
	if node != "" {
		if away := c.away(node); away != "" {
			if c.cv.wants(store.KindNode, node, c.now) == store.WantOff {
				away = "intentionally off"
			}
			return away, known
		}
	}
	switch {
	case s.Tried.IsZero():
		return "no answer yet; ask again in a moment", known
	case s.Code == fault.Forbidden:
		_, text, ok := strings.Cut(s.Why, "may not do this: ")
		if !ok {
			text = s.Why
		}
		return strings.ReplaceAll(text, "/nodes/"+node, "/nodes/*"), known
	case s.Code != "":
		why = strings.ReplaceAll(s.Why, "/"+node+"/", "/*/")
		if known {
			why += fmt.Sprintf(" (last answer %s ago)", ago(c.now.Sub(s.At)))
		}
		return why, known
	case c.now.Sub(s.At) > 2*t.every:
		return fmt.Sprintf("last answer %s ago", ago(c.now.Sub(s.At))), known
	}
	return "", known
}

func (c *checkup) away(node string) string {
	for i := range c.cv.nodes {
		if n := &c.cv.nodes[i]; n.name == node {
			return n.away()
		}
	}
	return "not known"
}

func topicNamed(name string) *topic {
	i := slices.IndexFunc(topics, func(t topic) bool { return t.name == name })
	return &topics[i]
}

// answers are the nodes ("" for a topic of the cluster) of which there is an answer, with it. Answers that are older than they should be
// are still the best there is: coverage says how old they are.
func answers[T any](c *checkup, name string, each func(node string, s *probeState, data T)) {
	t := topicNamed(name)
	nodes := []string{""}
	if !t.cluster {
		nodes = nodes[:0]
		for i := range c.cv.nodes {
			nodes = append(nodes, c.cv.nodes[i].name)
		}
	}
	for _, n := range nodes {
		if s := c.cv.probes[question{t, n}.id()]; len(s.Data) > 0 {
			each(n, &s, decodeState[T](s.Data))
		}
	}
}

// gapLines writes gaps in few words: those of the same nodes for the same reason become one.
func gapLines(all []miss, cluster string) []string {
	type key struct{ nodes, reason string }
	checks := map[key][]string{}
	var order []key
	for _, g := range all {
		k := key{shortList(g.nodes, 5), g.reason}
		if checks[k] == nil {
			order = append(order, k)
		}
		if !slices.Contains(checks[k], g.check) {
			checks[k] = append(checks[k], g.check)
		}
	}
	var out []string
	for _, k := range order {
		line := strings.Join(checks[k], ", ")
		if k.nodes != "" {
			line += " on " + k.nodes
		}
		line += ": " + k.reason
		if cluster != "" {
			line += " on " + cluster
		}
		out = append(out, line)
	}
	return out
}
