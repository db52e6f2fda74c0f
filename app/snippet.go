package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
)

// selfCommand is how to start this program again: its own path, or `go run` where it was started by that, because the binary of
// `go run` goes away with it.
func selfCommand() []string {
	exe, err := os.Executable()
	if err != nil {
		return []string{"proxmox-mcp"}
	}
	if strings.Contains(filepath.ToSlash(exe), "/go-build") {
		if dir, err := os.Getwd(); err == nil {
			return []string{"go", "run", "-C", dir, "./cmd/proxmox-mcp"}
		}
	}
	return []string{exe}
}

// ownLine is how the owner starts this program in a shell for the same configuration and store.
func (a *App) ownLine(g cli.Globals) string {
	words := selfCommand()
	for _, f := range a.ownFlags(g) {
		words = append(words, f[0], f[1])
	}
	return shellLine(words)
}

// ownFlags are the flags that name configuration and store, where they are not the default ones; their paths are absolute.
func (a *App) ownFlags(g cli.Globals) (flags [][2]string) {
	for _, f := range [][2]string{{"--config", g.ConfigPath}, {"--state", g.StatePath}} {
		if f[1] == "" {
			continue
		}
		place := f[1]
		if abs, err := filepath.Abs(place); err == nil && !strings.Contains(place, "://") {
			place = abs
		}
		flags = append(flags, [2]string{f[0], place})
	}
	return flags
}

// shellLine quotes words as a POSIX shell reads them.
func shellLine(words []string) string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		if w == "" || strings.ContainsAny(w, " \t'\"$&|;<>()*?[]#~`\\!{}") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// desktopSnippet is the entry for claude_desktop_config.json.
func desktopSnippet(name string, command []string) string {
	entry := map[string]any{"mcpServers": map[string]any{name: map[string]any{"command": command[0], "args": command[1:]}}}
	b, _ := json.MarshalIndent(entry, "  ", "  ") // strings always encode
	return "  " + string(b)
}
