package resources

import (
	"context"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/proxmox-mcp/proxmox-mcp/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// CompleteResourceArgument implements mcp-go's ResourceCompletionProvider. An unknown template or variable has no values; a store that cannot
// be read has none either, because somebody is typing and an error would be in the way.
func (p *Part) CompleteResourceArgument(ctx context.Context, uri string, arg mcp.CompleteArgument, with mcp.CompleteContext) (*mcp.Completion, error) {
	if uri == (kind{name: docsHost}).template() && arg.Name == "name" {
		var names []string
		for _, page := range docs.Pages() {
			names = append(names, page.Name)
		}
		return tools.Completion(near.Complete(arg.Value, names)), nil
	}
	for _, k := range kinds() {
		if uri != k.template() {
			continue
		}
		if arg.Name == "cluster" {
			return tools.Completion(p.o.Values(ctx, tools.ByCluster, arg.Value, "")), nil
		}
		if arg.Name == strings.TrimPrefix(k.variable, "+") && k.value != "" && p.o.Offered(ctx, k.tool) {
			return tools.Completion(p.o.Values(ctx, k.value, arg.Value, with.Arguments["cluster"])), nil
		}
	}
	return tools.Completion(nil), nil
}
