package app

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// The stated deadlines of DESIGN §2 and §6. A guest's addresses may take 3 s of their own, and a task that runs is asked for 5 s.
const (
	boundStored    = 2 * time.Second
	boundEmpty     = 5 * time.Second
	boundFresh     = 20 * time.Second
	boundAddresses = 3 * time.Second
	boundAsk       = 3 * time.Second // backups and logs are asked for
	boundAskFresh  = 10 * time.Second
	boundTask      = 5 * time.Second
	boundMetrics   = 5 * time.Second
	boundAccess    = 4 * time.Second
	boundHealth    = 5 * time.Second // what syncs do not read is asked by check_health alone
	boundLive      = 3 * time.Second // what the store does not keep
	boundDiagnose  = 8 * time.Second
	boundClusters  = 4 * time.Second
	boundWait      = 45 * time.Second
	boundMargin    = 500 * time.Millisecond
)

// bound is the longest that a call may take (I4).
func (r reply) bound(empty bool) time.Duration {
	b := boundStored
	switch {
	case r.tool == "get_task" && r.args["wait_s"] != nil:
		return boundWait + 2*boundTask + boundMargin
	case r.tool == "check_access":
		return boundAccess + boundMargin
	case r.tool == "get_task":
		return 2*boundTask + boundMargin // its state, its log
	case r.tool == "sync_inventory":
		return boundWait + boundMargin
	case r.fresh:
		b = boundFresh
	case empty:
		b = boundEmpty
	}
	if r.tool == "find_recovery" || r.tool == "read_log" || r.tool == "get_file_from_backup" {
		b += boundAsk
		if r.fresh {
			b += boundAskFresh - boundAsk
		}
	}
	switch r.tool {
	case "list_clusters":
		b += boundClusters
	case "get_metrics":
		b += boundMetrics
	case "get_agent_info":
		b += 2 * boundAddresses
	case "diagnose_guest":
		b += boundDiagnose
	}
	if r.tool == "check_health" && !r.fresh {
		b += boundHealth
	}
	if slices.Contains(placeTools, r.tool) {
		b += boundLive
	}
	if r.tool == "get_guest" {
		b += boundAddresses
		if r.fresh && empty {
			b += boundEmpty
		}
	}
	return b + boundMargin
}

// The parts of answers that are judged.
type (
	countsJSON struct{ Total, Running, Stopped, Unknown, Templates int }
	nodeJSON   struct {
		Node   string
		Status string
		CPU    *float64
		Mem    *int64 `json:"mem_bytes"`
		Uptime *int64 `json:"uptime_s"`
		Guests countsJSON
	}
	answerJSON struct {
		AsOf     string `json:"as_of"`
		AgeS     int    `json:"age_s"`
		Clusters []struct {
			Standalone bool
			Quorate    *bool
			Nodes      []nodeJSON
			Guests     countsJSON
		}
		Nodes    []nodeJSON
		Total    int
		Columns  []string
		Rows     [][]any
		VMID     int `json:"vmid"`
		Name     string
		Node     string
		State    string
		CPU      *float64
		Mem      *int64   `json:"mem_bytes"`
		Uptime   *int64   `json:"uptime_s"`
		Allowed  []string `json:"allowed_actions"`
		Findings []struct{ Code, Severity, Object, Title string }
	}
)

// excuses are the warnings that may stand beside an incomplete answer.
var excuses = []string{"node_silent", "forbidden", "partial", "unreachable", "odd_data", "scope", "loading", "stale"}

// stage is what the judge knows of the moment of a call.
type stage struct {
	name  string
	empty bool // nothing was ever observed
	met   bool // the fault was met by a sync that ended before the call: what it hides must be unknown now
}

// complaintsShown bounds what one stage of a row prints: the first ones tell.
const complaintsShown = 2

