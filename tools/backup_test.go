package tools

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// fakeSaving answers what tools about backups ask.
type fakeSaving struct {
	choice inventory.BackupChoice
	chosen inventory.BackupAsk
}

func (f *fakeSaving) BackupChoice(_ context.Context, q inventory.BackupAsk) (inventory.BackupChoice, error) {
	f.chosen = q
	return f.choice, nil
}
