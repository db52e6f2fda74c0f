package proxmox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

func TestParseEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"https://192.0.2.10:8006":            "192.0.2.10:8006",
		"https://192.0.2.10:8006/":           "192.0.2.10:8006",
		"https://192.0.2.10:8006/api2/json/": "192.0.2.10:8006",
		"https://pve.example.org":            "pve.example.org:8006",
		"PVE1":                               "pve1:8006",
		"pve1:18006":                         "pve1:18006",
		"2001:db8::1":                        "[2001:db8::1]:8006",
		"[2001:db8::1]":                      "[2001:db8::1]:8006",
		"[2001:db8::1]:443":                  "[2001:db8::1]:443",
		"https://[2001:db8::1]:8006":         "[2001:db8::1]:8006",
		"https://[2001:db8::1]":              "[2001:db8::1]:8006",
	} {
		got, err := ParseEndpoint(in)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, in := range []string{"", " ", "http://pve1:8006", "https://root:" + canary + "@pve1", "ftp://" + "u:" + canary + "@pve1", "file:///etc/passwd",
		"https://pve1/admin", "https://pve1?x=1", "pve1:99999", "pve1:x", "a b", "-x", "https://pve1:80\n06", "pve1/x", "https://"} {
		got, err := ParseEndpoint(in)
		if err == nil {
			t.Errorf("%q was accepted as %q", in, got)
			continue
		}
		noCanary(t, err)
	}
}

func TestAllProblemsInOneError(t *testing.T) {
	_, err := New(ClusterConfig{Name: "x", Endpoints: []string{"http://a"}, Token: redact.NewSecret("agent@pve!mcp" + canary),
		Fingerprints: []string{"AA:BB"}, CAFile: "/does/not/exist.pem"})
	if fault.CodeOf(err) != fault.Config {
		t.Fatalf("code %s", fault.CodeOf(err))
	}
	for _, want := range []string{"endpoint", "token", "fingerprint", "ca_file"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in: %v", want, err)
		}
	}
	noCanary(t, err)
}

func TestCredentials(t *testing.T) {
	ok := redact.NewSecret(testToken)
	for name, tc := range map[string]struct {
		cfg  ClusterConfig
		want string // part of the error, "" = accepted
	}{
		"token":          {ClusterConfig{Token: ok}, ""},
		"password":       {ClusterConfig{Username: "root@pam", Password: redact.NewSecret("x")}, ""},
		"both":           {ClusterConfig{Token: ok, Username: "root@pam"}, "keep one"},
		"none":           {ClusterConfig{}, "none given"},
		"no realm":       {ClusterConfig{Username: "root", Password: redact.NewSecret("x")}, "root@pam"},
		"no password":    {ClusterConfig{Username: "root@pam"}, "none given for the username"},
		"short secret":   {ClusterConfig{Token: redact.NewSecret("a@pve!b=" + canary[:30])}, "must look like"},
		"separator of B": {ClusterConfig{Token: redact.NewSecret("a@pbs!b:" + canary)}, "must look like"},
	} {
		tc.cfg.Endpoints = []string{"pve1"}
		c, err := New(tc.cfg)
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		case err == nil && c.Identity() == "":
			t.Errorf("%s: no identity", name)
		}
		noCanary(t, err)
	}
}

func TestFingerprintForms(t *testing.T) {
	want := certA.pin
	for _, in := range []string{want, strings.ToLower(want), strings.ReplaceAll(want, ":", ""), " " + want + " "} {
		if got, err := ParseFingerprint(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestPool(t *testing.T) {
	good := ClusterConfig{Name: "a", Endpoints: []string{"pve1"}, Token: redact.NewSecret(testToken)}
	other := good
	other.Name = "b"
	p, err := NewPool([]ClusterConfig{good, other})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if diff := cmp.Diff([]string{"a", "b"}, p.Names()); diff != "" {
		t.Error(diff)
	}
	if _, err := p.Get(""); fault.CodeOf(err) != fault.Ambiguous {
		t.Errorf("no name: %v", err)
	}
	if _, err := p.Get("c"); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("unknown name: %v", err)
	}
	if c, err := p.Get("b"); err != nil || c.Name() != "b" {
		t.Errorf("b: %v", err)
	}
	if _, err := NewPool([]ClusterConfig{good, good}); err == nil || !strings.Contains(err.Error(), "two clusters") {
		t.Errorf("twice the same name: %v", err)
	}
	if _, err := NewPool(nil); fault.CodeOf(err) != fault.Config {
		t.Errorf("none: %v", err)
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, s := range []string{"https://a:1", "::1", "a:b", "https://u:p@h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := ParseEndpoint(s)
		if err != nil {
			return
		}
		again, err := ParseEndpoint(host)
		if err != nil || again != host {
			t.Errorf("%q became %q, which became %q, %v", s, host, again, err)
		}
	})
}
