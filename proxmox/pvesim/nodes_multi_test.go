package pvesim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// nodesBench is a cluster of generated nodes with a clock of its own, asked at any of its nodes.
type nodesBench struct {
	t   *testing.T
	sim *Sim
	now time.Time
}

func newNodesBench(t *testing.T, nodes, guests int) *nodesBench {
	b := &nodesBench{t: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w := GenerateWorld(GenOptions{Seed: 5, Nodes: nodes, Guests: guests, Now: b.now})
	w.StatLag = StatInterval
	b.sim = New(w, WithClock(func() time.Time { return b.now }), WithoutDelays())
	return b
}

// ask sends "METHOD /path?query" to an entry node and gives status, reason and data; status 0 is no answer.
func (b *nodesBench) ask(entry, line string, header ...string) (string, any) {
	method, path, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(path, "?")
	x := asking(b.t.Context(), b.sim, method, path, query, header...)
	x.entry = entry
	r := b.sim.serve(x)
	var v struct{ Data any }
	_ = json.Unmarshal(r.body, &v)
	if r.wire.drop {
		return "0", nil
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.status, r.reason)), v.Data
}

func (b *nodesBench) want(entry, line, want string) {
	b.t.Helper()
	if got, data := b.ask(entry, line); got != want {
		b.t.Errorf("%s asked at %s: %s, want %s (%v)", line, entry, got, want, data)
	}
}

// column gives one key of the rows that have another one, by that.
func (b *nodesBench) column(entry, line, by, key string) map[string]string {
	_, data := b.ask(entry, line)
	list, _ := data.([]any)
	out := map[string]string{}
	for _, e := range list {
		if o, _ := e.(map[string]any); o[by] != nil {
			out[text(o[by])] = text(o[key])
		}
	}
	return out
}

func (b *nodesBench) pass(d time.Duration) {
	b.now = b.now.Add(d)
	b.sim.Update(func(*World) {})
}

func (b *nodesBench) set(node string, online bool) {
	b.sim.Update(func(w *World) { w.SetNodeOnline(node, online) })
}

// TestQuorum: without the majority nothing is written and all is read; it comes back with the nodes.
func TestQuorum(t *testing.T) {
	t.Parallel()
	b := newNodesBench(t, 3, 6)
	const write, no = "PUT /cluster/options?description=x", "500 cluster not ready - no quorum?"
	b.set("node03", false)
	b.want("node01", write, "200 OK")
	b.set("node02", false)
	b.want("node01", write, no)
	b.want("node01", "GET /cluster/resources", "200 OK")
	b.want("node01", "GET /nodes/node01/qemu", "200 OK")
	b.want("node02", "GET /version", "0")
	if got := b.column("node01", "GET /cluster/status", "name", "online"); got["node01"]+got["node02"]+got["node03"] != "100" {
		t.Errorf("online: %v", got)
	}
	if got := b.column("node01", "GET /cluster/status", "type", "quorate")["cluster"]; got != "0" {
		t.Errorf("quorate %q", got)
	}
	b.set("node03", true)
	b.want("node01", write, "200 OK")
}

// TestPartition: each part of a cut network sees the other as off, and only one can write.
func TestPartition(t *testing.T) {
	t.Parallel()
	b := newNodesBench(t, 3, 6)
	b.sim.Update(func(w *World) { w.SetPartition([]string{"node01"}) })
	const write = "PUT /cluster/options?description=x"
	b.want("node01", write, "500 cluster not ready - no quorum?")
	b.want("node01", "GET /nodes/node02/status", "595 No route to host")
	b.want("node01", "PUT /nodes/localhost/config?description=x", "500 cluster not ready - no quorum?")
	b.want("node02", write, "200 OK")
	b.want("node02", "GET /nodes/node03/status", "200 OK")
	b.want("node02", "GET /nodes/node01/status", "595 No route to host")
	if d := cmp.Diff(map[string]string{"node01": "online", "node02": "offline", "node03": "offline"}, b.column("node01", "GET /nodes", "node", "status")); d != "" {
		t.Error(d)
	}
	b.pass(10 * time.Minute)
	for _, entry := range []string{"node01", "node02"} {
		homes, known := b.column(entry, "GET /cluster/resources?type=vm", "vmid", "node"), b.column(entry, "GET /cluster/resources?type=vm", "vmid", "status")
		for vmid, home := range homes {
			if own := (home == "node01") == (entry == "node01"); own == (known[vmid] == "unknown") {
				t.Errorf("%s is %s on %s, seen from %s", vmid, known[vmid], home, entry)
			}
		}
	}
	b.sim.Update(func(w *World) { w.SetPartition() })
	b.want("node01", write, "200 OK")
	b.want("node01", "GET /nodes/node02/status", "200 OK")
}

