package tools

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// This file is the only one of the package that knows mcp-go.

// callDeadline bounds a call above the 45 s that waiting may take, so that no handler outlives its answer.
const callDeadline = 60 * time.Second

// anyInput stands in for a registered tool's schema: the list is made of Tool, for who asks, and mcp-go parses what is registered,
// which took a tenth of the time to the first answer.
var anyInput = json.RawMessage(`{"type":"object"}`)

// ServerTool is what mcp-go needs to know of the tool to call it; Tool is what is listed. deps is asked on each call, because the
// first one opens store and cluster.
func (s Spec) ServerTool(deps func(ctx context.Context) (Deps, error)) server.ServerTool {
	return server.ServerTool{Tool: mcp.Tool{Name: s.Name, RawInputSchema: anyInput}, Handler: s.handler(deps)}
}

// Tool is the tool as a caller sees it.
func (s Spec) Tool(c Caller) mcp.Tool {
	tool := mcp.Tool{
		Name: s.Name, Title: s.Title, Description: s.Summary, RawInputSchema: s.InputSchema(c),
		Annotations: mcp.ToolAnnotation{Title: s.Title, ReadOnlyHint: pve.Ptr(s.Tier == R0), DestructiveHint: pve.Ptr(s.Highest(c.Level) >= R3),
			IdempotentHint: pve.Ptr(s.Tier == R0), OpenWorldHint: pve.Ptr(true)},
	}
	if s.Highest(c.Level) >= R3 {
		tool.Meta = &mcp.Meta{AdditionalFields: map[string]any{"anthropic/requiresUserInteraction": true}}
	}
	tool.RawOutputSchema = s.OutputSchema()
	return tool
}

func (s Spec) handler(deps func(ctx context.Context) (Deps, error)) server.ToolHandlerFunc {
	return func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ctx, cancel := context.WithTimeout(ctx, callDeadline)
		defer cancel()
		d, err := deps(ctx)
		if err != nil {
			return errorResult(ctx, err), nil
		}
		d.Progress, d.Who.Elicits = progress(ctx, r), canElicit(ctx)
		if d.Agreed, d.Accepted, err = s.agreement(d, r); err != nil {
			return nil, err // the client's fault and no model's: an error of the protocol
		}
		raw, err := rawArguments(r)
		if err != nil {
			return errorResult(ctx, err), nil
		}
		res, err := s.Call(ctx, d, raw)
		if q, ok := asks(res, err); ok {
			if modern(ctx) {
				return s.askModern(d, q), nil
			}
			if d.Agreed, d.Accepted, ok = askLegacy(ctx, q); ok {
				res, err = s.Call(ctx, d, raw)
			}
		}
		if err != nil {
			return errorResult(ctx, err), nil
		}
		return result(res, d), nil
	}
}

// asking is implemented by answers that the client's user has to agree to: the plan and the question about it.
type asking interface {
	Asks() (plan, question string)
}

type query struct{ plan, question string }

func asks(res Result, err error) (query, bool) {
	a, ok := res.Answer.(asking)
	if err != nil || !ok {
		return query{}, false
	}
	plan, question := a.Asks()
	return query{plan, question}, question != ""
}

func modern(ctx context.Context) bool {
	i := server.RequestProtocolInfoFromContext(ctx)
	return i != nil && i.Modern
}

// canElicit says whether the client declared that it can show its user a form: mcp-go would ask, and hang, without (facts: mcp.md 6.2). The
// old HTTP+SSE transport cannot carry the question.
func canElicit(ctx context.Context) bool {
	if i := server.RequestProtocolInfoFromContext(ctx); i != nil && i.Modern {
		return i.ClientCapabilities != nil && forms(i.ClientCapabilities.Elicitation)
	}
	s := server.ClientSessionFromContext(ctx)
	if _, ok := s.(server.SessionWithElicitation); !ok {
		return false
	}
	c, ok := s.(server.SessionWithClientInfo)
	return ok && forms(c.GetClientCapabilities().Elicitation)
}

// forms: a client that names neither form nor url means forms, as before there were two kinds.
func forms(c *mcp.ElicitationCapability) bool { return c != nil && (c.Form != nil || c.URL == nil) }

// agree is the form of the question: accepting it is the answer.
func agree(q query) mcp.ElicitationParams {
	return mcp.ElicitationParams{Message: q.question, RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}}
}

// askLife is how long a question of the newer protocol can be answered: its state is of no use after it. The plan waits longer.
const askLife = 15 * time.Minute

// askModern answers a question; the client calls again with its user's answer under the plan's id, and the sealed state that proves who
// was asked what by which tool.
func (s Spec) askModern(d Deps, q query) *mcp.CallToolResult {
	state := d.State.Seal(q.plan, askLife, d.Who.Principal, s.Name)
	return server.NewInputRequestBuilder(state).Elicit(q.plan, agree(q)).ToolResult()
}

// askLimit is how long an older client's user may think: the call then answers the plan, which a second call applies.
const askLimit = 25 * time.Second

