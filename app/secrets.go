package app

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// systemKeyring is the keyring of the desktop: Secret Service, Keychain, Credential Manager.
type systemKeyring struct{}

// keyringService is the name under which the keyring shows our secrets.
const keyringService = "proxmox-mcp"

// keyringLimit bounds a question to the keyring, which may wait for a person to unlock it.
const keyringLimit = 20 * time.Second

func ringCall(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(keyringLimit):
		return fault.New(fault.Timeout, "the system's keyring did not answer within %s", keyringLimit)
	}
}

// Get implements change.Keyring.
func (systemKeyring) Get(name string) (value string, err error) {
	got := make(chan string, 1)
	err = ringCall(func() error {
		v, err := keyring.Get(keyringService, name)
		got <- v
		return err
	})
	if err == nil {
		value = <-got
	}
	return value, err
}

// Set implements change.Keyring.
func (systemKeyring) Set(name, value string) error {
	return ringCall(func() error { return keyring.Set(keyringService, name, value) })
}

// Delete implements change.Keyring.
func (systemKeyring) Delete(name string) error {
	return ringCall(func() error { return keyring.Delete(keyringService, name) })
}

// ring is the keyring where there can be one: on Unix it takes a session bus, which a server without a desktop does not have.
func (a *App) ring() change.Keyring {
	switch a.GOOS {
	case "darwin", "windows":
		return systemKeyring{}
	}
	if a.Env == nil {
		return nil
	}
	if a.Env("DBUS_SESSION_BUS_ADDRESS") != "" {
		return systemKeyring{}
	}
	if dir := a.Env("XDG_RUNTIME_DIR"); dir != "" {
		if _, err := os.Stat(filepath.Join(dir, "bus")); err == nil {
			return systemKeyring{}
		}
	}
	return nil
}

// vault keeps secrets beside what open gives.
func (a *App) vault(open func(context.Context) (*store.DB, error)) *change.Vault {
	return &change.Vault{Store: func(ctx context.Context) (change.SecretStore, error) { return open(ctx) },
		KeyFile: a.beside("secrets.key"), Ring: a.ring(), Clock: a.Clock, Local: server.LocalPrincipal().String()}
}

func (a *App) withVault(ctx context.Context, g cli.Globals, f func(*change.Vault) error) error {
	return a.withAudit(ctx, g, func(db *store.DB) error {
		return f(a.vault(func(context.Context) (*store.DB, error) { return db, nil }))
	})
}

// SecretSet implements cli.SecretKeeper.
func (a *App) SecretSet(ctx context.Context, g cli.Globals, name string, t cli.Terminal) error {
	return a.withVault(ctx, g, func(v *change.Vault) error {
		value, err := t.Secret("value of " + name + " (not shown while you type): ")
		if err != nil {
			return err
		}
		again, err := t.Secret("once more: ")
		if err != nil {
			return err
		}
		if value != again {
			return fault.New(fault.Invalid, "the two were not the same; nothing was kept")
		}
		if err := v.Set(ctx, name, value); err != nil {
			return err
		}
		t.Say("Kept. Give it as secret:%s wherever Proxmox VE wants a password.", name)
		return nil
	})
}

// secretRow is a secret without its value.
type secretRow struct {
	Name  string     `json:"name"`
	Where string     `json:"where"`
	Set   time.Time  `json:"set"`
	By    string     `json:"by"`
	Used  *time.Time `json:"used,omitempty"`
}

// SecretList implements cli.SecretKeeper.
func (a *App) SecretList(ctx context.Context, g cli.Globals) (cli.Report, error) {
	value := []secretRow{}
	t := tools.Table{Name: "secrets", Main: true, Columns: []string{"name", "where", "set", "by", "last used"}}
	zone := a.zone(g)
	err := a.withVault(ctx, g, func(v *change.Vault) error {
		rows, err := v.List(ctx)
		for _, r := range rows {
			out, used := secretRow{Name: r.Name, Where: r.Where, Set: r.Created, By: r.By}, "never"
			if !r.Used.IsZero() {
				out.Used, used = &r.Used, r.Used.In(zone).Format(time.RFC3339)
			}
			value = append(value, out)
			t.Rows = append(t.Rows, []string{r.Name, r.Where, r.Created.In(zone).Format(time.RFC3339), r.By, used})
		}
		return err
	})
	v := tools.View{}
	if len(value) == 0 {
		v.Line("There are no secrets.")
	}
	v.Table(t)
	return cli.Report{Value: value, View: v}, err
}

// SecretRemove implements cli.SecretKeeper.
func (a *App) SecretRemove(ctx context.Context, g cli.Globals, name string) error {
	return a.withVault(ctx, g, func(v *change.Vault) error { return v.Remove(ctx, name) })
}
