package proxmox

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// DiskList reads GET /nodes/{node}/disks/list without the disks' health: none is asked for it, so that none wakes (faults.md F50).
func (c *Client) DiskList(ctx context.Context, node string) ([]pve.DiskRow, error) {
	return small[pve.DiskRow](ctx, c, Params{}.Bool("skipsmart", true), "nodes", node, "disks", "list")
}

// DiskSMART reads GET /nodes/{node}/disks/smart of one disk (/dev/...). It wakes a disk that sleeps (faults.md F50). Sys.Audit on /.
func (c *Client) DiskSMART(ctx context.Context, node, disk string) (pve.SMART, error) {
	return get[pve.SMART](ctx, c, Params{}.Str("disk", disk), "nodes", node, "disks", "smart")
}

// ReplicationJobs reads GET /cluster/replication (02/020): the jobs of guests that the token sees, without their state.
func (c *Client) ReplicationJobs(ctx context.Context) ([]pve.ReplicationJob, error) {
	return small[pve.ReplicationJob](ctx, c, nil, "cluster", "replication")
}

// NodeReplication reads GET /nodes/{node}/replication (02/077): the state of the jobs whose guests are on the node.
func (c *Client) NodeReplication(ctx context.Context, node string) ([]pve.ReplicationJob, error) {
	return small[pve.ReplicationJob](ctx, c, nil, "nodes", node, "replication")
}

// HAStatus reads GET /cluster/ha/status/current (02/026). Sys.Audit on /.
func (c *Client) HAStatus(ctx context.Context) ([]pve.HAEntry, error) {
	return small[pve.HAEntry](ctx, c, nil, "cluster", "ha", "status", "current")
}
