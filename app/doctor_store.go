package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// storeLimit bounds the check of the store: a usual one takes well under a second, and `db check` has no hurry.
const storeLimit = 20 * time.Second

// stateOf is where the store lies; a broken configuration leaves the default, which is worth a look all the same.
func stateOf(cfg *config.Config, o DoctorOptions) config.State {
	switch {
	case o.StatePath != "":
		return config.StateAt(o.Config, o.StatePath)
	case cfg != nil:
		return cfg.State
	}
	return config.State{Path: config.DefaultStatePath(o.Config)}
}

// checkStore checks the store, whatever holds it.
func checkStore(ctx context.Context, at config.State, o DoctorOptions) Check {
	ctx, cancel := context.WithTimeout(ctx, storeLimit)
	defer cancel()
	c := Check{Name: "store"}
	if config.IsDatabase(at.Path) {
		return checkDatabase(ctx, c, store.Options{Path: at.Path, Password: at.Password, HeadFile: at.HeadFile, Clock: o.Clock})
	}
	return checkFile(ctx, c, at.Path, o)
}

// checkDatabase checks a store on a database server; it makes no tables.
func checkDatabase(ctx context.Context, c Check, at store.Options) Check {
	name, err := store.Place(at.Path)
	if err != nil {
		return failed(c, err)
	}
	report, err := store.Inspect(ctx, at)
	switch {
	case fault.CodeOf(err) == fault.NotFound:
		c.State, c.Result = CheckOK, name+" answers; its tables will be created by the first sync"
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		c.State, c.Result, c.Fix = CheckWarn, fmt.Sprintf("%s: not checked within %s", name, storeLimit), "proxmox-mcp db check"
	case err != nil:
		return failed(c, err)
	case !report.OK():
		c.State, c.Result = CheckFail, fmt.Sprintf("%s is damaged: %s", name, some(report.Problems, 2))
		c.Fix = auditFix(report.Problems) + "proxmox-mcp db check; then restore a dump, or name an empty database and run: proxmox-mcp sync"
	default:
		c.State, c.Result = CheckOK, fmt.Sprintf("%s: sound, %d guests", name, report.Rows["guests"])
	}
	return c
}

// checkFile opens the store and checks it. A store that does not exist yet is not created; its folder must be writable.
func checkFile(ctx context.Context, c Check, path string, o DoctorOptions) Check {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return futureStore(c, path)
	}
	if err != nil {
		return failed(c, fault.Wrap(fault.Store, err, "the state store cannot be looked at"))
	}
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
		c.Fix = auditFix(report.Problems) + "proxmox-mcp db check; then restore a backup, or move the file aside and run: proxmox-mcp sync"
		return c
	}
	c.State, c.Result = CheckOK, fmt.Sprintf("%s: sound, %d guests", path, report.Rows["guests"])
	if perm := info.Mode().Perm(); o.Config.GOOS != "windows" && perm&0o077 != 0 {
		c.State, c.Result = CheckWarn, fmt.Sprintf("%s: others can use it (mode %04o)", path, perm)
		c.Fix = "chmod 600 " + shellLine([]string{path})
	}
	return c
}

// auditFix is what says most about an audit that is not whole.
func auditFix(problems []string) string {
	if slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, "audit") }) {
		return "proxmox-mcp audit verify; "
	}
	return ""
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
