package store

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Address is the name of an object in code that was exported, such as proxmox_virtual_environment_vm.web. It is given once and stays for
// the object's life; within one cluster and target no two objects have the same, not even one that is gone. Target is what the code is
// for (terraform, ansible); Life is that of a guest, 0 or 1 for other objects.
type Address struct {
	Ref
	Life    int
	Target  string
	Address string
}

type addressRow struct {
	bun.BaseModel `bun:"table:iac_addresses,alias:a"`

	Cluster string `bun:"cluster,pk"`
	Target  string `bun:"target,pk"`
	Kind    string `bun:"kind,pk"`
	ID      string `bun:"id,pk"`
	Life    int64  `bun:"life,pk"`
	Address string `bun:"address"`
}

func newAddressRow(a *Address) addressRow {
	return addressRow{Cluster: clean(a.Cluster), Target: clean(a.Target), Kind: clean(string(a.Kind)), ID: clean(a.ID), Life: int64(a.Life),
		Address: clean(a.Address)}
}

func (r *addressRow) address() Address {
	return Address{Ref: Ref{r.Cluster, Kind(r.Kind), r.ID}, Life: int(r.Life), Target: r.Target, Address: r.Address}
}

// key is the row without its address.
func (r *addressRow) key() addressRow {
	k := *r
	k.Address = ""
	return k
}

// Addresses gives the addresses of a cluster, by target, kind, id and life; those of objects that are gone too.
func (d *DB) Addresses(ctx context.Context, cluster string) ([]Address, error) {
	var rows []addressRow
	err := d.read.NewSelect().Model(&rows).Order("target", "kind", "id", "life").Where("cluster = ?", clean(cluster)).Scan(ctx)
	if err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*addressRow).address), nil
}

// AddAddresses gives objects their addresses, all or none. Those that are stored already stay; fault.Conflict when another process gave
// one of the objects another address, or one of the addresses to another object: read them again then.
func (d *DB) AddAddresses(ctx context.Context, cluster string, added []Address) error {
	if len(added) == 0 {
		return nil
	}
	return d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// The generation's row is what writers queue for; it stays as it is, as no answer depends on addresses.
		a := applier{d: d, tx: tx}
		if _, err := a.generation(ctx); err != nil {
			return err
		}
		var stored []addressRow
		if err := tx.NewSelect().Model(&stored).Where("cluster = ?", clean(cluster)).Scan(ctx); err != nil {
			return err
		}
		rows, err := freshAddresses(cluster, added, stored)
		if err != nil {
			return err
		}
		return bulkInsert(ctx, d, tx, rows, fail)
	})
}

// freshAddresses are the added ones that are not stored.
func freshAddresses(cluster string, added []Address, stored []addressRow) ([]addressRow, error) {
	type name struct{ target, address string }
	of, owner := map[addressRow]string{}, map[name]addressRow{}
	for i := range stored {
		r := &stored[i]
		of[r.key()], owner[name{r.Target, r.Address}] = r.Address, r.key()
	}
	var rows []addressRow
	for i := range added {
		r := newAddressRow(&added[i])
		r.Cluster = clean(cluster)
		has, known := of[r.key()]
		by, taken := owner[name{r.Target, r.Address}]
		switch {
		case known && has == r.Address:
		case known || taken && by != r.key():
			return nil, fault.New(fault.Conflict, "another export named %s %s at the same time", r.Kind, r.ID).Retry()
		default:
			of[r.key()], owner[name{r.Target, r.Address}] = r.Address, r.key()
			rows = append(rows, r)
		}
	}
	return rows, nil
}
