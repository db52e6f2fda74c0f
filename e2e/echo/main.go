// Command echo is the smallest useful server on the same MCP library: the reference that our cold start and latencies are compared
// with, in the same run. With the argument http it serves Streamable HTTP as the library does by itself, and says where on standard error.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func main() {
	s := server.NewMCPServer("echo", "1.0.0", server.WithToolCapabilities(false))
	s.AddTool(mcp.NewTool("echo", mcp.WithDescription("Echo a text"), mcp.WithString("text", mcp.Required())),
		func(_ context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(r.GetString("text", "")), nil
		})
	if len(os.Args) > 1 && os.Args[1] == "http" {
		overHTTP(s)
	}
	if err := server.NewStdioServer(s).Listen(context.Background(), os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}

func overHTTP(s *server.MCPServer) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at the start of a program
	if err != nil {
		os.Exit(1)
	}
	mux := http.NewServeMux()
	mux.Handle("/mcp", server.NewStreamableHTTPServer(s))
	fmt.Fprintf(os.Stderr, "http://%s/mcp\n", l.Addr())
	if err := http.Serve(l, mux); err != nil { //nolint:gosec // a reference for measuring, on the loopback
		os.Exit(1)
	}
}
