package iac

import (
	"context"
	"encoding/json"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Store is what code is written from; store.DB is it.
type Store interface {
	Guests(ctx context.Context, f store.GuestFilter) ([]store.Guest, error)
	Objects(ctx context.Context, cluster string, afterGen int64) ([]store.Object, error)
	Content(ctx context.Context, hash string) (json.RawMessage, error)
	Addresses(ctx context.Context, cluster string) ([]store.Address, error)
}

// Load reads one cluster from the store; no request goes to Proxmox VE. Errors: fault.NotFound when the store has never seen it, and those
// of the store. A guest whose configuration was never read is there, with the reason.
func Load(ctx context.Context, st Store, cluster string, o Options) (*World, error) {
	w := &World{Cluster: cluster, Known: map[Key]string{}, Gone: map[Key]bool{}, Options: o}
	addresses, err := st.Addresses(ctx, cluster)
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		w.Known[Key{a.Target, a.Kind, a.ID, a.Life}] = a.Address
	}
	if err := w.loadGuests(ctx, st); err != nil {
		return nil, err
	}
	if err := w.loadObjects(ctx, st); err != nil {
		return nil, err
	}
	if len(w.Guests)+len(w.Objects)+len(w.Gone) == 0 {
		return nil, fault.New(fault.NotFound, "nothing is known of cluster %s yet", clean.Line(cluster, maxName)).
			WithHint("let it be synchronised first").WithNext("sync_now")
	}
	w.Sort()
	return w, nil
}

func (w *World) loadGuests(ctx context.Context, st Store) error {
	rows, err := st.Guests(ctx, store.GuestFilter{Cluster: w.Cluster, WithGone: true})
	if err != nil {
		return err
	}
	for i := range rows {
		row := &rows[i]
		var raw json.RawMessage
		if row.ConfigHash != "" && row.GoneAt.IsZero() {
			if raw, err = st.Content(ctx, row.ConfigHash); err != nil {
				return err
			}
		}
		g, err := NewGuest(row, raw)
		if err != nil {
			return fault.Wrap(fault.StoreCorrupt, err, "the stored configuration of guest %d cannot be read", row.VMID)
		}
		if row.GoneAt.IsZero() {
			w.Guests = append(w.Guests, g)
		} else {
			w.Gone[g.Key("")] = true
		}
	}
	return nil
}

func (w *World) loadObjects(ctx context.Context, st Store) error {
	rows, err := st.Objects(ctx, w.Cluster, 0)
	if err != nil {
		return err
	}
	var probe *store.Object
	defer func() { w.Unread = unreadOf(probe) }()
	for i := range rows {
		o := &rows[i]
		switch {
		case o.Kind == store.KindProbe: // what a health check asked for is no part of the configuration
			if o.ID == store.SettingsProbe {
				probe = o
			}
		case !o.GoneAt.IsZero():
			w.Gone[Key{Kind: o.Kind, ID: o.ID}] = true
		default:
			w.Objects = append(w.Objects, Object{Kind: o.Kind, ID: o.ID, Raw: o.State, Known: o.UnknownSince.IsZero()})
		}
		if o.Kind == store.KindCluster && o.GoneAt.IsZero() {
			// A state of another version that cannot be read counts as never read.
			_ = json.Unmarshal(o.State, &w.Identity)
		}
	}
	return nil
}
