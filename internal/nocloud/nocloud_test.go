package nocloud

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// reader is a program that nobody here wrote and that reads ISO images: with Rock Ridge and with Joliet names.
func reader(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("isoinfo"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("isoinfo (Debian: genisoimage) is needed")
		}
		t.Skip("isoinfo is not here")
	}
}

// TestImage: whatever the files hold and are called, another program reads the same back by both kinds of names.
func TestImage(t *testing.T) {
	reader(t)
	path := filepath.Join(t.TempDir(), "a.iso")
	rapid.Check(t, func(rt *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}`), 1, 3, rapid.ID).Draw(rt, "names")
		var files []File
		for _, n := range names {
			files = append(files, File{n, rapid.SliceOfN(rapid.Byte(), 0, 5000).Draw(rt, "content")})
		}
		raw, err := Image("cidata", files)
		if err != nil {
			rt.Fatal(err)
		}
		again, err := Image("cidata", append(files[1:len(files):len(files)], files[0]))
		if err != nil || !bytes.Equal(raw, again) {
			rt.Fatal("the same files make another image")
		}
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			rt.Fatal(err)
		}
		for _, f := range files {
			for _, names := range []string{"-R", "-J"} {
				got, err := exec.Command("isoinfo", names, "-i", path, "-x", "/"+f.Name).Output() //nolint:gosec // names of our own
				if err != nil || !bytes.Equal(got, f.Content) {
					rt.Fatalf("%s %q: %d bytes, want %d (%v)", names, f.Name, len(got), len(f.Content), err)
				}
			}
		}
	})
	out, err := exec.Command("isoinfo", "-d", "-i", path).CombinedOutput() //nolint:gosec // a file of our own
	for _, want := range []string{"Volume id: cidata", "Joliet with UCS level 3 found", "Rock Ridge signatures version 1 found"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v, want %q in\n%s", err, want, out)
		}
	}
}

func TestImageRefused(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "a b", "ü", strings.Repeat("a", 65)} {
		if _, err := Image("cidata", []File{{name, nil}}); fault.CodeOf(err) != fault.Internal {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestUserData: what the caller gives reaches cloud-init as it is, beside our own part, whatever it holds.
func TestUserData(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		own := rapid.SampledFrom([]string{"#cloud-config\n", "#!/bin/sh\n"}).Draw(rt, "kind") + rapid.String().Draw(rt, "text")
		g := Guest{Name: "web", Agent: true, UserData: own}
		text, err := g.userData()
		if err != nil {
			rt.Fatal(err)
		}
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			rt.Fatal(err)
		}
		_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
		if err != nil {
			rt.Fatal(err)
		}
		var parts []string
		for r := multipart.NewReader(m.Body, params["boundary"]); ; {
			p, err := r.NextPart()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				rt.Fatal(err)
			}
			body, err := io.ReadAll(p)
			if err != nil {
				rt.Fatal(err)
			}
			parts = append(parts, p.Header.Get("Content-Type"), string(body))
		}
		if diff := cmp.Diff([]string{own, g.config(true)}, []string{parts[1], parts[3]}); len(parts) != 4 || diff != "" {
			rt.Fatal(diff)
		}
	})
	if _, err := (Guest{UserData: "packages: [a]"}).userData(); fault.CodeOf(err) != fault.Invalid {
		t.Errorf("without a kind: %v", err)
	}
}

// TestConfig: names, keys and packages are data, whatever they hold; they never become keys of their own.
func TestConfig(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.String()
		g := Guest{Name: text.Draw(rt, "name"), User: text.Draw(rt, "user"), Keys: []string{text.Draw(rt, "key")}, Packages: []string{text.Draw(rt, "package")}}
		var got map[string]any
		if err := yaml.Unmarshal([]byte(g.config(false)), &got); err != nil {
			rt.Fatalf("%v\n%s", err, g.config(false))
		}
		for key := range got {
			if !strings.Contains("hostname manage_etc_hosts user ssh_authorized_keys package_update packages", key) {
				rt.Fatalf("key %q in\n%s", key, g.config(false))
			}
		}
	})
	var net map[string]any
	g := Guest{MAC: "BC:24:11:00:00:01", IP: "10.0.0.5/24", Gateway: "10.0.0.1", DNS: []string{"10.0.0.1"}}
	if err := yaml.Unmarshal([]byte(g.network()), &net); err != nil || !strings.Contains(g.network(), `mac_address: "bc:24:11:00:00:01"`) || len(net["config"].([]any)) != 2 {
		t.Errorf("%v\n%s", err, g.network())
	}
}
