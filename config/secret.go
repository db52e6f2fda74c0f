package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

const (
	// commandTimeout bounds a token_command: a password manager that waits for a person would hang a client's start.
	commandTimeout = 5 * time.Second
	// commandGrace is how long a killed command's children may hold its output open.
	commandGrace = 500 * time.Millisecond
	// maxSecret bounds what is read as a secret: a token has under 200 bytes.
	maxSecret = 64 << 10
)

// secretSource is where one secret comes from: exactly one of the three is set.
type secretSource struct {
	value, file setting
	command     settings
}

// at is the place of the setting that is used.
func (s secretSource) at() spot {
	switch {
	case s.file.set:
		return s.file.at
	case s.command.set:
		return s.command.at
	}
	return s.value.at
}

func (s secretSource) set() bool { return s.value.set || s.file.set || s.command.set }

// refused says that a value was written and refused: nothing is missing then.
func (s secretSource) refused() bool {
	return s.value.seen && !s.value.set || s.file.seen && !s.file.set || s.command.seen && !s.command.set
}

// many says that more than one of the three is set.
func (s secretSource) many() bool {
	n := 0
	for _, set := range []bool{s.value.set, s.file.set, s.command.set} {
		if set {
			n++
		}
	}
	return n > 1
}

// resolve reads the secret. wrong says why there is none, without quoting what was read.
func (s secretSource) resolve(ctx context.Context, o LoadOptions, baseDir string) (secret redact.Secret, wrong string) {
	switch {
	case s.file.set:
		return readSecretFile(o.expand(s.file.text, baseDir), o.GOOS)
	case s.command.set:
		return runSecretCommand(ctx, s.command)
	}
	return redact.NewSecret(strings.TrimSpace(s.value.text)), ""
}

// readSecretFile reads a secret that lies alone in a file; surrounding white space goes.
func readSecretFile(path, goos string) (redact.Secret, string) {
	f, err := os.Open(path)
	if err != nil {
		return redact.Secret{}, "cannot be read: " + systemReason(err)
	}
	defer f.Close()
	if wrong := tooOpen(f, path, goos); wrong != "" {
		return redact.Secret{}, wrong
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return redact.Secret{}, "cannot be read: " + systemReason(err)
	}
	return oneSecret(data, "the file")
}

// runSecretCommand runs argv without a shell and takes its output. What the program wrote is never shown.
func runSecretCommand(ctx context.Context, argv settings) (redact.Secret, string) {
	args := make([]string, len(argv.items))
	for i, a := range argv.items {
		args[i] = a.text
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var out capped
	cmd := exec.CommandContext(ctx, args[0], args[1:]...) //nolint:gosec // the owner's own configuration names the program
	cmd.Stdout, cmd.WaitDelay = &out, commandGrace
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return redact.Secret{}, fmt.Sprintf("the command did not end within %s", commandTimeout)
	case ctx.Err() != nil:
		return redact.Secret{}, "the command was cancelled"
	case err != nil:
		return redact.Secret{}, "the command failed: " + commandReason(err) + "; run it by hand to see why"
	}
	return oneSecret(out.Bytes(), "the command's output")
}

// capped is a buffer that swallows what goes beyond maxSecret.
type capped struct{ bytes.Buffer }

// Write implements io.Writer; it never fails, so that the program ends by itself.
func (c *capped) Write(p []byte) (int, error) {
	if room := maxSecret + 1 - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func oneSecret(data []byte, from string) (redact.Secret, string) {
	s := strings.TrimSpace(string(data))
	switch {
	case s == "":
		return redact.Secret{}, from + " is empty"
	case len(data) > maxSecret:
		return redact.Secret{}, from + " is too long for a secret"
	case strings.ContainsAny(s, "\r\n"):
		return redact.Secret{}, from + " has more than one line"
	}
	return redact.NewSecret(s), ""
}

// tooOpen says that others can read an open file that holds a secret, with the line that closes it. Windows has no such modes;
// pipes and devices have no mode that matters.
func tooOpen(f *os.File, path, goos string) string {
	info, err := f.Stat()
	if err != nil {
		return "cannot be read: " + systemReason(err)
	}
	if info.IsDir() {
		return "is a folder, not a file"
	}
	if perm := info.Mode().Perm(); goos != "windows" && info.Mode().IsRegular() && perm&0o077 != 0 {
		return fmt.Sprintf("others than its owner can use this file (mode %04o); close it with: chmod 600 %s", perm, shellQuote(path))
	}
	return ""
}

// shellQuote makes a path safe to paste.
func shellQuote(s string) string {
	if strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// systemReason is the operating system's reason without path and call.
func systemReason(err error) string {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}

func commandReason(err error) string {
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ProcessState.String()
	}
	if e, ok := errors.AsType[*exec.Error](err); ok {
		return e.Err.Error()
	}
	return systemReason(err)
}
