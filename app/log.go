package app

import (
	"cmp"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/logfile"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// logs is the log file of this process. The zero value is ready.
type logs struct {
	mu    sync.Mutex
	files *logfile.Files
}

// open opens the file once.
func (l *logs) open(f config.LogFile) (*logfile.Files, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files != nil {
		return l.files, nil
	}
	files, err := logfile.Open(logfile.Options{Path: f.Path, MaxSizeMB: f.MaxSizeMB, MaxAgeDays: f.MaxAgeDays, MaxFiles: f.MaxFiles, Compress: f.Compress})
	if err == nil {
		l.files = files
	}
	return files, err
}

// Close closes the file.
func (l *logs) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files != nil {
		_ = l.files.Close() // nobody is left to tell
		l.files = nil
	}
}

// logger is the log without a configuration.
func (a *App) logger(g cli.Globals, w io.Writer) (*slog.Logger, error) {
	return a.logging(g, config.Log{File: config.DefaultLogFile()}, w)
}

// logging is the log of this process: to w, to memory, and to a file where one is named. Where the file cannot be used the error says so and
// the logger does without.
func (a *App) logging(g cli.Globals, l config.Log, w io.Writer) (*slog.Logger, error) {
	log := configured(g, l, w)
	if g.LogFile != "" {
		l.File = l.File.At(a.loadOptions(g), g.LogFile)
	}
	if l.File.Path == "" {
		return a.own.keep(log), nil
	}
	files, err := a.logs.open(l.File)
	if err != nil {
		return a.own.keep(log), err
	}
	return a.own.keep(slog.New(slog.NewMultiHandler(log.Handler(), files.Handler(levelOf(g, l), mask)))), nil
}

func levelOf(g cli.Globals, l config.Log) slog.Level {
	level := slog.LevelWarn
	_ = level.UnmarshalText([]byte(cmp.Or(g.LogLevel, l.Level, "warn"))) // command line and configuration were checked
	return level
}

// configured logs to w, which is stderr: --log-level goes before the configuration's level, and without both only warnings and errors
// show. The format auto is coloured text on a terminal and JSON elsewhere. Secrets are masked by pattern as a last defence.
func configured(g cli.Globals, l config.Log, w io.Writer) *slog.Logger {
	level := levelOf(g, l)
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
