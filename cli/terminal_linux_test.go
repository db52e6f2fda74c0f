package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// pseudoTerminal opens a pair: what is written to master is typed at terminal.
func pseudoTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return master, terminal
}

func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 500 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s did not come", what)
}

// TestHiddenLine types a line that does not show, and then breaks off another: the terminal echoes again.
func TestHiddenLine(t *testing.T) {
	master, terminal := pseudoTerminal(t)
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		line string
		err  error
	}
	ask := func() chan result {
		done := make(chan result, 1)
		go func() {
			line, err := hiddenLine(ctx, int(terminal.Fd()))
			done <- result{line, err}
		}()
		waitFor(t, "the prompt without echo", func() bool { return !echoes(t, terminal) })
		return done
	}
	done := ask()
	if _, err := master.WriteString("secret\n"); err != nil {
		t.Fatal(err)
	}
	if r := <-done; r.line != "secret" || r.err != nil {
		t.Errorf("%+v", r)
	}
	done = ask()
	cancel()
	if r := <-done; r.line != "" || !errors.Is(r.err, context.Canceled) {
		t.Errorf("after the interrupt: %+v", r)
	}
	if !echoes(t, terminal) {
		t.Error("the terminal is left without echo")
	}
	// The read that was left behind ends with the terminal's next line.
	if _, err := master.WriteString("\n"); err != nil {
		t.Fatal(err)
	}
}

// TestWidthOfTerminal asks a real terminal of 80 columns.
func TestWidthOfTerminal(t *testing.T) {
	_, terminal := pseudoTerminal(t)
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	if got := width(terminal); got != 80 || !term.IsTerminal(int(terminal.Fd())) {
		t.Errorf("width %d", got)
	}
	t.Setenv("TERM", "xterm")
	if !color(terminal, Globals{}) || color(terminal, Globals{NoColor: true}) || color(&failingWriter{}, Globals{}) {
		t.Error("colour where there should be none, or none where it should be")
	}
	t.Setenv("TERM", "dumb")
	if color(terminal, Globals{}) {
		t.Error("colour on a dumb terminal")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }
