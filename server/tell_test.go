package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"
)

// talking is a tool that tells how far it is, to whoever asked for it, without a rest.
type talking struct{}

func (talking) Options(*mcpserver.Hooks) []mcpserver.ServerOption { return nil }

func (talking) Attach(s *MCP) {
	s.AddTool(mcp.NewTool("talk"), func(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for i := range 3 {
			if r.Params.Meta != nil && r.Params.Meta.ProgressToken != nil {
				if err := s.SendNotificationToClient(ctx, "notifications/progress", map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": i + 1}); err != nil {
					return nil, err
				}
			}
		}
		return mcp.NewToolResultText("told"), nil
	})
}

var told = regexp.MustCompile(`"progress":(\d)|"text":"(told)"`)

// TestTell: what a call tells comes on the call's own stream, all of it, in order and before the answer, in both eras and though the session
// has another stream open; a call that nobody wants to hear of is answered with JSON.
func TestTell(t *testing.T) {
	h := httpDoor(HTTPOptions{}, talking{})
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close) // after the streams are closed
	send := func(method, body string, headers ...string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+MCPPath, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	id := send("POST", initialize).Header.Get("Mcp-Session-Id")
	send("GET", "", "Mcp-Session-Id", id)
	for era, c := range map[string]struct {
		meta    string
		headers []string
	}{
		"older": {`{"progressToken":7}`, []string{"Mcp-Session-Id", id}},
		"newer": {`{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"}}`,
			[]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "talk"}},
	} {
		for _, silent := range []bool{false, true} {
			for range 50 {
				body := `{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"talk","arguments":{},"_meta":` + c.meta + `}}`
				want, kind := []string{"1", "2", "3", "told"}, "text/event-stream"
				if silent {
					body, want, kind = strings.NewReplacer(`"progressToken":7,`, "", `"progressToken":7`, "").Replace(body), []string{"told"}, "application/json"
				}
				res := send("POST", body, c.headers...)
				raw, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, m := range told.FindAllStringSubmatch(string(raw), -1) {
					got = append(got, m[1]+m[2])
				}
				if !slices.Equal(got, want) || res.Header.Get("Content-Type") != kind || res.StatusCode != http.StatusOK {
					t.Fatalf("%s, silent %v: %d %v\n%s", era, silent, res.StatusCode, res.Header, raw)
				}
			}
		}
	}
}
