package server

import (
	"context"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/internal/words"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

type toolsetKey struct{}

// WithToolset narrows what this request is offered, within what the operator and the caller's credential leave.
func WithToolset(ctx context.Context, t tools.Toolset) context.Context {
	return context.WithValue(ctx, toolsetKey{}, t)
}

// Offered says whether a tool is there for the caller: its credential's families and the request's own choice both have it.
func Offered(ctx context.Context, s *tools.Spec) bool {
	if families := IdentityOf(ctx).Scope.Families; families != nil && (len(families) == 0 || !tools.Toolset{Families: families}.Has(*s)) {
		return false
	}
	t, ok := ctx.Value(toolsetKey{}).(tools.Toolset)
	return !ok || t.Has(*s)
}

// caller is what a tool's schema depends on, for who asks.
func (o Options) caller(ctx context.Context) tools.Caller {
	c := o.Caller
	c.Level = o.level(ctx)
	if some := IdentityOf(ctx).Scope.Clusters; some != nil {
		c.MultiCluster = c.MultiCluster && len(some) > 1
	}
	return c
}

// bounded refuses calls of tools that the caller is not offered, or whose lowest tier is above what its credential reaches. What is allowed
// here at all, and of which object, policy judges.
func bounded(o Options) mcpserver.ToolHandlerMiddleware {
	specs := make(map[string]*tools.Spec, len(o.Specs))
	for k := range o.Specs {
		specs[o.Specs[k].Name] = &o.Specs[k]
	}
	return func(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
		return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			s, most := specs[r.Params.Name], IdentityOf(ctx).Scope.Tier
			var why string
			switch {
			case s == nil:
			case !Offered(ctx, s):
				why = "your credential, or this request's own choice of tools, leaves it out"
			case s.Tier > most:
				why = "your credential reaches " + most.String() + " at most, this takes " + s.Tier.String()
			}
			if why == "" {
				return next(ctx, r)
			}
			if o.Refused != nil {
				o.Refused(ctx, s.Name, why)
			}
			telemetry.OperationOf(ctx).Fail(string(fault.Denied))
			e := fault.New(fault.Denied, "%s is not open to you: %s", s.Name, why)
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{mcp.NewTextContent(tools.ErrorText(e))}}, nil
		}
	}
}

// unknownTool gives a call of a tool that is not here the words that the command line has for it, with the nearest name.
func unknownTool(o Options, s *MCP) mcpserver.OnBeforeCallToolFunc {
	return func(_ context.Context, _ any, r *mcp.CallToolRequest) {
		for k := range o.Specs {
			if o.Specs[k].Name == r.Params.Name {
				return
			}
		}
		if s.GetTool(r.Params.Name) != nil { // of a Part
			return
		}
		_, err := tools.Find(r.Params.Name)
		if err == nil {
			err = fault.New(fault.Denied, "%s is left out by this server's choice of tools", r.Params.Name)
		}
		r.Params.Name = words.Mark(tools.ErrorLine(err))
	}
}

// Refuse answers a request that is not let in, in the form that all refusals of the HTTP door have.
func Refuse(w http.ResponseWriter, status int, text string) { refuse(w, status, text) }
