package proxmox

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// NodeStatus reads GET /nodes/{node}/status (02/045).
func (c *Client) NodeStatus(ctx context.Context, node string) (pve.NodeStatus, error) {
	return get[pve.NodeStatus](ctx, c, nil, "nodes", node, "status")
}

// NodeStorage reads GET /nodes/{node}/storage (02/084): the usage of each storage in bytes as this node sees it. It may block on a dead
// storage.
func (c *Client) NodeStorage(ctx context.Context, node string) ([]pve.StorageStatus, error) {
	return small[pve.StorageStatus](ctx, c, nil, "nodes", node, "storage")
}

// StorageContent reads GET /nodes/{node}/storage/{storage}/content (02/093); content is "" or images, rootdir, iso, vztmpl, backup. It
// may block on a dead storage. Volumes that the caller may not use are missing, not refused (pve-storage Content.pm).
func (c *Client) StorageContent(ctx context.Context, node, storage, content string) ([]pve.VolumeRow, error) {
	var p Params
	if content != "" {
		p = p.Str("content", content)
	}
	rows, err := small[pve.VolumeRow](ctx, c, p, "nodes", node, "storage", storage, "content")
	for i := range rows {
		rows[i].Notes = masked(rows[i].Notes)
	}
	return rows, err
}

// Samples reads .../rrddata of a guest, storage or node (02/081, 02/110, 13/079). timeframe is hour, day, week, month or year; cf is "" (means)
// or "MAX". A new object of which nobody has taken a sample has no file of them yet (500 "RRD error", pve-api.md 52): an empty series.
func (c *Client) Samples(ctx context.Context, of pve.Sampled, timeframe, cf string) (pve.Series, error) {
	segments := []any{"nodes", of.Node}
	switch {
	case of.VMID > 0:
		segments = append(segments, of.Type, of.VMID)
	case of.Storage != "":
		segments = append(segments, "storage", of.Storage)
	}
	path, err := Path(append(segments, "rrddata")...)
	if err != nil {
		return pve.Series{}, err
	}
	p := Params{}.Str("timeframe", timeframe)
	if cf != "" {
		p = p.Str("cf", cf)
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, p)
	if err != nil {
		if f := fault.Of(err); strings.Contains(f.Message+f.Cause, "RRD error") && strings.Contains(f.Message+f.Cause, "No such file") {
			return pve.Series{}, nil
		}
		return pve.Series{}, err
	}
	s, err := pve.DecodeSeries(e.Data)
	if err != nil {
		return s, badAnswer(http.MethodGet, path, err)
	}
	return s, nil
}

// NodeTaskFilter narrows NodeTasks. Zero fields do not filter; Source is "" (archive), "active" or "all".
type NodeTaskFilter struct {
	VMID   int
	Limit  int
	Since  time.Time
	Errors bool
	Source string
}

// NodeTasks reads GET /nodes/{node}/tasks, newest first (10/010). Tasks of other users need Sys.Audit on /nodes/{node}; without it they
// are missing, not refused (pve-api.md 71).
func (c *Client) NodeTasks(ctx context.Context, node string, f NodeTaskFilter) ([]pve.TaskRow, error) {
	var p Params
	if f.VMID > 0 {
		p = p.Int("vmid", int64(f.VMID))
	}
	if f.Limit > 0 {
		p = p.Int("limit", int64(f.Limit))
	}
	if !f.Since.IsZero() {
		p = p.Int("since", f.Since.Unix())
	}
	if f.Errors {
		p = p.Bool("errors", true)
	}
	if f.Source != "" {
		p = p.Str("source", f.Source)
	}
	rows, err := small[pve.TaskRow](ctx, c, p, "nodes", node, "tasks")
	for i := range rows {
		// While a task runs this list says RUNNING where the cluster's says nothing (pve-api.md 33).
		if rows[i].Status == "RUNNING" {
			rows[i].Status = ""
		}
		rows[i].Status = masked(rows[i].Status)
	}
	return rows, err
}

// TaskStatus reads GET /nodes/{node}/tasks/{upid}/status; the node is taken from the task id. A task that the node does not know any
// more is fault.NotFound (400 "no such task").
func (c *Client) TaskStatus(ctx context.Context, upid string) (pve.TaskStatus, error) {
	u, err := pve.ParseUPID(upid)
	if err != nil {
		return pve.TaskStatus{}, badUPID(err)
	}
	st, err := get[pve.TaskStatus](ctx, c, nil, "nodes", u.Node, "tasks", upid, "status")
	st.ExitStatus = masked(st.ExitStatus)
	return st, err
}

type logLine struct {
	N pve.Int  `json:"n"`
	T pve.Text `json:"t"`
}

// TaskLog reads limit lines of a task's log from line start (0-based) and the number of lines there are; limit 0 means the server's 50.
// Secrets are masked; the text is otherwise as it came. The log of an unknown task is one line that says so (pve-api.md 36).
func (c *Client) TaskLog(ctx context.Context, upid string, start, limit int) (lines []string, total int, err error) {
	u, err := pve.ParseUPID(upid)
	if err != nil {
		return nil, 0, badUPID(err)
	}
	path, err := Path("nodes", u.Node, "tasks", upid, "log")
	if err != nil {
		return nil, 0, err
	}
	p := Params{}.Int("start", int64(start))
	if limit > 0 {
		p = p.Int("limit", int64(limit))
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, p)
	if err != nil {
		return nil, 0, err
	}
	lines, err = decodeLog(e.Data)
	if err != nil {
		return nil, 0, badAnswer(http.MethodGet, path, err)
	}
	return lines, int(e.Total), nil
}

func decodeLog(raw json.RawMessage) ([]string, error) {
	rows, _, err := pve.DecodeRows[logLine](raw)
	if err != nil {
		return nil, err
	}
	lines := make([]string, 0, len(rows))
	for _, r := range rows {
		lines = append(lines, redact.Text(string(r.T)))
	}
	return lines, nil
}

// NodeJournal reads GET /nodes/{node}/journal (schema: since and until in Unix seconds conflict with lastentries): text lines, oldest first,
// without the cursors that are the first and the last one, secrets masked. It needs Sys.Syslog on /nodes/{node}; it always comes compressed
// (pve-api.md 9).
func (c *Client) NodeJournal(ctx context.Context, node string, since, until time.Time, last int) ([]string, error) {
	var p Params
	if last > 0 {
		p = p.Int("lastentries", int64(last))
	}
	if !since.IsZero() {
		p = p.Int("since", since.Unix())
	}
	if !until.IsZero() {
		p = p.Int("until", until.Unix())
	}
	rows, err := small[pve.Text](ctx, c, p, "nodes", node, "journal")
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(rows))
	for k, r := range rows {
		if edge := k == 0 || k == len(rows)-1; edge && strings.HasPrefix(string(r), "s=") && strings.Contains(string(r), ";i=") {
			continue
		}
		out = append(out, redact.Text(string(r)))
	}
	return out, nil
}
