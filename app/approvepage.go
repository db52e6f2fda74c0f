package app

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

func (d *desk) approveByPage(context.Context, string, cli.Terminal) (cli.Report, error) {
	return cli.Report{}, fault.New(fault.Unsupported, "x")
}
