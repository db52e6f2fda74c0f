package cli_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

// servedBy keeps what serve was asked for.
type servedBy struct {
	*app.App
	got *cli.ServeOptions
}

func (s servedBy) Serve(_ context.Context, _ cli.Globals, o cli.ServeOptions, _, _ io.Writer) error {
	o.In = nil
	*s.got = o
	return nil
}

// TestServeFlags: --http takes an address behind it, after =, or none; nothing else is an argument.
func TestServeFlags(t *testing.T) {
	for line, want := range map[string]*cli.ServeOptions{
		"serve":                        {},
		"serve --http":                 {HTTPOptions: cli.HTTPOptions{Over: true}},
		"serve --http 127.0.0.1:1":     {HTTPOptions: cli.HTTPOptions{Over: true, Address: "127.0.0.1:1"}},
		"serve --http=127.0.0.1:1":     {HTTPOptions: cli.HTTPOptions{Over: true, Address: "127.0.0.1:1"}},
		"serve --http --sse":           {HTTPOptions: cli.HTTPOptions{Over: true, SSE: true}},
		"serve --http :1 --allow host": {Allow: "host", HTTPOptions: cli.HTTPOptions{Over: true, Address: ":1"}},
		"serve --families guest,node --tools get_overview --exclude-tools get_node": {ToolOptions: cli.ToolOptions{Families: []string{"guest", "node"},
			Tools: []string{"get_overview"}, Exclude: []string{"get_node"}}},
		"serve 127.0.0.1:1":                  nil,
		"serve --sse":                        nil,
		"serve --http 127.0.0.1:1 more":      nil,
		"serve --http=127.0.0.1:1 elsewhere": nil,
	} {
		got := &cli.ServeOptions{}
		code := cli.Run(t.Context(), servedBy{&app.App{Env: func(string) string { return "" }}, got}, strings.Fields(line), cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
		if want == nil {
			if code == 0 {
				t.Errorf("%s: taken as %+v", line, got)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" || code != 0 {
			t.Errorf("%s: exit code %d\n%s", line, code, diff)
		}
	}
}
