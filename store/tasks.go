package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// taskAge and taskRows bound what is kept of ended tasks per cluster: a month answers "what happened", 20,000 rows are 10 MB.
	taskAge  = 30 * 24 * time.Hour
	taskRows = 20_000
	// taskLimit is how many tasks a filter without limit gives.
	taskLimit = 50
)

type taskRow struct {
	bun.BaseModel `bun:"table:tasks,alias:t"`

	Cluster  string `bun:"cluster,pk"`
	UPID     string `bun:"upid,pk"`
	Handle   string `bun:"handle"`
	Node     string `bun:"node"`
	Type     string `bun:"type"`
	Object   string `bun:"object"`
	Username string `bun:"username"`
	Started  int64  `bun:"started"`
	Ended    int64  `bun:"ended"`
	Exit     string `bun:"exit"`
	Gen      int64  `bun:"gen"`
}

func newTaskRow(t *Task, cluster string, gen int64) taskRow {
	return taskRow{
		Cluster: cluster, UPID: clean(t.UPID), Handle: pve.TaskHandle(t.UPID), Node: clean(t.Node), Type: clean(t.Type),
		Object: clean(t.ID), Username: clean(t.User), Started: millis(t.Start), Ended: millis(t.End), Exit: clean(t.Exit), Gen: gen,
	}
}

func (r *taskRow) task() Task {
	return Task{
		Cluster: r.Cluster, UPID: r.UPID, Node: r.Node, Type: r.Type, ID: r.Object, User: r.Username,
		Start: moment(r.Started), End: moment(r.Ended), Exit: r.Exit, Gen: r.Gen,
	}
}

// Tasks gives the tasks that f selects, newest first.
func (d *DB) Tasks(ctx context.Context, f TaskFilter) ([]Task, error) {
	var rows []taskRow
	q := f.narrow(d.read.NewSelect().Model(&rows)).Order("started DESC", "upid DESC").Offset(int64(f.Offset)).Limit(int64(limitOr(f.Limit, taskLimit)))
	if err := q.Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*taskRow).task), nil
}

// CountTasks counts the tasks that f selects, whatever its offset and limit.
func (d *DB) CountTasks(ctx context.Context, f TaskFilter) (int, error) {
	n, err := f.narrow(d.read.NewSelect().Model((*taskRow)(nil))).Count(ctx)
	return int(n), d.fault(err)
}

// states are conditions for the states of a task, by Proxmox VE's exit text: OK, "WARNINGS: n", an error. A task that vanished has
// "unexpected status" or nothing; it is no failed one.
var states = map[string]string{
	"running": "exit = '' AND ended = 0",
	"ok":      "exit = 'OK'",
	"warning": "substr(exit, 1, 8) = 'WARNINGS'",
	"unknown": "(exit = '' AND ended > 0 OR exit IN ('unexpected status', 'unknown'))",
	"failed":  "exit NOT IN ('', 'OK', 'unexpected status', 'unknown') AND substr(exit, 1, 8) <> 'WARNINGS'",
}

func (f TaskFilter) narrow(q *bun.SelectQuery) *bun.SelectQuery {
	for column, value := range map[string]string{"cluster": f.Cluster, "object": f.ID, "node": f.Node} {
		if value != "" {
			q.Where("? = ?", bun.Ident(column), clean(value))
		}
	}
	if start, some := strings.CutSuffix(clean(f.Type), "*"); some {
		q.Where("substr(type, 1, ?) = ?", utf8.RuneCountInString(start), start)
	} else if f.Type != "" {
		q.Where("type = ?", start)
	}
	if f.User != "" {
		q.Where("(username = ? OR substr(username, 1, ?) IN (?, ?))", clean(f.User), utf8.RuneCountInString(clean(f.User))+1, clean(f.User)+"@", clean(f.User)+"!")
	}
	if f.State != "" {
		q.Where(cmp.Or(states[f.State], "1 = 0"))
	}
	if !f.Since.IsZero() {
		q.Where("started >= ?", millis(f.Since))
	}
	if !f.Until.IsZero() {
		q.Where("started < ?", millis(f.Until))
	}
	return q
}

// TaskByHandle finds a task by its short name (pve.TaskHandle). Should two tasks share it, the newer one is meant.
func (d *DB) TaskByHandle(ctx context.Context, handle string) (Task, bool, error) {
	var row taskRow
	err := d.read.NewSelect().Model(&row).Where("handle = ?", clean(handle)).Order("started DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Task{}, false, nil
	}
	return row.task(), err == nil, d.fault(err)
}

// pruneTasks forgets ended tasks of a cluster that are too old or too many; running ones stay.
func pruneTasks(ctx context.Context, tx bun.Tx, cluster string, now time.Time) error {
	cut := millis(now.Add(-taskAge))
	var nth int64 // start of the oldest task that the row limit still keeps
	err := tx.NewSelect().Model((*taskRow)(nil)).Column("started").Where("cluster = ?", cluster).
		Order("started DESC").Offset(taskRows-1).Limit(1).Scan(ctx, &nth)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	_, err = tx.NewDelete().Model((*taskRow)(nil)).
		Where("cluster = ? AND ended > 0 AND started < ?", cluster, max(cut, nth)).Exec(ctx)
	return err
}
