// Package logfile writes the log to files that are bounded in size, age and number, with one more file for each channel that must not be
// pushed out by others.
package logfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Options are where the log goes, and what is kept of it.
type Options struct {
	Path       string // absolute
	MaxSizeMB  int    // a file that reaches it is put aside
	MaxAgeDays int    // of files put aside; 0 = any
	MaxFiles   int    // put aside, of each channel; 0 = any
	Compress   bool   // files put aside
}

// maxProcesses is how many processes of one configuration write files of their own: lumberjack turns a file round without regard to others.
const maxProcesses = 64

// Files are the files of one process. They are made when something is written.
type Files struct {
	o Options

	mu   sync.Mutex
	base string // without extension, once claimed
	lock *os.File
	open map[string]*lumberjack.Logger // by channel, "" = the log itself
}

// Open checks that the log can be written there; it is made private (folder 0700, file 0600). Config, which names path and reason, when
// it cannot.
func Open(o Options) (*Files, error) {
	f := &Files{o: o, open: map[string]*lumberjack.Logger{}}
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		return nil, refused(o.Path, err)
	}
	if err := private(o.Path); err != nil {
		return nil, refused(o.Path, err)
	}
	return f, nil
}

func refused(path string, err error) error {
	e := fault.Wrap(fault.Config, err, "the log file cannot be written: %s", path)
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // as the os package gives it
		e.Cause = pe.Err.Error()
	}
	return e.WithHint("name a file in a folder that this user may write: --log-file, or log.file.path in the configuration")
}

// private makes the file, or takes the rights of others away: lumberjack keeps the mode that a file has.
func private(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 {
		return file.Chmod(0o600)
	}
	return nil
}

// Write writes one line into the file of a channel.
func (f *Files) Write(channel string, line []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := f.file(channel)
	if err == nil {
		_, err = out.Write(line)
	}
	return err
}

// file opens the file of a channel; f.mu is held.
func (f *Files) file(channel string) (*lumberjack.Logger, error) {
	if out := f.open[channel]; out != nil {
		return out, nil
	}
	if err := f.claim(); err != nil {
		return nil, err
	}
	name := f.base + filepath.Ext(f.o.Path)
	if channel != "" {
		name = f.base + "." + channel + filepath.Ext(f.o.Path)
	}
	if err := private(name); err != nil {
		return nil, err
	}
	out := &lumberjack.Logger{Filename: name, MaxSize: f.o.MaxSizeMB, MaxAge: f.o.MaxAgeDays, MaxBackups: f.o.MaxFiles, Compress: f.o.Compress}
	f.open[channel] = out
	return out, nil
}

// claim takes the first set of files that no other process writes: server.log, server.2.log and so on.
func (f *Files) claim() error {
	if f.lock != nil {
		return nil
	}
	base := strings.TrimSuffix(f.o.Path, filepath.Ext(f.o.Path))
	for n := 1; n <= maxProcesses; n++ {
		f.base = base
		if n > 1 {
			f.base = fmt.Sprintf("%s.%d", base, n)
		}
		file, err := os.OpenFile(f.base+".lock", os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if lock(file) {
			f.lock = file
			return nil
		}
		_ = file.Close()
	}
	return fault.New(fault.Conflict, "%d processes write logs beside %s already", maxProcesses, f.o.Path)
}

// Close closes the files; the next process may take them.
func (f *Files) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var first error
	for _, out := range f.open {
		if err := out.Close(); first == nil {
			first = err
		}
	}
	if f.lock != nil {
		_ = f.lock.Close()
		f.lock = nil
	}
	clear(f.open)
	return first
}
