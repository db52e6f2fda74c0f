package store

import (
	"bytes"
	"context"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// lifeKey is one life of one object of the batch's cluster.
type lifeKey struct {
	kind, id string
	life     int64
}

// newVersions compares the batch's contents with the current versions: what differs becomes a version, with its body.
func (a *applier) newVersions(ctx context.Context) ([]versionRow, []contentRow, error) {
	heads, err := a.heads(ctx)
	if err != nil {
		return nil, nil, err
	}
	var versions []versionRow
	var bodies []contentRow
	at := make(map[lifeKey]int) // index in versions of the newest of a life, to hand on its current mark
	for i := range a.b.Contents {
		c := &a.b.Contents[i]
		if err := checkContent(c); err != nil {
			return nil, nil, err
		}
		row := a.versionOf(c)
		key := lifeKey{row.Kind, row.ID, row.Life}
		head, known := heads[key]
		if known && head.Hash == row.Hash {
			continue
		}
		row.Seq = head.Seq + 1
		if prev, ok := at[key]; ok {
			versions[prev].Current = false
		}
		at[key], heads[key] = len(versions), row
		versions = append(versions, row)
		bodies = append(bodies, contentRow{Hash: c.Hash, Body: string(c.JSON)})
	}
	return versions, bodies, nil
}

func (a *applier) versionOf(c *Content) versionRow {
	return versionRow{
		Cluster: a.b.Cluster, Kind: clean(string(c.Kind)), ID: clean(c.ID), Life: int64(max(c.Life, 1)), Hash: c.Hash,
		SeenAt: millis(a.b.At), NotBefore: millis(c.NotBefore), SyncID: a.b.SyncID, Current: true,
	}
}

// checkContent refuses a content that Check would find damaged later. Canonical JSON writes NUL as \u0000, so none is in its bytes.
func checkContent(c *Content) error {
	switch {
	case bytes.IndexByte(c.JSON, 0) >= 0:
		return badContent(c, "holds a NUL byte")
	case c.Hash != pve.Hash(c.JSON):
		return badContent(c, "does not have the hash that it is given")
	}
	return nil
}

// heads reads the current versions of the objects that the batch has contents of.
func (a *applier) heads(ctx context.Context) (map[lifeKey]versionRow, error) {
	ids := make(map[string][]string)
	for i := range a.b.Contents {
		kind := clean(string(a.b.Contents[i].Kind))
		ids[kind] = append(ids[kind], clean(a.b.Contents[i].ID))
	}
	heads := make(map[lifeKey]versionRow, len(a.b.Contents))
	for kind, all := range ids {
		for start := 0; start < len(all); start += headRows {
			var rows []versionRow
			err := a.tx.NewSelect().Model(&rows).Column("kind", "id", "life", "seq", "hash").
				Where("cluster = ? AND kind = ? AND current", a.b.Cluster, kind).
				Where("id IN (?)", bun.List(all[start:min(start+headRows, len(all))])).Scan(ctx)
			if err != nil {
				return nil, err
			}
			for i := range rows {
				heads[lifeKey{rows[i].Kind, rows[i].ID, rows[i].Life}] = rows[i]
			}
		}
	}
	return heads, nil
}

// headRows is how many objects one look at the current versions asks for.
const headRows = 1000

// writeVersions takes the current mark from the versions that are replaced and adds the new ones.
func (a *applier) writeVersions(ctx context.Context, versions []versionRow, bodies []contentRow) error {
	if err := bulkInsert(ctx, a.d, a.tx, bodies, keep); err != nil {
		return err
	}
	for i := range versions {
		v := &versions[i]
		if v.Seq == 1 {
			continue
		}
		_, err := a.tx.NewUpdate().Model((*versionRow)(nil)).Set("current = ?", false).
			Where("cluster = ? AND kind = ? AND id = ? AND life = ? AND current", v.Cluster, v.Kind, v.ID, v.Life).Exec(ctx)
		if err != nil {
			return err
		}
	}
	return bulkInsert(ctx, a.d, a.tx, versions, fail)
}
