package change

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// StopFile is the emergency stop as a file: it works where the store does not, and with nothing but touch. Whatever lies there stops
// all changes, unless it says that its time is over.
type StopFile struct{ Path string }

type stopDoc struct {
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
}

// State says whether the file stops changes at a time. A file that cannot be read does.
func (f StopFile) State(now time.Time) store.StopState {
	raw, err := os.ReadFile(f.Path)
	if f.Path == "" || errors.Is(err, fs.ErrNotExist) {
		return store.StopState{}
	}
	var d stopDoc
	if err != nil || json.Unmarshal(raw, &d) != nil {
		return store.StopState{On: true, Reason: "there is a file " + f.Path}
	}
	if !d.Until.IsZero() && !now.Before(d.Until) {
		return store.StopState{}
	}
	return store.StopState{On: true, Since: d.Since, Until: d.Until, By: d.By, Reason: d.Reason}
}

// Stop turns the emergency stop on, in the file and in the store: each is enough. It asks for nothing, and fails only where neither
// could be written. Until zero means for good.
func (o *Keeper) Stop(ctx context.Context, f StopFile, until time.Time, reason string) error {
	now := o.Clock().UTC().Truncate(time.Second)
	raw, err := json.MarshalIndent(stopDoc{Since: now, Until: until, By: o.Local, Reason: reason}, "", "  ")
	if err != nil {
		return err
	}
	ferr := replaceFile(f.Path, append(raw, '\n'))
	serr := fault.New(fault.Store, "the store could not be opened")
	if o.Store != nil {
		serr = fault.Of(o.Store.SetStop(ctx, true, until, o.Local, reason, o.entry(o.Local, "stop", "ok", "on: "+reason)))
	}
	if ferr == nil || serr == nil {
		return nil
	}
	return fault.Wrap(fault.Store, errors.Join(ferr, serr), "the emergency stop is NOT on: neither file nor store could be written").
		WithHint("end the servers; then: touch %s", f.Path)
}

// Resume ends the emergency stop. The passphrase is to be proved before.
func (o *Keeper) Resume(ctx context.Context, f StopFile) error {
	if err := o.Store.SetStop(ctx, false, time.Time{}, OperatorPrincipal, "", o.entry(OperatorPrincipal, "stop", "ok", "off")); err != nil {
		return err
	}
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Config, err, "the emergency stop is still on: its file cannot be removed").WithHint("rm %s", f.Path)
	}
	return nil
}
