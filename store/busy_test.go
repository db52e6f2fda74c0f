package store_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// TestBusy keeps the write lock on one handle: a write on another one waits as long as its caller does, then says that it is
// worth another try; reads never wait.
func TestBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	holder, other := openAt(t, path), openAt(t, path)
	if err := holder.Exec(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	acquire := func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		_, _, err := other.AcquireLease(ctx, "sync:a", "p", time.Second)
		return time.Since(began), err
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	took, err := acquire(ctx)
	if fault.CodeOf(err) != fault.Timeout || took > 2*time.Second { // generous: the machine may be slow, ten seconds would be wrong
		t.Errorf("with 50 ms to wait: %v after %s, want timeout", err, took)
	}
	other.SetPatience(100 * time.Millisecond)
	_, err = acquire(t.Context())
	if e := wantFault(t, err, fault.Store, path); !e.Retryable {
		t.Error("a busy store is worth another try")
	}
	if _, err := other.Guests(t.Context(), store.GuestFilter{}); err != nil {
		t.Errorf("a read waits for a writer: %v", err)
	}
	other.SetPatience(10 * time.Second)
	release := time.AfterFunc(100*time.Millisecond, func() {
		if err := holder.Exec(t.Context(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
	})
	defer release.Stop()
	if _, err := acquire(t.Context()); err != nil {
		t.Errorf("after the lock was given back: %v", err)
	}
}
