package config

import (
	"path/filepath"
	"strings"
)

// appDir is the folder's name on every platform.
const appDir = "proxmox-mcp"

// DefaultPath is where the configuration is looked for by each platform's conventions: $XDG_CONFIG_HOME or ~/.config on Linux
// and other Unix systems, ~/Library/Application Support on macOS, %AppData% on Windows. "" where no home folder is known.
func DefaultPath(o LoadOptions) string {
	return o.inFolder("XDG_CONFIG_HOME", ".config", "AppData", "config.yaml")
}

// DefaultStatePath is where the store lies: $XDG_STATE_HOME or ~/.local/state, ~/Library/Application Support, %LocalAppData%.
func DefaultStatePath(o LoadOptions) string {
	return o.inFolder("XDG_STATE_HOME", filepath.Join(".local", "state"), "LocalAppData", "state.db")
}

// PromptsFolder is where the owner's prompts and recipes are looked for: prompts.d beside the configuration file. "" where no place is known.
func PromptsFolder(o LoadOptions) string {
	path, _ := o.File()
	if path == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(path), "prompts.d")
}

func (o LoadOptions) inFolder(xdg, unixDir, winVar, file string) string {
	switch o.GOOS {
	case "windows":
		return under(o.env(winVar), file)
	case "darwin", "ios":
		return under(join(o.Home, filepath.Join("Library", "Application Support")), file)
	}
	// The XDG specification says that relative paths are to be ignored.
	if dir := o.env(xdg); filepath.IsAbs(dir) {
		return under(dir, file)
	}
	return under(join(o.Home, unixDir), file)
}

func under(base, file string) string { return join(base, filepath.Join(appDir, file)) }

func join(base, rest string) string {
	if base == "" {
		return ""
	}
	return filepath.Join(base, rest)
}

// expand makes a path of the file absolute: ~/ is the home folder, a relative path starts at the file's folder.
func (o LoadOptions) expand(path, baseDir string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = join(o.Home, strings.TrimPrefix(path, "~"))
	}
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(baseDir, path)
}
