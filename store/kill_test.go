package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// childPath names the store that a child process writes to, childTask what it does there; a process that has them is such a child.
const (
	childPath = "STORE_TEST_CHILD"
	childTask = "STORE_TEST_TASK"
)

// childMain makes this process a writer when it is a child: it opens the store and takes a lease, or writes until it is killed.
func childMain() {
	path := os.Getenv(childPath)
	if path == "" {
		return
	}
	run := writeForever
	if os.Getenv(childTask) == "open" {
		run = openOnce
	}
	if err := run(context.Background(), path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, path, task string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childPath+"="+path, childTask+"="+task)
	return cmd
}

func openOnce(ctx context.Context, path string) error {
	d, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		return err
	}
	_, _, err = d.AcquireLease(ctx, fmt.Sprint(os.Getpid()), "p", time.Hour)
	return errors.Join(err, d.Close())
}

// TestOpenProcesses starts 8 processes at once on a store that is not there yet.
func TestOpenProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "s.db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if out, err := child(t, path, "open").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	r, err := store.CheckFile(t.Context(), path)
	if err != nil || !r.OK() || r.Rows["leases"] != 8 {
		t.Errorf("%v, %+v", err, r)
	}
}

func writeForever(ctx context.Context, path string) error {
	d, err := store.Open(ctx, store.Options{Path: path})
	if err != nil {
		return err
	}
	l, _, err := d.AcquireLease(ctx, "sync/a", fmt.Sprint(os.Getpid()), time.Nanosecond)
	if err != nil {
		return err
	}
	for tick := 1; ; tick++ {
		b := manyGuests(100, tick, true)
		for i := range b.Contents { // each tick is a new version of each guest
			b.Contents[i].JSON = fmt.Appendf(nil, `{"tick":%d,"guest":%d,"pid":%d}`, tick, i, os.Getpid())
			b.Contents[i].Hash = pve.Hash(b.Contents[i].JSON)
		}
		if _, err := d.ApplyBatch(ctx, l, b); err != nil {
			return err
		}
	}
}

// TestKill kills a writing process again and again, the first time while it creates the store: the file stays sound, and every
// generation holds its whole batch.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.db")
	var last int64
	for i := range 10 {
		writer := child(t, path, "write")
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+60*i) * time.Millisecond)
		if i == 9 {
			waitForBatch(t, path, last) // on a machine so slow that none got that far
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Wait() // it was killed: its state says just that
		last = checkAfterKill(t, path, last)
	}
	if last == 0 {
		t.Error("no child ever wrote")
	}
}

// waitForBatch waits until a child has committed a batch after generation last.
func waitForBatch(t *testing.T, path string, last int64) {
	t.Helper()
	d := openAt(t, path)
	for range 300 {
		if gen, err := d.Generation(t.Context()); err != nil || gen > last {
			return // an error shows in the check after the kill
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func checkAfterKill(t *testing.T, path string, last int64) int64 {
	d, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	r, err := d.Check(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("after a kill: %v, %q", err, r.Problems)
	}
	if r.Generation < last || r.Rows["object_versions"] != 100*r.Generation {
		t.Fatalf("generation %d (before: %d) with %d versions, want 100 for each", r.Generation, last, r.Rows["object_versions"])
	}
	return r.Generation
}
