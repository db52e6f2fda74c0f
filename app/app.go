package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// App is the program. Its fields are the world around it, so that tests start it in-process.
type App struct {
	Env    func(name string) string
	Home   string
	GOOS   string
	Clock  func() time.Time
	Stderr io.Writer
}

// New is the program in this process's world.
func New() *App {
	home, _ := os.UserHomeDir() // without a home the default paths are unknown, and config says so where they are needed
	return &App{Env: os.Getenv, Home: home, GOOS: runtime.GOOS, Clock: time.Now, Stderr: os.Stderr}
}

var _ cli.Program = (*App)(nil)

func (a *App) loadOptions(g cli.Globals) config.LoadOptions {
	return config.LoadOptions{Path: g.ConfigPath, Env: a.Env, GOOS: a.GOOS, Home: a.Home}
}

// loadConfig reads the configuration with the flags on top; notes go to the log.
func (a *App) loadConfig(ctx context.Context, g cli.Globals, log *slog.Logger) (*config.Config, error) {
	cfg, notes, err := config.Load(ctx, a.loadOptions(g))
	if err != nil {
		return nil, err
	}
	if g.StatePath != "" {
		cfg.State.Path = g.StatePath
	}
	for _, n := range notes {
		log.Warn(string(n))
	}
	return cfg, nil
}

// MultiCluster implements cli.Program: it reads the configuration file without its secrets.
func (a *App) MultiCluster(g cli.Globals) bool {
	o := a.loadOptions(g)
	o.WithoutClusters = true
	cfg, _, err := config.Load(context.Background(), o)
	return err == nil && len(cfg.Clusters) > 1
}

// logger logs to stderr: coloured text on a terminal, JSON otherwise. Secrets are masked by pattern as a last defence.
func (a *App) logger(g cli.Globals, w io.Writer) *slog.Logger {
	level := slog.LevelWarn
	if g.LogLevel != "" {
		_ = level.UnmarshalText([]byte(g.LogLevel)) // the command line checked it
	}
	mask := func(_ []string, at slog.Attr) slog.Attr {
		if at.Value.Kind() == slog.KindString {
			return slog.String(at.Key, redact.Text(at.Value.String()))
		}
		if err, ok := at.Value.Any().(error); ok {
			return slog.String(at.Key, redact.Text(err.Error()))
		}
		return at
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(tint.NewHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly, ReplaceAttr: mask, NoColor: g.NoColor}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: mask}))
}

// Version implements cli.Program.
func (a *App) Version() cli.Report {
	b := buildinfo.Read()
	v := tools.View{}
	v.Line("proxmox-mcp %s", b.Version)
	v.Line("commit %s, %s, %s/%s", b.Commit, b.GoVersion, runtime.GOOS, runtime.GOARCH)
	return cli.Report{Value: b, View: v}
}

func deadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fault.New(fault.Timeout, "the command took longer than %s", d))
}
