// Command proxmox-mcp is an MCP server and command line for Proxmox VE clusters.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The second interrupt ends the program the hard way.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, app.New(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
