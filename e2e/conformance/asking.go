package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

type object = map[string]any

// form asks for one field.
func form(message, field, kind string) mcp.ElicitationParams {
	return mcp.ElicitationParams{Message: message, RequestedSchema: object{"type": "object", "properties": object{field: object{"type": kind}}, "required": []string{field}}}
}

// elicits asks in the way of older revisions and says what came.
func (f *fixtures) elicits(name, answer string, properties object, required []string, more ...mcp.ToolOption) {
	f.tool(name, func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		schema := object{"type": "object", "properties": properties}
		if len(required) > 0 {
			schema["required"] = required
		}
		res, err := f.s.RequestElicitation(ctx, mcp.ElicitationRequest{Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)},
			Params: mcp.ElicitationParams{Message: r.GetString("message", "Please answer"), RequestedSchema: schema}})
		if err != nil {
			return nil, err
		}
		return mcp.NewToolResultText(fmt.Sprintf("%s: action=%s, content=%v", answer, res.Action, res.Content)), nil
	}, more...)
}

func (f *fixtures) askingTools() {
	text := func(more object) object {
		out := object{"type": "string"}
		maps.Copy(out, more)
		return out
	}
	titled := []object{{"const": "value1", "title": "First"}, {"const": "value2", "title": "Second"}}
	f.elicits("test_elicitation", "User response", object{"username": text(nil), "email": text(nil)}, []string{"username", "email"},
		mcp.WithString("message", mcp.Required()))
	f.elicits("test_elicitation_sep1034_defaults", "Elicitation completed", object{
		"name": text(object{"default": "John Doe"}), "age": object{"type": "integer", "default": 30}, "score": object{"type": "number", "default": 95.5},
		"status": text(object{"enum": []string{"active", "inactive", "pending"}, "default": "active"}), "verified": object{"type": "boolean", "default": true}}, nil)
	f.elicits("test_elicitation_sep1330_enums", "Elicitation completed", object{
		"untitledSingle": text(object{"enum": []string{"a", "b"}}), "titledSingle": text(object{"oneOf": titled}),
		"legacyEnum":    text(object{"enum": []string{"a", "b"}, "enumNames": []string{"A", "B"}}),
		"untitledMulti": object{"type": "array", "items": text(object{"enum": []string{"a", "b"}})},
		"titledMulti":   object{"type": "array", "items": object{"anyOf": titled}}}, nil)
	f.tool("test_sampling", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		res, err := f.s.RequestSampling(ctx, mcp.CreateMessageRequest{Request: mcp.Request{Method: string(mcp.MethodSamplingCreateMessage)}, CreateMessageParams: sample(r.GetString("prompt", ""), 100)}) //nolint:staticcheck // deprecated, and in the suite
		if err != nil {
			return nil, err
		}
		return mcp.NewToolResultText("LLM response: " + mcp.GetTextFromContent(res.Content)), nil
	}, mcp.WithString("prompt", mcp.Required()))
	f.tool("test_missing_capability", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if c := declared(ctx); c == nil || c.Sampling == nil {
			return nil, fmt.Errorf("this tool needs sampling, which the client did not declare")
		}
		return mcp.NewToolResultText("sampling is there"), nil
	})
	f.inputTools()
}

func declared(ctx context.Context) *mcp.ClientCapabilities {
	if i := mcpserver.RequestProtocolInfoFromContext(ctx); i != nil {
		return i.ClientCapabilities
	}
	return nil
}

func sample(prompt string, tokens int) mcp.CreateMessageParams {
	return mcp.CreateMessageParams{MaxTokens: tokens, Messages: []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(prompt)}}}
}

// asks is a tool that wants input: ask says what to ask of this call, nil = done with text.
func (f *fixtures) asks(name string, ask func(ctx context.Context, r mcp.CallToolRequest) (b *mcpserver.InputRequestBuilder, done string, err error)) {
	f.tool(name, func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		b, done, err := ask(ctx, r)
		switch {
		case err != nil:
			return nil, err
		case b != nil:
			return b.ToolResult(), nil
		}
		return mcp.NewToolResultText(done), nil
	})
}

type builder = *mcpserver.InputRequestBuilder

