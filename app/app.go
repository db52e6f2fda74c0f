package app

import (
	"context"
	"io"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// App is the program. Its fields are the world around it, so that tests start it in-process.
type App struct {
	Env    func(name string) string
	Home   string
	GOOS   string
	Clock  func() time.Time
	Stderr io.Writer
	Here   func() change.Here // what it runs on; nil: not known
	// Collector is the percentage of the garbage collector that a server goes on with after its start; 0: the one that is set.
	Collector int

	own  ownLog // the log that read_log reads
	logs logs
}

// New is the program in this process's world.
func New() *App {
	home, _ := os.UserHomeDir() // without a home the default paths are unknown, and config says so where they are needed
	return &App{Env: os.Getenv, Home: home, GOOS: runtime.GOOS, Clock: time.Now, Stderr: os.Stderr,
		Here: func() change.Here {
			h := change.LookAround(os.DirFS("/"))
			h.Addresses = ownAddresses()
			return h
		}}
}

var _ cli.Program = (*App)(nil)

func (a *App) loadOptions(g cli.Globals) config.LoadOptions {
	return config.LoadOptions{Path: g.ConfigPath, Env: a.Env, GOOS: a.GOOS, Home: a.Home}
}

// loadConfig reads the configuration with the flags on top, and makes the logger that it asks for; notes go there.
func (a *App) loadConfig(ctx context.Context, g cli.Globals, errOut io.Writer) (*config.Config, *slog.Logger, error) {
	cfg, notes, err := config.Load(ctx, a.loadOptions(g))
	if err != nil {
		return nil, nil, err
	}
	if g.StatePath != "" {
		cfg.State = config.StateAt(a.loadOptions(g), g.StatePath)
	}
	log, err := a.logging(g, cfg.Log, errOut)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range notes {
		log.Warn(string(n))
	}
	return cfg, log, nil
}

// settings reads the configuration without any secret, for what has to work where no cluster is configured or can be reached.
func (a *App) settings(g cli.Globals) (*config.Config, error) {
	o := a.loadOptions(g)
	o.WithoutClusters = true
	cfg, _, err := config.Load(context.Background(), o)
	return cfg, err
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
