package clients

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

var (
	server = Server{"proxmox", []string{"/opt/proxmox-mcp", "serve"}}
	moved  = Server{"proxmox", []string{`C:\Program Files\proxmox-mcp.exe`, "serve", "--config", "/etc/p.yaml"}}
	at     = time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
)

// home is a folder with a client's file in it; text nil leaves the file out.
func home(t *testing.T, id string, text []byte) Client {
	t.Helper()
	w := World{GOOS: "linux", Home: t.TempDir()}
	list := Known(w)
	k := slices.IndexFunc(list, func(c Client) bool { return c.ID == id })
	c := list[k]
	if text != nil {
		if err := os.MkdirAll(filepath.Dir(c.Path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(c.Path, text, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func must(t *testing.T, e Edit, err error) Edit {
	t.Helper()
	if err != nil {
		t.Fatalf("%v: %v", err, fault.Of(err).Hint)
	}
	return e
}

// TestFormats adds a server to a file of each client, does it again, moves it and takes it out: testdata has what becomes of the files.
func TestFormats(t *testing.T) {
	for _, id := range IDs(World{GOOS: "linux", Home: "/"}) {
		t.Run(id, func(t *testing.T) {
			golden := filepath.Join("testdata", id+".txtar")
			ar, err := txtar.ParseFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			before := ar.Files[0].Data
			c := home(t, id, before)
			got := []txtar.File{ar.Files[0]}
			step := func(name, action string, e Edit) {
				if e.Action != action {
					t.Errorf("%s: action %s, want %s", name, e.Action, action)
				}
				if _, err := e.Write(at); err != nil {
					t.Fatal(err)
				}
				got = append(got, txtar.File{Name: name + " shows", Data: []byte(strings.Join(e.Diff, "\n") + "\n")},
					txtar.File{Name: name, Data: []byte(content(t, c.Path))})
			}
			e, err := c.Put(server)
			step("added", Add, must(t, e, err))
			if e, err := c.Put(server); err != nil || e.Action != None {
				t.Errorf("again: %s, %v", e.Action, err)
			}
			e, err = c.Put(moved)
			step("moved", Update, must(t, e, err))
			e, err = c.Take(server)
			step("removed", Remove, must(t, e, err))
			if e, err := c.Take(server); err != nil || e.Action != None {
				t.Errorf("removed again: %s, %v", e.Action, err)
			}
			ar.Files = got
			if strings.Contains(string(txtar.Format(&txtar.Archive{Files: got[1:2]})), "s3cret") {
				t.Error("what is shown has another server's secret")
			}
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, txtar.Format(ar), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(content(t, golden), string(txtar.Format(ar))); diff != "" {
				t.Errorf("testdata (-) and what is (+):\n%s", diff)
			}
		})
	}
}

// TestWriteKeepsACopy: the old file stays beside the new one with its mode; a link stays one; a new file is the owner's alone.
func TestWriteKeepsACopy(t *testing.T) {
	old := []byte(`{"mcpServers": {}}`)
	c := home(t, "cursor", old)
	real := c.Path + ".real"
	if err := os.Rename(c.Path, real); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, c.Path); err != nil {
		t.Fatal(err)
	}
	e, err := c.Put(server)
	backup, err := must(t, e, err).Write(at)
	if err != nil || content(t, backup) != string(old) || !strings.HasSuffix(backup, ".20261122-103000.bak") {
		t.Fatalf("copy %s: %v", backup, err)
	}
	for path, mode := range map[string]fs.FileMode{real: 0o640, backup: 0o640} {
		if info, err := os.Lstat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	if _, err := os.Readlink(c.Path); err != nil {
		t.Error("the link is none any more")
	}
	fresh := home(t, "codex", nil)
	e, err = fresh.Put(server)
	if backup, err := must(t, e, err).Write(at); err != nil || backup != "" {
		t.Errorf("a new file has a copy: %q, %v", backup, err)
	}
	if info, err := os.Stat(fresh.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a new file: %v, %v", info, err)
	}
}

// TestLeftAlone names what is not touched, with a reason that helps.
func TestLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		id, text string
		code     fault.Code
	}{
		"no JSON":           {"cursor", `{"mcpServers": `, fault.Config},
		"a list":            {"cursor", `[]`, fault.Config},
		"servers a list":    {"cursor", `{"mcpServers": []}`, fault.Config},
		"servers twice":     {"cursor", `{"mcpServers": {}, "mcpServers": {}}`, fault.Config},
		"another's entry":   {"vscode", `{"servers": {"proxmox": {"command": "npx", "args": ["proxmox"]}}}`, fault.Conflict},
		"a remote entry":    {"gemini", `{"mcpServers": {"proxmox": {"httpUrl": "https://x"}}}`, fault.Conflict},
		"inline TOML":       {"codex", "mcp_servers = { files = { command = \"x\" } }\n", fault.Config},
		"dotted TOML":       {"codex", "[mcp_servers]\nproxmox.command = \"x\"\n", fault.Config},
		"no TOML":           {"codex", "a = \"b\nc = 1\n", fault.Config},
		"another's table":   {"codex", "[mcp_servers.proxmox]\ncommand = \"npx\"\n", fault.Conflict},
		"deep as a pit":     {"zed", strings.Repeat("[", 200), fault.Config},
		"comment not ended": {"zed", "{} /* ", fault.Config},
	} {
		t.Run(name, func(t *testing.T) {
			cl := home(t, c.id, []byte(c.text))
			for what, f := range map[string]func() (Edit, error){"put": func() (Edit, error) { return cl.Put(server) }, "take": func() (Edit, error) { return cl.Take(server) }} {
				e, err := f()
				if what == "put" || err != nil {
					if fault.CodeOf(err) != c.code || fault.Of(err).Hint == "" {
						t.Errorf("%s: %v (%s)", what, err, fault.Of(err).Hint)
					}
				}
				if e.Action != None {
					t.Errorf("%s: %s", what, e.Action)
				}
			}
		})
	}
	cl := home(t, "cursor", []byte(`{}`))
	e, err := cl.Put(server)
	must(t, e, err)
	if err := os.WriteFile(cl.Path, []byte(`{"a": 1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Write(at); fault.CodeOf(err) != fault.Conflict || content(t, cl.Path) != `{"a": 1}` {
		t.Errorf("a file that changed meanwhile: %v", err)
	}
}

// TestKnownPlaces are the paths on each platform.
func TestKnownPlaces(t *testing.T) {
	got := map[string]map[string]string{}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		got[goos] = map[string]string{}
		for _, c := range Known(World{GOOS: goos, Home: "/h", Env: func(n string) string { return map[string]string{"AppData": "/a"}[n] }}) {
			got[goos][c.ID] = filepath.ToSlash(c.Path)
		}
	}
	same := map[string]string{"claude-code": "/h/.claude.json", "cursor": "/h/.cursor/mcp.json", "codex": "/h/.codex/config.toml", "gemini": "/h/.gemini/settings.json"}
	want := map[string]map[string]string{
		"linux":   {"claude-desktop": "/h/.config/Claude/claude_desktop_config.json", "vscode": "/h/.config/Code/User/mcp.json", "zed": "/h/.config/zed/settings.json"},
		"darwin":  {"claude-desktop": "/h/Library/Application Support/Claude/claude_desktop_config.json", "vscode": "/h/Library/Application Support/Code/User/mcp.json", "zed": "/h/.config/zed/settings.json"},
		"windows": {"claude-desktop": "/a/Claude/claude_desktop_config.json", "vscode": "/a/Code/User/mcp.json", "zed": "/a/Zed/settings.json"},
	}
	for goos := range want {
		maps.Copy(want[goos], same)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	moved := World{GOOS: "linux", Home: "/h", Env: func(n string) string {
		return map[string]string{"CLAUDE_CONFIG_DIR": "/c", "CODEX_HOME": "/x", "XDG_CONFIG_HOME": "/g"}[n]
	}}
	for _, c := range Known(moved) {
		if want := map[string]string{"claude-code": "/c/.claude.json", "codex": "/x/config.toml", "zed": "/g/zed/settings.json"}[c.ID]; want != "" && c.Path != want {
			t.Errorf("%s: %s, want %s", c.ID, c.Path, want)
		}
	}
	for _, c := range Known(World{GOOS: "windows"}) {
		if c.Path != "" || c.Found {
			t.Errorf("without a home %s is at %q", c.ID, c.Path)
		}
	}
}

// TestAnyJSON: whatever a file has of members, comments, commas and white space, an entry goes in and out again, and the rest stays.
func TestAnyJSON(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		src := rapid.Custom(anyObject).Draw(rt, "file")
		src = rapid.SampledFrom([]string{"", "\xef\xbb\xbf", "// head\n", "\r\n"}).Draw(rt, "head") + src
		if _, _, err := scanJSON([]byte(src)); err != nil {
			rt.Fatalf("a valid text is refused: %v\n%s", err, src)
		}
		keys := []string{"mcpServers"}
		cuts, err := putJSON([]byte(src), keys, server, []field{{"command", "/opt/proxmox-mcp"}, {"args", []string{"serve"}}})
		if err != nil {
			return // another form, told by TestLeftAlone
		}
		put := apply([]byte(src), cuts)
		if !sameElseJSON([]byte(src), put, keys, "proxmox", false) {
			rt.Fatalf("put makes of\n%s\nthis:\n%s", src, put)
		}
		if cuts, err := putJSON(put, keys, server, []field{{"command", "/opt/proxmox-mcp"}, {"args", []string{"serve"}}}); err != nil || len(cuts) > 0 {
			rt.Fatalf("put again: %v, %v\n%s", cuts, err, put)
		}
		cuts, err = removeJSON(put, keys, server)
		if err != nil {
			rt.Fatal(err)
		}
		if out := apply(put, cuts); !sameElseJSON([]byte(src), out, keys, "proxmox", true) {
			rt.Fatalf("taking it out of\n%s\nmakes this:\n%s", put, out)
		}
	})
}

func anyObject(t *rapid.T) string { return anyObjectAt(t, 0) }

func anyObjectAt(t *rapid.T, depth int) string {
	space := func() string {
		return rapid.SampledFrom([]string{"", " ", "\n", "\n\t", "\r\n  ", " // c, }\n", "/* { */", "\n// \"a\": 1,\n  "}).Draw(t, "space")
	}
	var b strings.Builder
	b.WriteString("{" + space())
	n := rapid.IntRange(0, 3).Draw(t, "members")
	for k := range n {
		key := fmt.Sprintf("k%d", k)
		value := rapid.SampledFrom([]string{`"x, } // y"`, "1e5", "null", "[1, 2,]", `"\""`, "[{}]"}).Draw(t, "value")
		if depth < 2 && rapid.Bool().Draw(t, "nested") {
			value = anyObjectAt(t, depth+1)
			if depth == 0 {
				key = rapid.SampledFrom([]string{key, "mcpServers"}).Draw(t, "key")
			}
		}
		b.WriteString(plainJSON(key) + space() + ":" + space() + value + space())
		if k < n-1 || rapid.Bool().Draw(t, "comma") {
			b.WriteString("," + space())
		}
	}
	return b.String() + "}"
}

// FuzzTexts: no text makes the readers fail in another way than by an error, and what they take as JSON encoding/json takes too.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"{}", "// c\n{\"a\": [1,],}", "a = \"b\"\n[c.d]\n", "[[x]]\ny = '''\n'''", "\"\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, plain, err := scanJSON([]byte(s)); err == nil && !json.Valid(plain) {
			t.Errorf("%q", s)
		}
		_, _ = scanTOML([]byte(s))
		for _, c := range []string{"codex", "cursor"} {
			cl := home(t, c, []byte(s))
			if e, err := cl.Put(server); err == nil {
				if _, err := e.Write(at); err != nil {
					t.Error(err)
				}
				if e, err := cl.Take(server); err != nil || e.Action != Remove {
					t.Errorf("%s of %q: put, but not taken out: %v", c, s, err)
				}
			}
		}
	})
}
