package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// doorBook is what the HTTP door asks the store about callers, and writes into it about them.
type doorBook struct {
	a *App
	l *lazy

	mu     sync.Mutex
	tokens bool // whether a token was ever made
	looked time.Time
}

var _ auth.Book = (*doorBook)(nil)

func (b *doorBook) store(ctx context.Context) (*store.DB, error) {
	p, err := b.l.get(ctx)
	if err != nil {
		return nil, err
	}
	return p.openStore(ctx, b.a.Clock)
}

// token implements auth.Tokens.
func (b *doorBook) token(ctx context.Context, hash []byte) (store.TokenRow, bool, error) {
	db, err := b.store(ctx)
	if err != nil {
		return store.TokenRow{}, false, err
	}
	return db.TokenByHash(ctx, hash)
}

// lookEvery is how old it may be whether there are tokens: who makes the first one closes the door for all others within a second.
const lookEvery = 500 * time.Millisecond

// open says whether callers without a credential are let in: on loopback, while nobody ever made a token in this store and nothing else
// asks for one. Once there was a token, revoking it opens nothing.
func (b *doorBook) open(d httpDoor) func(ctx context.Context) (bool, error) {
	if d.guarded() {
		return func(context.Context) (bool, error) { return false, nil }
	}
	return func(ctx context.Context) (bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.tokens || b.a.Clock().Sub(b.looked).Abs() < lookEvery {
			return !b.tokens, nil
		}
		db, err := b.store(ctx)
		if err != nil {
			return false, err
		}
		if b.tokens, err = db.AnyToken(ctx); err != nil {
			return false, err
		}
		b.looked = b.a.Clock()
		return !b.tokens, nil
	}
}

func (b *doorBook) entry(who, event, outcome, detail string) store.AuditEntry {
	return store.AuditEntry{At: b.a.Clock().UTC().Truncate(time.Millisecond), Principal: who, Door: "http", Event: event, Outcome: outcome, Detail: detail}
}

// Login implements auth.Book.
func (b *doorBook) Login(ctx context.Context, who server.Principal) error {
	db, err := b.store(ctx)
	if err != nil {
		return err
	}
	e := b.entry(clean.Line(who.String(), maxPrincipal), "login", "ok", "first call within an hour")
	if who.Kind == "token" {
		return db.TokenUsed(ctx, who.ID, e)
	}
	_, err = db.AppendAudit(ctx, e)
	return err
}

// maxPrincipal bounds what an audit row says of who calls: an issuer's address and a subject.
const maxPrincipal = 600

// Failed implements auth.Book.
func (b *doorBook) Failed(ctx context.Context, peer, why string, more int) error {
	db, err := b.store(ctx)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("from %s: %s", clean.Line(peer, 60), why)
	if more > 0 {
		text += fmt.Sprintf("; %d more since the last such row", more)
	}
	_, err = db.AppendAudit(ctx, b.entry("unknown:", "login", "denied", text))
	return err
}

// Refused implements auth.Book.
func (b *doorBook) Refused(ctx context.Context, who server.Principal, tool, why string) error {
	db, err := b.store(ctx)
	if err != nil {
		return err
	}
	e := b.entry(clean.Line(who.String(), maxPrincipal), "deny", "denied", why)
	e.Tool = tool
	_, err = db.AppendAudit(ctx, e)
	return err
}

// refused is server.Options.Refused.
func (b *doorBook) refused(log *slog.Logger) func(ctx context.Context, tool, why string) {
	return func(ctx context.Context, tool, why string) {
		if err := b.Refused(ctx, server.PrincipalOf(ctx), tool, why); err != nil {
			log.Error("a refusal could not be written down", "tool", tool, "err", err)
		}
	}
}