// TestNodeOffAndOn: figures of a node that lost its power grow old, its tasks have no end, and its guests start in their
// order when it is back.
func TestNodeOffAndOn(t *testing.T) {
	t.Parallel()
	b := newNodesBench(t, 3, 12)
	var vm, boots, idle int
	b.sim.Update(func(w *World) {
		for _, g := range w.Guests() {
			if g.Node != "node02" {
				continue
			}
			w.SetConfig(g.VMID, "onboot", nil)
			w.SetStatus(g.VMID, "stopped")
			switch {
			case vm == 0:
				vm = g.VMID
				w.SetConfig(vm, "startup", "order=2")
			case boots == 0:
				boots = g.VMID
				w.SetConfig(boots, "startup", "order=1,up=30")
			case idle == 0:
				idle = g.VMID
				w.SetStatus(idle, "running")
			}
		}
		for _, id := range []int{vm, boots} {
			w.SetConfig(id, "onboot", 1)
			w.SetStatus(id, "running")
		}
	})
	b.pass(time.Minute)
	task := text(data(b.ask("node01", fmt.Sprintf("POST /nodes/node02/vzdump?vmid=%d&storage=backup&mode=stop", idle))))
	b.pass(time.Second)
	if lock := text(b.sim.world.Guest(idle).Config["lock"]); lock != "backup" {
		t.Fatalf("lock %q", lock)
	}
	b.set("node02", false)
	shown := func(id int) string {
		return b.column("node01", "GET /cluster/resources?type=vm", "vmid", "status")[fmt.Sprint(id)]
	}
	uptime := b.column("node01", "GET /cluster/resources?type=vm", "vmid", "uptime")[fmt.Sprint(boots)]
	b.pass(4 * time.Minute)
	if got := b.column("node01", "GET /cluster/resources?type=vm", "vmid", "uptime")[fmt.Sprint(boots)]; shown(boots) != "running" || got != uptime || got == "0" {
		t.Errorf("after 4 minutes: %s, uptime %s, before %s", shown(boots), got, uptime)
	}
	b.want("node01", "GET /nodes/node02/tasks/"+task+"/status", "595 No route to host")
	b.pass(2 * time.Minute)
	if got := shown(boots); got != "unknown" {
		t.Errorf("after 6 minutes: %s", got)
	}
	b.set("node02", true)
	if got := shown(boots); got != "unknown" {
		t.Errorf("just back: %s", got)
	}
	b.pass(15 * time.Second)
	if got := []string{shown(boots), shown(vm), shown(idle)}; !cmp.Equal(got, []string{"running", "stopped", "stopped"}) {
		t.Errorf("15 s later: %v", got)
	}
	b.pass(time.Minute)
	var log []string
	b.sim.Update(func(w *World) {
		for _, task := range w.Node("node02").Tasks {
			if task.Type == "startall" && task.Exit == "OK" {
				log = task.Log
			}
		}
		if lock := w.Guest(idle).Config["lock"]; lock != nil || len(w.flocks) > 0 {
			t.Errorf("locks %v %v are left", lock, w.flocks)
		}
	})
	label := func(id int) string { return newBulkItem(b.sim.world.Guest(id)).label() }
	if d := cmp.Diff([]string{fmt.Sprintf("removed left over backup lock from '%d'!", idle), "Starting " + label(boots), "Waiting for 30 seconds (startup delay)",
		"Starting " + label(vm), "TASK OK"}, log); d != "" {
		t.Error(d)
	}
	got, answer := b.ask("node01", "GET /nodes/node02/tasks/"+task+"/status")
	if status, _ := answer.(map[string]any); status["exitstatus"] != "unexpected status" {
		t.Errorf("the task that ran: %s %s %v", task, got, status)
	}
}

