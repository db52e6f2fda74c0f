package app

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// source is a proxmox.Client as package inventory wants to see it.
type source struct{ *proxmox.Client }

var (
	_ inventory.Source = source{}
	_ inventory.Store  = (*store.DB)(nil)
)

// NodeTasks implements inventory.Source.
func (s source) NodeTasks(ctx context.Context, node string, f inventory.TaskListFilter) ([]pve.TaskRow, error) {
	return s.Client.NodeTasks(ctx, node, proxmox.NodeTaskFilter{VMID: f.VMID, Limit: f.Limit, Since: f.Since, Errors: f.Errors})
}

// Read implements inventory.Source.
func (s source) Read(ctx context.Context, path string) (json.RawMessage, error) {
	path, query, _ := strings.Cut(path, "?")
	var params proxmox.Params
	if key, value, ok := strings.Cut(query, "="); ok {
		params = params.Str(key, value)
	}
	return s.Raw(ctx, "GET", path, params)
}

// AgentState implements inventory.Source.
func (s source) AgentState(err error) string { return proxmox.AgentState(err) }

// Calls implements inventory.Source.
func (s source) Calls() int64 {
	var sum int64
	for _, n := range s.Stats().Calls {
		sum += int64(n)
	}
	return sum
}

// Endpoints implements inventory.Source.
func (s source) Endpoints() []inventory.Endpoint {
	var out []inventory.Endpoint
	for _, e := range s.Client.Endpoints() {
		out = append(out, inventory.Endpoint{Address: e.Addr, Node: e.Node, InUse: e.InUse, Learnt: e.Learnt, Failing: e.Failed})
	}
	return out
}

// Permissions implements inventory.Source.
func (s source) Permissions(ctx context.Context) (map[string]map[string]bool, error) {
	return s.Client.Permissions(ctx)
}

// Resources implements inventory.Source: all kinds in one call.
func (s source) Resources(ctx context.Context) ([]pve.Resource, []error, error) {
	return s.Client.Resources(ctx, "")
}
