package tools

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type diagnoseIn struct {
	Guest string `json:"guest" req:"true" rule:"must be a vmid or a name" example:"104" help:"vmid or name"`
	Common
}

type diagnoseOut struct {
	Envelope
	VMID       int            `json:"vmid"`
	Cluster    string         `json:"cluster"`
	Name       string         `json:"name"`
	Type       string         `json:"type"`
	Node       string         `json:"node"`
	State      string         `json:"state"`
	Findings   []findingOut   `json:"findings"`
	Usage      []usualOut     `json:"usage"`
	Short      string         `json:"short_on_node,omitempty"`
	Neighbours []neighbourOut `json:"neighbours"`
	Storages   []storageOf    `json:"storages"`
	Tasks      []taskRef      `json:"running_tasks"`
	Advice     []adviceOut    `json:"advice"`
	NotRead    []string       `json:"not_read"`
	src        inventory.Diagnosis
}

type usualOut struct {
	Of       string   `json:"of"` // guest or node
	Metric   string   `json:"metric"`
	Unit     string   `json:"unit,omitempty"`
	Total    *float64 `json:"total,omitempty"`
	Hour     *float64 `json:"last_hour"`
	WeekMean *float64 `json:"week_mean"`
	WeekP95  *float64 `json:"week_p95"`
	Verdict  string   `json:"verdict,omitempty"`
}

type neighbourOut struct {
	VMID   int      `json:"vmid"`
	Name   string   `json:"name"`
	CPUs   *float64 `json:"cpus_used"`
	Mem    *int64   `json:"mem_bytes"`
	Disk   *float64 `json:"disk_bytes_s"`
	Net    *float64 `json:"net_bytes_s"`
	Shares []string `json:"shares_storages,omitempty"`
}

type storageOf struct {
	Storage string `json:"storage"`
	Type    string `json:"type"`
	Status  string `json:"status"`
	Used    *int64 `json:"used_bytes"`
	Total   *int64 `json:"total_bytes"`
	Trouble string `json:"trouble,omitempty"`
}

type adviceOut struct {
	Code string   `json:"code"`
	Keys []string `json:"keys"`
	Why  string   `json:"why"`
	Next string   `json:"next"`
}