func data(_ string, v any) any { return v }

// TestOneClusterManyEntries: every node answers for the whole cluster, with tickets of any of them.
func TestOneClusterManyEntries(t *testing.T) {
	t.Parallel()
	b := newNodesBench(t, 3, 9)
	_, login := b.ask("node01", "POST /access/ticket?username=root@pam&password="+demoPassword, "Accept", "*/*")
	ticket, _ := login.(map[string]any)
	if got, _ := b.ask("node03", "GET /nodes/node02/status", "Cookie", "PVEAuthCookie="+url.QueryEscape(text(ticket["ticket"]))); got != "200 OK" {
		t.Errorf("a ticket of node01 at node03: %s", got)
	}
	for _, line := range []string{"GET /cluster/config/nodes", "GET /cluster/config/totem", "GET /cluster/config/apiversion", "GET /cluster/config/qdevice", "GET /cluster/tasks", "GET /storage", "GET /nodes/node02/storage/backup/status"} {
		var answers []any
		for _, entry := range []string{"node01", "node02", "node03"} {
			_, v := b.ask(entry, line)
			answers = append(answers, v)
		}
		if d := cmp.Diff(answers[0], answers[1]) + cmp.Diff(answers[0], answers[2]); d != "" || answers[0] == nil {
			t.Errorf("%s differs by entry: %s", line, d)
		}
	}
	upid := text(data(b.ask("node01", "POST /nodes/node02/startall?vms=1000")))
	if !strings.HasPrefix(upid, "UPID:node02:") {
		t.Errorf("the task is %s", upid)
	}
	b.want("node03", "GET /nodes/node02/tasks/"+upid+"/status", "200 OK")
	b.want("node03", "GET /nodes/node01/tasks/"+upid+"/status", "400 Parameter verification failed.")
	if _, ok := b.column("node03", "GET /cluster/tasks", "upid", "node")[upid]; !ok {
		t.Error("cluster/tasks does not have it")
	}
	b.want("node01", "GET /nodes/NODE02/status", "595 Connection refused")
	b.want("node01", "PUT /storage/local-lvm?nodes=node01", "200 OK")
	b.want("node01", "GET /nodes/node02/storage/local-lvm/content", "500 storage 'local-lvm' is not available on node 'node02'")
}

// TestRestoreElsewhere: a backup on a shared storage is restored on any node, under an id that is free.
func TestRestoreElsewhere(t *testing.T) {
	t.Parallel()
	b := newNodesBench(t, 2, 4)
	vmid := 0
	b.sim.Update(func(w *World) {
		for _, g := range w.Guests() {
			if g.Type == typeQEMU && g.Node == "node01" {
				vmid = g.VMID
			}
		}
	})
	b.ask("node01", fmt.Sprintf("POST /nodes/node01/vzdump?vmid=%d&storage=backup&mode=stop", vmid))
	b.pass(time.Hour)
	var volid string
	for id := range b.column("node02", fmt.Sprintf("GET /nodes/node02/storage/backup/content?content=backup&vmid=%d", vmid), "volid", "size") {
		volid = id
	}
	if volid == "" {
		t.Fatal("no backup is seen on node02")
	}
	b.want("node02", fmt.Sprintf("POST /nodes/node02/qemu?vmid=%d&archive=%s&force=1", vmid, url.QueryEscape(volid)), fmt.Sprintf("500 unable to restore VM %d - VM %d already exists on node 'node01'", vmid, vmid))
	b.want("node01", "POST /nodes/node02/qemu?vmid=500&storage=local-lvm&archive="+url.QueryEscape(volid), "200 OK")
	b.pass(time.Hour)
	b.sim.Update(func(w *World) {
		if g := w.Guest(500); g == nil || g.Node != "node02" || len(w.Node("node02").guestVolumes(500)) == 0 || len(w.Node("node01").guestVolumes(500)) > 0 {
			t.Errorf("restored: %+v", g)
		}
	})
}
