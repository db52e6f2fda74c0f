package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Signals is a context that the first interrupt (Ctrl-C, SIGTERM) ends, so that a command can finish what it must; the second one
// ends the process the hard way. stop gives the signals back to the system.
func Signals() (ctx context.Context, stop context.CancelFunc) {
	ctx, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// interruptible reads from r until ctx ends. A read of a terminal cannot be broken off: it goes on in the background, and what it
// brings is dropped with the process.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (i interruptible) Read(p []byte) (int, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		buf := make([]byte, len(p))
		n, err := i.r.Read(buf)
		done <- result{buf[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.data), r.err
	case <-i.ctx.Done():
		return 0, i.ctx.Err()
	}
}

// readSecret reads without echo, from a terminal only: a pipe or argument would leave the secret in a history or process list.
func readSecret(ctx context.Context, s Streams) func(string) (string, error) {
	return func(prompt string) (string, error) {
		f, err := terminal(s, "the token is", "run init in a terminal, or write the configuration file by hand with token_file")
		if err != nil {
			return "", err
		}
		return prompted(s.Out, prompt, func() (string, error) { return hiddenLine(ctx, int(f.Fd())) })
	}
}

// person is whoever sits at the terminal; prompts go to standard error, so that an answer for programs stays clean.
func person(ctx context.Context, s Streams, bar *progress) Terminal {
	const hint = "run it in a terminal yourself"
	t := Terminal{Out: s.Err, Progress: func(string, int, int) {}}
	if bar != nil {
		t.Progress = bar.update
	}
	t.Secret = func(prompt string) (string, error) {
		f, err := terminal(s, "a secret is", hint)
		if err != nil {
			return "", err
		}
		return prompted(s.Err, prompt, func() (string, error) { return hiddenLine(ctx, int(f.Fd())) })
	}
	t.Ask = func(prompt string) (string, error) {
		f, err := terminal(s, "a person is", hint)
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprint(s.Err, prompt)
		line, err := bufio.NewReader(interruptible{ctx, f}).ReadString('\n')
		return strings.TrimSpace(line), err
	}
	return t
}

// terminal is standard input, if it is one.
func terminal(s Streams, what, hint string) (*os.File, error) {
	f, ok := s.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, fault.New(fault.Invalid, "%s asked for on a terminal, and standard input is none", what).WithHint("%s", hint)
	}
	return f, nil
}

func prompted(out io.Writer, prompt string, read func() (string, error)) (string, error) {
	_, _ = fmt.Fprint(out, prompt)
	line, err := read()
	_, _ = fmt.Fprintln(out)
	return line, err
}

// hiddenLine reads a line without echo. When ctx ends first, the terminal gets its echo back and the read is left behind.
func hiddenLine(ctx context.Context, fd int) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "the terminal cannot be asked for its state")
	}
	type result struct {
		line []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		done <- result{line, err}
	}()
	select {
	case r := <-done:
		return string(r.line), r.err
	case <-ctx.Done():
		if err := term.Restore(fd, before); err != nil {
			return "", fault.Wrap(fault.Cancelled, err, "interrupted, and the terminal's echo could not be turned on again").WithHint("run: stty echo")
		}
		return "", ctx.Err()
	}
}