func diagnoseGuest() Spec {
	return define(Spec{
		Name: "diagnose_guest", Title: "Diagnose", Family: "guest", Command: "guest diagnose", Args: []string{"guest"},
		Needs:   []Need{needGuests.orNothing(), needNodeFigures, needTraffic, needStorages, needTasks, needRunning},
		Summary: "Why a guest is slow or ill, in one call: its load against its week, node, neighbours, storages, running tasks, config advice.",
		Examples: []Example{
			{CLI: "guest diagnose nas", Args: map[string]any{"guest": "nas"}, Why: "why is the nas slow?"},
			{CLI: "guest diagnose 104 -o json", Args: map[string]any{"guest": "104", "format": "json"}, Why: "for programs"},
		},
	}, func(ctx context.Context, d Deps, in *diagnoseIn) (*diagnoseOut, error) {
		x, err := d.Inventory.Diagnose(ctx, inventory.GuestRef{Name: strings.TrimSpace(in.Guest), ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		return diagnosisOf(d, x), nil
	})
}

func diagnosisOf(d Deps, x inventory.Diagnosis) *diagnoseOut {
	out := &diagnoseOut{Envelope: envelope(d, x.Meta), VMID: x.VMID, Cluster: x.Cluster, Name: cell(x.Name, 100), Type: x.Type.Short(), Node: x.Node, State: x.State,
		Findings: findingsOf(d, x.Findings), Usage: []usualOut{}, Short: x.Short, Neighbours: []neighbourOut{}, Storages: []storageOf{}, Tasks: []taskRef{}, Advice: []adviceOut{},
		NotRead: []string{}, src: x}
	for _, u := range x.Usage {
		of := "guest"
		if u.Node {
			of = "node"
		}
		out.Usage = append(out.Usage, usualOut{of, u.Name, u.Unit, u.Total, u.Hour, u.WeekMean, u.WeekP95, u.Verdict})
	}
	for _, n := range x.Neighbours {
		out.Neighbours = append(out.Neighbours, neighbourOut{n.VMID, cell(n.Name, 100), n.CPU, n.Mem, n.Disk, n.Net, n.Shares})
	}
	for _, s := range x.Storages {
		out.Storages = append(out.Storages, storageOf{cell(s.Name, 100), s.Type, s.Status, s.Used, s.Total, cell(s.Trouble, 200)})
	}
	for _, t := range x.Tasks {
		out.Tasks = append(out.Tasks, taskRef{t.Handle, t.Type, t.State, cell(t.Exit, 300), stamp(d, t.Start)})
	}
	for _, a := range x.Advice {
		out.Advice = append(out.Advice, adviceOut{a.Code, a.Keys, cell(a.Title, 200), cell(a.Next, 200)})
	}
	for _, u := range x.Unread {
		out.NotRead = append(out.NotRead, cell(u, 300))
	}
	return out
}

// diagnoseBudget is what an answer may cost a model by estimate: 600 tokens (o200k), less the 5 % by which an estimate may be low.
const diagnoseBudget = 570

// share is how much of each part an answer shows and how long texts are; also are findings in a few words behind those with evidence.
type share struct {
	findings, also, usage, usual, storages, tasks, advice, warnings int
	name, object, text, next, unread, warning                       int
}

// shares are tried in order until the answer fits its budget; format json has all. The findings, which come worst first, give way last.
var shares = []share{
	{5, 4, 6, 8, 3, 2, 3, 2, 24, 36, 80, 60, 160, 160},
	{4, 4, 6, 4, 3, 2, 2, 1, 24, 36, 80, 60, 100, 120},
	{4, 4, 4, 3, 2, 1, 1, 1, 20, 32, 75, 60, 80, 100},
	{3, 4, 4, 2, 2, 1, 1, 1, 16, 28, 60, 60, 60, 100},
	{3, 3, 3, 0, 1, 1, 0, 1, 12, 24, 40, 36, 40, 80},
	{2, 2, 2, 0, 1, 1, 0, 1, 8, 14, 24, 16, 24, 40},
}

// View implements Answer.
func (o *diagnoseOut) View(d Deps) View {
	var v View
	for _, s := range shares {
		if v = o.shown(d, s); estimate(v.Compact()) <= diagnoseBudget {
			break
		}
	}
	return v
}

func (o *diagnoseOut) shown(d Deps, s share) View {
	x := o.src
	v := View{Warnings: briefly(x.Warnings, s)}
	v.Line("%s on %s: %s, %s", strings.TrimRight(o.Type+" "+strconv.Itoa(o.VMID)+" "+cell(x.Name, s.name), " "), cell(x.Node, s.name), x.State, asOf(d, x.Meta))
	findingLines(&v, d, x.Findings, s)
	usageLines(&v, x.Usage, s)
	neighbourTable(&v, x, s)
	for _, one := range head(x.Storages, s.storages) {
		v.Text(guestStorageLine(one, s))
	}
	v.rest(len(x.Storages)-s.storages, "storage")
	for _, t := range head(x.Tasks, s.tasks) {
		v.Line("running: %s on %s for %s, %s", strings.TrimRight(cell(t.Type, 16)+" "+cell(t.Object, s.name), " "), cell(t.Node, s.name), ago(d, t.Start), t.Handle)
	}
	v.rest(len(x.Tasks)-s.tasks, "running task")
	adviceLines(&v, x.Advice, s)
	if len(x.Unread) > 0 {
		v.Line("not read: %s", cell(strings.Join(x.Unread, "; "), s.unread))
	}
	return v
}

func adviceLines(v *View, list []inventory.Advice, s share) {
	for _, a := range head(list, s.advice) {
		v.Line("config %s: %s > %s", cell(strings.Join(a.Keys, " "), s.name), cell(a.Title, s.text), cell(a.Next, s.next))
	}
	var more []string
	for _, a := range list[min(len(list), s.advice):] {
		more = append(more, a.Code)
	}
	if more != nil {
		v.Line("config, too: %s", cell(strings.Join(more, " "), s.text))
	}
}

func head[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// rest says how many are left out.
func (v *View) rest(n int, word string) {
	if n > 0 {
		v.Line("and %s more", counted(n, word))
	}
}

// briefly keeps the first words of the warnings: the cause comes first.
func briefly(list []inventory.Warning, s share) []inventory.Warning {
	var out []inventory.Warning
	for _, w := range head(list, s.warnings) {
		out = append(out, inventory.Warning{Code: w.Code, Text: cell(w.Text, s.warning)})
	}
	if n := len(list) - s.warnings; n > 0 {
		out = append(out, inventory.Warning{Code: list[s.warnings].Code, Text: fmt.Sprintf("%s more: check_health", counted(n, "warning"))})
	}
	return out
}

func findingLines(v *View, d Deps, list []inventory.Finding, s share) {
	if len(list) == 0 {
		v.Line("nothing stands out in what could be read")
	}
	t := Table{Name: "findings", Main: true, Columns: []string{"severity", "object", "finding", "evidence", "next"}}
	for _, f := range head(list, s.findings) {
		title := cell(f.Title, s.next)
		if !f.Since.IsZero() {
			title += ", for " + ago(d, f.Since)
		}
		t.Rows = append(t.Rows, []string{string(f.Severity), cell(f.Object, s.object), title, cell(f.Evidence, s.text), cell(worded(d, f.Hint), s.next)})
	}
	v.Table(t)
	rest := list[min(len(list), s.findings):]
	var also []string
	for _, f := range head(rest, s.also) {
		also = append(also, fmt.Sprintf("%s %s: %s", f.Severity, cell(f.Object, s.object), cell(f.Title, s.next)))
	}
	if also != nil {
		v.Line("also: %s", strings.Join(also, "; "))
	}
	v.rest(len(rest)-len(also), "finding")
}

// usageLines is a table of what is not as usual; what is, or cannot be told, is named with its value alone.
func usageLines(v *View, list []inventory.Usual, s share) {
	t := Table{Name: "not as in its week", Columns: []string{"figure", "last hour", "week mean", "week p95", "is"}}
	var same, unknown []string
	for _, u := range list {
		name, hour := u.Name, quantity(u.Hour, u.Unit)
		if u.Node {
			name = "node " + name
		}
		if u.Total != nil {
			hour += " (" + strconv.Itoa(int(math.Round(*u.Hour / *u.Total * 100))) + "%)"
		}
		switch {
		case u.Verdict == "high" || u.Verdict == "low":
			t.Rows = append(t.Rows, []string{name, hour, quantity(u.WeekMean, u.Unit), quantity(u.WeekP95, u.Unit), u.Verdict})
		case *u.Hour < 1: // idle, or no pressure
		case u.Verdict == "usual":
			same = append(same, name+" "+hour)
		default:
			unknown = append(unknown, name+" "+hour)
		}
	}
	more := len(t.Rows) - s.usage
	t.Rows = head(t.Rows, s.usage)
	v.Table(t)
	v.rest(more, "figure")
	named(v, "as usual", same, s.usual)
	named(v, "no week to compare with", unknown, s.usual)
}

// named lists figures, or how many there are.
func named(v *View, what string, list []string, n int) {
	switch {
	case len(list) == 0:
	case n == 0:
		v.Line("%s: %s", what, counted(len(list), "figure"))
	case len(list) > n:
		v.Line("%s: %s and %d more", what, strings.Join(list[:n], ", "), len(list)-n)
	default:
		v.Line("%s: %s", what, strings.Join(list, ", "))
	}
}

func neighbourTable(v *View, x inventory.Diagnosis, s share) {
	by := x.Short
	if by == "" {
		by = "cpu"
	}
	t := Table{Name: "neighbours on " + cell(x.Node, s.name) + ", busiest by " + by, Columns: []string{"guest", "cpus", "mem", "disk", "net", "shares"}}
	for _, n := range x.Neighbours {
		mem := ""
		if n.Mem != nil {
			mem = size(*n.Mem)
		}
		t.Rows = append(t.Rows, []string{strings.TrimSpace(strconv.Itoa(n.VMID) + " " + cell(n.Name, s.name)), quantity(n.CPU, ""), mem, quantity(n.Disk, "bytes/s"), quantity(n.Net, "bytes/s"),
			cell(strings.Join(n.Shares, " "), s.name)})
	}
	v.Table(t)
}

func guestStorageLine(one inventory.GuestStorage, s share) string {
	line := strings.TrimSpace("storage " + cell(one.Name, s.name) + " " + cell(one.Type, 12))
	if fill := usage(one.Used, one.Total); fill != "" {
		line += " " + fill
	}
	line += ", " + cell(one.Status, 16)
	if one.Trouble != "" {
		line += ", " + cell(one.Trouble, s.next)
	}
	return line
}
