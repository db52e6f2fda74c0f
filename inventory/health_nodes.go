package inventory

import (
	"fmt"
	"math"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func checkNodes(c *checkup) []Finding {
	var out []Finding
	for i := range c.cv.nodes {
		n := &c.cv.nodes[i]
		if n.st.Status == "online" && n.st.Silent == "" {
			continue
		}
		f := Finding{Severity: Critical, Code: "node_offline", Object: "node " + n.name, On: onNode(n.name), Since: n.st.Online, Score: 90,
			Title:    fmt.Sprintf("%s for %s", n.st.Status, ago(c.now.Sub(n.st.Online))),
			Evidence: "cluster/status: online=0", Hint: "check power and network of the node"}
		if n.st.Online.IsZero() {
			f.Title = n.st.Status + ", never seen online"
		}
		if n.st.Silent != "" {
			f.Title, f.Evidence = fmt.Sprintf("does not answer for %s", ago(c.now.Sub(n.st.Since))), n.st.Silent
			f.Since, f.Hint = n.st.Since, "check pveproxy and the network of the node"
			if strings.Contains(n.st.Silent, "certificate") {
				f.Hint = "run on that node: pvecm updatecerts"
			}
		}
		if g := c.cv.byNode[n.name]; g.Total > 0 {
			f.Title += fmt.Sprintf("; %d guests unknown", g.Unknown)
		}
		out = append(out, f)
	}
	return out
}

func skipQuorum(c *checkup) string {
	switch {
	case c.cv.state.Standalone:
		return "not applicable: a standalone node"
	case c.cv.state.Quorate == nil:
		return "cluster/status could not be read"
	}
	return ""
}

// checkQuorum counts one vote per node; votes of a quorum device are not told by cluster/status.
func checkQuorum(c *checkup) []Finding {
	s := c.cv.state
	evidence := fmt.Sprintf("quorate=%t, %d of %d nodes online", *s.Quorate, s.Online, s.Votes)
	f := Finding{Object: "cluster " + s.Name, On: Subject{Kind: store.KindCluster, ID: clusterID}, Evidence: evidence}
	switch {
	case !*s.Quorate:
		f.Severity, f.Code, f.Score = Critical, "quorum_lost", 100
		f.Title, f.Hint = "no quorum: nothing can be changed or started", "bring nodes back online"
	case s.Votes > 2 && s.Online < s.Votes && s.Online-1 < s.Votes/2+1:
		f.Severity, f.Code, f.Score = Warn, "quorum_at_risk", 95
		f.Title, f.Hint = "one more node lost means no quorum", "bring nodes back online before maintenance"
	default:
		return nil
	}
	return []Finding{f}
}

// Fill levels at which storages and node memory are worth a word: backups and snapshots fail above the upper one.
const (
	fullWarn     = 0.85
	fullCritical = 0.95
	memoryWarn   = 0.90
)

func checkStorages(c *checkup) []Finding {
	var out []Finding
	for _, s := range c.cv.storages {
		if s.Used == nil || s.Total == nil || *s.Total <= 0 || s.Status == stUnknown {
			continue
		}
		fill := float64(*s.Used) / float64(*s.Total)
		if fill <= fullWarn {
			continue
		}
		f := Finding{Severity: Warn, Code: "storage_full", Object: "storage " + storageID(s), On: s.subject(), Score: int(fill * 100),
			Title: fmt.Sprintf("%d %% full", int(math.Round(fill*100))), Hint: "prune backups or snapshots, or add space",
			Evidence: fmt.Sprintf("%s of %s used", size(*s.Used), size(*s.Total))}
		if fill > fullCritical {
			f.Severity = Critical
		}
		out = append(out, f)
	}
	return out
}

func (s Storage) subject() Subject {
	on := Subject{Kind: store.KindStorage, ID: storageID(s)}
	if len(s.Nodes) == 1 {
		on.Node = s.Nodes[0]
	}
	return on
}

// checkOvercommit finds nodes whose running guests may together take more memory than there is: the kernel then kills one of them.
func checkOvercommit(c *checkup) []Finding {
	promised, guests := map[string]int64{}, map[string]int{}
	for _, r := range c.cv.rows {
		if (r.state == stRunning || r.state == stPaused) && r.g.MaxMem != nil {
			promised[r.g.Node] += *r.g.MaxMem
			guests[r.g.Node]++
		}
	}
	var out []Finding
	for _, n := range c.cv.nodeViews() {
		if n.Status != "online" || n.MaxMem == nil || *n.MaxMem <= 0 || promised[n.Name] <= *n.MaxMem {
			continue
		}
		ratio := float64(promised[n.Name]) / float64(*n.MaxMem)
		f := Finding{Severity: Warn, Code: "memory_overcommit", Object: "node " + n.Name, On: onNode(n.Name), Score: min(int(ratio*20), 60),
			Title:    fmt.Sprintf("running guests may take %d %% of its memory", int(math.Round(ratio*100))),
			Evidence: fmt.Sprintf("%d guests, %s of %s", guests[n.Name], size(promised[n.Name]), size(*n.MaxMem)), Hint: "move or shrink guests, or let them balloon"}
		if n.Mem != nil {
			f.Evidence += fmt.Sprintf(", %s used now", size(*n.Mem))
		}
		out = append(out, f)
	}
	return out
}

func checkNodeMemory(c *checkup) []Finding {
	var out []Finding
	for _, n := range c.cv.nodeViews() {
		if n.Mem == nil || n.MaxMem == nil || *n.MaxMem <= 0 {
			continue
		}
		if fill := float64(*n.Mem) / float64(*n.MaxMem); fill > memoryWarn {
			out = append(out, Finding{Severity: Warn, Code: "node_memory", Object: "node " + n.Name, On: onNode(n.Name), Score: int(fill * 80),
				Title: fmt.Sprintf("memory %d %% used", int(fill*100)), Hint: "move or stop guests",
				Evidence: fmt.Sprintf("%s of %s", size(*n.Mem), size(*n.MaxMem))})
		}
	}
	return out
}

func checkStale(c *checkup) []Finding {
	var out []Finding
	for _, n := range c.cv.nodes {
		if n.st.Stale && n.st.Status == "online" && n.st.Silent == "" {
			out = append(out, Finding{Severity: Warn, Code: "stats_stale", Object: "node " + n.name, On: onNode(n.name), Score: 60,
				Title: "statistics stale although the node answers", Evidence: "cluster/resources: status=unknown, node online",
				Hint: "check pvestatd on the node: systemctl status pvestatd"})
		}
	}
	return out
}

// nodeAway says that a node has a finding of its own for not being there.
func (c *checkup) nodeAway(name string) bool {
	for i := range c.cv.nodes {
		if n := &c.cv.nodes[i]; n.name == name {
			return n.st.Status != "online" || n.st.Silent != ""
		}
	}
	return false
}
