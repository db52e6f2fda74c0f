package config

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// State says where this process keeps what it learnt: a SQLite file's path, or the address of a PostgreSQL database
// (postgres://user@host:5432/database, never with a password in it).
type State struct {
	Path string
	// Password reads the database user's password when the store is opened, not before: a command may ask its user something. nil
	// when none is configured.
	Password func(ctx context.Context) (redact.Secret, error)
	// HeadFile is where the end of the audit is noted on this machine when a database server holds the store; "" for a file, which has
	// it beside itself, and where no folder for state is known.
	HeadFile string
}

// envStatePassword counts before the file's password, and alone with --state and PROXMOX_MCP_STATE.
const envStatePassword = "PROXMOX_MCP_STATE_PASSWORD" //nolint:gosec // the name of a variable

const databaseForm = "postgres://user@host:5432/database"

// rawState is the section state as it was written.
type rawState struct {
	path, password, passwordFile setting
	passwordCommand              settings
}

// IsDatabase says that a store's place is the address of a database server, not a path.
func IsDatabase(path string) bool {
	return strings.HasPrefix(path, "postgres://") || strings.HasPrefix(path, "postgresql://")
}

// StateAt is the state at a place that a flag or the environment names. The file's password belongs to the file's address and is not
// sent to another one.
func StateAt(o LoadOptions, path string) State {
	s := State{Path: path, HeadFile: headFile(o, path)}
	if secret := strings.TrimSpace(o.env(envStatePassword)); secret != "" && IsDatabase(path) {
		s.Password = func(context.Context) (redact.Secret, error) { return redact.NewSecret(secret), nil }
	}
	return s
}

// headFile has a name for each database: several can be used from one machine.
func headFile(o LoadOptions, path string) string {
	folder := filepath.Dir(DefaultStatePath(o))
	if !IsDatabase(path) || !filepath.IsAbs(folder) {
		return ""
	}
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(folder, "audit-head-"+hex.EncodeToString(sum[:6]))
}

// state checks the section state; passwords are not read yet.
func (l *loader) state(raw rawState) State {
	s := State{Path: DefaultStatePath(l.opts)}
	if raw.path.set {
		s.Path = raw.path.text
		if wrong := databaseAddress(s.Path); wrong != "" {
			l.add(raw.path.at, "%s", wrong)
		}
		if !IsDatabase(s.Path) {
			s.Path = l.opts.expand(s.Path, l.baseDir)
		}
	}
	if s.Path == "" {
		l.add(spot{key: "state.path"}, "no home folder is known to keep the store in; set state.path")
	}
	secret := secretSource{value: raw.password, file: raw.passwordFile, command: raw.passwordCommand}
	switch {
	case secret.many():
		l.add(secret.at(), "give only one of password, password_file and password_command")
	case secret.set() && !IsDatabase(s.Path):
		l.add(secret.at(), "only a database has a password: path is not of the form %s", databaseForm)
	case secret.set():
		s.Password = l.statePassword(secret)
	}
	byEnv := StateAt(l.opts, s.Path)
	if byEnv.Password == nil {
		byEnv.Password = s.Password
	}
	return byEnv
}

// statePassword reads the password when it is called.
func (l *loader) statePassword(from secretSource) func(context.Context) (redact.Secret, error) {
	opts, baseDir := l.opts, l.baseDir
	return func(ctx context.Context) (redact.Secret, error) {
		secret, wrong := from.resolve(ctx, opts, baseDir)
		if wrong != "" {
			p := problems{}
			p.add(from.at(), "%s", wrong)
			return redact.Secret{}, p.err()
		}
		return secret, nil
	}
}

// databaseAddress says what is wrong with a place that looks like an address, "" for paths. It shows nothing of it: a malformed
// address may hold a password anywhere.
func databaseAddress(s string) string {
	if !strings.Contains(s, "://") {
		return ""
	}
	if !IsDatabase(s) {
		return "is neither a path nor an address of the form " + databaseForm
	}
	u, err := url.Parse(s)
	if err != nil {
		return "is not an address of the form " + databaseForm
	}
	_, inUser := u.User.Password()
	if inUser || slices.ContainsFunc([]string{"password", "sslpassword"}, u.Query().Has) {
		return "a password does not belong in the address; use password_file, password_command or " + envStatePassword
	}
	if name := strings.TrimPrefix(u.Path, "/"); name == "" || strings.ContainsAny(name, "/@") {
		return "the name of the database is missing or malformed; the form is " + databaseForm
	}
	return ""
}
