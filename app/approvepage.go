package app

import (
	"bytes"
	"context"
	"net"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
)

// approveByPage asks on a page of this machine what approve asks on a terminal.
func (d *desk) approveByPage(ctx context.Context, id string, t cli.Terminal) (cli.Report, error) {
	p, err := d.undecided(ctx, id)
	if err != nil {
		return cli.Report{}, err
	}
	if known, err := d.keeper.Known(ctx); err != nil || !known {
		if err == nil {
			err = noPassphrase()
		}
		return cli.Report{}, err
	}
	var review bytes.Buffer
	if err := cli.WriteView(&review, d.planReport(p).View); err != nil {
		return cli.Report{}, err
	}
	review.WriteString("asked by " + p.Requester + "\n")
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return cli.Report{}, fault.Wrap(fault.Internal, err, "no port of this machine could be opened for the page")
	}
	d.keeper.Door = "page"
	var report cli.Report
	err = server.ServeApproval(ctx, l, server.Approval{Review: review.String(), Typing: doomed(&p) != "",
		Decide: func(ctx context.Context, a server.ApprovalAnswer) (string, error) {
			report, err = d.decided(ctx, p, a)
			if err != nil {
				return "", err
			}
			var text bytes.Buffer
			err := cli.WriteView(&text, report.View)
			return text.String(), err
		}}, func(link string) {
		t.Say("Open this page in a browser on this machine; it is for one decision:\n\n  %s\n", link)
	})
	return report, err
}

func (d *desk) decided(ctx context.Context, p change.Plan, a server.ApprovalAnswer) (cli.Report, error) {
	if a.Approve {
		if err := rightIDs(&p, a.Typed); err != nil {
			return cli.Report{}, err
		}
	}
	if err := d.keeper.Prove(ctx, a.Passphrase); err != nil {
		return cli.Report{}, err
	}
	if a.Approve {
		return d.carryOut(ctx, p, "on a page", nil)
	}
	rejected, err := d.eng.Reject(ctx, p.ID, operator("page"), "by the operator")
	return d.planReport(rejected), err
}
