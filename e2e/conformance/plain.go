package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

const (
	pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
	sound = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
)

type handler = mcpserver.ToolHandlerFunc

// tool adds one; every tool has a description, as the suite wants.
func (f *fixtures) tool(name string, h handler, more ...mcp.ToolOption) {
	f.s.AddTool(mcp.NewTool(name, append([]mcp.ToolOption{mcp.WithDescription("Fixture of the conformance suite")}, more...)...), h)
}

func says(content ...mcp.Content) handler {
	return func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: content}, nil
	}
}

// schema2020 uses what lists of tools must not lose (SEP-1613, SEP-2106).
const schema2020 = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
"$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},
"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false}`

const schemaHeader = `{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}`

func (f *fixtures) plainTools() {
	text := func(uri, kind, text string) mcp.Content {
		return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: kind, Text: text})
	}
	f.tool("test_simple_text", says(mcp.NewTextContent("This is a simple text response for testing.")))
	f.tool("test_image_content", says(mcp.NewImageContent(pixel, "image/png")))
	f.tool("test_audio_content", says(mcp.NewAudioContent(sound, "audio/wav")))
	f.tool("test_embedded_resource", says(text("test://embedded-resource", "text/plain", "This is an embedded resource content.")))
	f.tool("test_multiple_content_types", says(mcp.NewTextContent("Multiple content types test:"), mcp.NewImageContent(pixel, "image/png"),
		text("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`)))
	f.tool("test_error_handling", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	for _, name := range []string{"test_reconnection", "test_streaming_elicitation"} {
		f.tool(name, says(mcp.NewTextContent("done")))
	}
	for name, schema := range map[string]string{"json_schema_2020_12_tool": schema2020, "test_x_mcp_header": schemaHeader} {
		f.s.AddTool(mcp.Tool{Name: name, Description: "Fixture of the conformance suite", RawInputSchema: json.RawMessage(schema)}, says(mcp.NewTextContent("done")))
	}
	f.tool("test_trigger_tool_change", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.tool(fmt.Sprintf("added_%d", time.Now().UnixNano()), says(mcp.NewTextContent("added")))
		return mcp.NewToolResultText("added"), nil
	})
	f.tool("test_trigger_prompt_change", func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		f.prompt(fmt.Sprintf("added_%d", time.Now().UnixNano()), nil, mcp.NewTextContent("added"))
		return mcp.NewToolResultText("added"), nil
	})
}

// talkingTools send notifications while they work.
func (f *fixtures) talkingTools() {
	f.tool("test_tool_with_logging", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i, data := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
			if i > 0 {
				time.Sleep(50 * time.Millisecond)
			}
			if err := f.log(ctx, data); err != nil {
				return nil, err
			}
		}
		return mcp.NewToolResultText("logged"), nil
	})
	f.tool("test_logging_tool", func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText("logged"), f.log(ctx, "one line")
	})
	f.tool("test_tool_with_progress", func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil {
			return mcp.NewToolResultText("nobody asked for progress"), nil
		}
		for i, done := range []int{0, 50, 100} {
			if i > 0 {
				time.Sleep(50 * time.Millisecond)
			}
			err := f.s.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": done, "total": 100})
			if err != nil {
				return nil, err
			}
		}
		return mcp.NewToolResultText("done"), nil
	})
}

func (f *fixtures) log(ctx context.Context, data string) error {
	return f.s.SendLogMessageToClient(ctx, mcp.NewLoggingMessageNotification(mcp.LoggingLevelInfo, "conformance", data))
}

func (f *fixtures) resources() {
	add := func(uri string, c mcp.ResourceContents, kind string) {
		f.s.AddResource(mcp.NewResource(uri, uri, mcp.WithResourceDescription("Fixture of the conformance suite"), mcp.WithMIMEType(kind)),
			func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
				return []mcp.ResourceContents{c}, nil
			})
	}
	add("test://static-text", mcp.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."}, "text/plain")
	add("test://static-binary", mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: pixel}, "image/png")
	add("test://watched-resource", mcp.TextResourceContents{URI: "test://watched-resource", MIMEType: "text/plain", Text: "watched"}, "text/plain")
	f.s.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription("Fixture of the conformance suite"), mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			var id string
			if _, err := fmt.Sscanf(r.Params.URI, "test://template/%3s/data", &id); err != nil {
				return nil, err
			}
			text, err := json.Marshal(map[string]any{"id": id, "templateTest": true, "data": "Data for ID: " + id})
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, MIMEType: "application/json", Text: string(text)}}, err
		})
}

func (f *fixtures) prompt(name string, args []string, content ...mcp.Content) {
	f.promptBy(name, args, func(mcp.GetPromptRequest) []mcp.Content { return content })
}

func (f *fixtures) promptBy(name string, args []string, content func(mcp.GetPromptRequest) []mcp.Content) {
	f.s.AddPrompt(f.aPrompt(name, args), func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return messages(content(r)...), nil
	})
}

func (*fixtures) aPrompt(name string, args []string) mcp.Prompt {
	o := []mcp.PromptOption{mcp.WithPromptDescription("Fixture of the conformance suite")}
	for _, a := range args {
		o = append(o, mcp.WithArgument(a, mcp.RequiredArgument()))
	}
	return mcp.NewPrompt(name, o...)
}

func messages(content ...mcp.Content) *mcp.GetPromptResult {
	out := &mcp.GetPromptResult{}
	for _, c := range content {
		out.Messages = append(out.Messages, mcp.NewPromptMessage(mcp.RoleUser, c))
	}
	return out
}

func (f *fixtures) prompts() {
	f.prompt("test_simple_prompt", nil, mcp.NewTextContent("This is a simple prompt for testing."))
	f.prompt("test_prompt_with_image", nil, mcp.NewImageContent(pixel, "image/png"), mcp.NewTextContent("Please analyze the image above."))
	f.promptBy("test_prompt_with_arguments", []string{"arg1", "arg2"}, func(r mcp.GetPromptRequest) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", r.Params.Arguments["arg1"], r.Params.Arguments["arg2"]))}
	})
	f.promptBy("test_prompt_with_embedded_resource", []string{"resourceUri"}, func(r mcp.GetPromptRequest) []mcp.Content {
		return []mcp.Content{mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: r.Params.Arguments["resourceUri"], MIMEType: "text/plain", Text: "Embedded resource content for testing."}),
			mcp.NewTextContent("Please process the embedded resource above.")}
	})
	f.s.AddPrompt(f.aPrompt("test_input_required_result_prompt", nil), func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		a := mcpserver.ElicitationResponse(r.Params.InputResponses, "user_context")
		if a == nil {
			return mcpserver.NewInputRequestBuilder("").Elicit("user_context", form("What context should the prompt use?", "context", "string")).PromptResult(), nil
		}
		return messages(mcp.NewTextContent(fmt.Sprintf("With the context %v", a.Content))), nil
	})
}
