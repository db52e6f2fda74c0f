package app

import (
	"context"
	"path/filepath"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/iac/ansible"
	"github.com/proxmox-mcp/proxmox-mcp/iac/checks"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/iac/docs"
	"github.com/proxmox-mcp/proxmox-mcp/iac/outside"
	"github.com/proxmox-mcp/proxmox-mcp/iac/pulumi"
	"github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
)

// newCode wires what keeps clusters as code.
func (a *App) newCode(p *parts) (*code.Service, error) {
	tf, err := terraform.New("")
	if err != nil {
		return nil, err
	}
	emitters := []iac.Emitter{tf, ansible.Emitter{}, checks.Emitter{}, docs.Emitter{}, pulumi.Emitter{}}
	for _, name := range p.cfg.Code.Emitters {
		emitters = append(emitters, outside.Emitter{Program: name, Env: emitterEnv(a.Env)})
	}
	return code.New(code.Options{
		Store:    func(ctx context.Context) (code.Store, error) { return p.openStore(ctx, a.Clock) },
		Emitters: emitters, With: p.cfg.Code.Parts,
		Select: p.inv.Selection, Guest: p.inv.GuestID,
		Folder: func(cluster string) string { return a.codeFolder(p.cfg, cluster) },
		Environment: func(ctx context.Context, cluster string) ([]string, func(), error) {
			return a.codeEnvironment(ctx, p, cluster)
		},
		Unread:  p.want,
		Program: p.cfg.Code.Terraform, Git: p.cfg.Code.Git, Zone: p.cfg.Location(), Plans: a.plansFolder(p.cfg), Clock: a.Clock,
	}), nil
}

// emitterEnv is what an outside emitter gets of the environment: no credential is in it.
func emitterEnv(env func(string) string) []string {
	var out []string
	for _, name := range []string{"PATH", "HOME", "LANG", "LC_ALL"} {
		if v := env(name); v != "" {
			out = append(out, name+"="+v)
		}
	}
	return out
}

// codeFolder is where a cluster's code lies: where the configuration says, else beside the store.
func (a *App) codeFolder(cfg *config.Config, cluster string) string {
	if cfg.Code.Folder != "" && len(cfg.Clusters) == 1 {
		return cfg.Code.Folder
	}
	if cfg.Code.Folder != "" {
		return code.Default(cfg.Code.Folder, cluster)
	}
	data := a.dataFolder(cfg)
	if data == "" {
		return ""
	}
	return code.Default(filepath.Join(data, "code"), cluster)
}

// plansFolder is where saved plans of code lie; "" where no home folder is known.
func (a *App) plansFolder(cfg *config.Config) string {
	data := a.dataFolder(cfg)
	if data == "" {
		return ""
	}
	return filepath.Join(data, "plans")
}

// dataFolder is where the store lies, or would lie if it were a file; "" where no home folder is known.
func (a *App) dataFolder(cfg *config.Config) string {
	state := cfg.State.Path
	if state == "" || config.IsDatabase(state) {
		state = config.DefaultStatePath(config.LoadOptions{Env: a.Env, GOOS: a.GOOS, Home: a.Home})
	}
	if state == "" {
		return ""
	}
	return filepath.Dir(state)
}
