package tools

import (
	"context"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// fakeSaving answers what tools about backups ask.
type fakeSaving struct {
	choice inventory.BackupChoice
	chosen inventory.BackupAsk
	put    inventory.RestoreChoice
	goes   inventory.Volume
	job    inventory.JobState
}

func (f *fakeSaving) BackupChoice(_ context.Context, q inventory.BackupAsk) (inventory.BackupChoice, error) {
	f.chosen = q
	return f.choice, nil
}

func (f *fakeSaving) RestoreChoice(context.Context, inventory.RestoreAsk) (inventory.RestoreChoice, error) {
	return f.put, nil
}

func (f *fakeSaving) Deletable(context.Context, inventory.DeleteAsk) (inventory.Volume, error) {
	return f.goes, nil
}

func (f *fakeSaving) Job(context.Context, inventory.JobQuery) (inventory.JobState, error) {
	return f.job, nil
}
