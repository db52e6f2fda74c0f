package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
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
