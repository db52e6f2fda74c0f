package proxmox

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// NextID reads GET /cluster/nextid: a vmid that nobody uses now, also no guest that this token cannot see. It is sent as text (02/010).
func (c *Client) NextID(ctx context.Context) (int, error) {
	id, err := get[pve.Int](ctx, c, nil, "cluster", "nextid")
	return int(id), err
}

// Appliances reads GET /nodes/{node}/aplinfo: the container templates that Proxmox offers, from the list that the node keeps (02/079).
func (c *Client) Appliances(ctx context.Context, node string) ([]pve.Appliance, error) {
	return small[pve.Appliance](ctx, c, nil, "nodes", node, "aplinfo")
}
