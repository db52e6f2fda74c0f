package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Where a secret's value is.
const (
	InKeyring = "keyring" // of the system; the store has the name alone
	InStore   = "store"   // sealed, in SecretRow.Value
)

type secretRow struct {
	bun.BaseModel `bun:"table:secrets"`

	Name    string `bun:"name,pk"`
	Value   []byte `bun:"value"`
	Place   string `bun:"place"`
	Author  string `bun:"author"`
	Created int64  `bun:"created"`
	Used    int64  `bun:"used"`
}

func (r *secretRow) secret() SecretRow {
	return SecretRow{Name: r.Name, Value: r.Value, Where: r.Place, By: r.Author, Created: moment(r.Created), Used: moment(r.Used)}
}

// PutSecret keeps a sealed secret, or that the keyring has one, with its audit entry; it takes the place of the one of that name.
// Without Created it gets the store's time. Invalid when there is no name, or a value where none belongs and the reverse.
func (d *DB) PutSecret(ctx context.Context, s SecretRow, a AuditEntry) error {
	if s.Created.IsZero() {
		s.Created = d.clock()
	}
	row := secretRow{Name: clean(s.Name), Value: s.Value, Place: s.Where, Author: clean(s.By), Created: millis(s.Created), Used: millis(s.Used)}
	sealed := s.Where == InStore && len(s.Value) > 0
	if row.Name == "" || !sealed && (s.Where != InKeyring || s.Value != nil) {
		return fault.New(fault.Invalid, "the secret %q has no name, or its value is not where it says", s.Name)
	}
	return d.audited(ctx, []AuditEntry{a}, s.Created, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (name) DO UPDATE").Exec(ctx)
		return err
	}, nil)
}

// SecretByName gives a secret with its sealed value; ok is false when there is none.
func (d *DB) SecretByName(ctx context.Context, name string) (s SecretRow, ok bool, err error) {
	var row secretRow
	err = d.read.NewSelect().Model(&row).Where("name = ?", clean(name)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return SecretRow{}, false, nil
	}
	return row.secret(), err == nil, d.fault(err)
}

// Secrets lists the secrets by name, without values.
func (d *DB) Secrets(ctx context.Context) ([]SecretRow, error) {
	var rows []secretRow
	if err := d.read.NewSelect().Model(&rows).ExcludeColumn("value").Order("name").Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*secretRow).secret), nil
}

// SecretUsed notes that a secret was used now. NotFound when it is gone.
func (d *DB) SecretUsed(ctx context.Context, name string) error {
	return d.inTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		found, err := changed(tx.NewUpdate().Model((*secretRow)(nil)).Set("used = ?", millis(d.clock())).Where("name = ?", clean(name)).Exec(ctx))
		return secretFound(name, found, err)
	})
}

// DeleteSecret forgets a secret, with its audit entry. NotFound when there is none.
func (d *DB) DeleteSecret(ctx context.Context, name string, a AuditEntry) error {
	return d.audited(ctx, []AuditEntry{a}, time.Time{}, func(ctx context.Context, tx bun.Tx) error {
		found, err := changed(tx.NewDelete().Model((*secretRow)(nil)).Where("name = ?", clean(name)).Exec(ctx))
		return secretFound(name, found, err)
	}, nil)
}

func secretFound(name string, found bool, err error) error {
	if err == nil && !found {
		return fault.New(fault.NotFound, "there is no secret %q", name)
	}
	return err
}
