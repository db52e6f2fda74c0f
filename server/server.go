package server

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Options are what every transport's server is made from.
type Options struct {
	Version string
	Specs   []tools.Spec
	Caller  tools.Caller
	// Level is the highest tier that a caller can reach now; nil: reading. It is asked at each list, and touches no database where
	// nothing but reading is allowed.
	Level func(ctx context.Context) tools.Tier
	// Deps is asked on each call: the first one opens the store and the clusters, so that listing tools touches neither.
	Deps func(ctx context.Context) (tools.Deps, error)
	// Parts are what is offered beside tools; nil: nothing.
	Parts []Part
	// Refused hears of a call that the caller's credential does not reach, to write it down; nil: nobody does.
	Refused func(ctx context.Context, tool, why string)
	Logger  *slog.Logger
	// Telemetry measures each request; nil: nothing does.
	Telemetry *telemetry.T
}

// Part is something that the server offers beside tools, resources or prompts, with its own handlers and hooks.
type Part interface {
	// Options are asked for once, before the server is made. A hook that is added to h runs after those of the server.
	Options(h *mcpserver.Hooks) []mcpserver.ServerOption
	// Attach gives the part the server that was made.
	Attach(s *MCP)
}

func (o Options) level(ctx context.Context) tools.Tier {
	if o.Level == nil {
		return o.Caller.Level
	}
	return o.Level(ctx)
}

// MCP is the protocol's server.
type MCP = mcpserver.MCPServer

// New makes the MCP server: the same one for every transport.
func New(o Options) *MCP {
	hooks := instruct(o)
	with := []mcpserver.ServerOption{
		mcpserver.WithTitle("Proxmox VE"),
		mcpserver.WithHooks(hooks),
		mcpserver.WithToolCapabilities(true),
		mcpserver.WithToolFilter(listed(o)),
		mcpserver.WithToolHandlerMiddleware(nameCalls),
		mcpserver.WithToolHandlerMiddleware(bounded(o)),
		mcpserver.WithToolHandlerMiddleware(tell),
		mcpserver.WithToolHandlerMiddleware(logCalls(o.Logger)),
		mcpserver.WithToolHandlerMiddleware(recoverCalls(o.Logger)),
		// Five minutes spare clients a round trip per turn; when what is allowed changes they are told. What is listed depends on who asks.
		mcpserver.WithMethodCacheHints(mcp.MethodToolsList, int64(5*time.Minute/time.Millisecond), mcp.CacheScopePrivate),
	}
	with = append(with, measured(o.Telemetry, hooks)...)
	for _, p := range o.Parts {
		with = append(with, p.Options(hooks)...)
	}
	s := mcpserver.NewMCPServer("proxmox-mcp", o.Version, with...)
	hooks.AddBeforeCallTool(unknownTool(o, s))
	list := make([]mcpserver.ServerTool, 0, len(o.Specs))
	for _, spec := range o.Specs {
		list = append(list, spec.ServerTool(o.Deps))
	}
	s.AddTools(list...)
	for _, p := range o.Parts {
		p.Attach(s)
	}
	return s
}

// listed shows the tools and actions that are allowed now. A call names one tool and passes: the engine of changes refuses what is not
// allowed, and writes down that it did (S01).
func listed(o Options) mcpserver.ToolFilterFunc {
	return func(ctx context.Context, all []mcp.Tool) []mcp.Tool {
		if len(all) == 1 && len(o.Specs) > 1 {
			return all
		}
		c := o.caller(ctx)
		out := make([]mcp.Tool, 0, len(all))
		for k := range o.Specs {
			if s := &o.Specs[k]; s.Shown(c) && Offered(ctx, s) {
				out = append(out, s.Tool(c))
			}
		}
		if len(all) > len(o.Specs) {
			out = append(out, beside(o.Specs, all)...)
		}
		return out
	}
}

// beside are the tools that a Part added: the fixtures of the conformance suite, in a test binary.
func beside(specs []tools.Spec, all []mcp.Tool) []mcp.Tool {
	return slices.DeleteFunc(slices.Clone(all), func(t mcp.Tool) bool {
		return slices.ContainsFunc(specs, func(s tools.Spec) bool { return s.Name == t.Name })
	})
}

// logCalls logs each call once, at the edge: tool, principal, duration, outcome. Arguments stay out of the log.
func logCalls(log *slog.Logger) mcpserver.ToolHandlerMiddleware {
	return func(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
		return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			start := time.Now()
			res, err := next(ctx, r)
			level := slog.LevelDebug
			if err != nil || (res != nil && res.IsError) {
				level = slog.LevelInfo
			}
			if !log.Enabled(ctx, level) {
				return res, err
			}
			log.LogAttrs(ctx, level, "tool call", slog.String("tool", r.Params.Name), slog.String("principal", PrincipalOf(ctx).String()),
				slog.Duration("took", time.Since(start)), slog.Bool("error", err != nil || (res != nil && res.IsError)))
			return res, err
		}
	}
}

// recoverCalls turns a panic of a handler into an error result: one bad answer never ends the server. The panic's text stays in
// the log, because it can quote what was being decoded.
func recoverCalls(log *slog.Logger) mcpserver.ToolHandlerMiddleware {
	return func(next mcpserver.ToolHandlerFunc) mcpserver.ToolHandlerFunc {
		return func(ctx context.Context, r mcp.CallToolRequest) (res *mcp.CallToolResult, err error) {
			defer func() {
				if p := recover(); p != nil {
					log.ErrorContext(ctx, "tool panicked", "tool", r.Params.Name, "kind", panicKind(p))
					telemetry.OperationOf(ctx).Fail(string(fault.Internal))
					e := fault.New(fault.Internal, "%s failed on an internal error", r.Params.Name).WithHint("the server's log has the details; please report it")
					res, err = &mcp.CallToolResult{IsError: true, Content: []mcp.Content{mcp.NewTextContent(tools.ErrorText(e))}}, nil
				}
			}()
			return next(ctx, r)
		}
	}
}

// panicKind names a panic without its values: a runtime error's text is safe, anything else can hold data.
func panicKind(p any) string {
	if e, ok := p.(interface {
		error
		RuntimeError()
	}); ok {
		return e.Error()
	}
	return "other"
}
