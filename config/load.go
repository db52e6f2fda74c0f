package config

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// LoadOptions is all that Load knows of the world around it, so that tests touch neither the process environment nor a home folder.
type LoadOptions struct {
	Path string                   // --config, "" = PROXMOX_MCP_CONFIG or the default path
	Env  func(name string) string // environment, "" = not set; nil = empty
	GOOS string                   // runtime.GOOS
	Home string                   // home folder, "" = unknown
	// WithoutClusters is for commands that work on the store alone: no cluster need be configured, and no secret is read (the
	// clusters come back without Token and Password).
	WithoutClusters bool
}

func (o LoadOptions) env(name string) string {
	if o.Env == nil {
		return ""
	}
	return o.Env(name)
}

// File is the configuration file that counts and whether it was named (then it must exist) or is the default.
func (o LoadOptions) File() (path string, named bool) {
	for _, p := range []string{o.Path, o.env("PROXMOX_MCP_CONFIG")} {
		if p != "" {
			return o.expand(p, workDir()), true
		}
	}
	return DefaultPath(o), false
}

// maxFile bounds the file: 10,000 times a usual one, far below what the parser could choke on.
const maxFile = 256 << 10

// Load reads, checks and completes the settings. The error is one *fault.Error of code Config that names every problem (Problems is
// in its chain); notes say which source won where several speak.
func Load(ctx context.Context, o LoadOptions) (*Config, []Note, error) {
	path, named := o.File()
	r := &reader{file: path}
	raw, found, err := r.open(path, named, o.GOOS)
	if err != nil {
		return nil, nil, err
	}
	l := &loader{opts: o, ctx: ctx, problems: &r.problems, baseDir: filepath.Dir(path)}
	cfg := &Config{}
	if found {
		cfg.Path = path
	}
	l.general(cfg, raw)
	l.clusters(cfg, raw)
	if err := l.err(); err != nil {
		return nil, nil, err
	}
	if len(cfg.Clusters) == 0 && !o.WithoutClusters {
		return nil, nil, noCluster(path, found)
	}
	return cfg, l.notes, nil
}

func noCluster(path string, found bool) error {
	e := fault.New(fault.Config, "no Proxmox VE cluster is configured")
	switch {
	case found:
		e.Cause = path + " defines none"
	case path != "":
		e.Cause = "there is no " + path
	}
	return e.WithHint("run: proxmox-mcp setup (or set PROXMOX_VE_ENDPOINT and PROXMOX_VE_API_TOKEN)").WithNext("proxmox-mcp setup")
}

// open reads and parses the file. A default file that does not exist is no error.
func (r *reader) open(path string, named bool, goos string) (raw rawFile, found bool, err error) {
	if path == "" {
		return rawFile{}, false, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return rawFile{}, false, nil
	}
	if err != nil {
		return rawFile{}, false, fileFault(path, systemReason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return rawFile{}, false, fileFault(path, "it is a folder")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return rawFile{}, false, fileFault(path, systemReason(err))
	}
	if len(data) > maxFile {
		return rawFile{}, false, fileFault(path, "it is longer than 256 KiB")
	}
	raw = r.parse(data)
	if raw.holdsSecret() {
		if wrong := tooOpen(f, path, goos); wrong != "" {
			r.add(spot{file: path}, "it holds a secret, and %s", wrong)
		}
	}
	return raw, true, nil
}

func fileFault(path, why string) error {
	e := fault.New(fault.Config, "the configuration file cannot be used: %s", path)
	e.Cause = why
	return e.WithHint("give the right path by --config or PROXMOX_MCP_CONFIG, or write the file with: proxmox-mcp init")
}

func (f rawFile) holdsSecret() bool {
	for _, c := range f.clusters {
		if c.token.set || c.password.set {
			return true
		}
	}
	return f.state.password.set
}

// workDir is where relative paths of flags start; "." where it is unknown.
func workDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	return dir
}
