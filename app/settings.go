package app

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

const (
	// settingsEvery is how old the settings of a cluster may be: code is written from them, and a person changes them.
	settingsEvery = time.Hour
	// settingsFirst leaves the first minute of a server to those who ask it something.
	settingsFirst = time.Minute
	// settingsLimit bounds what a command waits for them: some 40 calls, and two for each guest that is filtered.
	settingsLimit = 2 * time.Minute
)

// watchSettings keeps the settings of the clusters in the store, read by whichever process finds them old first, and at once where code is
// wanted of some that were never read.
func (p *parts) watchSettings(ctx context.Context, log *slog.Logger) {
	for wait := settingsFirst; ; wait = settingsEvery / 4 {
		select {
		case <-ctx.Done():
			return
		case <-p.wanted:
		case <-time.After(wait):
		}
		if err := p.readSettings(ctx, func(string) {}); err != nil && ctx.Err() == nil {
			log.Info("the settings of a cluster could not be read", "err", err)
		}
	}
}

// want is told that code was written without settings that were never read. It waits for nothing.
func (p *parts) want() {
	select {
	case p.wanted <- struct{}{}:
	default: // it is known already
	}
}

// readSettings reads the settings of the clusters where that was never done, or is long ago. Errors are of clusters of which nothing is known
// otherwise: old settings are told by their age.
func (p *parts) readSettings(ctx context.Context, tell func(cluster string)) error {
	var errs []error
	for _, name := range p.pool.Names() {
		at, err := p.inv.SettingsAt(ctx, name)
		if err == nil && p.clock().Sub(at) >= settingsEvery {
			tell(name)
			_, err = p.inv.Settings(ctx, name)
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
