package proxmox

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// A start takes about a second, a backup minutes: the interval grows by half from a quarter second to three seconds.
	taskPollFirst = 250 * time.Millisecond
	taskPollMax   = 3 * time.Second
	// A task may be unknown to its node for a moment after dispatch (F22).
	taskUnseenFor = 5 * time.Second
	// A node that does not answer for this long while we wait leaves the outcome unknown.
	taskSilentFor = 2 * time.Minute
	// taskLogPage is how many lines one read takes; the server's default of 50 hides the cause (F25).
	taskLogPage = 500
	// taskTail is how many last lines a result and a progress carry.
	taskTail = 20
	// taskLogMax bounds how much of a log is walked through to its end: 10 MB logs exist (faults.md 4.6).
	taskLogMax = 100_000
)

// TaskOutcome says how a task ended.
type TaskOutcome string

// The outcomes. Warnings is a success with warnings; Unknown means that the object itself has to be looked at (F22, F23).
const (
	TaskOK       TaskOutcome = "ok"
	TaskWarnings TaskOutcome = "warnings"
	TaskError    TaskOutcome = "error"
	TaskUnknown  TaskOutcome = "unknown"
)

// OutcomeOf reads an exit status as Proxmox VE does: OK, "WARNINGS: n", "unexpected status" (the node died meanwhile), else the text of
// the error (faults.md 3.5, 7-8).
func OutcomeOf(exit string) TaskOutcome {
	switch {
	case exit == "OK":
		return TaskOK
	case strings.HasPrefix(exit, "WARNINGS"):
		return TaskWarnings
	case exit == "unexpected status", exit == "unknown", exit == "":
		return TaskUnknown
	}
	return TaskError
}

// TaskProgress is what is known of a running task.
type TaskProgress struct {
	UPID    string
	Elapsed time.Duration
	Percent *float64 // 0..100 as the log says; nil when it does not
	Lines   []string // lines that are new since the last call
	Total   int      // lines so far
}

// TaskResult is how a task ended. Log holds its last lines.
type TaskResult struct {
	UPID       string
	Outcome    TaskOutcome
	ExitStatus string
	Warnings   int
	Log        []string
	LogTotal   int
}

func badUPID(err error) error {
	return &fault.Error{Code: fault.Invalid, Message: err.Error(), Field: "upid", Example: "UPID:pve1:000002DC:0005FBB5:6B01FBF3:vzdump:106:root@pam:", Err: err}
}

type taskWait struct {
	c       *Client
	upid    string
	tell    func(TaskProgress)
	started time.Time
	heard   time.Time // last answer of any kind
	lines   int
	percent *float64
	tail    []string
}

// WaitTask waits until a task has ended. onProgress (may be nil) is called after each look with what is new. A failed task is
// fault.TaskFailed, one whose end cannot be known fault.UnknownOutcome, both with the result; cancelling ctx ends the waiting, not the task.
func (c *Client) WaitTask(ctx context.Context, upid string, onProgress func(TaskProgress)) (TaskResult, error) {
	if _, err := pve.ParseUPID(upid); err != nil {
		return TaskResult{}, badUPID(err)
	}
	now := c.opts.now()
	w := &taskWait{c: c, upid: upid, tell: onProgress, started: now, heard: now}
	for interval := taskPollFirst; ; interval = min(interval*3/2, taskPollMax) {
		st, err := c.TaskStatus(ctx, upid)
		if done, res, err := w.step(ctx, st, err); done {
			return res, err
		}
		if err := sleep(ctx, interval); err != nil {
			return TaskResult{UPID: upid, Outcome: TaskUnknown, Log: w.tail, LogTotal: w.lines},
				fault.Wrap(fault.CodeOf(err), err, "waiting for the task ended; the task itself goes on")
		}
	}
}

func (w *taskWait) step(ctx context.Context, st pve.TaskStatus, err error) (bool, TaskResult, error) {
	if err != nil {
		return w.failed(ctx, err)
	}
	w.heard = w.c.opts.now()
	if st.Running() {
		if w.tell != nil {
			w.readLog(ctx)
		}
		return false, TaskResult{}, nil
	}
	w.readLog(ctx)
	return w.ended(string(st.ExitStatus))
}

