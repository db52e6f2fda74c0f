// Command conformance serves the fixtures that the protocol's conformance suite calls by name, from the product's own factory and behind
// its own guards (server.New, server.NewHTTP): what the suite sees of transport, sessions and eras is what clients of the product see. It
// prints its address on standard error and serves until its input ends. It is for tests and in no release.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/sealed"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at the start of a test binary
	if err != nil {
		return err
	}
	box, err := sealed.New("", time.Now)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	srv := server.New(server.Options{Version: "conformance", Specs: tools.All(), Logger: log, Parts: []server.Part{&fixtures{box: box}},
		Deps: func(context.Context) (tools.Deps, error) {
			return tools.Deps{}, fault.New(fault.Config, "the conformance server has no cluster")
		}})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what counts
		stop()
	}()
	fmt.Fprintf(os.Stderr, "http://%s%s\n", l.Addr(), server.MCPPath)
	return server.NewHTTP(srv, server.HTTPOptions{Logger: log}).Serve(ctx, l)
}

// fixtures are the suite's tools, resources and prompts (facts: mcp.md 9.5).
type fixtures struct {
	s   *server.MCP
	box *sealed.Box
}

// Options implements server.Part: what the suite needs and the product does not offer.
func (f *fixtures) Options(*mcpserver.Hooks) []mcpserver.ServerOption {
	return []mcpserver.ServerOption{
		mcpserver.WithResourceCapabilities(true, true), mcpserver.WithPromptCapabilities(true), mcpserver.WithCompletions(),
		mcpserver.WithLogging(), mcpserver.WithElicitation(),
	}
}

// Attach implements server.Part.
func (f *fixtures) Attach(s *server.MCP) {
	f.s = s
	s.EnableSampling()
	f.plainTools()
	f.talkingTools()
	f.askingTools()
	f.resources()
	f.prompts()
}
