// Package pgtest runs a PostgreSQL server for tests: one per test process, started when a test first asks for a database.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The roles of a test server: keeper owns the databases and may do nothing else; guarded, its password and nobody gives one.
const (
	super   = "super"
	keeper  = "keeper"
	guarded = "guarded"
	// Password is what the server wants from the user of GuardedDatabase.
	Password = "a pass/word:100%"
	// startLimit bounds initdb and the start of a server on a busy machine: they take two seconds on an idle one.
	startLimit = time.Minute
)

// server is one PostgreSQL of a test process: on a socket in a folder of its own, gone with the process.
type server struct {
	bin, dir string
	cmd      *exec.Cmd
	done     chan struct{} // closed when the server has ended
	next     atomic.Int64  // numbers the databases
}

var (
	once     sync.Once
	started  *server
	errStart error
	errNone  = errors.New("no PostgreSQL server is installed (Debian: apt install postgresql)")
)

// Database makes an empty database for one test and gives its address. The first call starts the process's server, which
// Stop ends. Without PostgreSQL the test is skipped, and fails where CI is set.
func Database(t *testing.T) string {
	t.Helper()
	return shared(t).database(t, keeper)
}

// GuardedDatabase is Database with a user whom the server asks for Password.
func GuardedDatabase(t *testing.T) string {
	t.Helper()
	return shared(t).database(t, guarded)
}

func shared(t *testing.T) *server {
	t.Helper()
	once.Do(func() { started, errStart = startServer() })
	if errors.Is(errStart, errNone) && os.Getenv("CI") == "" {
		t.Skip(errStart)
	}
	if errStart != nil {
		t.Fatal(errStart)
	}
	return started
}

// Stop ends the server of this process, if it started one, and removes its folder. TestMain calls it after the tests.
func Stop() {
	if started != nil {
		started.stop()
	}
}

// Tool is the path of one of PostgreSQL's programs; it is there when Database gave an address.
func Tool(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(shared(t).bin, name)
}

// Admin runs a statement as the superuser in the database of an address.
func Admin(t *testing.T, place, statement string) {
	t.Helper()
	u, err := url.Parse(place)
	if err == nil {
		err = shared(t).admin(strings.TrimPrefix(u.Path, "/"), statement)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func startServer() (*server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	// Not t.TempDir: a socket's path has at most 107 bytes, and the server's user must get there.
	dir, err := os.MkdirTemp("/tmp", "pgtest-")
	if err != nil {
		return nil, err
	}
	s := &server{bin: bin, dir: dir, done: make(chan struct{})}
	if err := s.start(); err != nil {
		s.stop()
		return nil, fmt.Errorf("PostgreSQL did not start: %w", err)
	}
	return s, nil
}

// programs finds the folder of the server's programs: in PATH, or where Debian puts them (the newest version).
func programs() (string, error) {
	if p, err := exec.LookPath("postgres"); err == nil {
		if p, err = filepath.EvalSymlinks(p); err == nil { // the other programs lie beside the real one
			return filepath.Dir(p), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errNone
	}
	slices.SortFunc(found, func(a, b string) int { return len(a) - len(b) + strings.Compare(a, b) })
	return filepath.Dir(found[len(found)-1]), nil
}

func (s *server) start() error {
	data := filepath.Join(s.dir, "data")
	attr, err := serverUser(s.dir)
	if err != nil {
		return err
	}
	// A collation that is not byte order, as servers have it: what must be in byte order has to say so.
	initdb := exec.CommandContext(context.Background(), filepath.Join(s.bin, "initdb"), "-D", data, "-U", super, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", //nolint:gosec // found by programs
		"--locale-provider=icu", "--icu-locale=en-US", "--no-sync", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = attr, s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	hba := "local all " + guarded + " scram-sha-256\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return err
	}
	s.cmd = exec.CommandContext(context.Background(), filepath.Join(s.bin, "postgres"), "-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "port=5432", //nolint:gosec // found by programs
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off", "-c", "shared_buffers=32MB",
		"-c", "max_connections=200", "-c", "deadlock_timeout=50ms", "-c", "log_destination=stderr")
	s.cmd.SysProcAttr, s.cmd.Dir = attr, s.dir
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the server has its own handle
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.run(); err != nil {
		return err
	}
	return s.wait()
}

// run starts the server on a thread that lives as long as it: the server is told to end when that thread does (serverUser).
func (s *server) run() error {
	up := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		up <- err
		if err == nil {
			_ = s.cmd.Wait() // it was killed: its state says just that
		}
		close(s.done)
	}()
	return <-up
}

// wait asks until the server answers, and makes the roles.
func (s *server) wait() error {
	var err error
	for began := time.Now(); time.Since(began) < startLimit; time.Sleep(20 * time.Millisecond) {
		err = s.admin("postgres", "CREATE ROLE "+keeper+" LOGIN; CREATE ROLE "+guarded+" LOGIN PASSWORD '"+Password+"'")
		if err == nil {
			return nil
		}
		select {
		case <-s.done:
			return s.ended()
		default:
		}
	}
	return err
}

// ended is why a server is gone: the end of its log.
func (s *server) ended() error {
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	return errors.Join(fmt.Errorf("it ended: %s", log[max(0, len(log)-2000):]), err)
}

func (s *server) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // at once: nothing of it is kept
		<-s.done
	}
	_ = os.RemoveAll(s.dir)
}

func (s *server) address(user, database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s&port=5432", user, database, s.dir)
}

// admin runs statements as the superuser.
func (s *server) admin(database, statements string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.address(super, database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statements)
	return errors.Join(err, conn.Close(ctx))
}

// database makes one for a test. It goes with the server: to drop it would make the server write all that it holds.
func (s *server) database(t *testing.T, owner string) string {
	t.Helper()
	name := fmt.Sprintf("t%d", s.next.Add(1))
	if err := s.admin("postgres", "CREATE DATABASE "+name+" OWNER "+owner); err != nil {
		t.Fatal(err)
	}
	return s.address(owner, name)
}
