package inventory

import (
	"context"
	"slices"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// onHost is what a node alone says; hostOf what it says, where nodes do not differ as all do.
func (w *world) onHost(node string) *host {
	if w.hosts == nil {
		w.hosts = map[string]*host{}
	}
	if w.hosts[node] == nil {
		w.hosts[node] = &host{}
	}
	return w.hosts[node]
}

func (w *world) hostOf(node string) *host {
	if h := w.hosts[node]; h != nil {
		return h
	}
	return &w.host
}

func (w *world) DiskList(ctx context.Context, node string) ([]pve.DiskRow, error) {
	return ask(ctx, w, "disks", node, 0, func() []pve.DiskRow {
		out := slices.Clone(w.hostOf(node).disks)
		for i := range out {
			out[i].Health, out[i].Wearout = "UNKNOWN", "N/A"
		}
		return out
	})
}

// NodeDisks notes which spinning disks it wakes.
func (w *world) NodeDisks(ctx context.Context, node string) ([]pve.DiskRow, error) {
	return ask(ctx, w, "disks", node, 0, func() []pve.DiskRow {
		for _, d := range w.hostOf(node).disks {
			if d.Spins() {
				w.awoke = append(w.awoke, string(d.DevPath))
			}
		}
		return slices.Clone(w.hostOf(node).disks)
	})
}

func (w *world) DiskSMART(ctx context.Context, node, disk string) (pve.SMART, error) {
	return ask(ctx, w, "smart", node, 0, func() pve.SMART {
		h := w.hostOf(node)
		if slices.ContainsFunc(h.disks, func(d pve.DiskRow) bool { return string(d.DevPath) == disk && d.Spins() }) {
			w.awoke = append(w.awoke, disk)
		}
		return h.smart[disk]
	})
}

func (w *world) NodeTime(ctx context.Context, node string) (pve.NodeTime, error) {
	return ask(ctx, w, "time", node, 0, func() pve.NodeTime {
		now := time.Now()
		if w.clock != nil {
			now = w.clock()
		}
		return pve.NodeTime{Time: pve.Ptr(pve.Int(now.Add(w.hostOf(node).ahead).Unix())), Timezone: "UTC"}
	})
}

func (w *world) ReplicationJobs(ctx context.Context) ([]pve.ReplicationJob, error) {
	done, err := w.enter(ctx, "replicationjobs", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	out := slices.Clone(w.repl)
	for i := range out {
		out[i].FailCount, out[i].Error, out[i].LastSync = nil, "", nil
	}
	return out, nil
}

func (w *world) NodeReplication(ctx context.Context, node string) ([]pve.ReplicationJob, error) {
	return ask(ctx, w, "replication", node, 0, func() []pve.ReplicationJob {
		return slices.DeleteFunc(slices.Clone(w.repl), func(j pve.ReplicationJob) bool { return w.guests[int(j.Guest)].node != node })
	})
}

func (w *world) HAStatus(ctx context.Context) ([]pve.HAEntry, error) {
	done, err := w.enter(ctx, "ha", "", 0)
	if err != nil {
		return nil, err
	}
	defer done()
	return w.ha, nil
}
