package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
)

func TestLogLevel(t *testing.T) {
	for name, c := range map[string]struct {
		flag, setting string
		want          slog.Level
	}{
		"neither":  {"", "", slog.LevelWarn},
		"setting":  {"", "info", slog.LevelInfo},
		"flag":     {"error", "", slog.LevelError},
		"flag won": {"debug", "error", slog.LevelDebug},
	} {
		log := configured(cli.Globals{LogLevel: c.flag}, config.Log{Level: c.setting}, &bytes.Buffer{})
		if !log.Enabled(t.Context(), c.want) || log.Enabled(t.Context(), c.want-1) {
			t.Errorf("%s: the level is not %s", name, c.want)
		}
	}
}

func TestLogFormat(t *testing.T) {
	for format, isJSON := range map[string]bool{"": true, "auto": true, "json": true, "text": false} {
		var b bytes.Buffer
		configured(cli.Globals{}, config.Log{Format: format}, &b).Warn("hello", "password", "password=hunter2", "err", errors.New("secret=hunter2"))
		line := b.String()
		if json.Valid(b.Bytes()) != isJSON || !strings.Contains(line, "hello") || strings.ContainsRune(line, '\x1b') || strings.Contains(line, "hunter2") {
			t.Errorf("%q: %s", format, line)
		}
	}
}

// TestLogSettings reads level and format from the file.
func TestLogSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	a := &App{Env: func(string) string { return "" }, Home: t.TempDir(), GOOS: "linux"}
	for text, want := range map[string]config.Log{
		"log: {level: debug, format: text}\n": {Level: "debug", Format: "text", File: config.DefaultLogFile()},
		"freshness: 1m\n":                     {Level: "warn", Format: "auto", File: config.DefaultLogFile()},
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := a.settings(cli.Globals{ConfigPath: path})
		if err != nil || cfg.Log != want {
			t.Errorf("%q: %+v, %v", text, cfg, err)
		}
	}
}