// failed decides about an error of the status read: what may heal is waited for, what cannot be known is said so.
func (w *taskWait) failed(ctx context.Context, err error) (bool, TaskResult, error) {
	now, res := w.c.opts.now(), TaskResult{UPID: w.upid, Outcome: TaskUnknown, Log: w.tail, LogTotal: w.lines}
	f := fault.Of(err)
	switch {
	case ctx.Err() != nil:
		return true, res, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "waiting for the task ended; the task itself goes on")
	case f.Code == fault.NotFound && now.Sub(w.started) < taskUnseenFor && w.heard.Equal(w.started):
		return false, res, nil
	case f.Code == fault.NotFound:
		return true, res, fault.Wrap(fault.UnknownOutcome, err, "the node does not know the task any more").
			WithHint("look at the object itself: its state tells what the task did")
	case f.Retryable && now.Sub(w.heard) < taskSilentFor:
		return false, res, nil
	case f.Retryable:
		return true, res, fault.Wrap(fault.UnknownOutcome, err, "the node has not answered for %s; the task's outcome is not known", taskSilentFor)
	}
	return true, res, err
}

func (w *taskWait) ended(exit string) (bool, TaskResult, error) {
	res := TaskResult{UPID: w.upid, Outcome: OutcomeOf(exit), ExitStatus: exit, Log: w.tail, LogTotal: w.lines}
	switch res.Outcome {
	case TaskWarnings:
		res.Warnings, _ = strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(exit, "WARNINGS:")))
	case TaskError:
		return true, res, &fault.Error{Code: fault.TaskFailed, Message: "the task failed", Cause: w.cause(exit)}
	case TaskUnknown:
		return true, res, fault.New(fault.UnknownOutcome, "the task's log ends without a result: its node probably restarted meanwhile").
			WithHint("look at the object itself: its state tells what the task did")
	}
	return true, res, nil
}

// cause is the exit text; where that says no more than "job errors" the last error line of the log does (F25).
func (w *taskWait) cause(exit string) string {
	if exit != "job errors" {
		return exit
	}
	for _, l := range slices.Backward(w.tail) {
		if strings.HasPrefix(l, "ERROR:") || strings.HasPrefix(l, "TASK ERROR:") && !strings.HasSuffix(l, exit) {
			return exit + ": " + l
		}
	}
	return exit
}

// readLog reads what is new in the log, to its end. A log that cannot be read does not change the task's outcome.
func (w *taskWait) readLog(ctx context.Context) {
	var fresh []string
	for w.lines < taskLogMax {
		page, total, err := w.c.TaskLog(ctx, w.upid, w.lines, taskLogPage)
		if err != nil || len(page) == 0 {
			break
		}
		w.lines += len(page)
		fresh = append(fresh, page...)
		fresh = fresh[max(0, len(fresh)-taskLogPage):]
		for _, l := range page {
			if p, ok := parsePercent(l); ok {
				w.percent = &p
			}
		}
		if w.lines >= total || len(page) < taskLogPage {
			break
		}
	}
	w.tail = append(w.tail, fresh...)
	w.tail = append([]string(nil), w.tail[max(0, len(w.tail)-taskTail):]...)
	if w.tell != nil {
		w.tell(TaskProgress{UPID: w.upid, Elapsed: w.c.opts.now().Sub(w.started), Percent: w.percent, Lines: fresh, Total: w.lines})
	}
}

// percentForms are the ways in which Proxmox VE's programs print progress: vzdump "INFO:  45% (1.2 GiB of 2.6 GiB)", migration and
// clone "transferred 1.0 GiB of 2.0 GiB (50.00%)", restore "progress 45% (read ...)", import "transferred ... (12.5%)".
var percentForms = []func() *regexp.Regexp{
	lazy.Regexp(`\((\d{1,3}(?:\.\d+)?)%\)`),
	lazy.Regexp(`^(?:INFO:|progress)\s+(\d{1,3}(?:\.\d+)?)%`),
}

func parsePercent(line string) (float64, bool) {
	if !strings.Contains(line, "%") {
		return 0, false
	}
	for _, re := range percentForms {
		if m := re().FindStringSubmatch(line); m != nil {
			p, err := strconv.ParseFloat(m[1], 64)
			return p, err == nil && p <= 100
		}
	}
	return 0, false
}
