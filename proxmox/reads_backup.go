package proxmox

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
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

// BackupFiles reads GET /nodes/{node}/storage/{storage}/file-restore/list: a folder of a backup on a Proxmox Backup Server, path "/" for its
// archives. It needs VM.Backup on the guest and Datastore.AllocateSpace on the storage (pve-storage, check_volume_access). Of a machine the
// first look starts a small one that reads the disks: where that takes more than 25 s the answer is 503, and asking again goes on with it.
func (c *Client) BackupFiles(ctx context.Context, node, storage, volid, path string) ([]pve.BackupFileRow, error) {
	rows, err := small[pve.BackupFileRow](ctx, c, fileParams(volid, path), "nodes", node, "storage", storage, "file-restore", "list")
	if e, ok := errors.AsType[*APIError](err); ok && e.Status == http.StatusServiceUnavailable {
		return nil, fault.Wrap(fault.NodeSilent, err, "the disks of the backup are being opened, which takes longer than %s waits", node).
			WithHint("ask again in half a minute").Retry()
	}
	return rows, err
}

// BackupFile reads GET .../file-restore/download: the bytes of one file, at most 16 MiB. Proxmox VE runs a task for it (pbs-download), which
// changes nothing.
func (c *Client) BackupFile(ctx context.Context, node, storage, volid, path string) ([]byte, error) {
	at, err := Path("nodes", node, "storage", storage, "file-restore", "download")
	if err != nil {
		return nil, err
	}
	req, err := newRequest(ctx, http.MethodGet, at, fileParams(volid, path))
	if err != nil {
		return nil, badSegment(at)
	}
	resp, err := c.top.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	return io.ReadAll(resp.Body)
}

func fileParams(volid, path string) Params {
	if path != "/" {
		path = base64.StdEncoding.EncodeToString([]byte(path))
	}
	return Params{}.Str("volume", volid).Str("filepath", path)
}
