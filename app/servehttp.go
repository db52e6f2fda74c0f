package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// serveHTTP serves MCP on an address until ctx ends, and says where on errOut.
func (a *App) serveHTTP(ctx context.Context, l *lazy, caller tools.Caller, o cli.HTTPOptions, errOut io.Writer, log *slog.Logger) error {
	if err := onLoopback(o.HTTP); err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.HTTP)
	if err != nil {
		return fault.New(fault.Invalid, "--http %s: %v", o.HTTP, err).WithHint("another program may listen there: choose another port, such as 127.0.0.1:8812")
	}
	return a.serveDoor(ctx, l, caller, log, door{"http", func(ctx context.Context, srv *server.MCP) error {
		h := server.NewHTTP(srv, server.HTTPOptions{SSE: o.SSE, Logger: log})
		_, _ = fmt.Fprintf(errOut, "MCP is served at http://%s%s; end with Ctrl-C\n", listener.Addr(), server.MCPPath)
		return h.Serve(ctx, listener)
	}})
}

// onLoopback refuses addresses that others than this machine reach: nobody proves there who they are.
func onLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fault.BadField("http", "must be HOST:PORT", "127.0.0.1:8811")
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fault.New(fault.Denied, "--http %s can be reached from other machines, and nothing asks them who they are", addr).
		WithHint("use 127.0.0.1; another address takes authentication and TLS")
}
