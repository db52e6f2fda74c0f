package storetest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// childPlace names the store that a child process works on, childTask what it does there; a process that has them is such a child.
const (
	childPlace = "STORE_TEST_CHILD"
	childTask  = "STORE_TEST_TASK"
)

// shareTTL is how long the leases of the process tests run: short, because a killed holder's has to be waited for, yet longer than a
// busy machine lets a process stand still.
const shareTTL = 3 * time.Second

// Child does what a child process of RunProcesses is there for and ends the process; in any other process it does nothing. TestMain
// calls it first.
func Child(open func(ctx context.Context, place string) (Store, error)) {
	place := os.Getenv(childPlace)
	if place == "" {
		return
	}
	ctx := context.Background()
	h, err := open(ctx, place)
	if err == nil {
		err = errors.Join(tasks[os.Getenv(childTask)](ctx, h), h.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var tasks = map[string]func(context.Context, Store) error{"open": openOnce, "write": writeForever, "share": share, "hold": hold,
	"append": appendMany, "change": changeForever}

func child(t *testing.T, place, task string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this test binary
	cmd.Env = append(os.Environ(), childPlace+"="+place, childTask+"="+task)
	return cmd
}

func owner() string { return fmt.Sprint(os.Getpid()) }

func openOnce(ctx context.Context, h Store) error {
	_, _, err := h.AcquireLease(ctx, owner(), "p", time.Hour)
	return err
}

// writeForever changes a hundred guests and their contents per batch, until it is killed.
func writeForever(ctx context.Context, h Store) error {
	l, _, err := h.AcquireLease(ctx, "sync:a", owner(), time.Nanosecond)
	if err != nil {
		return err
	}
	for tick := 1; ; tick++ {
		if _, err := h.ApplyBatch(ctx, l, hundred(tick)); err != nil {
			return err
		}
	}
}

func hundred(tick int) store.Batch {
	b := store.Batch{Cluster: "a", At: t0.Add(time.Duration(tick) * time.Second), SyncID: 1}
	for i := range 100 {
		b.Guests = append(b.Guests, guest(100+i, 1))
		b.Contents = append(b.Contents, content(fmt.Sprint(100+i), 1, fmt.Sprintf(`{"tick":%d,"guest":%d,"pid":%d}`, tick, i, os.Getpid())))
	}
	return b
}

// share takes the lease whenever it is free, writes under it, gives it back, and reads meanwhile, until its input ends. It tells what
// it did in lines: took EPOCH, wrote EPOCH.
func share(ctx context.Context, h Store) error {
	end := make(chan struct{})
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(end)
	}()
	for run := 0; ; run++ {
		select {
		case <-end:
			return nil
		case <-time.After(10 * time.Millisecond):
		}
		l, ok, err := h.AcquireLease(ctx, "sync:a", fmt.Sprintf("%s/%d", owner(), run), shareTTL)
		if err == nil && ok {
			err = shareRun(ctx, h, l)
		}
		if fault.CodeOf(err) == fault.Fenced { // this process stood still for longer than its lease
			continue
		}
		if err != nil {
			return err
		}
		if _, err := h.Guests(ctx, store.GuestFilter{Cluster: "a"}); err != nil {
			return err
		}
	}
}

func shareRun(ctx context.Context, h Store, l store.Lease) error {
	tell("took", l)
	for range 3 {
		b := store.Batch{Cluster: "a", At: t0, Changes: []store.Change{{What: fmt.Sprint(l.Epoch), At: t0}}}
		for v := range 20 {
			b.Guests = append(b.Guests, guest(100+v, 1))
		}
		if _, err := h.ApplyBatch(ctx, l, b); err != nil {
			return err
		}
		tell("wrote", l)
		var err error
		if l, err = h.RenewLease(ctx, l, shareTTL); err != nil {
			return err
		}
	}
	return h.ReleaseLease(ctx, l)
}

// hold takes the lease as soon as it is free and renews it until it is killed. It tells both in lines: took EPOCH, renewed EPOCH.
func hold(ctx context.Context, h Store) error {
	l, ok, err := h.AcquireLease(ctx, "sync:a", owner(), shareTTL)
	for ; err == nil && !ok; l, ok, err = h.AcquireLease(ctx, "sync:a", owner(), shareTTL) {
		time.Sleep(time.Millisecond)
	}
	tell("took", l)
	for err == nil {
		l, err = h.RenewLease(ctx, l, shareTTL)
		tell("renewed", l)
		time.Sleep(shareTTL / 20)
	}
	return err
}

// tell writes a line for the parent.
func tell(did string, l store.Lease) { _, _ = fmt.Fprintln(os.Stdout, did, l.Epoch) } // a parent that is gone needs none

// event is a line of a child.
type event struct {
	child int
	did   string
	epoch int64
	at    time.Time
}

// listen starts a child and hands on its lines.
func listen(t *testing.T, cmd *exec.Cmd, i int, to chan<- event) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			e := event{child: i, at: time.Now()}
			if _, err := fmt.Sscan(lines.Text(), &e.did, &e.epoch); err != nil {
				e.did = lines.Text()
			}
			to <- e
		}
		to <- event{child: i, did: "ended"}
	}()
}
