package pvesim

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// taskWorld has tasks of a user, of a token of the user and of root, one that runs, and one that ended before another that
// began earlier. Tasks are told by their types.
func taskWorld(now time.Time) *World {
	w := staffWorld()
	node := w.Nodes[0].Name
	w.Nodes[0].Tasks = nil
	add := func(ago, took time.Duration, kind, id, user, exit string) {
		w.AddTaskAt(now.Add(-ago), took, node, kind, id, user, exit, "line one", "line two")
	}
	add(10*time.Minute, 9*time.Minute, "long", "1000", rootUser, "OK")
	add(8*time.Minute, time.Minute, "short", "1001", rootUser, "WARNINGS: 1")
	add(7*time.Minute, time.Minute, "bad", "1001", "dev@pve", "no such thing")
	add(6*time.Minute, time.Minute, "cut", "", "dev@pve!all", unexpectedStatus)
	add(5*time.Minute, 0, "runs", "", "dev@pve!all", "")
	return w
}

func TestTaskLists(t *testing.T) {
	t.Parallel()
	r := newRig(t, taskWorld(time.Now()), WithoutDelays())
	defer r.stop()
	for _, tt := range []struct{ user, query, want string }{
		{rootUser, "", "long cut bad short"},
		{rootUser, "source=active", "runs"},
		{rootUser, "source=all", "runs long cut bad short"},
		{rootUser, "source=all start=1 limit=2", "long cut"},
		{rootUser, "errors=1 source=all", "runs cut bad short"},
		{rootUser, "statusfilter=error,warning", "bad short"},
		{rootUser, "statusfilter=unknown source=all", "runs cut"},
		{rootUser, "vmid=1001", "bad short"},
		{rootUser, "typefilter=bad", "bad"},
		{rootUser, "userfilter=DEV", "cut bad"},
		{"dev@pve", "source=all", "runs cut bad"},
		{"joe@pve", "source=all", ""},
	} {
		t.Run(tt.user+" "+tt.query, func(t *testing.T) {
			var got []string
			for _, o := range r.as(tt.user, "GET", "/nodes/node01/tasks", strings.Fields(tt.query)...).rows() {
				got = append(got, text(o["type"]))
			}
			if d := cmp.Diff(tt.want, strings.Join(got, " ")); d != "" {
				t.Error(d)
			}
		})
	}
	r.token = "dev@pve!all=s"
	if got := r.get("/nodes/node01/tasks?source=all").rows(); len(got) != 2 {
		t.Errorf("a token sees its own tasks only: %v", got)
	}
}

// TestTaskAccess: which of the errors comes first, and who may read and stop.
func TestTaskAccess(t *testing.T) {
	t.Parallel()
	w := taskWorld(time.Now())
	upids := map[string]string{"no": "UPID:node01:0000FFFF:00000000:00000001:qmstart:100:root@pam:", "garbage": "UPID:node01:1:2:3:x::root@pam:"}
	for _, task := range w.Nodes[0].Tasks {
		upids[task.Type] = task.UPID
	}
	r := newRig(t, w, WithoutDelays())
	defer r.stop()
	const audit, modify = "403 Permission check failed (/nodes/node01, Sys.Audit)", "403 Permission check failed (/nodes/node01, Sys.Modify)"
	const bad = "400 Parameter verification failed."
	for _, tt := range []struct{ user, method, task, sub, want string }{
		{"joe@pve", "GET", "long", "/status", audit},
		{"joe@pve", "GET", "long", "/log", audit},
		{"joe@pve", "GET", "long", "", "200 OK"},
		{"joe@pve", "GET", "no", "/status", bad},
		{"joe@pve", "GET", "no", "/log", audit},
		{"joe@pve", "DELETE", "no", "", bad},
		{"joe@pve", "DELETE", "runs", "", modify},
		{rootUser, "GET", "garbage", "/log", bad},
		{rootUser, "GET", "long", "/log?download=1&limit=3", "500 The parameter 'download' can't be used together with 'start' or 'limit'"},
		{rootUser, "GET", "long", "/log?download=1", "200 OK"},
		{"dev@pve", "GET", "cut", "/status", "200 OK"},
		{"dev@pve", "DELETE", "cut", "", "200 OK"},
		{"dev@pve", "DELETE", "runs", "", "200 OK"},
	} {
		path := "/nodes/node01/tasks/" + upids[tt.task] + tt.sub
		path, query, _ := strings.Cut(path, "?")
		if got := r.as(tt.user, tt.method, path, strings.FieldsFunc(query, func(c rune) bool { return c == '&' })...); got.status != tt.want {
			t.Errorf("%s %s %s%s: %s, want %s", tt.user, tt.method, tt.task, tt.sub, got.status, tt.want)
		}
	}
	for query, want := range map[string]int{"": 3, "limit=2": 2, "limit=0": 3, "start=2": 1, "start=9": 0} {
		if got := r.as(rootUser, "GET", "/nodes/node01/tasks/"+upids["long"]+"/log", strings.Fields(query)...).rows(); len(got) != want {
			t.Errorf("log %s: %d lines, want %d", query, len(got), want)
		}
	}
	status := r.as(rootUser, "GET", "/nodes/node01/tasks/"+upids["runs"]+"/status").data.(map[string]any)
	if status["exitstatus"] != "received interrupt" || status["user"] != "dev@pve" || status["tokenid"] != "all" {
		t.Errorf("the stopped task: %v", status)
	}
}

