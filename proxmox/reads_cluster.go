package proxmox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// get reads one object.
func get[T any](ctx context.Context, c *Client, params Params, segments ...any) (T, error) {
	var v T
	path, err := Path(segments...)
	if err != nil {
		return v, err
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, params)
	if err != nil {
		return v, err
	}
	v, err = decodeObject[T](e.Data)
	if err != nil {
		return v, badAnswer(http.MethodGet, path, err)
	}
	return v, nil
}

func decodeObject[T any](raw json.RawMessage) (T, error) {
	var v T
	if len(raw) == 0 || string(raw) == "null" {
		return v, errors.New("expected an object, found null")
	}
	err := json.Unmarshal(raw, &v)
	return v, err
}

// list reads a list row by row; odd rows are returned apart.
func list[T any](ctx context.Context, c *Client, params Params, segments ...any) (rows []T, odd []error, err error) {
	path, err := Path(segments...)
	if err != nil {
		return nil, nil, err
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, params)
	if err != nil {
		return nil, nil, err
	}
	rows, odd, err = pve.DecodeRows[T](e.Data)
	if err != nil {
		if errors.Is(err, pve.ErrNullList) {
			c.auth.forget() // 200 with null is how a stale login looks (F54)
		}
		return nil, nil, badAnswer(http.MethodGet, path, err)
	}
	return rows, odd, nil
}

// small reads a list whose odd rows are only logged.
func small[T any](ctx context.Context, c *Client, params Params, segments ...any) ([]T, error) {
	rows, odd, err := list[T](ctx, c, params, segments...)
	for _, o := range odd {
		c.log.Debug("odd row left out", "path", fmt.Sprint(segments...), "cause", o)
	}
	return rows, err
}

// Version reads GET /version (02/001). A change of version clears what the client remembered as unsupported.
func (c *Client) Version(ctx context.Context) (pve.Version, error) {
	v, err := get[pve.Version](ctx, c, nil, "version")
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	changed := c.version.Version != "" && c.version != v
	c.version, c.versionA = v, c.opts.now()
	c.mu.Unlock()
	if changed {
		c.memo.forget()
	}
	return v, nil
}

// ClusterStatus reads GET /cluster/status (02/003): the cluster's row (absent on a standalone node, F18) and one per node.
func (c *Client) ClusterStatus(ctx context.Context) ([]pve.ClusterMember, error) {
	answered := new(answeredBy)
	rows, err := small[pve.ClusterMember](context.WithValue(ctx, keyAnswered, answered), c, nil, "cluster", "status")
	for _, m := range rows {
		if m.Type == "node" && m.Local != nil && bool(*m.Local) && answered.endpoint != nil {
			answered.endpoint.setNode(string(m.Name))
		}
	}
	return rows, err
}

// Resources reads GET /cluster/resources (02/004): guests, nodes, storages, pools and more in one call. kind is "", "vm", "node",
// "storage" or "sdn". Rows that cannot be read are returned as odd, so that one strange guest never hides the others (F34).
func (c *Client) Resources(ctx context.Context, kind string) (rows []pve.Resource, odd []error, err error) {
	var p Params
	if kind != "" {
		p = p.Str("type", kind)
	}
	return list[pve.Resource](ctx, c, p, "cluster", "resources")
}

// StorageDefs reads GET /storage (02/102): definitions without usage. Raw is the whole row with secrets masked.
func (c *Client) StorageDefs(ctx context.Context) ([]pve.StorageDef, error) {
	raws, err := small[json.RawMessage](ctx, c, nil, "storage")
	if err != nil {
		return nil, err
	}
	out := make([]pve.StorageDef, 0, len(raws))
	for i, raw := range raws {
		var d pve.StorageDef
		cfg, err := pve.DecodeConfig(raw)
		if err == nil {
			err = json.Unmarshal(raw, &d)
		}
		if err != nil {
			c.log.Debug("odd row left out", "path", "/storage", "row", i, "cause", err)
			continue
		}
		redact.Fields(map[string]any(cfg))
		d.Raw = cfg.Canonical()
		out = append(out, d)
	}
	return out, nil
}

// ClusterTasks reads GET /cluster/tasks (02/014): the last tasks of all nodes, at most 25 per node, those of other users only with
// Sys.Audit on / (faults.md 3.4, 13-16).
func (c *Client) ClusterTasks(ctx context.Context) ([]pve.TaskRow, error) {
	rows, err := small[pve.TaskRow](ctx, c, nil, "cluster", "tasks")
	for i := range rows {
		rows[i].Status = masked(rows[i].Status)
	}
	return rows, err
}