// judge holds an answer against the truth (I3) and the clock (I4).
func (m *matrixRig) judge(row *faultRow, st stage, r reply) {
	m.t.Helper()
	bad := func(format string, args ...any) {
		m.t.Helper()
		if m.complaints[st.name]++; m.complaints[st.name] > complaintsShown {
			m.t.Fail()
			return
		}
		m.t.Errorf("%s, %s: "+format+"\n%s", append(append([]any{st.name, r.name()}, args...), indent(r.text))...)
	}
	if b := r.bound(st.empty); r.took > b {
		bad("I4: took %s, bound %s", r.took, b)
	}
	if r.tool == "check_access" {
		m.judgeAccess(row, r, bad)
		return
	}
	if r.err != nil {
		// Journals and what agents tell are never stored: while the fault is there an error is a true answer, unless nothing is to be noticed.
		if r.tool == "get_agent_info" && (row.id == "F37" || row.id == "F38" || r.err.Code == fault.Conflict) {
			return // an agent that does not answer is what there is to tell
		}
		if r.tool == "get_file_from_backup" && r.err.Code == fault.Conflict {
			return // there is no backup server: TestBackupFileFaults has one
		}
		live := (r.tool == "read_log" || r.tool == "get_agent_info") && (st.met || st.name == "stale") && (!row.quiet || slices.Contains(row.mayCodes, r.err.Code))
		if !live && !row.mayFail(st, r) {
			bad("I3: failed with %s", r.err.Code)
		}
		if r.err.Message == "" || r.err.Code == fault.Internal {
			bad("I3: an error without an explanation")
		}
		return
	}
	if row.quiet && st.met && len(r.beyondRights()) > 0 && r.tool != row.tells {
		bad("a fault that is to stay invisible shows")
	}
	if row.blind && st.met && !slices.Contains([]string{"get_task", "read_log", "get_agent_info"}, r.tool) && !strings.Contains(r.text, "still running") && !r.warned(excuses...) && !row.readsGuest(r) {
		bad("I3: nothing says that something could not be read")
	}
	if (row.blind || row.early && !r.fresh) && (st.met || st.empty) && slices.ContainsFunc(strings.Split(r.text, "\n"), func(l string) bool {
		return strings.HasPrefix(l, "no problems found") && !strings.HasPrefix(l, "no problems found in what could be checked")
	}) {
		bad("I3: health is claimed that was not observed")
	}
	var a answerJSON
	if err := json.Unmarshal(r.json, &a); err != nil {
		bad("%v", err)
		return
	}
	facts := truth(m.sim)
	if row.late && !st.met && !st.empty {
		return
	}
	switch r.tool {
	case "find_guests":
		m.judgeList(row, st, r, a, facts, bad)
	case "get_guest":
		m.judgeGuest(row, st, r, a, facts, bad)
	case "get_overview":
		for _, c := range a.Clusters {
			judgeCounts(r, c.Guests, facts, bad)
			judgeNodes(row, st, r, c.Nodes, bad)
			if row.id == "F17" && st.met && (c.Quorate == nil || *c.Quorate) {
				bad("I3: quorum is claimed")
			}
			if row.id == "F18" && st.met && (c.Quorate != nil || !c.Standalone) {
				bad("I3: a standalone node has no quorum")
			}
		}
	case "list_nodes":
		judgeNodes(row, st, r, a.Nodes, bad)
	default:
		judgePlaces(m, row, st, r, bad)
	}
}

// judgeAccess: rights are never stored, so that an error is a true answer, but not where only nodes are away or nothing is to be noticed;
// and nobody is told of rights that were not given.
func (m *matrixRig) judgeAccess(row *faultRow, r reply, bad complaint) {
	m.t.Helper()
	if r.err != nil {
		if row.quiet && !slices.Contains(row.mayCodes, r.err.Code) || len(row.dark) > 0 && !row.all {
			bad("I4: failed with %s", r.err.Code)
		}
		if r.err.Message == "" || r.err.Code == fault.Internal {
			bad("I3: an error without an explanation")
		}
		return
	}
	var a accessReply
	if err := json.Unmarshal(r.json, &a); err != nil || len(a.Clusters) != 1 {
		bad("%v", err)
		return
	}
	given := false
	m.sim.Update(func(w *pvesim.World) {
		given = slices.ContainsFunc(w.Access.ACL, func(o pvesim.Object) bool {
			return o["path"] == "/" && strings.HasPrefix(fmt.Sprint(o["ugid"]), matrixUser)
		})
	})
	if !given && len(a.missing()) == 0 {
		bad("I3: rights that were never given")
	}
}

func indent(s string) string { return "    " + strings.ReplaceAll(s, "\n", "\n    ") }

type complaint func(format string, args ...any)

func judgeCounts(r reply, c countsJSON, facts map[int]fact, bad complaint) {
	if c.Total != len(facts) && !r.warned(excuses...) {
		bad("I3: %d guests, true are %d, and no warning", c.Total, len(facts))
	}
	if c.Total > len(facts) {
		bad("I3: more guests than there are: %d of %d", c.Total, len(facts))
	}
	if c.Total == 0 && !r.warned("scope", "unreachable", "loading", "forbidden", "partial", "odd_data") {
		bad("I3: 0 guests without the reason")
	}
	if c.Unknown > 0 && !r.warned(excuses...) {
		bad("I3: %d guests unknown and no warning", c.Unknown)
	}
}

