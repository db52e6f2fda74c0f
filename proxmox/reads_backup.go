package proxmox

import (
	"context"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// ArchiveConfig reads GET /nodes/{node}/vzdump/extractconfig (09/003, 09/004): the configuration that a backup holds, as its file has it, secrets
// masked; without the description, which stands in it as comments, and without snapshots. It needs VM.Backup on the guest and
// Datastore.AllocateSpace on the storage.
func (c *Client) ArchiveConfig(ctx context.Context, node, volid string) (pve.Config, error) {
	text, err := get[string](ctx, c, Params{}.Str("volume", volid), "nodes", node, "vzdump", "extractconfig")
	if err != nil {
		return nil, err
	}
	return archived(text), nil
}

// archived reads the first section of a guest's configuration file.
func archived(text string) pve.Config {
	out := pve.Config{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		if ok && !strings.HasPrefix(line, "#") && key != "" && !strings.ContainsAny(key, " \t") {
			out[key] = strings.TrimSpace(value)
		}
	}
	redact.Fields(map[string]any(out))
	return out
}