// LogRow is a row of GET /cluster/log (02/015). Time is Unix seconds, Pri the syslog priority.
type LogRow struct {
	UID  pve.Text `json:"uid"`
	Time pve.Int  `json:"time"`
	Node pve.Text `json:"node"`
	User pve.Text `json:"user"`
	Tag  pve.Text `json:"tag"`
	Pri  pve.Int  `json:"pri"`
	Msg  pve.Text `json:"msg"`
}

// ClusterLog reads GET /cluster/log, newest first; max 0 means the server's 50. Lines of other users need Sys.Syslog on /.
func (c *Client) ClusterLog(ctx context.Context, limit int) ([]LogRow, error) {
	var p Params
	if limit > 0 {
		p = p.Int("max", int64(limit))
	}
	rows, err := small[LogRow](ctx, c, p, "cluster", "log")
	for i := range rows {
		rows[i].Msg = masked(rows[i].Msg)
	}
	return rows, err
}

// NodeKeys reads GET /nodes (11/129): the SHA-256 fingerprint of the certificate that each node's API shows, by node, "AA:BB:...". Every
// login may, whatever its rights.
func (c *Client) NodeKeys(ctx context.Context) (map[string]string, error) {
	rows, err := small[struct {
		Node        pve.Text `json:"node"`
		Fingerprint pve.Text `json:"ssl_fingerprint"`
	}](ctx, c, nil, "nodes")
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(rows))
	for _, r := range rows {
		out[string(r.Node)] = string(r.Fingerprint)
	}
	return out, nil
}

// masked is free text without what looks like a secret.
func masked(t pve.Text) pve.Text { return pve.Text(redact.Text(string(t))) }

// Pools reads GET /pools; members are in Resources.
func (c *Client) Pools(ctx context.Context) ([]pve.PoolRow, error) {
	return small[pve.PoolRow](ctx, c, nil, "pools")
}

// NotBackedUp reads GET /cluster/backup-info/not-backed-up (02/023): guests that no backup job covers.
func (c *Client) NotBackedUp(ctx context.Context) ([]pve.NotBackedUp, error) {
	return small[pve.NotBackedUp](ctx, c, nil, "cluster", "backup-info", "not-backed-up")
}

// BackupJobs reads GET /cluster/backup (02/021), each job whole, secrets masked.
func (c *Client) BackupJobs(ctx context.Context) ([]pve.Config, error) {
	raws, err := small[json.RawMessage](ctx, c, nil, "cluster", "backup")
	if err != nil {
		return nil, err
	}
	return configs(c, raws, "/cluster/backup"), nil
}

func configs(c *Client, raws []json.RawMessage, path string) []pve.Config {
	out := make([]pve.Config, 0, len(raws))
	for i, raw := range raws {
		cfg, err := pve.DecodeConfig(raw)
		if err != nil {
			c.log.Debug("odd row left out", "path", path, "row", i, "cause", err)
			continue
		}
		redact.Fields(map[string]any(cfg))
		out = append(out, cfg)
	}
	return out
}

// ClusterOptions reads GET /cluster/options (02/013), secrets masked.
func (c *Client) ClusterOptions(ctx context.Context) (pve.Config, error) {
	return c.config(ctx, "cluster", "options")
}

func (c *Client) config(ctx context.Context, segments ...any) (pve.Config, error) {
	raw, err := get[json.RawMessage](ctx, c, nil, segments...)
	if err != nil {
		return nil, err
	}
	cfg, err := pve.DecodeConfig(raw)
	if err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the answer to GET /%s is not an object", strings.Trim(fmt.Sprint(segments...), "[]")).Retry()
	}
	redact.Fields(map[string]any(cfg))
	return cfg, nil
}

// LiveMetrics reads GET /cluster/metrics/export with history: the values of a node and of all that is on it after a time, at most half an
// hour back, every 10 s (faults.md 3.4, 17-18). It needs Sys.Audit on / and Proxmox VE 9.0.8.
func (c *Client) LiveMetrics(ctx context.Context, node string, since time.Time) ([]pve.MetricPoint, error) {
	type answer struct {
		Data json.RawMessage `json:"data"`
	}
	a, err := get[answer](ctx, c, Params{}.Bool("history", true).Int("start-time", since.Unix()).Str("node-list", node), "cluster", "metrics", "export")
	if err != nil {
		return nil, err
	}
	rows, odd, err := pve.DecodeRows[pve.MetricPoint](a.Data)
	if err != nil {
		return nil, badAnswer(http.MethodGet, "/cluster/metrics/export", err)
	}
	if len(odd) > 0 {
		c.log.Debug("odd rows left out", "path", "/cluster/metrics/export", "rows", len(odd), "cause", odd[0])
	}
	return rows, nil
}
