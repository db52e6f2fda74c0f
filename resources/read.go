package resources

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/docs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/words"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

const (
	// readLimit is that of a tool's call.
	readLimit = 60 * time.Second
	// maxText bounds an answer, in bytes. The tools' texts are far below; a file of code for a thousand guests is not.
	maxText = 256 << 10
	// answerKey is where the hook before a read leaves its answer for the handler. A client's value under it is replaced or left unused.
	answerKey = "proxmox-mcp/answer"
)

// answer is what a read found.
type answer struct {
	uri  string // as it was asked for
	at   address
	text string
	err  error
}

// before reads. What exists goes to the handler; what does not is given an address that nothing is at, with the reason in it.
func (p *Part) before(ctx context.Context, _ any, r *mcp.ReadResourceRequest) {
	began := time.Now()
	a := &answer{uri: r.Params.URI}
	if a.at, a.err = parse(r.Params.URI); a.err == nil {
		a.text, a.err = p.read(ctx, a.at)
	}
	if a.err != nil && missing(a.err) {
		r.Params.URI = words.Mark(tools.ErrorLine(a.err))
	} else {
		r.Params.URI = inside
	}
	r.Params.Meta = &mcp.Meta{AdditionalFields: map[string]any{answerKey: a}}
	p.o.Logger.LogAttrs(ctx, slog.LevelDebug, "resource read", slog.String("kind", a.at.kind.name), slog.String("principal", p.o.Who(ctx)),
		slog.Duration("took", time.Since(began)), slog.Bool("error", a.err != nil))
}

// missing says that an error means "there is no such thing", or none for who asks.
func missing(err error) bool {
	return slices.Contains([]fault.Code{fault.NotFound, fault.Invalid, fault.Ambiguous, fault.Denied}, fault.CodeOf(err))
}

func found(r *mcp.ReadResourceRequest) *answer {
	if r.Params.Meta == nil {
		return nil
	}
	a, _ := r.Params.Meta.AdditionalFields[answerKey].(*answer)
	return a
}

// hand gives out what was read.
func hand(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
	a := found(&r)
	if a == nil {
		return nil, fault.New(fault.Internal, "nothing was read")
	}
	if a.err != nil {
		return nil, fmt.Errorf("%s", tools.ErrorText(a.err))
	}
	mime := a.at.kind.mime
	if a.at.kind.name == codeKind {
		mime = mimeOf(a.at.value)
	}
	return []mcp.ResourceContents{mcp.TextResourceContents{URI: a.uri, MIMEType: mime, Text: a.text}}, nil
}

// after says how long a client may keep what it read. A page is the same for everybody.
func after(ctx context.Context, _ any, r *mcp.ReadResourceRequest, res *mcp.ReadResourceResult) {
	info := mcpserver.RequestProtocolInfoFromContext(ctx)
	if a := found(r); a != nil && res != nil && info != nil && info.Modern {
		scope := mcp.CacheScopePrivate
		if a.at.cluster == "" {
			scope = mcp.CacheScopePublic
		}
		res.SetCacheHints(a.at.kind.ttl, scope)
	}
}

// read answers an address as its tool does.
func (p *Part) read(ctx context.Context, a address) (text string, err error) {
	defer func() {
		if r := recover(); r != nil { // one bad answer never ends the server; its values stay out of log and answer
			p.o.Logger.ErrorContext(ctx, "reading a resource panicked", "kind", a.kind.name)
			err = fault.New(fault.Internal, "reading this resource failed on an internal error")
		}
	}()
	if a.cluster == "" {
		return docs.Read(a.value)
	}
	if err := p.open(ctx, a); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	d, err := p.o.Deps(ctx)
	if err != nil {
		return "", err
	}
	if a.kind.name == codeKind {
		return codeAt(ctx, d, a)
	}
	return ask(ctx, d, a)
}

// open refuses a cluster that the caller may not ask, and a kind whose tool it is not offered. It says the same whether the object exists or not.
func (p *Part) open(ctx context.Context, a address) error {
	switch {
	case !slices.Contains(p.o.Clusters(ctx), a.cluster):
		return fault.New(fault.NotFound, "no cluster that you may ask has this name")
	case !p.o.Offered(ctx, a.kind.tool):
		return fault.New(fault.Denied, "%s is not open to you: it shows what %s tells, which your credential's families, or a choice of tools made here, leave out",
			a.kind.template(), a.kind.tool)
	}
	return nil
}

// ask calls the kind's tool.
func ask(ctx context.Context, d tools.Deps, a address) (string, error) {
	spec, err := tools.Find(a.kind.tool)
	if err != nil {
		return "", err
	}
	args := map[string]any{"cluster": a.cluster}
	if a.kind.argument != "" {
		args[a.kind.argument] = a.value
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return "", err
	}
	res, err := spec.Call(ctx, d, raw)
	if err != nil {
		return "", err
	}
	return capped(res.Answer.View(d).Compact()), nil
}

// capped cuts what is too long at the end of a line, and says so.
func capped(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for end > 0 && text[end-1] != '\n' {
		end--
	}
	return text[:end] + "! cut here: " + strconv.Itoa(len(text)) + " bytes are more than is given out\n"
}
