package app

import (
	"cmp"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// logger is configured without a configuration.
func (a *App) logger(g cli.Globals, w io.Writer) *slog.Logger {
	return a.own.keep(configured(g, config.Log{}, w))
}

// configured logs to w, which is stderr: --log-level goes before the configuration's level, and without both only warnings and errors
// show. The format auto is coloured text on a terminal and JSON elsewhere. Secrets are masked by pattern as a last defence.
func configured(g cli.Globals, l config.Log, w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	_ = level.UnmarshalText([]byte(cmp.Or(g.LogLevel, l.Level, "warn"))) // command line and configuration were checked
	f, ok := w.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd()))
	if l.Format == "text" || l.Format != "json" && terminal {
		return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, ReplaceAttr: mask, NoColor: g.NoColor || !terminal}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: mask}))
}

func mask(_ []string, at slog.Attr) slog.Attr {
	if at.Value.Kind() == slog.KindString {
		return slog.String(at.Key, redact.Text(at.Value.String()))
	}
	if err, ok := at.Value.Any().(error); ok {
		return slog.String(at.Key, redact.Text(err.Error()))
	}
	return at
}
