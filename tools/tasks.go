package tools

import (
	"context"
	"reflect"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type taskIn struct {
	Common
	Task     string `json:"task" req:"true" rule:"must be a UPID or a task handle" example:"t-7k3f9q2m" desc:"UPID or handle (t-...)"`
	WaitS    int    `json:"wait_s" min:"0" max:"600" example:"30" desc:"wait for its end; a call waits 45 s at most"`
	LogLines int    `json:"log_lines" min:"0" max:"500" example:"20" desc:"log tail, default 20"`
}

// logDefault is the tail that most failures fit in: Proxmox VE puts the cause in the last lines.
const logDefault = 20

// callLimit is the longest that one call blocks; a longer wait is answered "running" with the call that follows it up.
const callLimit = 45 * time.Second

type taskOut struct {
	Envelope
	taskFields
	Node    string   `json:"node"`
	User    string   `json:"user"`
	Started string   `json:"started"`
	Ended   string   `json:"ended,omitempty"`
	Log     []string `json:"log,omitempty"`
	LogOf   int      `json:"log_total,omitempty"`
	src     inventory.TaskDetail
	waited  bool
}

// taskFields is what programs read on.
type taskFields struct {
	Handle   string   `json:"task"`
	UPID     string   `json:"upid"`
	Type     string   `json:"type"`
	Object   string   `json:"object,omitempty"`
	State    string   `json:"state"`
	Exit     string   `json:"exit,omitempty"`
	Progress *float64 `json:"progress,omitempty"`
}

func getTask() Spec {
	return define(Spec{
		Name: "get_task", Title: "Task", Family: "task", Command: "task show", Args: []string{"task"},
		Needs:   []Need{needTask, needLog, needRunning},
		Handle:  reflect.TypeFor[taskHandle](),
		Summary: "A task's state, progress, exit text and log tail; can wait for its end.",
		Examples: []Example{
			{CLI: "task show t-xxxxxxxx", Args: map[string]any{"task": "t-xxxxxxxx"}, Why: "a task by its handle, as other answers show it"},
			{CLI: "task show t-xxxxxxxx --wait-s 30", Args: map[string]any{"task": "t-xxxxxxxx", "wait_s": 30}, Why: "follow it to its end"},
		},
	}, func(ctx context.Context, d Deps, in *taskIn) (*taskOut, error) {
		if in.LogLines == 0 {
			in.LogLines = logDefault
		}
		t, err := d.Inventory.Task(ctx, inventory.TaskQuery{ID: strings.TrimSpace(in.Task), LogLines: in.LogLines, ReadOptions: in.read(),
			Wait: min(time.Duration(in.WaitS)*time.Second, callLimit), OnProgress: taskProgress(d)})
		if err != nil {
			return nil, err
		}
		return taskOf(d, t, in.WaitS > 0), nil
	})
}

func taskProgress(d Deps) func(inventory.Task) {
	if d.Progress == nil {
		return nil
	}
	return func(t inventory.Task) {
		done := 0.0
		if t.Progress != nil {
			done = *t.Progress * 100
		}
		text := t.Type + " " + t.State
		if len(t.Log) > 0 {
			text = clean.Line(t.Log[len(t.Log)-1], 200)
		}
		d.Progress(done, 100, text)
	}
}

func taskOf(d Deps, t inventory.TaskDetail, waited bool) *taskOut {
	out := &taskOut{Envelope: envelope(d, t.Meta), Node: t.Node, User: t.User, Started: stamp(d, t.Start), src: t, waited: waited,
		LogOf:      t.LogTotal,
		taskFields: taskFields{Handle: t.Handle, UPID: t.UPID, Type: t.Type, Object: t.Object, State: t.State, Exit: t.Exit, Progress: t.Progress}}
	if !t.End.IsZero() {
		out.Ended = stamp(d, t.End)
	}
	for _, l := range t.Log {
		out.Log = append(out.Log, clean.Line(l, 300))
	}
	return out
}

// taskHandle is the structured result of get_task: what programs read on, without the log.
type taskHandle struct {
	taskFields
	Envelope
}

// Handle implements Structured.
func (o *taskOut) Handle() any { return taskHandle{o.taskFields, o.Envelope} }

// View implements Answer.
func (o *taskOut) View(d Deps) View {
	t := o.src
	v := View{Warnings: t.Warnings}
	head := t.Handle + " " + t.Type
	if t.Object != "" {
		head += " " + cell(t.Object, 60)
	}
	head += " on " + t.Node + ": " + taskState(t.Task)
	v.Text(head)
	v.Line("by %s, started %s%s, %s", cell(t.User, 80), stamp(d, t.Start), taskTook(d, t.Task), asOf(d, t.Meta))
	if len(o.Log) > 0 {
		if t.LogTotal > len(o.Log) {
			v.Line("log, last %d of %d lines (times in its node's zone):", len(o.Log), t.LogTotal)
		} else {
			v.Line("log (times in its node's zone):")
		}
		v.Text(strings.Join(o.Log, "\n"))
	}
	if t.State == "running" && o.waited {
		v.Line("still running: call %s with wait_s again", call(d, "get_task", t.Handle))
	}
	return v
}

func taskState(t inventory.Task) string {
	s := t.State
	if t.Progress != nil && t.State == "running" {
		s += " " + fraction(t.Progress) + "%"
	}
	if t.Exit != "" && t.Exit != "OK" {
		s += ": " + cell(t.Exit, 300)
	}
	return s
}

func taskTook(d Deps, t inventory.Task) string {
	if t.End.IsZero() {
		if t.State == "running" {
			return ", running for " + ago(d, t.Start)
		}
		return ""
	}
	return ", took " + span(t.End.Sub(t.Start))
}
