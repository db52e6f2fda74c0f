package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// storeLimit bounds the check of the store: a usual one takes well under a second, and `db check` has no hurry.
const storeLimit = 20 * time.Second

// statePath is where the store lies; a broken configuration leaves the default, which is worth a look all the same.
func statePath(cfg *config.Config, o DoctorOptions) string {
	switch {
	case o.StatePath != "":
		return o.StatePath
	case cfg != nil:
		return cfg.State.Path
	}
	return config.DefaultStatePath(o.Config)
}

// checkStore opens the store and checks it. A store that does not exist yet is not created; its folder must be writable.
func checkStore(ctx context.Context, path string, o DoctorOptions) Check {
	c := Check{Name: "store"}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return futureStore(c, path)
	}
	if err != nil {
		return failed(c, fault.Wrap(fault.Store, err, "the state store cannot be looked at"))
	}
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	db, err := store.Open(ctx, store.Options{Path: path, Clock: o.Clock})
	if err != nil {
		return failed(c, err)
	}
	defer func() { _ = db.Close() }() // it was read only
	report, err := db.Check(ctx)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		c.State, c.Result, c.Fix = CheckWarn, fmt.Sprintf("%s opens; too large to check within %s", path, storeLimit), "proxmox-mcp db check"
		return c
	case err != nil:
		return failed(c, err)
	case !report.OK():
		c.State, c.Result = CheckFail, fmt.Sprintf("%s is damaged: %s", path, some(report.Problems, 2))
		c.Fix = "proxmox-mcp db check; then restore a backup, or move the file aside and run: proxmox-mcp sync"
		return c
	}
	c.State, c.Result = CheckOK, fmt.Sprintf("%s: sound, %d guests", path, report.Rows["guests"])
	if perm := info.Mode().Perm(); o.Config.GOOS != "windows" && perm&0o077 != 0 {
		c.State, c.Result = CheckWarn, fmt.Sprintf("%s: others can use it (mode %04o)", path, perm)
		c.Fix = "chmod 600 " + shellLine([]string{path})
	}
	return c
}

// futureStore checks that the first sync will be able to create the store.
func futureStore(c Check, path string) Check {
	dir := filepath.Dir(path)
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			c.State, c.Result, c.Fix = CheckFail, dir+" is not a folder", "set state.path to a file in a folder of yours"
			return c
		}
		if err == nil || dir == filepath.Dir(dir) {
			break
		}
	}
	// Only trying tells whether a folder is writable: modes say nothing about read-only mounts or access lists.
	f, err := os.CreateTemp(dir, ".proxmox-mcp-*")
	if err != nil {
		c = failed(c, fault.Wrap(fault.StoreReadOnly, err, "the state store %s cannot be created", path))
		c.Fix = "make the folder writable, or set state.path"
		return c
	}
	_ = errors.Join(f.Close(), os.Remove(f.Name())) // it was empty
	c.State, c.Result = CheckOK, path+" will be created by the first sync"
	return c
}