// askLegacy asks the user of an older client. Without an answer in time ok is false.
func askLegacy(ctx context.Context, q query) (plan string, accepted, ok bool) {
	srv := server.ServerFromContext(ctx)
	if srv == nil {
		return "", false, false
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	res, err := srv.RequestElicitation(ctx, mcp.ElicitationRequest{Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: agree(q)})
	if err != nil || res == nil {
		return "", false, false
	}
	return q.plan, res.Action == mcp.ElicitationResponseActionAccept, true
}

// agreement is the answer that a call brings to an earlier question. The state names the plan and is sealed: nobody else's, no other
// tool's, no changed and no old one opens. Only the answer under the plan's id counts.
func (s Spec) agreement(d Deps, r mcp.CallToolRequest) (plan string, accepted bool, err error) {
	if r.Params.RequestState == "" {
		return "", false, nil
	}
	plan, err = d.State.Open(r.Params.RequestState, d.Who.Principal, s.Name)
	if err != nil {
		return "", false, fault.Wrap(fault.Denied, err, "the request state that came with the answer is not valid").WithHint("call the tool again without it: the question is asked anew")
	}
	res := server.ElicitationResponse(r.Params.InputResponses, plan)
	if res == nil {
		return "", false, nil
	}
	return plan, res.Action == mcp.ElicitationResponseActionAccept, nil
}

func rawArguments(r mcp.CallToolRequest) (json.RawMessage, error) {
	if len(r.Params.RawArguments) > 0 {
		return r.Params.RawArguments, nil
	}
	raw, err := json.Marshal(r.Params.Arguments)
	if err != nil {
		return nil, fault.BadField("arguments", "must be a JSON object", "{}")
	}
	return raw, nil
}

// result renders an answer once: text; a handle beside it where programs read on; or, for format json, the whole value as
// structured content with one line of text, because some clients show both and data should reach the model once.
func result(res Result, d Deps) *mcp.CallToolResult {
	view := res.Answer.View(d)
	text := view.Compact()
	if res.JSON {
		head, _, _ := strings.Cut(text, "\n")
		return &mcp.CallToolResult{StructuredContent: res.Answer,
			Content: []mcp.Content{mcp.NewTextContent(head + "\n(all of it is in the structured content; format text shows it here)")}}
	}
	out := &mcp.CallToolResult{Content: []mcp.Content{mcp.NewTextContent(text)}}
	if s, ok := res.Answer.(Structured); ok {
		out.StructuredContent = s.Handle()
	}
	return out
}

// errorResult is a domain error as the model sees it. Proxmox VE's own words can quote guest names: they are data and cleaned.
func errorResult(ctx context.Context, err error) *mcp.CallToolResult {
	telemetry.OperationOf(ctx).Fail(string(fault.CodeOf(err)))
	return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{mcp.NewTextContent(ErrorText(err))}}
}

// ErrorText is an error in lines: code and message, cause, hint, example, next.
func ErrorText(err error) string {
	e := fault.Of(err)
	var b strings.Builder
	b.WriteString("error " + string(e.Code) + ": " + clean.Line(redact.Text(e.Message), 500))
	add := func(label, text string) {
		if text != "" {
			b.WriteString("\n" + label + ": " + clean.Block(redact.Text(text), 800))
		}
	}
	if !strings.Contains(e.Message, e.Cause) {
		add("cause", e.Cause)
	}
	add("example", e.Example)
	add("hint", e.Hint)
	add("next", e.Next)
	if e.Retryable {
		b.WriteString("\nretryable: yes")
	}
	return b.String()
}

// ErrorLine is an error in one line, for where the protocol has room for no more: what is wrong, and what helps.
func ErrorLine(err error) string {
	e := fault.Of(err)
	text := clean.Line(redact.Text(e.Error()), 300)
	if e.Example != "" {
		text += "; for example: " + clean.Line(redact.Text(e.Example), 100)
	}
	if e.Hint != "" {
		text += "; " + clean.Line(redact.Text(e.Hint), 200)
	}
	return text
}

// maxValues is the protocol's bound of a completion.
const maxValues = 100

// Completion is a list of values as the protocol wants it: at most 100, with how many there are.
func Completion(values []string) *mcp.Completion {
	return &mcp.Completion{Values: values[:min(len(values), maxValues)], Total: len(values), HasMore: len(values) > maxValues}
}

// progress sends notifications/progress where the client gave a token for the call.
func progress(ctx context.Context, r mcp.CallToolRequest) func(done, total float64, text string) {
	srv := server.ServerFromContext(ctx)
	if srv == nil || r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil {
		return nil
	}
	last := -1.0
	return func(done, total float64, text string) {
		// The protocol wants progress to grow with each notification; a repeated figure moves by a hair.
		if done <= last {
			done = last + 0.001
		}
		last = done
		params := map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": done, "message": text}
		if total > 0 {
			params["total"] = total
		}
		// A notification that cannot be delivered must not fail the call; mcp-go reports it to its error hook.
		_ = srv.SendNotificationToClient(ctx, "notifications/progress", params)
	}
}
