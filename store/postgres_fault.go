package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// SQLSTATE codes (PostgreSQL's documentation, appendix A).
const (
	pgSerialization  = "40001"
	pgDeadlock       = "40P01"
	pgLockTimeout    = "55P03"
	pgQueryCanceled  = "57014"
	pgReadOnly       = "25006"
	pgStoodStill     = "25P03" // idle_in_transaction_session_timeout
	pgForbidden      = "42501"
	pgDiskFull       = "53100"
	pgTooMany        = "53300"
	pgBadPassword    = "28P01"
	pgNotAllowed     = "28000"
	pgNoDatabase     = "3D000"
	pgNoSchema       = "3F000"
	pgDataCorrupted  = "XX001"
	pgIndexCorrupted = "XX002"
)

// busy says that a transaction lost against others and may be tried again as it was: nothing of it was kept.
func (e *postgresEngine) busy(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pe.Code == pgSerialization || pe.Code == pgDeadlock || pe.Code == pgLockTimeout)
}

// fault judges errors of the server by their SQLSTATE, and lost connections.
func (e *postgresEngine) fault(err error) error {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.serverFault(err, pe.Code)
	}
	if _, isNet := errors.AsType[net.Error](err); isNet || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) {
		return fault.Wrap(fault.Store, err, "the connection to the state store %s was lost", e.name).
			WithHint("try again; if it stays so, look whether the PostgreSQL server runs").Retry()
	}
	return nil
}

// serverFault judges by the code, else by its class (the first two letters); nil for those that are no matter of the database.
func (e *postgresEngine) serverFault(err error, code string) error {
	switch code {
	case pgSerialization, pgDeadlock, pgLockTimeout:
		return fault.Wrap(fault.Store, err, "another process held the state store %s for more than %s", e.name, busyTimeout).
			WithHint("try again; if it stays so, look for a stuck proxmox-mcp process (pg_stat_activity)").Retry()
	case pgQueryCanceled:
		return fault.Wrap(fault.Cancelled, err, "the call was cancelled")
	case pgReadOnly:
		return fault.Wrap(fault.StoreReadOnly, err, "the state store %s cannot be written", e.name).
			WithHint("name the primary server, not a standby; target_session_attrs=read-write in the address picks it out of several")
	case pgForbidden:
		return e.forbidden(err)
	case pgDiskFull:
		return fault.Wrap(fault.StoreFull, err, "there is no room left for the state store %s", e.name).
			WithHint("free space on the server's disk; what was committed before is intact, nothing of the failed write was kept").Retry()
	case pgDataCorrupted, pgIndexCorrupted:
		return fault.Wrap(fault.StoreCorrupt, err, "the state store %s is damaged", e.name).
			WithHint("run `proxmox-mcp db check` for details; restore a dump into a new database, or name an empty one: the next sync fills it").
			WithNext("proxmox-mcp db check")
	case pgTooMany:
		return fault.Wrap(fault.Store, err, "the server of the state store %s takes no more connections", e.name).
			WithHint("raise max_connections; one proxmox-mcp process uses up to %d", pgWriters+pgReaders).Retry()
	}
	if strings.HasPrefix(code, "08") || strings.HasPrefix(code, "57P") || code == pgStoodStill {
		return fault.Wrap(fault.Store, err, "the server of the state store %s ended the connection", e.name).
			WithHint("try again in a moment: it stops, starts or was told to end it").Retry()
	}
	return nil
}

func (e *postgresEngine) forbidden(err error) error {
	return fault.Wrap(fault.StoreReadOnly, err, "the state store %s does not let its user make and use tables", e.name).
		WithHint("make the user the owner of the database: ALTER DATABASE %s OWNER TO %s", e.cfg.Database, e.cfg.User)
}

// connectFault says why there is no connection. The driver's text names user, database and host, never the password.
func (e *postgresEngine) connectFault(err error) error {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pe.Code {
		case pgBadPassword, pgNotAllowed, pgForbidden:
			return fault.Wrap(fault.Store, err, "the server of the state store %s refused the login", e.name).
				WithHint("check the user in the address and the password (state.password_file, state.password_command, " +
					"PROXMOX_MCP_STATE_PASSWORD or ~/.pgpass), and pg_hba.conf on the server")
		case pgNoDatabase, pgNoSchema:
			return fault.Wrap(fault.Store, err, "the database of the state store %s does not exist", e.name).
				WithHint("create it on the server: createdb --encoding=UTF8 --owner=%s %s", e.cfg.User, e.cfg.Database)
		}
		if f := e.serverFault(err, pe.Code); f != nil {
			return f
		}
	}
	if untrusted(err) {
		return fault.Wrap(fault.Store, err, "the certificate of the state store %s is not trusted", e.name).
			WithHint("add sslrootcert=FILE (its authority) to the address; sslmode=require would encrypt without checking who answers")
	}
	hint := "check that the server runs and that the address is right"
	if errors.Is(err, context.DeadlineExceeded) {
		hint += "; it did not answer in time"
	}
	return fault.Wrap(fault.Store, errors.New(err.Error()), "the state store %s cannot be reached", e.name).WithHint("%s", hint).Retry()
}

// untrusted says that a connection failed over the server's certificate, or because it has none.
func untrusted(err error) bool {
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return unverified || unknown || strings.Contains(err.Error(), "server refused TLS connection")
}

func (e *postgresEngine) badEncoding(found string) error {
	return fault.New(fault.Store, "the database of the state store %s has the encoding %s, not UTF8", e.name, found).
		WithHint("create another one: createdb --encoding=UTF8 --template=template0 --owner=%s NAME", e.cfg.User)
}

// backup refuses: a server's databases are saved with the server's own program.
func (e *postgresEngine) backup(_ context.Context, dest string) error {
	return fault.New(fault.Unsupported, "a state store in PostgreSQL is not copied by this program").
		WithHint("pg_dump takes one moment of it while servers write, with what PostgreSQL needs to restore it: "+
			"pg_dump --format=custom --file=%s %s; pg_restore --dbname brings it back into an empty database", quoted(dest), quoted(e.name))
}

// quoted makes a word safe to paste into a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
