package proxmox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// The user is a token: its "!" has to survive the path (F52).
const upid = "UPID:pve1:000002DC:0005FBB5:6B01FBF3:vzdump:106:agent@pve!mcp:"

// fakeTask runs for a while and then ends.
type fakeTask struct {
	mu      sync.Mutex
	start   time.Time
	visible time.Duration // unknown before
	runs    time.Duration
	vanish  bool // unknown after its end
	exit    string
	log     []string // the lines appear evenly over the run
}

func (f *fakeTask) handler(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !strings.Contains(r.URL.EscapedPath(), "root@pam") && !strings.Contains(r.URL.EscapedPath(), "agent@pve%21mcp") {
		answer(w, 400, "unable to parse worker upid", "")
		return
	}
	age := time.Since(f.start)
	if age < f.visible || f.vanish && age >= f.runs {
		answer(w, 400, "Parameter verification failed.", `{"data":null,"errors":{"upid":"no such task"}}`)
		return
	}
	if strings.HasSuffix(r.URL.Path, "/log") {
		f.answerLog(w, r, age)
		return
	}
	if age < f.runs {
		data(`{"status":"running","upid":"x","pid":1}`)(w, r)
		return
	}
	data(fmt.Sprintf(`{"status":"stopped","exitstatus":%q}`, f.exit))(w, r)
}

func (f *fakeTask) answerLog(w http.ResponseWriter, r *http.Request, age time.Duration) {
	have := len(f.log)
	if age < f.runs {
		have = int(float64(have) * float64(age) / float64(f.runs))
	}
	start, _ := strconv.Atoi(r.URL.Query().Get("start"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	var rows []string
	for i := start; i < min(have, start+limit); i++ {
		rows = append(rows, fmt.Sprintf(`{"n":%d,"t":%q}`, i+1, f.log[i]))
	}
	_, _ = fmt.Fprintf(w, `{"total":%d,"data":[%s]}`, have, strings.Join(rows, ","))
}

func TestWaitTask(t *testing.T) {
	long := make([]string, 2000)
	for i := range long {
		long[i] = fmt.Sprintf("INFO: line %d", i)
	}
	long[1990] = "ERROR: Backup of VM 106 failed - no space left"
	for name, tc := range map[string]struct {
		task     *fakeTask
		outcome  TaskOutcome
		code     fault.Code // "" = no error
		cause    string
		warnings int
	}{
		"ok":                        {&fakeTask{runs: 3 * time.Second, exit: "OK", log: []string{"TASK OK"}}, TaskOK, "", "", 0},
		"warnings":                  {&fakeTask{runs: time.Second, exit: "WARNINGS: 2"}, TaskWarnings, "", "", 2},
		"error":                     {&fakeTask{runs: time.Second, exit: "VM is locked (backup)"}, TaskError, fault.TaskFailed, "VM is locked (backup)", 0},
		"F25 cause at the end":      {&fakeTask{runs: time.Second, exit: "job errors", log: long}, TaskError, fault.TaskFailed, "no space left", 0},
		"F23 node died":             {&fakeTask{runs: time.Second, exit: "unexpected status"}, TaskUnknown, fault.UnknownOutcome, "", 0},
		"F22 seen late":             {&fakeTask{visible: 2 * time.Second, runs: 4 * time.Second, exit: "OK"}, TaskOK, "", "", 0},
		"F22 never seen":            {&fakeTask{visible: time.Hour}, TaskUnknown, fault.UnknownOutcome, "", 0},
		"F22 vanished after a look": {&fakeTask{runs: 2 * time.Second, vanish: true}, TaskUnknown, fault.UnknownOutcome, "", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			tc.task.start = time.Now()
			r := newRig(t, map[string]http.HandlerFunc{"*": tc.task.handler}, nil)
			defer r.close()
			res, err := r.WaitTask(t.Context(), upid, nil)
			if res.Outcome != tc.outcome || res.Warnings != tc.warnings || (err == nil) != (tc.code == "") || err != nil && fault.CodeOf(err) != tc.code {
				t.Errorf("%s: %+v, %v", name, res, err)
			}
			if tc.cause != "" && !strings.Contains(fault.Of(err).Cause, tc.cause) {
				t.Errorf("%s: cause %q", name, fault.Of(err).Cause)
			}
			if tc.task.log != nil && res.LogTotal != len(tc.task.log) {
				t.Errorf("%s: %d of %d lines", name, res.LogTotal, len(tc.task.log))
			}
		})
	}
}

func TestWaitTaskProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := &fakeTask{start: time.Now(), runs: 20 * time.Second, exit: "OK"}
		for i := range 100 {
			task.log = append(task.log, fmt.Sprintf("INFO:  %d%% (%d MiB of 100 MiB) in 1s", i+1, i+1))
		}
		r := newRig(t, map[string]http.HandlerFunc{"*": task.handler}, nil)
		defer r.close()
		var lines int
		last := -1.0
		res, err := r.WaitTask(t.Context(), upid, func(p TaskProgress) {
			lines += len(p.Lines)
			if p.Percent != nil {
				if *p.Percent < last {
					t.Errorf("progress went back from %v to %v", last, *p.Percent)
				}
				last = *p.Percent
			}
		})
		if err != nil || lines != 100 || last != 100 || len(res.Log) != taskTail {
			t.Errorf("%v: %d lines, %v %%, tail of %d", err, lines, last, len(res.Log))
		}
		if n := r.pve.count(""); n > 2*14 {
			t.Errorf("%d calls for 20 s", n)
		}
	})
}

func TestWaitTaskCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": (&fakeTask{start: time.Now(), runs: time.Hour}).handler}, nil)
		defer r.close()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Second, cancel)
		start := time.Now()
		_, err := r.WaitTask(ctx, upid, nil)
		if took := time.Since(start); fault.CodeOf(err) != fault.Cancelled || !errors.Is(err, context.Canceled) || took > 10*time.Second+50*time.Millisecond {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// While its node is away the waiting goes on; a refusal is told at once, not taken for a vanished task (F52).
func TestWaitTaskNodeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		task := &fakeTask{start: time.Now(), runs: 30 * time.Second, exit: "OK"}
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, q *http.Request) {
			if age := time.Since(task.start); age > 5*time.Second && age < 60*time.Second {
				answer(w, 595, "Connection refused", "")
				return
			}
			task.handler(w, q)
		}}, nil)
		defer r.close()
		if res, err := r.WaitTask(t.Context(), upid, nil); err != nil || res.Outcome != TaskOK {
			t.Errorf("%+v, %v", res, err)
		}
		r.pve.on("*", failing(403, "Permission check failed (/nodes/pve1, Sys.Audit)", ""))
		if _, err := r.WaitTask(t.Context(), upid, nil); fault.CodeOf(err) != fault.Forbidden {
			t.Errorf("denied: %v", err)
		}
		if _, err := r.WaitTask(t.Context(), "UPID:../x", nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("not a task id: %v", err)
		}
	})
}

func TestParsePercent(t *testing.T) {
	got := map[string]float64{}
	for _, l := range []string{"INFO:  45% (1.2 GiB of 2.6 GiB) in 3s, read: 400 MiB/s, write: 380 MiB/s", "progress 7% (read 100 bytes, duration 1 sec)",
		"transferred 1.0 GiB of 2.0 GiB (50.00%)", "drive-scsi0: transferred 512.0 MiB of 1.0 GiB (50.51%) in 2s", "INFO: disk is 95% full", "VM 100 (120%)", "no number %"} {
		if p, ok := parsePercent(l); ok {
			got[l[:12]] = p
		}
	}
	if diff := cmp.Diff(map[string]float64{"INFO:  45% (": 45, "progress 7% ": 7, "transferred ": 50, "drive-scsi0:": 50.51}, got); diff != "" {
		t.Error(diff)
	}
}
