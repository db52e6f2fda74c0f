// Command proxmox-mcp is an MCP server and command line for Proxmox VE clusters.
package main

import (
	"os"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

func main() {
	ctx, stop := cli.Signals()
	code := cli.Run(ctx, app.New(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
