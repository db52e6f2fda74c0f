package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func nodeLogRoutes() []route {
	logs := need("/nodes/{node}", "Sys.Syslog")
	return daemon(
		get("/nodes/{node}/syslog", logs, nodeSyslog),
		get("/nodes/{node}/journal", logs, nodeJournal),
		get("/nodes/{node}/report", need("/nodes/{node}", "Sys.Audit"), nodeReport))
}

// journalLine is a line of a node's log with its time.
type journalLine struct {
	at            time.Time
	tag, text     string
	pid, priority int
}

// journal is what a node's log has, the oldest first: its boot and what it did since, as the cluster log tells.
func (n *Node) journal(w *World) []journalLine {
	var list []journalLine
	status, _ := n.Info["status"].(Object)
	kernel, _ := status["current-kernel"].(Object)
	boot := func(after time.Duration, tag string, pid int, line string) {
		list = append(list, journalLine{n.Booted.Add(after), tag, line, pid, 6})
	}
	boot(0, "kernel", 0, "Linux version "+text(kernel["release"])+" "+text(kernel["version"]))
	boot(2*time.Second, "systemd", 1, "Reached target local-fs.target - Local File Systems.")
	boot(9*time.Second, "pmxcfs", 811, "[status] notice: node has quorum")
	boot(12*time.Second, "pvedaemon", 1042, "starting server")
	boot(14*time.Second, "pveproxy", 1061, "starting server")
	boot(15*time.Second, "systemd", 1, "Startup finished in 15.204s.")
	for _, e := range slices.Backward(w.Cluster.Log) {
		if e.Node == n.Name {
			list = append(list, journalLine{e.Time, e.Tag, "<" + e.User + "> " + e.Msg, e.PID, e.Pri})
		}
	}
	slices.SortStableFunc(list, func(a, b journalLine) int { return a.at.Compare(b.at) })
	return list
}

// show is a line as journalctl writes it, in the node's time.
func (l journalLine) show(n *Node) string {
	tag := l.tag
	if l.pid > 0 {
		tag += "[" + strconv.Itoa(l.pid) + "]"
	}
	return n.local(l.at).Format("Jan 02 15:04:05") + " " + n.Name + " " + tag + ": " + l.text
}

// syslogPage is how many lines come without limit (schema of the method behind it).
const syslogPage = 50

// nodeSyslog has numbered lines as task logs have, of one service or all.
func nodeSyslog(c *call) (any, error) {
	since, until := c.moment("since", time.Time{}), c.moment("until", c.now)
	service := strings.TrimSuffix(c.param("service"), ".service")
	var lines []string
	for _, l := range c.node.journal(c.w) {
		if l.at.Before(since) || l.at.After(until) || service != "" && l.tag != service {
			continue
		}
		lines = append(lines, l.show(c.node))
	}
	if len(lines) == 0 {
		lines = []string{"no content"}
	}
	total := len(lines)
	c.total = &total
	start, limit := int(integer(c.params["start"])), syslogPage
	if c.given("limit") {
		limit = int(integer(c.params["limit"]))
	}
	list := []fields{}
	for i := start; i < total && (limit == 0 || len(list) < limit); i++ {
		list = append(list, fields{{"n", i + 1}, {"t", lines[i]}})
	}
	return list, nil
}

// moment reads a time such as 2026-11-21 or 2026-11-21 20:15:01 in the node's zone.
func (c *call) moment(name string, otherwise time.Time) time.Time {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, c.param(name), c.node.local(c.now).Location()); err == nil {
			return t
		}
	}
	return otherwise
}

// nodeJournal is always compressed (facts 9). Its first and last line are cursors, from which the next request goes on.
func nodeJournal(c *call) (any, error) {
	c.squeeze = true
	all := c.node.journal(c.w)
	from, to := 0, len(all)
	last := c.params["lastentries"]
	for i, l := range all {
		at := l.at.Unix()
		if c.given("since") && at < integer(c.params["since"]) {
			from = i + 1
		}
		if c.given("until") && at > integer(c.params["until"]) {
			to = min(to, i)
		}
	}
	if i, ok := cursorPlace(c.param("startcursor")); ok {
		from = max(from, min(i, len(all)))
	}
	if i, ok := cursorPlace(c.param("endcursor")); ok {
		to = min(to, i)
	}
	if n := int(integer(last)); last != nil {
		from = max(from, to-n)
	}
	out := []string{}
	if from < to {
		out = append(out, journalCursor(from))
		for _, l := range all[from:to] {
			if c.wantsLine(l) {
				out = append(out, l.show(c.node))
			}
		}
		out = append(out, journalCursor(to))
	}
	return out, nil
}

// wantsLine applies the filters by unit, by kernel and by priority.
func (c *call) wantsLine(l journalLine) bool {
	unit := strings.TrimSuffix(c.param("service")+c.param("unit"), ".service")
	if unit != "" && unit != l.tag || truth(c.params["kernel"]) && l.tag != "kernel" {
		return false
	}
	low, high, span := strings.Cut(c.param("priority"), "..")
	switch {
	case low == "":
		return true
	case span:
		return l.priority >= int(integer(low)) && l.priority <= int(integer(high))
	}
	return l.priority <= int(integer(low))
}

func journalCursor(i int) string { return fmt.Sprintf("s=5eed00000000000000000000000000;i=%x", i) }

func cursorPlace(s string) (int, bool) {
	_, place, ok := strings.Cut(s, ";i=")
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(place, 16, 32)
	return int(n), err == nil
}

// nodeReport is a text with what support would ask for.
func nodeReport(c *call) (any, error) {
	n := c.node
	status, _ := n.Info["status"].(Object)
	hosts, _ := n.Info["hosts"].(Object)
	var b strings.Builder
	section := func(name string) { fmt.Fprintf(&b, "\n==== %s ====\n", name) }
	section("general system info")
	fmt.Fprintf(&b, "\n# hostname\n%s\n\n# date -R\n%s\n\n# cat /proc/cmdline\n\n# pveversion --verbose\nproxmox-ve: %s\n%s\n\n# cat /etc/hosts\n%s\n",
		n.Name, n.local(c.now).Format(time.RFC1123Z), text(c.w.Version["version"]), text(status["pveversion"]), text(hosts["data"]))
	section("overall system load info")
	fmt.Fprintf(&b, "\n# uptime\nup %d seconds, load average: %v\n", n.uptime(c.now), status["loadavg"])
	section("info about storage (lvm and zfs)")
	for _, s := range n.Storage {
		fmt.Fprintf(&b, "%s %s active=%s total=%s used=%s\n", text(s["storage"]), text(s["type"]), text(s["active"]), text(s["total"]), text(s["used"]))
	}
	section("info about virtual guests")
	for _, g := range c.w.Guests() {
		if g.Node == n.Name {
			fmt.Fprintf(&b, "%s %d %s %s\n", g.Type, g.VMID, g.Name(), g.Status())
		}
	}
	section("info about network and firewall")
	b.WriteString("\n# cat /etc/network/interfaces\n" + interfacesText(n.activeInterfaces()))
	return b.String(), nil
}
