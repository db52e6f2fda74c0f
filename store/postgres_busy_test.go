package store_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/store/pgtest"
)

// holdRow keeps the row of the lease in a transaction of d until the release that it gives.
func holdRow(t *testing.T, d *store.DB) (release func() error) {
	t.Helper()
	held, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- d.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.ExecContext(ctx, "SELECT 1 FROM leases FOR UPDATE")
			close(held)
			<-end
			return err
		})
	}()
	<-held
	return sync.OnceValue(func() error { close(end); return <-done })
}

// TestPostgresBusy keeps a row on one handle: a write on another one waits as long as its caller does, then says that it is worth
// another try; reads never wait.
func TestPostgresBusy(t *testing.T) {
	at := pgtest.Database(t)
	holder, other := openAt(t, at), openAt(t, at+"&lock_timeout=50")
	lease(t, holder)
	release := holdRow(t, holder)
	acquire := func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		_, _, err := other.AcquireLease(ctx, "sync/a", "p", time.Second)
		return time.Since(began), err
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if took, err := acquire(ctx); fault.CodeOf(err) != fault.Timeout || took > 5*time.Second {
		t.Errorf("with 200 ms to wait: %v after %s, want timeout", err, took)
	}
	other.SetPatience(100 * time.Millisecond)
	_, err := acquire(t.Context())
	if e := wantFault(t, err, fault.Store, other.Path()); !e.Retryable {
		t.Error("a busy store is worth another try")
	}
	if _, err := other.Guests(t.Context(), store.GuestFilter{}); err != nil {
		t.Errorf("a read waits for a writer: %v", err)
	}
	other.SetPatience(10 * time.Second)
	later := time.AfterFunc(200*time.Millisecond, func() {
		if err := release(); err != nil {
			t.Error(err)
		}
	})
	defer later.Stop()
	if _, err := acquire(t.Context()); err != nil {
		t.Errorf("after the row was given back: %v", err)
	}
}

// TestPostgresStandsStill stops within a transaction, as a suspended laptop does: the server takes its locks away, others go on, and
// nothing of it is kept.
func TestPostgresStandsStill(t *testing.T) {
	at := pgtest.Database(t)
	still, other := openAt(t, at+"&idle_in_transaction_session_timeout=300"), openAt(t, at)
	lease(t, still)
	release := holdRow(t, still)
	if _, _, err := other.AcquireLease(t.Context(), "sync/a", "p", time.Second); err != nil {
		t.Errorf("the other one: %v", err)
	}
	if e := wantFault(t, release(), fault.Store, still.Path()); !e.Retryable {
		t.Error("it may try again")
	}
	if _, err := still.Guests(t.Context(), store.GuestFilter{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestPostgresGivesWay runs transactions that the server ends in favour of others: they are run again from the start.
func TestPostgresGivesWay(t *testing.T) {
	d := openAt(t, pgtest.Database(t))
	for _, code := range []string{"40001", "40P01", "55P03"} {
		runs := 0
		err := d.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			if runs++; runs > 2 {
				return nil
			}
			_, err := tx.ExecContext(ctx, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '"+code+"'; END $$")
			return err
		})
		if err != nil || runs != 3 {
			t.Errorf("%s: %d runs, %v", code, runs, err)
		}
	}
}

// TestPostgresDeadlock lets two batches of transactions lock two rows in opposite order: all of them come through.
func TestPostgresDeadlock(t *testing.T) {
	at := pgtest.Database(t)
	d := openAt(t, at)
	pgtest.Admin(t, at, "CREATE TABLE pairs (n int PRIMARY KEY, v int); INSERT INTO pairs VALUES (1, 0), (2, 0); GRANT ALL ON pairs TO keeper")
	add := func(first, second int) error {
		return d.InTx(context.Background(), func(ctx context.Context, tx bun.Tx) error {
			for _, n := range []int{first, second} {
				if _, err := tx.ExecContext(ctx, "UPDATE pairs SET v = v + 1 WHERE n = ?", n); err != nil {
					return err
				}
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		})
	}
	var wg sync.WaitGroup
	for _, order := range [][2]int{{1, 2}, {2, 1}} {
		wg.Go(func() {
			for range 5 {
				if err := add(order[0], order[1]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	pgtest.Admin(t, at, "DO $$ BEGIN IF (SELECT sum(v) FROM pairs) <> 20 THEN RAISE 'lost updates'; END IF; END $$")
}

// TestPostgresRestart cuts all connections: at most one call per connection fails, as worth another try, then all goes on.
func TestPostgresRestart(t *testing.T) {
	at := pgtest.Database(t)
	d := openAt(t, at)
	l := lease(t, d)
	apply(t, d, l, manyGuests(10, 0, true))
	pgtest.Admin(t, at, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	again := func(what string, call func() error) {
		var err error
		for range 10 {
			if err = call(); err == nil {
				return
			}
			if e := wantFault(t, err, fault.Store, d.Path()); !e.Retryable {
				t.Errorf("%s: %v is worth another try", what, e)
			}
		}
		t.Errorf("%s: %v", what, err)
	}
	again("read", func() error { _, err := d.Guests(t.Context(), store.GuestFilter{}); return err })
	again("point read", func() error { _, err := d.Generation(t.Context()); return err })
	again("write", func() error { _, err := d.RenewLease(t.Context(), l, time.Hour); return err })
}

// TestPostgresConnections works hard: a process keeps within its number of connections.
func TestPostgresConnections(t *testing.T) {
	at := pgtest.Database(t)
	d := openAt(t, at)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := d.Guests(t.Context(), store.GuestFilter{}); err != nil {
				t.Error(err)
			}
			if _, _, err := d.AcquireLease(t.Context(), string(rune('a'+i)), "p", time.Second); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	pgtest.Admin(t, at, "DO $$ BEGIN IF (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'proxmox-mcp' "+
		"AND datname = current_database()) NOT BETWEEN 2 AND 6 THEN RAISE 'connections'; END IF; END $$")
}