// TestClusterTasks: running entries have a process and no end; the mark saved is a number where it is new.
func TestClusterTasks(t *testing.T) {
	t.Parallel()
	w := taskWorld(time.Now())
	r := newRig(t, w, WithoutDelays())
	defer r.stop()
	saved := func(kind string) any {
		for _, o := range r.as(rootUser, "GET", "/cluster/tasks").rows() {
			if o["type"] == kind {
				return o["saved"]
			}
		}
		return "no " + kind
	}
	r.sim.Update(func(w *World) { w.AddTask("node01", "begun", "", rootUser, "") })
	if got := saved("begun"); got != nil {
		t.Errorf("a task that was just begun is marked %v", got)
	}
	r.sim.Update(func(w *World) { w.AddTask("node01", "quick", "", rootUser, "OK") })
	for kind, want := range map[string]any{"runs": "0", "quick": 1.0, "bad": "1"} {
		if got := saved(kind); got != want {
			t.Errorf("%s is marked %v (%T), want %v (%T)", kind, got, got, want, want)
		}
	}
	if got := r.as("dev@pve", "GET", "/cluster/tasks").rows(); len(got) != 3 {
		t.Errorf("dev sees %d tasks, want 3", len(got))
	}
}

// TestBulk: guests start in their order with pauses, those without onboot only with force, and stop in reverse order.
func TestBulk(t *testing.T) {
	t.Parallel()
	b := newBench()
	b.w = GenerateWorld(GenOptions{Seed: 1, Guests: 6, Nodes: 1, Now: b.now})
	for i, g := range b.w.Guests() {
		g.Type, g.Live = typeQEMU, Live{}
		g.Config = Object{"memory": "64", "name": "g"}
		if i < 4 {
			g.Config["onboot"] = 1
		}
	}
	b.w.Guest(1003).Config["startup"] = "order=1,up=20"
	b.w.Guest(1002).Config["template"] = 1
	b.w.Guest(1001).Config["startup"] = "2,down=7"
	sim := New(b.w, WithClock(func() time.Time { return b.now }), WithoutDelays())
	run := func(path, query string, took time.Duration) *Task {
		t.Helper()
		if !strings.Contains(path, "/") {
			path = "nodes/node01/" + path
		}
		if got := sim.serve(asking(t.Context(), sim, "POST", "/"+path, query)); got.status != 200 {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
		task := b.w.Nodes[0].Tasks[0]
		b.pass(took)
		if task.Running() {
			t.Fatalf("%s runs for longer than %v: %q", path, took, task.Log)
		}
		return task
	}
	log := func(task *Task) string { return task.Exit + ": " + strings.Join(task.Log[:len(task.Log)-1], ", ") }
	if got, want := log(run("startall", "", time.Minute)), "OK: Starting VM 1003, Waiting for 20 seconds (startup delay), "+
		"Starting VM 1001, Starting VM 1000"; got != want {
		t.Errorf("startall %s\nwant %s", got, want)
	}
	if got, want := log(run("startall", "force=1&vms=1005,1000", time.Minute)), "OK: Starting VM 1005"; got != want {
		t.Errorf("startall of two: %s, want %s", got, want)
	}
	stop := run("stopall", "timeout=9&vms=1000,1001,1003", 5*time.Minute)
	if got, want := log(stop), "OK: Stopping VM 1000 (timeout = 9 seconds), Stopping VM 1001 (timeout = 7 seconds), "+
		"Stopping VM 1003 (timeout = 9 seconds)"; got != want {
		t.Errorf("stopall %s\nwant %s", got, want)
	}
	if got := run("cluster/bulk-action/guest/shutdown", "vms=1000&vms=1003", time.Minute); got.Exit != "WARNINGS: 2" {
		t.Errorf("shutdown of two that do not run: %s %q", got.Exit, got.Log)
	}
	var running []int
	for _, g := range b.w.Guests() {
		if g.Live.Running {
			running = append(running, g.VMID)
		}
	}
	if d := cmp.Diff([]int{1005}, running); d != "" {
		t.Error(d)
	}
}

// TestExecute: each command has its own outcome.
func TestExecute(t *testing.T) {
	t.Parallel()
	r := newRig(t, taskWorld(time.Now()), WithoutDelays())
	defer r.stop()
	got := r.as(rootUser, "POST", "/nodes/node01/execute", `commands=[{"method":"GET","path":"tasks","args":{"limit":"x"}},`+
		`{"method":"GET","path":"tasks","args":{"limit":1}},{"method":"GET","path":"nosuch"}]`)
	var status []any
	for _, o := range got.rows() {
		status = append(status, o["status"])
	}
	if d := cmp.Diff([]any{400.0, 200.0, 500.0}, status); d != "" {
		t.Errorf("%s\n%s", d, got.body)
	}
	if got := r.as("joe@pve", "POST", "/nodes/node01/execute", "commands=[]"); got.status != "403 Permission check failed (user != root@pam)" {
		t.Error(got.status)
	}
}
