package clients

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// World is where clients are looked for, so that tests need no home folder of their own.
type World struct {
	GOOS string
	Home string
	Env  func(name string) string // nil: no variable is set
}

// Server is an entry: the name that the client shows and the command line that it starts.
type Server struct {
	Name    string
	Command []string // at least the program
}

// Client is a program that starts MCP servers, and its file of them for this user.
type Client struct {
	ID    string // as --clients takes it
	Title string
	Path  string // "" where this platform has no place for it
	Found bool   // its file or its own folder is there

	toml bool
	keys []string // the object that servers are members of
	more []field  // what an entry has besides command and args
}

type field struct {
	key   string
	value any
}

// IDs are the names that --clients takes.
func IDs(w World) []string {
	var out []string
	for _, c := range Known(w) {
		out = append(out, c.ID)
	}
	return out
}

// Known are all clients that can be registered with, found or not. The places are those that the clients' own manuals name (2026-11).
func Known(w World) []Client {
	config := w.configDir()
	claude := w.env("CLAUDE_CONFIG_DIR")
	claudeFile, claudeFolder := join(claude, ".claude.json"), claude
	if claude == "" {
		claudeFile, claudeFolder = join(w.Home, ".claude.json"), join(w.Home, ".claude")
	}
	codex := w.env("CODEX_HOME")
	if codex == "" {
		codex = join(w.Home, ".codex")
	}
	zed := join(w.xdg(), "zed") // on macOS as well
	if w.GOOS == "windows" {
		zed = join(config, "Zed")
	}
	servers := []string{"mcpServers"}
	stdio := []field{{"type", "stdio"}}
	list := []Client{
		{ID: "claude-desktop", Title: "Claude Desktop", Path: join(config, "Claude", "claude_desktop_config.json"), keys: servers},
		{ID: "claude-code", Title: "Claude Code", Path: claudeFile, keys: servers, more: stdio},
		{ID: "cursor", Title: "Cursor", Path: join(w.Home, ".cursor", "mcp.json"), keys: servers},
		{ID: "vscode", Title: "VS Code", Path: join(config, "Code", "User", "mcp.json"), keys: []string{"servers"}, more: stdio},
		{ID: "codex", Title: "Codex", Path: join(codex, "config.toml"), keys: []string{"mcp_servers"}, toml: true},
		{ID: "gemini", Title: "Gemini CLI", Path: join(w.Home, ".gemini", "settings.json"), keys: servers},
		{ID: "zed", Title: "Zed", Path: join(zed, "settings.json"), keys: []string{"context_servers"}, more: []field{{"source", "custom"}}},
	}
	for k := range list {
		c := &list[k]
		folder := filepath.Dir(c.Path)
		if c.ID == "claude-code" {
			folder = claudeFolder
		}
		c.Found = c.Path != "" && (exists(c.Path) || exists(folder))
	}
	return list
}

func (w World) env(name string) string {
	if w.Env == nil {
		return ""
	}
	return w.Env(name)
}

func (w World) xdg() string {
	if dir := w.env("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir
	}
	return join(w.Home, ".config")
}

// configDir is where desktop programs keep their settings.
func (w World) configDir() string {
	switch w.GOOS {
	case "windows":
		return w.env("AppData")
	case "darwin":
		return join(w.Home, "Library", "Application Support")
	}
	return w.xdg()
}

func join(base string, parts ...string) string {
	if base == "" {
		return ""
	}
	return filepath.Join(append([]string{base}, parts...)...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// fields are what an entry of s has in this client.
func (c Client) fields(s Server) []field {
	args := s.Command[1:]
	if args == nil {
		args = []string{}
	}
	return append(append([]field{}, c.more...), field{"command", s.Command[0]}, field{"args", args})
}

// ours says that an entry starts this program, here or at another place: only then is it changed or taken out.
func (s Server) ours(command string, args []string) bool {
	words := append([]string{command}, args...)
	named := command == s.Command[0] && command != "go"
	for _, word := range words {
		base := strings.TrimSuffix(filepath.Base(strings.ReplaceAll(word, `\`, "/")), ".exe")
		named = named || base == "proxmox-mcp"
	}
	return named && slices.Contains(words, "serve")
}

// literal is a string or a list of strings as JSON and TOML both write them.
func literal(v any) string {
	list, ok := v.([]string)
	if !ok {
		return plainJSON(v)
	}
	parts := make([]string, len(list))
	for k, s := range list {
		parts[k] = plainJSON(s)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// plainJSON writes a value without the escapes that HTML wants.
func plainJSON(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings and lists of them always encode
	return strings.TrimSuffix(b.String(), "\n")
}
