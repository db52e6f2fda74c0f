package inventory

import (
	"context"
	"slices"
	"strconv"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

const (
	maxLogLines = 500
	// progressLines is the tail in which a percentage is looked for when the caller wants no log.
	progressLines = 20
	// logPages bounds the paging to the end of a log that grows meanwhile.
	logPages = 4
)

// addLog fills log tail and progress. A log that cannot be read is a warning, not an error: the state is known.
func (w *taskWatch) addLog(ctx context.Context, d *TaskDetail) {
	want := min(max(w.q.LogLines, 0), maxLogLines)
	running := d.State == taskRunning
	if want == 0 && !(running && (w.q.Wait > 0 || w.q.OnProgress != nil)) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, taskBound)
	defer cancel()
	src, err := w.c.source(ctx)
	var lines []string
	var total int
	if err == nil {
		lines, total, err = logTail(ctx, src, d.UPID, max(want, progressLines))
	}
	if err != nil {
		if want > 0 {
			d.Warnings = append(d.Warnings, Warning{liveCode(err), "the task's log could not be read: " + fault.Of(err).Error()})
		}
		return
	}
	if running {
		d.Progress = progressOf(lines)
	}
	d.LogTotal = total
	for _, l := range lines[max(0, len(lines)-want):] {
		d.Log = append(d.Log, clean.Line(l, maxLine))
	}
}

// logTail reads the last n lines: a first page tells how many there are, then it pages to the end.
func logTail(ctx context.Context, src Source, upid string, n int) (tail []string, total int, err error) {
	lines, total, err := src.TaskLog(ctx, upid, 0, n)
	if err != nil {
		return nil, 0, err
	}
	end := len(lines)
	for range logPages {
		if total <= end || len(lines) == 0 {
			break
		}
		start := max(end, total-n)
		page, now, err := src.TaskLog(ctx, upid, start, n)
		if err != nil {
			return nil, 0, err
		}
		if start > end {
			lines = nil
		}
		if len(page) == 0 {
			break
		}
		lines, end, total = append(lines, page...), start+len(page), now
	}
	return lines[max(0, len(lines)-n):], max(total, end), nil
}

// percent finds what backups, moves, clones and migrations report: "(12.34%)", "12% (1.2 GiB of 10.0 GiB)".
var percent = lazy.Regexp(`\b(\d{1,3}(?:\.\d+)?) ?%`)

func progressOf(lines []string) *float64 {
	for _, l := range slices.Backward(lines) {
		for _, m := range slices.Backward(percent().FindAllStringSubmatch(l, -1)) {
			if v, err := strconv.ParseFloat(m[1], 64); err == nil && v <= 100 {
				v /= 100
				return &v
			}
		}
	}
	return nil
}