func judgeNodes(row *faultRow, st stage, r reply, nodes []nodeJSON, bad complaint) {
	if len(nodes) != 3 && !r.warned(excuses...) {
		bad("I3: %d nodes and no warning", len(nodes))
	}
	for _, n := range nodes {
		if n.Status != "online" && (n.CPU != nil || n.Mem != nil || n.Uptime != nil) {
			bad("I3: figures of node %s, which is %s", n.Node, n.Status)
		}
		if st.met && slices.Contains(row.dark, n.Node) && !row.statsOnly && n.Status == "online" {
			bad("I3: node %s is shown online", n.Node)
		}
		if st.met && row.light(n.Node) && n.Status != "online" {
			bad("I4: node %s answers and is %s", n.Node, n.Status)
		}
	}
}

// judgeList holds each row against the truth; columns that a guest of unknown state cannot have are null.
func (m *matrixRig) judgeList(row *faultRow, st stage, r reply, a answerJSON, facts map[int]fact, bad complaint) {
	query := r.args["query"] != nil
	if !query {
		judgeCounts(r, countsJSON{Total: a.Total}, facts, bad)
	}
	if a.Total == 0 && !query && strings.Contains(r.text, "no guests") && len(r.warnings) == 0 {
		bad("I3: an empty cluster is claimed")
	}
	col := func(name string) int { return slices.Index(a.Columns, name) }
	for _, cells := range a.Rows {
		id, _ := cells[col("vmid")].(float64)
		f, ok := facts[int(id)]
		if !ok {
			bad("I3: guest %v does not exist", id)
			continue
		}
		state, _ := cells[col("state")].(string)
		judgeState(row, st, int(id), f, state, false, bad)
		if got := cells[col("name")]; got != f.Name && (!row.lateNames || st.met) && got != "" {
			bad("I1: guest %v is called %v, true is %q", id, got, f.Name)
		}
		if got := cells[col("node")]; got != f.Node && (!st.empty || row.corrected == nil || !slices.Contains(row.odd, int(id))) {
			bad("I1: guest %v is on %v, true is %s", id, got, f.Node)
		}
		if state == "unknown" && (cells[col("cpu%")] != nil || cells[col("mem%")] != nil) {
			bad("I3: load of guest %v, which is unknown", id)
		}
	}
	if query && r.args["query"] == "state:running" && !row.hides && st.met {
		for id, f := range facts {
			shown := slices.ContainsFunc(a.Rows, func(c []any) bool { v, _ := c[col("vmid")].(float64); return int(v) == id })
			if f.state() == "running" && row.light(f.Node) && !slices.Contains(row.odd, id) && !shown {
				bad("I4: guest %d of %s runs and is left out", id, f.Node)
			}
		}
	}
}

func judgeState(row *faultRow, st stage, id int, f fact, state string, live bool, bad complaint) {
	dark := slices.Contains(row.dark, f.Node)
	switch {
	case state == "paused" && f.paused:
	case state != f.state() && state != "unknown":
		bad("I3: guest %d is shown %s, true is %s", id, state, f.state())
	case st.met && dark && state != "unknown" && (!row.statsOnly || !live):
		bad("I3: guest %d on %s is shown %s, nobody can know", id, f.Node, state)
	case st.met && !row.hides && row.light(f.Node) && state == "unknown" && !slices.Contains(row.odd, id):
		bad("I4: guest %d on %s is unknown although its node answers", id, f.Node)
	}
}

func (m *matrixRig) judgeGuest(row *faultRow, st stage, r reply, a answerJSON, facts map[int]fact, bad complaint) {
	f := facts[a.VMID]
	if want, _ := r.args["guest"].(string); want != strconv.Itoa(a.VMID) && !strings.EqualFold(want, f.Name) {
		bad("I3: another guest: %d", a.VMID)
	}
	judgeState(row, st, a.VMID, f, a.State, r.fresh, bad)
	if a.Name != f.Name && a.Name != "" && (!row.lateNames || st.met) {
		bad("I1: it is called %q, true is %q", a.Name, f.Name)
	}
	if a.State == "unknown" {
		if a.CPU != nil || a.Mem != nil || a.Uptime != nil || len(a.Allowed) > 0 {
			bad("I3: figures or actions of a guest of unknown state")
		}
		if !r.warned(excuses...) {
			bad("I3: unknown without a reason")
		}
	}
	if r.fresh && st.met && row.light(f.Node) && !slices.Contains(row.deaf, f.Node) && !row.hides && !row.slow && !slices.Contains(row.odd, a.VMID) {
		if r.warned("unreachable", "stale") || a.AgeS > 1 {
			bad("I4: its node answers, and the answer is old")
		}
	}
}
