// Command gosdk drives a server with the official Go SDK over Streamable HTTP, or over HTTP+SSE where the address ends in /sse: every tool
// call that it is given, every resource, every template and prompt with completed arguments. It prints what it saw as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type result struct {
	Name   string              `json:"name"`
	Result *mcp.CallToolResult `json:"result"`
}

type resource struct{ URI, Of, Text, Error string }

type prompt struct {
	Name     string
	Messages []string
}

type seen struct {
	Version     string
	Tools       []*mcp.Tool
	Results     []result
	Resources   []resource
	Prompts     []prompt
	Completions map[string][]string
}

type walker struct {
	*mcp.ClientSession
	seen
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := drive(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func drive(ctx context.Context, calls, url string) error {
	var list [][2]json.RawMessage
	if err := json.Unmarshal([]byte(calls), &list); err != nil {
		return err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "e2e-go", Version: "1.0.0"}, nil)
	var transport mcp.Transport = &mcp.StreamableClientTransport{Endpoint: url}
	if strings.HasSuffix(url, "/sse") {
		transport = &mcp.SSEClientTransport{Endpoint: url}
	}
	session, err := client.Connect(ctx, transport, nil)
	if err != nil {
		return err
	}
	w := &walker{ClientSession: session, seen: seen{Version: session.InitializeResult().ProtocolVersion, Completions: map[string][]string{}}}
	for _, step := range []func(context.Context) error{func(ctx context.Context) error { return w.tools(ctx, list) }, w.resources, w.templates, w.prompts} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := session.Close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(w.seen)
}

func (w *walker) tools(ctx context.Context, calls [][2]json.RawMessage) error {
	for t, err := range w.ClientSession.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		w.seen.Tools = append(w.seen.Tools, t)
	}
	for _, c := range calls {
		var name string
		if err := json.Unmarshal(c[0], &name); err != nil {
			return err
		}
		res, err := w.CallTool(ctx, &mcp.CallToolParams{Name: name, Arguments: c[1]})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		w.Results = append(w.Results, result{name, res})
	}
	return nil
}

func (w *walker) read(ctx context.Context, uri, of string) {
	r := resource{URI: uri, Of: of}
	res, err := w.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
	if err != nil {
		r.Error = err.Error()
	} else {
		for _, c := range res.Contents {
			r.Text += c.Text + string(c.Blob)
		}
	}
	w.seen.Resources = append(w.seen.Resources, r)
}

func (w *walker) resources(ctx context.Context) error {
	for r, err := range w.ClientSession.Resources(ctx, nil) {
		if err != nil {
			return err
		}
		w.read(ctx, r.URI, r.URI)
	}
	return nil
}

var variable = regexp.MustCompile(`\{\+?(\w+)\}`)

func (w *walker) templates(ctx context.Context) error {
	for t, err := range w.ResourceTemplates(ctx, nil) {
		if err != nil {
			return err
		}
		var names []string
		for _, m := range variable.FindAllStringSubmatch(t.URITemplate, -1) {
			names = append(names, m[1])
		}
		filled, err := w.fill(ctx, &mcp.CompleteReference{Type: "ref/resource", URI: t.URITemplate}, t.URITemplate, names)
		if err != nil {
			return err
		}
		if len(filled) == len(names) {
			w.read(ctx, variable.ReplaceAllStringFunc(t.URITemplate, func(v string) string { return filled[strings.Trim(v, "{+}")] }), t.URITemplate)
		}
	}
	return nil
}

// fill takes the first value that completion offers for each argument, given those before it.
func (w *walker) fill(ctx context.Context, ref *mcp.CompleteReference, of string, names []string) (map[string]string, error) {
	filled := map[string]string{}
	for _, name := range names {
		res, err := w.Complete(ctx, &mcp.CompleteParams{Ref: ref, Argument: mcp.CompleteParamsArgument{Name: name}, Context: &mcp.CompleteContext{Arguments: filled}})
		if err != nil {
			return nil, fmt.Errorf("completing %s of %s: %w", name, of, err)
		}
		w.Completions[of+" "+name] = res.Completion.Values
		if len(res.Completion.Values) > 0 {
			filled[name] = res.Completion.Values[0]
		}
	}
	return filled, nil
}

func (w *walker) prompts(ctx context.Context) error {
	if w.InitializeResult().Capabilities.Prompts == nil {
		return nil
	}
	for p, err := range w.ClientSession.Prompts(ctx, nil) {
		if err != nil {
			return err
		}
		var names []string
		for _, a := range p.Arguments {
			names = append(names, a.Name)
		}
		filled, err := w.fill(ctx, &mcp.CompleteReference{Type: "ref/prompt", Name: p.Name}, p.Name, names)
		if err != nil {
			return err
		}
		for _, a := range p.Arguments {
			if _, ok := filled[a.Name]; a.Required && !ok {
				filled[a.Name] = "what the user typed"
			}
		}
		res, err := w.GetPrompt(ctx, &mcp.GetPromptParams{Name: p.Name, Arguments: filled})
		if err != nil {
			return fmt.Errorf("prompt %s: %w", p.Name, err)
		}
		got := prompt{Name: p.Name}
		for _, m := range res.Messages {
			text := "other content"
			if c, ok := m.Content.(*mcp.TextContent); ok {
				text = c.Text
			}
			got.Messages = append(got.Messages, text)
		}
		w.seen.Prompts = append(w.seen.Prompts, got)
	}
	return nil
}
