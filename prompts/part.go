package prompts

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/words"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Options are what the part is made from.
type Options struct {
	// Folder is where the owner's prompts and recipes are; "" = nowhere.
	Folder string
	// Offered says whether a tool is offered to the caller.
	Offered func(ctx context.Context, tool string) bool
	// Clusters are the configured names that the caller may reach.
	Clusters func(ctx context.Context) []string
	// Values completes an argument (tools.Completer).
	Values func(ctx context.Context, kind tools.Completed, typed, cluster string) []string
	Logger *slog.Logger
}

// Part is the part of the MCP server that offers prompts. The folder is read at the first question, and again when it was read a while ago.
type Part struct {
	o Options

	mu   sync.Mutex
	set  *Set
	at   time.Time
	told int // problems that were logged
}

// New makes the part; it reads nothing yet.
func New(o Options) *Part { return &Part{o: o} }

const (
	// reread is how old the folder's content may be: who edits a prompt tries it a moment later.
	reread = 2 * time.Second
	// listTTL is how long a client may keep the list.
	listTTL = int64(time.Minute / time.Millisecond)
	// inside is the one prompt that mcp-go knows; answerKey is where the hook before a question leaves its answer for it. So an unknown prompt or
	// argument is the protocol's "invalid params", which a handler cannot answer (facts: mcp.md 6, gap 6).
	inside    = "answer"
	answerKey = "proxmox-mcp/answer"
)

// Options implements server.Part.
func (p *Part) Options(h *mcpserver.Hooks) []mcpserver.ServerOption {
	h.AddAfterListPrompts(func(ctx context.Context, _ any, _ *mcp.ListPromptsRequest, r *mcp.ListPromptsResult) {
		r.Prompts, r.NextCursor = p.list(ctx), ""
	})
	h.AddBeforeGetPrompt(p.before)
	return []mcpserver.ServerOption{
		mcpserver.WithPromptCapabilities(true),
		mcpserver.WithCompletions(),
		mcpserver.WithPromptCompletionProvider(p),
		mcpserver.WithMethodCacheHints(mcp.MethodPromptsList, listTTL, mcp.CacheScopePrivate),
	}
}

// Attach implements server.Part.
func (p *Part) Attach(s *mcpserver.MCPServer) {
	s.AddPrompt(mcp.Prompt{Name: inside}, func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		if r.Params.Meta != nil {
			if res, ok := r.Params.Meta.AdditionalFields[answerKey].(*mcp.GetPromptResult); ok {
				return res, nil
			}
		}
		return nil, fault.New(fault.Internal, "there is no such prompt")
	})
}

// current is what there is now, read again when it is old.
func (p *Part) current() *Set {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set != nil && time.Since(p.at) < reread {
		return p.set
	}
	set, err := Load(p.o.Folder)
	if err != nil {
		p.o.Logger.Error("prompts cannot be read", "err", err)
		set = &Set{}
	}
	if n := len(set.Problems); n != p.told {
		for _, bad := range set.Problems {
			p.o.Logger.Warn("a prompt is left out", "file", bad.File, "err", bad.Why)
		}
		p.told = n
	}
	p.set, p.at = set, time.Now()
	return set
}

// offered are the prompts and recipes whose tools the caller is offered, ours first.
func (p *Part) offered(ctx context.Context) []*Prompt {
	set := p.current()
	all := slices.Clone(set.Prompts)
	for _, r := range set.Recipes {
		if pr, err := r.Prompt(); err == nil {
			all = append(all, pr)
		}
	}
	return slices.DeleteFunc(all, func(pr *Prompt) bool {
		return slices.ContainsFunc(pr.Tools, func(t string) bool { return !p.o.Offered(ctx, t) })
	})
}

func (p *Part) list(ctx context.Context) []mcp.Prompt {
	out := []mcp.Prompt{}
	for _, pr := range p.offered(ctx) {
		m := mcp.Prompt{Name: pr.Name, Title: pr.Title, Description: pr.Description}
		for _, a := range pr.Arguments {
			m.Arguments = append(m.Arguments, mcp.PromptArgument{Name: a.Name, Description: a.Description, Required: a.Required})
		}
		out = append(out, m)
	}
	return out
}

// find is an offered prompt; the error names the nearest.
func (p *Part) find(ctx context.Context, name string) (*Prompt, error) {
	var names []string
	for _, pr := range p.offered(ctx) {
		if pr.Name == name {
			return pr, nil
		}
		names = append(names, pr.Name)
	}
	e := fault.New(fault.NotFound, "there is no such prompt")
	if n := near.Word(name, names); n != "" {
		e.Message += ": did you mean " + n + "?"
	}
	return nil, e
}

// before fills the prompt that is asked for.
func (p *Part) before(ctx context.Context, _ any, r *mcp.GetPromptRequest) {
	pr, err := p.find(ctx, r.Params.Name)
	var text string
	if err == nil {
		err = p.reach(ctx, pr, r.Params.Arguments)
	}
	if err == nil {
		text, err = pr.Fill(r.Params.Arguments)
	}
	if err != nil {
		r.Params.Name = words.Mark(tools.ErrorLine(err))
		return
	}
	r.Params.Name = inside
	r.Params.Meta = &mcp.Meta{AdditionalFields: map[string]any{answerKey: &mcp.GetPromptResult{Description: pr.Description,
		Messages: []mcp.PromptMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(text)}}}}}
}

// reach refuses a cluster that no call of the prompt could ask. What a cluster holds is for its calls to find: a guest may be there by then.
func (p *Part) reach(ctx context.Context, pr *Prompt, args map[string]string) error {
	for _, a := range pr.Arguments {
		v := strings.TrimSpace(args[a.Name])
		if a.Complete != tools.ByCluster || v == "" {
			continue
		}
		if may := p.o.Clusters(ctx); !slices.Contains(may, v) {
			return fault.BadField(a.Name, fmt.Sprintf("no cluster that you may ask is called %q; there are: %s", clean.Line(v, 60), strings.Join(may, ", ")), "")
		}
	}
	return nil
}

// CompletePromptArgument implements mcp-go's PromptCompletionProvider. What is unknown has no values: somebody is typing.
func (p *Part) CompletePromptArgument(ctx context.Context, name string, arg mcp.CompleteArgument, with mcp.CompleteContext) (*mcp.Completion, error) {
	pr, err := p.find(ctx, name)
	if err != nil {
		return tools.Completion(nil), nil //nolint:nilerr // as said
	}
	for _, a := range pr.Arguments {
		switch {
		case a.Name != arg.Name:
		case a.Complete != "":
			return tools.Completion(p.o.Values(ctx, a.Complete, arg.Value, with.Arguments["cluster"])), nil
		default:
			return tools.Completion(near.Complete(arg.Value, a.Values)), nil
		}
	}
	return tools.Completion(nil), nil
}
