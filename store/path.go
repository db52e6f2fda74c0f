package store

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const (
	appFolder = "proxmox-mcp"
	dbFile    = "state.db"
)

// filePath is path, or DefaultPath for "".
func filePath(path string) (string, error) {
	if path == "" {
		return DefaultPath()
	}
	return path, nil
}

// DefaultPath is where the state lies by the platform's conventions: $XDG_STATE_HOME/proxmox-mcp/state.db (else
// ~/.local/state/...) on Linux and the BSDs, ~/Library/Application Support/proxmox-mcp/state.db on macOS,
// %LocalAppData%\proxmox-mcp\state.db on Windows. It fails where the user has no home folder.
func DefaultPath() (string, error) {
	return defaultPath(runtime.GOOS, os.Getenv, os.UserHomeDir)
}

func defaultPath(goos string, env func(string) string, home func() (string, error)) (string, error) {
	switch goos {
	case "windows":
		if dir := env("LocalAppData"); dir != "" {
			return filepath.Join(dir, appFolder, dbFile), nil
		}
	case "darwin", "ios":
	default:
		// The XDG specification says that relative values must be ignored.
		if dir := env("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, appFolder, dbFile), nil
		}
	}
	dir, err := home()
	if err != nil {
		return "", fault.Wrap(fault.Config, err, "there is no home folder to keep the state store in").
			WithHint("set HOME, or name the store's path in the configuration")
	}
	switch goos {
	case "windows":
		return filepath.Join(dir, "AppData", "Local", appFolder, dbFile), nil
	case "darwin", "ios":
		return filepath.Join(dir, "Library", "Application Support", appFolder, dbFile), nil
	}
	return filepath.Join(dir, ".local", "state", appFolder, dbFile), nil
}
