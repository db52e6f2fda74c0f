package auth

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// call is what a request asks for, as far as admission needs it.
type call struct {
	tool   *tools.Spec // of a tool's call, nil otherwise
	tier   tools.Tier
	writes bool
	stream bool
}

// read looks into a request's message. What it cannot read passes as a read: what comes after refuses it.
func (g *Gate) read(r *http.Request) call {
	if r.Method != http.MethodPost {
		return call{stream: r.Method == http.MethodGet}
	}
	body, _ := server.Message(r) // one that cannot be read is refused by what comes after
	if name, sure := server.CalledTool(body); sure {
		if tool := g.specs[name]; tool != nil && tool.Tier == tools.R0 && len(tool.Acts) == 0 {
			return call{tool: tool}
		}
	}
	var m struct {
		Method string `json:"method"`
		Params struct {
			Name      string `json:"name"`
			Arguments struct {
				Action string `json:"action"`
			} `json:"arguments"`
		} `json:"params"`
	}
	if json.Unmarshal(body, &m) != nil && m.Method == "" {
		return call{}
	}
	c := call{stream: m.Method == "subscriptions/listen"}
	if m.Method == "tools/call" {
		if c.tool = g.specs[m.Params.Name]; c.tool != nil {
			c.tier = c.tool.TierOf(m.Params.Arguments.Action)
			c.writes = c.tool.Tier > tools.R0
		}
	}
	return c
}

// reaches refuses a tool above the scopes of an access token in the words of RFC 6750: its client can ask its user for more. Other
// credentials cannot grow; what they do not reach is refused by the tool's answer.
func (g *Gate) reaches(ctx context.Context, id server.Identity, c call) *refusal {
	if c.tool == nil || c.tier <= id.Scope.Tier || id.Principal.Kind != oauthKind {
		return nil
	}
	why := "the access token reaches " + id.Scope.Tier.String() + " at most, this takes " + c.tier.String()
	if err := g.o.Book.Refused(ctx, id.Principal, c.tool.Name, why); err != nil {
		g.o.Logger.Error("a refusal could not be written down", "principal", id.Principal.String(), "err", err)
	}
	return &refusal{status: http.StatusForbidden, code: "insufficient_scope", text: why, scope: g.o.OAuth.scopeFor(c.tier)}
}

// The headers by which a request chooses what it is offered, within what the operator and its credential leave, as net/http spells them:
// each is looked for at every request.
const (
	familiesHeader = "X-Mcp-Families"
	toolsHeader    = "X-Mcp-Tools"
	excludeHeader  = "X-Mcp-Exclude-Tools"
	readonlyHeader = "X-Mcp-Readonly"
)

// narrow takes a request's own choice of tools; a name that there is not is refused with those that there are.
func narrow(ctx context.Context, h http.Header) (context.Context, *refusal) {
	t := tools.Toolset{Families: names(h, familiesHeader), Tools: names(h, toolsHeader), Exclude: names(h, excludeHeader)}
	if len(t.Families)+len(t.Tools)+len(t.Exclude) > 0 {
		if err := t.Check(); err != nil {
			return ctx, &refusal{status: http.StatusBadRequest, text: "X-MCP-* header: " + err.Error()}
		}
		ctx = server.WithToolset(ctx, t)
	}
	text := h.Get(readonlyHeader)
	if text == "" {
		return ctx, nil
	}
	only, err := strconv.ParseBool(strings.ToLower(text))
	if err != nil {
		return ctx, &refusal{status: http.StatusBadRequest, text: readonlyHeader + " must be true or false"}
	}
	if only {
		id := server.IdentityOf(ctx)
		id.Scope.Tier = tools.R0
		ctx = server.WithIdentity(ctx, id)
	}
	return ctx, nil
}

func names(h http.Header, key string) []string {
	if len(h[key]) == 0 {
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(strings.Join(h[key], ","), ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
