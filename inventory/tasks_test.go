package inventory

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

func TestTaskStates(t *testing.T) {
	w := newWorld(1, 1)
	r := newRig(t, w)
	end := r.clock.now()
	start := end.Add(-time.Minute)
	ids := map[string]string{}
	for exit, want := range map[string]string{"OK": taskOK, "WARNINGS: 2": taskWarning, "command failed": taskFailed, "unexpected status": taskUnknown} {
		ids[w.task("pve1", "vzdump", "100", start, end, exit)] = want
	}
	r.sync()
	calls := w.Calls()
	for id, want := range ids {
		d, err := r.Task(t.Context(), TaskQuery{ID: id})
		byHandle, err2 := r.Task(t.Context(), TaskQuery{ID: pve.TaskHandle(id)})
		if err != nil || err2 != nil || d.State != want || d.Object != "100" || !cmp.Equal(d.Task, byHandle.Task) {
			t.Errorf("%s: %+v, %v, %v", want, d.Task, err, err2)
		}
	}
	if w.Calls() != calls {
		t.Error("ended tasks were asked for again")
	}
	for id, want := range map[string]fault.Code{"UPID:pve1:0:0:0:x:1:root@pam:": fault.NotFound, "t-aaaaaaaa": fault.NotFound, "nonsense": fault.Invalid, "UPID:": fault.Invalid} {
		if _, err := r.Task(t.Context(), TaskQuery{ID: id}); fault.CodeOf(err) != want {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestTaskWait(t *testing.T) {
	w := newWorld(1, 1)
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		id := w.task("pve1", "vzdump", "100", time.Now(), time.Time{}, "")
		for k := range 120 {
			w.logs[id] = append(w.logs[id], fmt.Sprintf("INFO: %d%% (%d MiB of 120 MiB), read: 1.0 MiB/s", k*100/120, k))
		}
		go func() {
			time.Sleep(10 * time.Second)
			w.set(func() { w.tasks[0].EndTime, w.tasks[0].Status = pve.Ptr(pve.Int(time.Now().Unix())), "OK" })
		}()
		var polls []float64
		d, err := inv.Task(t.Context(), TaskQuery{ID: id, Wait: time.Minute, LogLines: 3, OnProgress: func(k Task) {
			if k.Progress != nil {
				polls = append(polls, *k.Progress)
			}
		}})
		if err != nil || d.State != taskOK || d.End.IsZero() || d.LogTotal != 120 || len(d.Log) != 3 || d.Log[2] != w.logs[id][119] {
			t.Errorf("%+v, %v", d.Task, err)
		}
		if len(polls) < 4 || len(polls) > 12 || polls[0] != 0.99 {
			t.Errorf("polls %v", polls)
		}
	})
}

func TestTaskWaitIsCapped(t *testing.T) {
	w := newWorld(1, 1)
	bubble(t, w, func(t *testing.T, inv *Inventory, _ *memStore) {
		id := w.task("pve1", "vzdump", "100", time.Now(), time.Time{}, "")
		began := time.Now()
		d, err := inv.Task(t.Context(), TaskQuery{ID: id, Wait: time.Hour})
		if took := time.Since(began); err != nil || d.State != taskRunning || took < waitCap || took > waitCap+time.Millisecond {
			t.Errorf("%s after %s, %v", d.State, took, err)
		}
	})
}

// What Proxmox VE cannot tell is said, not made up.
func TestTaskLost(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		warn string
		code fault.Code
	}{
		{"vanished", fault.New(fault.NotFound, "no such task"), "partial", fault.NotFound},
		{"not shown", fault.New(fault.Forbidden, "Permission check failed"), "forbidden", fault.Forbidden},
		{"node silent", fault.New(fault.NodeSilent, "595"), "node_silent", fault.NodeSilent},
		{"away", fault.New(fault.Unreachable, "no endpoint"), "unreachable", fault.Unreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(1, 1)
			r := newRig(t, w)
			id := w.task("pve1", "vzdump", "100", r.clock.now(), time.Time{}, "")
			r.sync()
			w.fail = func(call, _ string, _ int) error {
				if call == "taskstatus" {
					return c.err
				}
				return nil
			}
			d, err := r.Task(t.Context(), TaskQuery{ID: id})
			if err != nil || d.State != taskUnknown || !hasWarning(d.Warnings, c.warn) {
				t.Errorf("%s, warnings %v, %v", d.State, d.Warnings, err)
			}
			if _, err := r.Task(t.Context(), TaskQuery{ID: "UPID:pve1:00000009:00000009:6B01FBF3:vzdump:100:root@pam:"}); fault.CodeOf(err) != c.code {
				t.Errorf("never seen: %v", err)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	for _, c := range []struct {
		line string
		want float64
	}{{"INFO:  12% (1.2 GiB of 10.0 GiB) in 3s", .12}, {"drive-scsi0: transferred 3.1 GiB of 32.0 GiB (9.75%) in 30s", .0975}, {"progress 100%", 1}, {"999%", -1}, {"no number", -1}} {
		got := progressOf([]string{c.line, "tail without"})
		if c.want < 0 != (got == nil) || got != nil && (*got-c.want > 1e-9 || c.want-*got > 1e-9) {
			t.Errorf("%q: %v", c.line, got)
		}
	}
}

// A task that ended between two ticks and fell out of the cluster's list is looked up on its node, once.
func TestTaskEndedUnheard(t *testing.T) {
	w := newWorld(1, 2)
	r := newRig(t, w)
	id := w.task("pve1", "vzdump", "100", r.clock.now(), time.Time{}, "")
	r.sync()
	w.unlisted = map[string]bool{id: true}
	r.tick()
	r.tick()
	if n := w.count("nodetasks"); n != 2 {
		t.Errorf("%d node task lists", n)
	}
	w.tasks[0].EndTime, w.tasks[0].Status = pve.Ptr(pve.Int(r.clock.now().Unix())), "no space left"
	r.sync()
	d, err := r.Task(t.Context(), TaskQuery{ID: id})
	if err != nil || d.State != taskFailed || d.Exit != "no space left" {
		t.Errorf("%+v, %v", d.Task, err)
	}
}
