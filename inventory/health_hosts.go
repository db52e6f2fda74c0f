package inventory

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

func onNode(node string) Subject { return Subject{Kind: store.KindNode, ID: node, Node: node} }

// checkDisks finds disks that report failure, lose sectors or are worn.
func checkDisks(c *checkup) []Finding {
	var out []Finding
	answers(c, "disks", func(node string, s *probeState, disks []diskFact) {
		for i := range disks {
			d := &disks[i]
			if !d.wrong() {
				continue
			}
			f := Finding{Severity: Warn, Code: "disk_worn", Object: "disk " + node + ":" + d.Dev, On: onNode(node), Score: 70, Since: s.First[d.Dev], Noticed: true,
				Hint: "plan its replacement; check backups first"}
			var evidence []string
			if d.Left != nil && *d.Left <= wearWarn {
				f.Title, f.Score = fmt.Sprintf("worn: %d %% of its life left", *d.Left), 85-*d.Left
				evidence = append(evidence, fmt.Sprintf("wearout %d", *d.Left))
			}
			if d.Left != nil && *d.Left <= wearCritical {
				f.Severity = Critical
			}
			if d.Bad > 0 {
				f.Code, f.Title, f.Score = "disk_failing", fmt.Sprintf("%d sectors cannot be read", d.Bad), 80
				evidence = append(evidence, fmt.Sprintf("SMART pending or uncorrectable %d", d.Bad))
			}
			if d.Fails != "" {
				f.Severity, f.Code, f.Title, f.Score = Critical, "disk_failing", "SMART attributes below their threshold", 88
				evidence = append(evidence, d.Fails)
			}
			if pve.Failing(d.Health) {
				f.Severity, f.Code, f.Title, f.Score = Critical, "disk_failing", "the disk reports failure", 92
				evidence = append(evidence, "SMART health "+d.Health)
			}
			f.Evidence = strings.TrimPrefix(strings.Join(append(evidence, d.Model), ", "), ", ")
			out = append(out, f)
		}
	})
	return out
}

// lacksDisks names disks that were left asleep and those that did not tell.
func lacksDisks(c *checkup) []miss {
	byReason := map[string][]string{}
	answers(c, "disks", func(node string, _ *probeState, disks []diskFact) {
		sleepers, mute := 0, 0
		why := ""
		for _, d := range disks {
			switch {
			case d.Sleeper:
				sleepers++
			case d.Why != "":
				why = d.Why
			case d.Health == "" && d.Left == nil:
				mute++
			}
		}
		add := func(reason string) { byReason[reason] = append(byReason[reason], node) }
		if sleepers > 0 {
			add("spinning disks, SMART would wake them (if they never sleep: proxmox-mcp intent set NODE awake)")
		}
		if why != "" {
			add(why)
		}
		if mute > 0 {
			add(strconv.Itoa(mute) + " disks tell no SMART health")
		}
	})
	var out []miss
	for _, reason := range sortedNames(byReason) {
		out = append(out, miss{reason: reason, nodes: byReason[reason]})
	}
	return out
}

func checkZFS(c *checkup) []Finding {
	var out []Finding
	answers(c, "zfs", func(node string, s *probeState, pools []poolFact) {
		for _, z := range pools {
			if z.Health == "ONLINE" {
				continue
			}
			f := Finding{Severity: Critical, Code: "zfs_pool", Object: "zfs pool " + node + ":" + z.Name, On: onNode(node), Score: 91, Since: s.First[z.Name], Noticed: true,
				Title: strings.ToLower(z.Health), Evidence: "health " + z.Health, Hint: "zpool status " + z.Name + " on " + node + "; replace the failed disk"}
			if z.Health == "" {
				f.Severity, f.Title, f.Evidence = Warn, "does not tell its health", "no health"
			}
			out = append(out, f)
		}
	})
	return out
}

func checkThin(c *checkup) []Finding {
	var out []Finding
	answers(c, "thin", func(node string, s *probeState, pools []thinFact) {
		for _, t := range pools {
			fill := max(t.Data, t.Meta)
			if fill <= thinWarn {
				continue
			}
			f := Finding{Severity: Warn, Code: "thin_pool", Object: "thin pool " + node + ":" + t.Name, On: onNode(node), Score: fill, Since: s.First[t.Name], Noticed: true,
				Title: fmt.Sprintf("%d %% of its data full", t.Data), Evidence: fmt.Sprintf("data %d %%, metadata %d %%", t.Data, t.Meta),
				Hint: "free or extend it before it is full: its guests stop then"}
			if t.Meta > t.Data {
				f.Title, f.Hint = fmt.Sprintf("%d %% of its metadata full", t.Meta), "lvextend --poolmetadatasize on "+node
			}
			if fill > thinCritical {
				f.Severity = Critical
			}
			out = append(out, f)
		}
	})
	return out
}

func checkUpdates(c *checkup) []Finding {
	var out []Finding
	answers(c, "updates", func(node string, s *probeState, u updatesFact) {
		if u.Count > 0 {
			out = append(out, Finding{Severity: Info, Code: "updates", Object: "node " + node, On: onNode(node), Score: min(u.Count, 50), Since: s.First["updates"], Noticed: true,
				Title: fmt.Sprintf("%d packages wait for an update", u.Count), Evidence: strings.Join(u.Names, ", "), Hint: "apt dist-upgrade, node by node"})
		}
	})
	return out
}

