package store

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const pgForm = "postgres://user@host:5432/database"

// isAddress says that a place is the address of a server, not a path.
func isAddress(place string) bool { return strings.Contains(place, "://") }

// newPostgres takes the address apart. What libpq reads besides (PGHOST, PGSSLMODE, ~/.pgpass and the like) counts where the
// address is silent; secret, when there is one, counts before it.
func newPostgres(ctx context.Context, o Options) (*postgresEngine, error) {
	u, err := parsePostgres(o.Path)
	if err != nil {
		return nil, err
	}
	cfg, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, badAddress("cannot be used", errors.Unwrap(err)) // the outer error quotes the address
	}
	if o.Password != nil {
		secret, err := o.Password(ctx)
		if err != nil {
			return nil, err
		}
		cfg.Password = secret.Reveal()
	}
	if !u.Query().Has("connect_timeout") {
		cfg.ConnectTimeout = pgConnect
	}
	// One round trip per query; without values bun's queries differ in text each time, so that a cache of statements would only fill.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	session(cfg.RuntimeParams)
	return &postgresEngine{cfg: cfg, name: placeOf(cfg)}, nil
}

// session sets what every session relies on, and limits where the address names none.
func session(p map[string]string) {
	// bun writes values into the text of a query with quotes doubled: with backslashes that count, text could break out.
	p["standard_conforming_strings"] = "on"
	p["client_encoding"] = "UTF8"
	p["default_transaction_isolation"] = "read committed"
	for k, v := range map[string]string{
		"application_name": "proxmox-mcp",
		// As long as a write waits for others (patience).
		"lock_timeout": strconv.FormatInt(busyTimeout.Milliseconds(), 10),
		// A process that stands still within a transaction holds others up no longer than a lease runs (DESIGN 5).
		"idle_in_transaction_session_timeout": "15000",
	} {
		if p[k] == "" {
			p[k] = v
		}
	}
}

// parsePostgres checks the address without showing it: one that is malformed may hold a password anywhere. To a server on the
// network the certificate is checked unless the address or PGSSLMODE says otherwise.
func parsePostgres(place string) (*url.URL, error) {
	u, err := url.Parse(place)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, badAddress("is not of the form "+pgForm, nil)
	}
	q := u.Query()
	_, hasPassword := u.User.Password()
	if hasPassword || q.Has("password") || q.Has("sslpassword") {
		return nil, badAddress("holds a password, which others see in the list of processes and in files", nil)
	}
	name := strings.TrimPrefix(u.Path, "/")
	if name == "" && !q.Has("dbname") || strings.ContainsAny(name, "/@") {
		return nil, badAddress("names no database; the form is "+pgForm, nil)
	}
	if !q.Has("sslmode") && os.Getenv("PGSSLMODE") == "" && !isLocal(u) {
		q.Set("sslmode", "verify-full")
		u.RawQuery = q.Encode()
	}
	return u, nil
}

// isLocal says that the server is on this machine: by socket, by loopback, or by the default, which is one of them.
func isLocal(u *url.URL) bool {
	host := u.Hostname()
	for _, other := range []string{u.Query().Get("host"), os.Getenv("PGHOST")} {
		if host == "" {
			host = other
		}
	}
	ip := net.ParseIP(host)
	return host == "" || strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

func badAddress(why string, err error) error {
	return fault.Wrap(fault.Config, err, "the address of the state store %s", why).
		WithHint("write it as %s; give the password by state.password_file, state.password_command, PROXMOX_MCP_STATE_PASSWORD "+
			"or in ~/.pgpass", pgForm)
}

// placeOf names a database for messages and for libpq's programs: an address without anything secret.
func placeOf(cfg *pgx.ConnConfig) string {
	u := url.URL{Scheme: "postgres", User: url.User(cfg.User), Path: "/" + cfg.Database}
	port := strconv.Itoa(int(cfg.Port))
	if strings.HasPrefix(cfg.Host, "/") {
		u.RawQuery = "host=" + strings.ReplaceAll(url.QueryEscape(cfg.Host), "%2F", "/")
		if port != "5432" {
			u.RawQuery += "&port=" + port
		}
		return u.String()
	}
	u.Host = net.JoinHostPort(cfg.Host, port)
	return u.String()
}

// Place names the store at path ("" = DefaultPath) as messages do: a path, or the address of a database.
func Place(path string) (string, error) {
	if !isAddress(path) {
		return filePath(path)
	}
	eng, err := newPostgres(context.Background(), Options{Path: path})
	if err != nil {
		return "", err
	}
	return eng.name, nil
}
