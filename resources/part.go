package resources

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Options are what the part is made from. Deps, Clusters, Values and Logger are required.
type Options struct {
	// Deps is asked at each read, as at each call of a tool.
	Deps func(ctx context.Context) (tools.Deps, error)
	// Clusters are the configured names that the caller may reach. It opens neither store nor network.
	Clusters func(ctx context.Context) []string
	// Offered says whether a tool is offered to the caller: what its tool does not answer a resource does not either. nil: all are.
	Offered func(ctx context.Context, tool string) bool
	// Values completes an argument (tools.Completer).
	Values func(ctx context.Context, kind tools.Completed, typed, cluster string) []string
	// Who is the caller, to whom its subscriptions count. nil: everybody is one.
	Who func(ctx context.Context) string
	// Follow tells what became known since a mark (inventory.Follow); nil: subscriptions are not served.
	Follow func(ctx context.Context, clusters []string, since inventory.Mark) ([]inventory.News, inventory.Mark, error)
	// Operations is a number that grows with each operation that is written down; nil: those are not told.
	Operations func(ctx context.Context) (int64, error)
	Logger     *slog.Logger
}

// Part is the part of the MCP server that offers resources.
type Part struct {
	o         Options
	hub       *hub
	templates func() []mcp.ResourceTemplate
}

// New makes the part.
func New(o Options) *Part {
	if o.Offered == nil {
		o.Offered = func(context.Context, string) bool { return true }
	}
	if o.Who == nil {
		o.Who = func(context.Context) string { return "" }
	}
	return &Part{o: o, hub: newHub(), templates: sync.OnceValue(templates)}
}

// The cache hints of lists: the templates and pages are those of this version, the clusters those of a configuration file.
const (
	listTTL     = int64(time.Minute / time.Millisecond)
	templateTTL = int64(time.Hour / time.Millisecond)
)

// inside is the one resource that mcp-go knows. It never meets its address from outside: the hook before a read sends what exists there, and
// leaves what does not where mcp-go finds nothing, because a handler cannot answer the protocol's own error for that (facts: mcp.md 6, gap 6).
const inside = "pve://answer"

// Options implements server.Part.
func (p *Part) Options(h *mcpserver.Hooks) []mcpserver.ServerOption {
	h.AddAfterListResources(p.list)
	h.AddAfterListResourceTemplates(func(ctx context.Context, _ any, _ *mcp.ListResourceTemplatesRequest, r *mcp.ListResourceTemplatesResult) {
		r.ResourceTemplates, r.NextCursor = p.offered(ctx), ""
	})
	h.AddBeforeReadResource(p.before)
	h.AddAfterReadResource(after)
	if p.o.Follow != nil {
		p.subscriptions(h)
	}
	return []mcpserver.ServerOption{
		mcpserver.WithResourceCapabilities(p.o.Follow != nil, false),
		mcpserver.WithCompletions(),
		mcpserver.WithResourceCompletionProvider(p),
		mcpserver.WithMethodCacheHints(mcp.MethodResourcesList, listTTL, mcp.CacheScopePrivate),
		mcpserver.WithMethodCacheHints(mcp.MethodResourcesTemplatesList, templateTTL, mcp.CacheScopePrivate),
	}
}

// Attach implements server.Part.
func (p *Part) Attach(s *mcpserver.MCPServer) {
	s.AddResource(mcp.Resource{URI: inside, Name: "answer"}, hand)
}

// list shows each cluster's overview, health, operations and the top of its code, and the pages. The rest is found by templates: a list of all guests would be long.
func (p *Part) list(ctx context.Context, _ any, _ *mcp.ListResourcesRequest, r *mcp.ListResourcesResult) {
	out := []mcp.Resource{}
	for _, cluster := range p.o.Clusters(ctx) {
		for _, k := range kinds() {
			if (k.variable == "" || k.name == codeKind) && p.o.Offered(ctx, k.tool) {
				out = append(out, mcp.Resource{URI: address{cluster: cluster, kind: k}.String(), Name: k.name + " of " + cluster, Title: k.title + " of " + cluster,
					Description: k.about, MIMEType: k.mime, Annotated: annotated(k.priority)})
			}
		}
	}
	for _, page := range docs.Pages() {
		text, err := docs.Read(page.Name)
		if err == nil && !page.Minor {
			out = append(out, mcp.Resource{URI: address{value: page.Name}.String(), Name: page.Name + ".md", Title: page.Title, MIMEType: markdown,
				Annotated: annotated(0.2), Size: pve.Ptr(int64(len(text)))})
		}
	}
	r.Resources, r.NextCursor = out, ""
}

func annotated(priority float64) mcp.Annotated {
	return mcp.Annotated{Annotations: &mcp.Annotations{Audience: []mcp.Role{mcp.RoleUser, mcp.RoleAssistant}, Priority: pve.Ptr(priority)}}
}

// offered are the templates of the kinds that the caller is offered, and of the pages.
func (p *Part) offered(ctx context.Context) []mcp.ResourceTemplate {
	return slices.DeleteFunc(slices.Clone(p.templates()), func(t mcp.ResourceTemplate) bool {
		k, ok := kindOf(t.Name)
		return ok && !p.o.Offered(ctx, k.tool)
	})
}

// templates are those of all kinds. They are made at the first question: the template's library compiles expressions.
func templates() []mcp.ResourceTemplate {
	var out []mcp.ResourceTemplate
	for _, k := range append(kinds(), kind{name: docsHost, title: "Documentation", about: "A page of this program's documentation.", mime: markdown, priority: 0.2}) {
		t := mcp.NewResourceTemplate(k.template(), k.name, mcp.WithTemplateDescription(k.about), mcp.WithTemplateMIMEType(k.mime))
		t.Title, t.Annotated = k.title, annotated(k.priority)
		out = append(out, t)
	}
	return out
}

// mimeOf is the type of a file of code, by its name.
func mimeOf(path string) string {
	for end, mime := range map[string]string{".md": markdown, ".json": "application/json", ".yml": "application/yaml", ".yaml": "application/yaml"} {
		if strings.HasSuffix(path, end) {
			return mime
		}
	}
	return plain
}
