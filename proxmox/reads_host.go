package proxmox

import (
	"context"
	"net/http"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// NodeDisks reads GET /nodes/{node}/disks/list with the health and wear of each disk. It runs smartctl on all of them, which may wake a
// sleeping one. Needs Sys.Audit on / or on the node (schema). It may block.
func (c *Client) NodeDisks(ctx context.Context, node string) ([]pve.DiskRow, error) {
	return small[pve.DiskRow](ctx, c, nil, "nodes", node, "disks", "list")
}

// ZFSPools reads GET /nodes/{node}/disks/zfs; needs Sys.Audit on /. A node without ZFS tools answers 500 "zfsutils-linux not installed" (02/068).
func (c *Client) ZFSPools(ctx context.Context, node string) ([]pve.ZFSRow, error) {
	return small[pve.ZFSRow](ctx, c, nil, "nodes", node, "disks", "zfs")
}

// ThinPools reads GET /nodes/{node}/disks/lvmthin; needs Sys.Audit on / (schema).
func (c *Client) ThinPools(ctx context.Context, node string) ([]pve.ThinPoolRow, error) {
	return small[pve.ThinPoolRow](ctx, c, nil, "nodes", node, "disks", "lvmthin")
}

// NodeServices reads GET /nodes/{node}/services (02/056).
func (c *Client) NodeServices(ctx context.Context, node string) ([]pve.ServiceRow, error) {
	return small[pve.ServiceRow](ctx, c, nil, "nodes", node, "services")
}

// NodeUpdates reads GET /nodes/{node}/apt/update (02/065): what the last look at the repositories found. Needs Sys.Modify on the node, so an auditor
// may not read it (schema).
func (c *Client) NodeUpdates(ctx context.Context, node string) ([]pve.UpdateRow, error) {
	return small[pve.UpdateRow](ctx, c, nil, "nodes", node, "apt", "update")
}

// NodeCertificates reads GET /nodes/{node}/certificates/info (02/062).
func (c *Client) NodeCertificates(ctx context.Context, node string) ([]pve.CertificateRow, error) {
	return small[pve.CertificateRow](ctx, c, nil, "nodes", node, "certificates", "info")
}

// NodeTime reads GET /nodes/{node}/time (02/047).
func (c *Client) NodeTime(ctx context.Context, node string) (pve.NodeTime, error) {
	return get[pve.NodeTime](ctx, c, nil, "nodes", node, "time")
}

// NodeNetwork reads GET /nodes/{node}/network (02/051, 15/135). The patch of changes that wait stands beside data.
func (c *Client) NodeNetwork(ctx context.Context, node string) (pve.NodeNetwork, error) {
	path, err := Path("nodes", node, "network")
	if err != nil {
		return pve.NodeNetwork{}, err
	}
	e, err := c.roundTrip(ctx, http.MethodGet, path, nil)
	if err != nil {
		return pve.NodeNetwork{}, err
	}
	rows, odd, err := pve.DecodeRows[pve.InterfaceRow](e.Data)
	if err != nil {
		return pve.NodeNetwork{}, badAnswer(http.MethodGet, path, err)
	}
	for _, o := range odd {
		c.log.Debug("odd row left out", "path", path, "cause", o)
	}
	return pve.NodeNetwork{Interfaces: rows, Changes: string(masked(e.Changes))}, nil
}

// SDNZones reads GET /cluster/sdn/zones with what waits to be applied (15/089); those without SDN.Audit are missing, not refused.
func (c *Client) SDNZones(ctx context.Context) ([]pve.ZoneRow, error) {
	return small[pve.ZoneRow](ctx, c, Params{}.Bool("pending", true), "cluster", "sdn", "zones")
}

// SDNVnets reads GET /cluster/sdn/vnets with what waits to be applied (15/088).
func (c *Client) SDNVnets(ctx context.Context) ([]pve.VnetRow, error) {
	return small[pve.VnetRow](ctx, c, Params{}.Bool("pending", true), "cluster", "sdn", "vnets")
}