// stateLife is longer than any scenario.
const stateLife = time.Minute

func (f *fixtures) state(step string, r mcp.CallToolRequest) string {
	return f.box.Seal(step, stateLife, r.Params.Name)
}

func (f *fixtures) inputTools() {
	elicited := func(r mcp.CallToolRequest, key string) *mcp.ElicitationResult {
		return mcpserver.ElicitationResponse(r.Params.InputResponses, key)
	}
	f.asks("test_input_required_result_elicitation", func(_ context.Context, r mcp.CallToolRequest) (builder, string, error) {
		if a := elicited(r, "user_name"); a != nil {
			if fields, ok := a.Content.(map[string]any); ok {
				return nil, fmt.Sprintf("Hello, %v!", fields["name"]), nil
			}
		}
		return mcpserver.NewInputRequestBuilder("").Elicit("user_name", form("What is your name?", "name", "string")), "", nil
	})
	f.asks("test_input_required_result_sampling", func(_ context.Context, r mcp.CallToolRequest) (builder, string, error) {
		if a := mcpserver.SamplingResponse(r.Params.InputResponses, "capital_question"); a != nil {
			return nil, fmt.Sprint(a.Content), nil
		}
		return mcpserver.NewInputRequestBuilder("").Sample("capital_question", sample("What is the capital of France?", 100)), "", nil
	})
	f.asks("test_input_required_result_list_roots", func(_ context.Context, r mcp.CallToolRequest) (builder, string, error) {
		if a := mcpserver.RootsResponse(r.Params.InputResponses, "client_roots"); a != nil {
			return nil, fmt.Sprint(a.Roots), nil
		}
		return mcpserver.NewInputRequestBuilder("").Roots("client_roots"), "", nil
	})
	for _, name := range []string{"test_input_required_result_request_state", "test_input_required_result_tampered_state"} {
		f.asks(name, func(_ context.Context, r mcp.CallToolRequest) (builder, string, error) {
			if r.Params.RequestState == "" {
				return mcpserver.NewInputRequestBuilder(f.state("asked", r)).Elicit("confirm", form("Please confirm", "ok", "boolean")), "", nil
			}
			_, err := f.box.Open(r.Params.RequestState, name)
			return nil, "state-ok", err
		})
	}
	f.asks("test_input_required_result_multi_round", func(_ context.Context, r mcp.CallToolRequest) (builder, string, error) {
		if r.Params.RequestState == "" {
			return mcpserver.NewInputRequestBuilder(f.state("1", r)).Elicit("step1", form("Step 1: What is your name?", "name", "string")), "", nil
		}
		step, err := f.box.Open(r.Params.RequestState, r.Params.Name)
		if err == nil && step == "1" {
			return mcpserver.NewInputRequestBuilder(f.state("2", r)).Elicit("step2", form("Step 2: What is your favorite color?", "color", "string")), "", nil
		}
		return nil, "both steps done", err
	})
	f.asks("test_input_required_result_multiple_inputs", func(_ context.Context, r mcp.CallToolRequest) (builder, string, error) {
		in := r.Params.InputResponses
		if elicited(r, "user_name") != nil && mcpserver.SamplingResponse(in, "greeting") != nil && mcpserver.RootsResponse(in, "client_roots") != nil {
			_, err := f.box.Open(r.Params.RequestState, r.Params.Name)
			return nil, "all three came", err
		}
		return mcpserver.NewInputRequestBuilder(f.state("asked", r)).Elicit("user_name", form("What is your name?", "name", "string")).
			Sample("greeting", sample("Generate a greeting", 50)).Roots("client_roots"), "", nil
	})
	f.asks("test_input_required_result_capabilities", func(ctx context.Context, _ mcp.CallToolRequest) (builder, string, error) {
		c := declared(ctx)
		switch {
		case c != nil && c.Sampling != nil:
			return mcpserver.NewInputRequestBuilder("").Sample("sampled", sample("Say hello", 50)), "", nil
		case c != nil && c.Elicitation != nil:
			return mcpserver.NewInputRequestBuilder("").Elicit("elicited", form("Who are you?", "name", "string")), "", nil
		}
		return nil, "nothing can be asked", nil
	})
}
