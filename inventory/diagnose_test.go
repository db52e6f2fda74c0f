package inventory

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// clinic is a world in which figures are planted: per object and source, a value for the last hour and one for the week before.
type clinic struct {
	*rig
	hour, week map[pve.Sampled]map[string]float64
}

func newClinic(t *testing.T) *clinic {
	w := newWorld(2, 8) // 100, 102, 104, 106 on pve1
	c := &clinic{newRig(t, w), map[pve.Sampled]map[string]float64{}, map[pve.Sampled]map[string]float64{}}
	w.samples = func(of pve.Sampled, timeframe, _ string) pve.Series {
		values, n, apart := c.hour[of], 59, time.Minute
		if timeframe == "week" {
			values, n, apart = c.week[of], 336, 30*time.Minute
		}
		s := pve.Series{Values: map[string][]float64{}}
		for source, v := range values {
			one := curve(c.clock.now(), apart, source, repeat(n, v)...)
			s.Times, s.Values[source] = one.Times, one.Values[source]
		}
		return s
	}
	c.plant(hostNode, map[string][2]float64{"cpu": {0.2, 0.2}, "iowait": {0.01, 0.01}, "memused": {4 << 30, 4 << 30}, "memtotal": {16 << 30, 16 << 30}})
	c.plant(patient, map[string][2]float64{"cpu": {0.1, 0.1}, "mem": {1 << 29, 1 << 29}, "maxmem": {1 << 30, 1 << 30}, "diskwrite": {1e4, 1e4}})
	for _, id := range []int{100, 102, 104, 106} {
		c.writes(id, 1000)
	}
	c.sync()
	return c
}

var patient, hostNode = pve.Sampled{Node: "pve1", Type: pve.Qemu, VMID: 100}, pve.Sampled{Node: "pve1"}

// plant sets values of the last hour and of the week.
func (c *clinic) plant(of pve.Sampled, values map[string][2]float64) {
	for _, m := range []map[pve.Sampled]map[string]float64{c.hour, c.week} {
		if m[of] == nil {
			m[of] = map[string]float64{}
		}
	}
	for source, v := range values {
		c.hour[of][source], c.week[of][source] = v[0], v[1]
	}
}

// writes lets a guest write so many bytes per second.
func (c *clinic) writes(vmid int, rate float64) {
	id := pve.Text(string(c.w.guests[vmid].typ) + "/" + strconv.Itoa(vmid))
	for k := range 6 {
		at := c.clock.now().Add(time.Duration(k-6) * 10 * time.Second)
		c.w.points = append(c.w.points, pve.MetricPoint{ID: id, Metric: "disk_write", Type: "derive", Timestamp: pve.Int(at.Unix()), Value: pve.Float(float64(k) * 10 * rate)})
	}
}

