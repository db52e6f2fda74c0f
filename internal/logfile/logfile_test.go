package logfile

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

func open(t *testing.T, o Options) (*Files, *slog.Logger) {
	t.Helper()
	f, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, slog.New(f.Handler(slog.LevelWarn, nil))
}

// messages are the texts of a file's lines; nil where there is none.
func messages(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		var m struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %q", path, line)
		}
		out = append(out, m.Msg)
	}
	return out
}

// TestChannels: each channel has its file, whatever the level; the rest goes by level. All are private, also one that was not.
func TestChannels(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	path := filepath.Join(dir, "server.log")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("{\"msg\":\"older\"}\n"), 0o644); err != nil { //nolint:gosec // that is the case
		t.Fatal(err)
	}
	_, log := open(t, Options{Path: path, MaxSizeMB: 1})
	log.Info("quiet")
	log.Warn("loud")
	log.Info("row", telemetry.Channel(telemetry.ChannelAudit))
	log.With(telemetry.Channel(telemetry.ChannelSlow), slog.String("a", "b")).WithGroup("g").Info("slow")
	log.Info("no such channel", telemetry.Channel("nonsense"))
	log.Error("no such channel either", telemetry.Channel("../x"))
	got := map[string][]string{}
	for _, name := range []string{"server.log", "server.audit.log", "server.slow.log", "server.security.log"} {
		got[name] = messages(t, filepath.Join(dir, name))
	}
	want := map[string][]string{"server.log": {"older", "loud", "no such channel either"}, "server.audit.log": {"row"}, "server.slow.log": {"slow"}, "server.security.log": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
}

// TestProcesses: a second process writes files of its own, and takes the first ones when they are free: what turns a file round must not
// meet another writer.
func TestProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "server.log")
	first, a := open(t, Options{Path: path, MaxSizeMB: 1})
	_, b := open(t, Options{Path: path, MaxSizeMB: 1})
	a.Warn("of the first")
	b.Warn("of the second")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_, c := open(t, Options{Path: path, MaxSizeMB: 1})
	c.Warn("of the third")
	if diff := cmp.Diff([]string{"of the first", "of the third"}, messages(t, path)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"of the second"}, messages(t, strings.TrimSuffix(path, ".log")+".2.log")); diff != "" {
		t.Error(diff)
	}
}

// TestBounds: files are put aside by size, compressed, counted and private, and a flood of the log leaves the audit alone.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	_, log := open(t, Options{Path: filepath.Join(dir, "server.log"), MaxSizeMB: 1, MaxFiles: 2, Compress: true})
	log.Info("kept", telemetry.Channel(telemetry.ChannelAudit))
	text := strings.Repeat("x", 100<<10)
	aside := func() (names []string) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), "server-") {
				names = append(names, e.Name())
			}
		}
		return names
	}
	for range 5 * 11 {
		log.Warn(text)
		time.Sleep(time.Millisecond) // files put aside in one millisecond would have one name
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		names := aside()
		if len(names) == 2 && !slices.ContainsFunc(names, func(n string) bool { return !strings.HasSuffix(n, ".gz") }) {
			for _, n := range names {
				if info, err := os.Stat(filepath.Join(dir, n)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v", n, err)
				}
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("put aside: %v", names)
		}
	}
	if got := messages(t, filepath.Join(dir, "server.audit.log")); len(got) != 1 {
		t.Errorf("audit: %v", got)
	}
}

// TestRefused: a place that cannot be written is an error that names it and says why.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "directory", filepath.Join(file, "server.log"): "not a directory"} {
		_, err := Open(Options{Path: path})
		e := fault.Of(err)
		if err == nil || e.Code != fault.Config || !strings.Contains(e.Message, path) || !strings.Contains(e.Cause, want) || e.Hint == "" {
			t.Errorf("%s: %+v", path, e)
		}
	}
}