func checkCertificates(c *checkup) []Finding {
	var out []Finding
	answers(c, "certificates", func(node string, _ *probeState, certs []certFact) {
		for _, k := range certs {
			left := k.Until.Sub(c.now)
			if left > certWarn {
				continue
			}
			f := Finding{Severity: Warn, Code: "certificate", Object: "certificate " + node + ":" + k.File, On: onNode(node), Score: 65,
				Title: "ends in " + ago(left), Evidence: "valid until " + k.Until.Format("2006-01-02 15:04 MST"), Hint: "renew it: pvecm updatecerts --force, or order it again"}
			if left <= certCritical {
				f.Severity = Critical
			}
			if left <= 0 {
				f.Title, f.Since, f.Noticed = "ended "+ago(-left)+" ago", k.Until, false
			}
			out = append(out, f)
		}
	})
	return out
}

// checkClocks holds the nodes' clocks against ours. When all nodes agree with each other, it is ours that is wrong.
func checkClocks(c *checkup) []Finding {
	var out []Finding
	known := 0
	var least, most time.Duration
	answers(c, "clock", func(node string, s *probeState, f clockFact) {
		if least, most = min(least, f.Ahead), max(most, f.Ahead); known == 0 {
			least, most = f.Ahead, f.Ahead
		}
		if known++; !f.wrong() {
			return
		}
		word := "ahead of"
		if f.Ahead < 0 {
			word = "behind"
		}
		n := Finding{Severity: Warn, Code: "clock_skew", Object: "node " + node, On: onNode(node), Score: 62, Since: s.First["clock"], Noticed: true,
			Title: fmt.Sprintf("clock %s %s ours", f.Ahead.Abs().Round(time.Second), word), Evidence: fmt.Sprintf("nodes/%s/time, sure to %s", node, f.Sure.Round(time.Second)),
			Hint: "chronyc tracking on that node"}
		if f.Ahead.Abs() > clockCritical {
			n.Severity = Critical
		}
		out = append(out, n)
	})
	if known > 1 && len(out) == known && most-least <= 2*clockWarn {
		for i := range out {
			out[i].Severity, out[i].Hint = Warn, "all nodes agree: correct the clock of this machine"
		}
	}
	return out
}

func checkHA(c *checkup) []Finding {
	var out []Finding
	answers(c, "ha", func(_ string, s *probeState, list []haFact) {
		for _, h := range list {
			f := Finding{Severity: Critical, Code: "ha_error", Object: h.ID, On: onNode(h.Node), Score: 80, Since: s.First[h.ID], Noticed: true,
				Title: "HA: " + h.State, Evidence: "cluster/ha/status/current: " + h.State, Hint: "ha-manager status; after repair set it to disabled, then started"}
			if i := strings.LastIndexByte(h.ID, ':'); strings.HasPrefix(h.ID, "service:") && i >= 0 {
				if id, err := strconv.Atoi(h.ID[i+1:]); err == nil && c.cv.byID[id] != nil {
					f.Object, f.On = c.cv.byID[id].label(), c.cv.byID[id].subject()
				}
			} else if c.nodeAway(h.Node) {
				continue // the node's own finding says it
			} else {
				f.Severity, f.Hint = Warn, "systemctl status pve-ha-lrm pve-ha-crm on "+h.Node
			}
			out = append(out, f)
		}
	})
	return out
}

func checkReplication(c *checkup) []Finding {
	var out []Finding
	answers(c, "replication", func(_ string, s *probeState, r replicaFact) {
		for _, j := range r.Failed {
			f := Finding{Severity: Warn, Code: "replication", Object: "guest " + strconv.Itoa(j.Guest), Score: 58 + min(j.Fails, 10), Since: s.First[j.ID], Noticed: true,
				On:    Subject{Kind: store.KindGuest, ID: strconv.Itoa(j.Guest)},
				Title: fmt.Sprintf("replication to %s failed %d times", j.Target, j.Fails), Evidence: j.Error, Hint: "pvesr status; get its log on the source node"}
			if g := c.cv.byID[j.Guest]; g != nil {
				f.Object, f.On = g.label(), g.subject()
			}
			if !j.LastSync.IsZero() {
				f.Since, f.Noticed = j.LastSync, false
				f.Evidence = strings.TrimPrefix(f.Evidence+"; last good "+ago(c.now.Sub(j.LastSync))+" ago", "; ")
			}
			if f.Evidence == "" {
				f.Evidence = "fail_count " + strconv.Itoa(j.Fails)
			}
			out = append(out, f)
		}
	})
	return out
}

func lacksReplication(c *checkup) []miss {
	var out []miss
	answers(c, "replication", func(_ string, _ *probeState, r replicaFact) {
		for _, node := range sortedNames(r.Missed) {
			out = append(out, miss{reason: r.Missed[node], nodes: []string{node}})
		}
	})
	return out
}
