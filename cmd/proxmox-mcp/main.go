// Command proxmox-mcp is an MCP server and command line for Proxmox VE clusters.
package main

import (
	"os"
	"runtime/debug"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/early"
)

func main() {
	ctx, stop := cli.Signals()
	a := app.New()
	a.Collector = early.Percent
	if !slices.Contains(os.Args[1:], "serve") { // which lets the collector rest until its first answers are given
		debug.SetGCPercent(early.Percent)
	}
	code := cli.Run(ctx, a, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