func (c *clinic) diagnose(name string) Diagnosis {
	c.t.Helper()
	d, err := c.Diagnose(context.Background(), GuestRef{Name: name})
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

func codes(d Diagnosis) []string {
	var out []string
	for _, f := range d.Findings {
		out = append(out, f.Code)
	}
	return out
}

// A neighbour that writes while the node waits for its disks is the first finding; a node that does not wait blames nobody.
func TestDiagnoseNeighbour(t *testing.T) {
	c := newClinic(t)
	c.w.points = nil
	c.writes(104, 50<<20)
	c.writes(100, 1<<20)
	if d := c.diagnose("vm100"); d.Short != "" || strings.Contains(strings.Join(codes(d), " "), "neighbour") {
		t.Errorf("nothing waits, and yet: %v", codes(d))
	}
	before, others := c.w.count("samples")+c.w.count("livemetrics"), c.w.Calls()
	c.plant(hostNode, map[string][2]float64{"iowait": {0.3, 0.01}})
	d := c.diagnose("vm100")
	if n := c.w.count("samples") + c.w.count("livemetrics") - before; n != 5 || c.w.Calls()-others != 5 {
		t.Errorf("%d calls, the golden number is 5; %d in all", n, c.w.Calls()-others)
	}
	if diff := cmp.Diff([]string{"neighbour_disk", "node_io"}, codes(d)[:2]); diff != "" {
		t.Error(diff)
	}
	f := d.Findings[0]
	if f.Severity != Critical || f.Object != "guest 104 vm104" || !strings.Contains(f.Evidence, "98%") || !strings.Contains(f.Evidence, "local-zfs") || !strings.Contains(f.Hint, "diagnose_guest 104") {
		t.Errorf("%+v", f)
	}
	if d.Neighbours[0].VMID != 104 || len(d.Neighbours) != 3 || *d.Neighbours[0].Disk != 50<<20 || d.Short != "disk" {
		t.Errorf("short of %s, neighbours %+v", d.Short, d.Neighbours)
	}
	if own := c.diagnose("vm104"); own.Findings[0].Code != "guest_disk_load" {
		t.Errorf("the busy one itself: %v", codes(own))
	}
}

// What is usual for a guest is no finding, however much it is; what is not usual says since when.
func TestDiagnoseUsual(t *testing.T) {
	c := newClinic(t)
	c.plant(patient, map[string][2]float64{"diskwrite": {50 << 20, 50 << 20}, "netin": {20 << 20, 1 << 20}, "netout": {1e3, 9 << 20}})
	d := c.diagnose("100")
	verdicts := map[string]string{}
	for _, u := range d.Usage {
		if !u.Node {
			verdicts[u.Name] = u.Verdict
		}
	}
	want := map[string]string{"cpu": "usual", "memory": "usual", "disk write": "usual", "net in": "high", "net out": "low"}
	if diff := cmp.Diff(want, verdicts); diff != "" {
		t.Error(diff)
	}
	if got := codes(d); !cmp.Equal(got[:1], []string{"guest_busy"}) || strings.Contains(d.Findings[0].Evidence, "disk") {
		t.Errorf("%v: %+v", got, d.Findings[0])
	}
	// A new guest has no week: nothing is claimed of it.
	delete(c.week, patient)
	for _, u := range c.diagnose("100").Usage {
		if !u.Node && (u.Verdict != "" || u.WeekMean != nil) {
			t.Errorf("claimed without a week: %+v", u)
		}
	}
}

func TestOnset(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	week := append(append(repeat(300, 0.1), repeat(2, 0.9)...), append([]float64{gap}, repeat(3, 0.9)...)...)
	got := onset(curve(at, time.Minute, "cpu", repeat(59, 0.95)...), curve(at, 30*time.Minute, "cpu", week...), "cpu", 0.5)
	if want := at.Add(-5 * 30 * time.Minute); !got.Equal(want) {
		t.Errorf("since %s, want %s", got, want)
	}
	if got := onset(curve(at, time.Minute, "cpu", append(repeat(58, 0.95), 0.1)...), curve(at, 30*time.Minute, "cpu", week...), "cpu", 0.5); !got.IsZero() {
		t.Errorf("it is over: since %s", got)
	}
}

// What is short in the guest or on its node, each by its own figures.
func TestDiagnoseStress(t *testing.T) {
	for _, c := range []struct {
		name  string
		of    pve.Sampled
		plant map[string][2]float64
		want  string
		short string
	}{
		{"its CPUs", patient, map[string][2]float64{"cpu": {0.97, 0.2}}, "guest_cpu_full", ""},
		{"it waits for CPUs", patient, map[string][2]float64{"pressurecpusome": {40, 1}}, "guest_cpu_wait", ""},
		{"it waits for disks", patient, map[string][2]float64{"pressureiosome": {20, 1}}, "guest_io", ""},
		{"its memory", patient, map[string][2]float64{"mem": {1020 << 20, 1000 << 20}}, "guest_memory_full", ""},
		{"the node's CPUs", hostNode, map[string][2]float64{"cpu": {0.95, 0.5}}, "node_cpu", "cpu"},
		{"the node's memory", hostNode, map[string][2]float64{"memused": {15.5 * (1 << 30), 8 << 30}}, "node_memory_short", "memory"},
		{"the node swaps", hostNode, map[string][2]float64{"swapused": {6 << 30, 0}, "swaptotal": {8 << 30, 8 << 30}}, "node_memory_short", "memory"},
		{"the node's disks by pressure alone", hostNode, map[string][2]float64{"pressureiosome": {60, 1}}, "node_io", "disk"},
	} {
		x := newClinic(t)
		x.plant(c.of, c.plant)
		d := x.diagnose("100")
		if len(d.Findings) == 0 || d.Findings[0].Code != c.want || d.Short != c.short || d.Findings[0].Evidence == "" || d.Findings[0].Hint == "" {
			t.Errorf("%s: %v, short of %q", c.name, d.Findings, d.Short)
		}
	}
}

// A part that cannot be read is named; the others are there.
func TestDiagnosePartial(t *testing.T) {
	c := newClinic(t)
	c.w.fail = func(call, _ string, vmid int) error {
		switch {
		case call == "livemetrics":
			return fault.New(fault.Forbidden, "Permission check failed (/, Sys.Audit)")
		case call == "samples" && vmid == 0:
			return fault.New(fault.Upstream, "RRD error: broken")
		}
		return nil
	}
	d := c.diagnose("100")
	unread := strings.Join(d.Unread, "\n")
	for _, want := range []string{"traffic of its neighbours: Permission check failed", "pve1's last hour, pve1's week: RRD error"} {
		if !strings.Contains(unread, want) {
			t.Errorf("%q is not said:\n%s", want, unread)
		}
	}
	if len(d.Usage) == 0 || len(d.Neighbours) != 3 || d.Neighbours[0].Disk != nil || d.Neighbours[0].CPU == nil || len(d.Storages) != 1 || len(d.Advice) == 0 {
		t.Errorf("%+v", d)
	}
	c.w.fail, c.w.nodes["pve1"].online = nil, false
	c.tick()
	before := c.w.Calls()
	d = c.diagnose("100")
	if d.Findings[0].Code != "guest_state" || d.State != stUnknown || len(d.Usage) != 0 || c.w.Calls() != before || !strings.Contains(strings.Join(d.Unread, ""), "pve1 is offline") {
		t.Errorf("away, %d calls: %v, %v", c.w.Calls()-before, codes(d), d.Unread)
	}
}

// A node that hangs costs 8 s, and the answer is still there.
func TestDiagnoseHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClinic(t)
		defer c.Close()
		c.w.delay = time.Minute
		began := time.Now()
		d := c.diagnose("100")
		if took := time.Since(began); took != diagnoseBudget || len(d.Unread) == 0 || len(d.Storages) != 1 {
			t.Errorf("took %s: %v", took, d.Unread)
		}
	})
}

// Tasks that load the node now are named with how to follow them; small ones of others are not.
func TestDiagnoseTasks(t *testing.T) {
	c := newClinic(t)
	now := c.clock.now()
	c.w.task("pve1", "vzdump", "", now.Add(-10*time.Minute), time.Time{}, "")
	c.w.task("pve1", "qmstart", "102", now.Add(-time.Minute), time.Time{}, "")
	c.w.task("pve2", "vzdump", "101", now.Add(-time.Minute), time.Time{}, "")
	c.w.task("pve1", "qmconfig", "100", now.Add(-time.Minute), time.Time{}, "")
	c.tick()
	d := c.diagnose("100")
	var got []string
	for _, k := range d.Tasks {
		got = append(got, k.Type+" "+k.Object)
	}
	if diff := cmp.Diff([]string{"qmconfig 100", "vzdump "}, got); diff != "" {
		t.Error(diff)
	}
	if f := d.Findings[0]; f.Code != "task_running" || !strings.Contains(f.Title, "vzdump runs") || !strings.Contains(f.Hint, "get_task t-") {
		t.Errorf("%+v", f)
	}
}
