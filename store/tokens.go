package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// TokenRow is a bearer token of the HTTP door at rest: what it lets its holder reach, and the hash of its secret.
type TokenRow struct {
	Name     string
	Hash     []byte   // SHA-256 of the token
	Tier     int      // highest tier of changes, 0 = reading
	Clusters []string // as they are stored; nil = all
	Families []string // of tools; nil = all
	By       string
	Created  time.Time
	Expires  time.Time // zero = never
	Revoked  time.Time // zero = it was not
	Used     time.Time // the last login that was written down; zero = none
}

// Live says whether the token opens anything at a time.
func (t TokenRow) Live(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

type tokenRow struct {
	bun.BaseModel `bun:"table:tokens"`

	Name     string `bun:"name,pk"`
	Hash     []byte `bun:"hash"`
	Tier     int    `bun:"tier"`
	Clusters string `bun:"clusters"`
	Families string `bun:"families"`
	Author   string `bun:"author"`
	Created  int64  `bun:"created"`
	Expires  int64  `bun:"expires"`
	Revoked  int64  `bun:"revoked"`
	Used     int64  `bun:"used"`
}

func (r *tokenRow) token() TokenRow {
	return TokenRow{Name: r.Name, Hash: r.Hash, Tier: r.Tier, Clusters: words(r.Clusters), Families: words(r.Families), By: r.Author,
		Created: moment(r.Created), Expires: moment(r.Expires), Revoked: moment(r.Revoked), Used: moment(r.Used)}
}

// words are the names of a list at rest; none bound nothing.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// AddToken keeps a new token, with its audit entry. One of that name that is revoked or has expired gives its name to the new one; Conflict
// while it is live. Invalid without a name or with a hash of another length.
func (d *DB) AddToken(ctx context.Context, t TokenRow, a AuditEntry) error {
	if t.Created.IsZero() {
		t.Created = d.clock()
	}
	row := tokenRow{Name: clean(t.Name), Hash: t.Hash, Tier: t.Tier, Clusters: strings.Join(t.Clusters, "\n"), Families: strings.Join(t.Families, "\n"),
		Author: clean(t.By), Created: millis(t.Created), Expires: millis(t.Expires)}
	if row.Name == "" || len(row.Hash) != sha256.Size {
		return fault.New(fault.Invalid, "the token %q has no name or no hash", t.Name)
	}
	return d.audited(ctx, []AuditEntry{a}, t.Created, func(ctx context.Context, tx bun.Tx) error {
		if err := tokenFree(ctx, tx, t); err != nil {
			return err
		}
		_, err := tx.NewInsert().Model(&row).On("CONFLICT (name) DO UPDATE").Exec(ctx)
		return err
	}, nil)
}

// TokenFree says whether AddToken would take the name of t now, so that nobody is asked for anything in vain. The error is a fault.Conflict.
func (d *DB) TokenFree(ctx context.Context, t TokenRow) error {
	return d.fault(tokenFree(ctx, d.read, t))
}

func tokenFree(ctx context.Context, db bun.IDB, t TokenRow) error {
	var was tokenRow
	err := db.NewSelect().Model(&was).Where("name = ?", clean(t.Name)).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err == nil && was.token().Live(t.Created):
		return fault.New(fault.Conflict, "there is a token %q already", t.Name).WithHint("choose another name, or first: proxmox-mcp token revoke %s", t.Name)
	}
	return err
}

// TokenByHash gives the token of a secret, whether it is live or not; ok is false when there is none.
func (d *DB) TokenByHash(ctx context.Context, hash []byte) (t TokenRow, ok bool, err error) {
	var row tokenRow
	err = d.read.NewSelect().Model(&row).Where("hash = ?", hash).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return TokenRow{}, false, nil
	}
	return row.token(), err == nil, d.fault(err)
}

// Tokens lists all tokens by name, revoked ones too.
func (d *DB) Tokens(ctx context.Context) ([]TokenRow, error) {
	var rows []tokenRow
	if err := d.read.NewSelect().Model(&rows).Order("name").Scan(ctx); err != nil {
		return nil, d.fault(err)
	}
	return convert(rows, (*tokenRow).token), nil
}

// AnyToken says whether a token was ever made in this store.
func (d *DB) AnyToken(ctx context.Context) (bool, error) {
	n, err := d.read.NewSelect().Model((*tokenRow)(nil)).Limit(1).Count(ctx)
	return n > 0, d.fault(err)
}

// RevokeToken ends a token, with its audit entry. NotFound when there is none of that name that was not revoked.
func (d *DB) RevokeToken(ctx context.Context, name string, a AuditEntry) error {
	return d.audited(ctx, []AuditEntry{a}, time.Time{}, func(ctx context.Context, tx bun.Tx) error {
		found, err := changed(tx.NewUpdate().Model((*tokenRow)(nil)).Set("revoked = ?", millis(d.clock())).
			Where("name = ?", clean(name)).Where("revoked = ?", 0).Exec(ctx))
		if err == nil && !found {
			return fault.New(fault.NotFound, "there is no token %q that is not revoked already", name).WithHint("see: proxmox-mcp token list")
		}
		return err
	}, nil)
}

// TokenUsed notes a login with a token, with its audit entry.
func (d *DB) TokenUsed(ctx context.Context, name string, a AuditEntry) error {
	return d.audited(ctx, []AuditEntry{a}, time.Time{}, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*tokenRow)(nil)).Set("used = ?", millis(d.clock())).Where("name = ?", clean(name)).Exec(ctx)
		return err
	}, nil)
}
