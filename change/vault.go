package change

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// SecretStore is what the vault asks of the store; store.DB is it.
type SecretStore interface {
	PutSecret(ctx context.Context, s store.SecretRow, a store.AuditEntry) error
	SecretByName(ctx context.Context, name string) (s store.SecretRow, ok bool, err error)
	Secrets(ctx context.Context) ([]store.SecretRow, error)
	SecretUsed(ctx context.Context, name string) error
	DeleteSecret(ctx context.Context, name string, a store.AuditEntry) error
}

// Keyring is the system's store of secrets.
type Keyring interface {
	Get(name string) (string, error)
	Set(name, value string) error
	Delete(name string) error
}

// Vault keeps the secrets that changes refer to by name: in the system's keyring where there is one, else sealed with AES-256-GCM in the
// store, with the key in a file of its own, so that a copy of the store alone gives nothing away.
type Vault struct {
	Store   func(ctx context.Context) (SecretStore, error)
	KeyFile string
	Ring    Keyring // nil: there is none
	Clock   func() time.Time
	Local   string // principal of the process, for the audit
}

var _ Secrets = (*Vault)(nil)

var secretName = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (v *Vault) entry(name, what string) store.AuditEntry {
	return store.AuditEntry{At: v.Clock().UTC().Truncate(time.Millisecond), Principal: v.Local, Door: "cli", Event: "secret", Outcome: "ok", Detail: what + " " + name}
}

// Set keeps a secret under a name, in place of the one before.
func (v *Vault) Set(ctx context.Context, name, value string) error {
	switch {
	case !secretName().MatchString(name):
		return fault.BadField("name", "must be 1 to 64 letters, digits, dots, dashes and underscores", "ci-password")
	case value == "" || strings.ContainsAny(value, "\r\n\x00"):
		return fault.BadField("secret", "must be one line of text", "")
	}
	st, err := v.Store(ctx)
	if err != nil {
		return err
	}
	row := store.SecretRow{Name: name, By: v.Local, Created: v.Clock()}
	if v.Ring != nil {
		if err := v.Ring.Set(name, value); err == nil {
			row.Where = store.InKeyring
			return st.PutSecret(ctx, row, v.entry(name, "set in the keyring:"))
		}
	}
	if row.Value, err = v.seal(name, value); err != nil {
		return err
	}
	row.Where = store.InStore
	return st.PutSecret(ctx, row, v.entry(name, "set:"))
}

// List gives the names with where and when, never values.
func (v *Vault) List(ctx context.Context) ([]store.SecretRow, error) {
	st, err := v.Store(ctx)
	if err != nil {
		return nil, err
	}
	return st.Secrets(ctx)
}

// Remove forgets a secret.
func (v *Vault) Remove(ctx context.Context, name string) error {
	st, err := v.Store(ctx)
	if err != nil {
		return err
	}
	row, ok, err := st.SecretByName(ctx, name)
	if err != nil {
		return err
	}
	if ok && row.Where == store.InKeyring && v.Ring != nil {
		if err := v.Ring.Delete(name); err != nil {
			return fault.Wrap(fault.Store, err, "the keyring did not delete the secret %s", name)
		}
	}
	return st.DeleteSecret(ctx, name, v.entry(name, "removed:"))
}

// Has implements Secrets. It opens nothing.
func (v *Vault) Has(ctx context.Context, name string) (bool, error) {
	st, err := v.Store(ctx)
	if err != nil {
		return false, err
	}
	_, ok, err := st.SecretByName(ctx, name)
	return ok, err
}

// Resolve implements Secrets: the value for a request that is about to be sent. Errors: fault.NotFound for a name that was never set,
// fault.Config where keyring or key file cannot be used.
func (v *Vault) Resolve(ctx context.Context, name string) (string, error) {
	st, err := v.Store(ctx)
	if err != nil {
		return "", err
	}
	row, ok, err := st.SecretByName(ctx, name)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fault.New(fault.NotFound, "there is no secret %.64q", name).WithHint("its owner sets it on a terminal: proxmox-mcp secret set %.64s", name)
	}
	value, err := v.open(row)
	if err != nil {
		return "", err
	}
	return value, st.SecretUsed(ctx, name)
}

func (v *Vault) open(row store.SecretRow) (string, error) {
	if row.Where != store.InKeyring {
		return v.unseal(row.Name, row.Value)
	}
	if v.Ring == nil {
		return "", fault.New(fault.Config, "the secret %s is in the system's keyring, which this process cannot reach", row.Name).
			WithHint("set it again where the server runs: proxmox-mcp secret set %s", row.Name)
	}
	value, err := v.Ring.Get(row.Name)
	if err != nil {
		return "", fault.Wrap(fault.Config, err, "the system's keyring does not give the secret %s", row.Name)
	}
	return value, nil
}

// sealer is AES-256-GCM with the key of the file, which is made when make is set and there is none.
func (v *Vault) sealer(create bool) (cipher.AEAD, error) {
	raw, err := os.ReadFile(v.KeyFile)
	if errors.Is(err, fs.ErrNotExist) && create {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // it never fails (crypto/rand)
		raw = []byte(hex.EncodeToString(key) + "\n")
		err = replaceFile(v.KeyFile, raw)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "the key of the secrets cannot be used").WithHint("restore %s, or set the secrets again", v.KeyFile)
	}
	if info, err := os.Stat(v.KeyFile); err == nil && info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		return nil, fault.New(fault.Config, "others can read the key of the secrets").WithHint("chmod 600 %s", v.KeyFile)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != 32 {
		return nil, fault.New(fault.Config, "the key of the secrets is damaged: %s", v.KeyFile).WithHint("restore it, or remove it and set the secrets again")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal binds the value to its name: a row that was renamed cannot be opened.
func (v *Vault) seal(name, value string) ([]byte, error) {
	gcm, err := v.sealer(true)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce) // it never fails (crypto/rand)
	return gcm.Seal(nonce, nonce, []byte(value), []byte(name)), nil
}

func (v *Vault) unseal(name string, sealed []byte) (string, error) {
	gcm, err := v.sealer(false)
	if err != nil {
		return "", err
	}
	if len(sealed) < gcm.NonceSize() {
		return "", fault.New(fault.StoreCorrupt, "the secret %s is damaged", name)
	}
	plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], []byte(name))
	if err != nil {
		return "", fault.New(fault.Config, "the secret %s does not open with the key in %s", name, v.KeyFile).WithHint("set it again: proxmox-mcp secret set %s", name)
	}
	return string(plain), nil
}
