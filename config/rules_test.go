package config

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{ // a want without https:// is part of the refusal
		"https://pve1":                         "https://pve1:8006",
		"HTTPS://PVE1.Lan.:443/":               "https://pve1.lan:443",
		"https://10.0.0.1":                     "https://10.0.0.1:8006",
		"https://[2001:DB8::1]":                "https://[2001:db8::1]:8006",
		"https://[2001:db8::1]:8007/":          "https://[2001:db8::1]:8007",
		"":                                     "is empty",
		"pve1:8006":                            "https:// is missing",
		"http://127.0.0.1:8006":                "http is refused",
		"ftp://pve1":                           "only https://",
		"https://root@pve1":                    "do not belong in the address",
		"https://pve1:8006/api2/json":          "nothing may follow the port",
		"https://pve1?x=1":                     "nothing may follow the port",
		"https://2001:db8::1":                  "in brackets",
		"https://[fe80::1%25eth0]":             "not an IPv6 address",
		"https://[10.0.0.1]":                   "not an ",
		"https://10.0.0.256":                   "looks like an IPv4 address",
		"https://pve 1":                        "not an address",
		"https://-pve":                         "neither an address nor a host name",
		"https://pve1:0":                       "1 to 65535",
		"https://pve1:65536":                   "1 to 65535",
		"https://pve1:x":                       "not an address",
		"https://":                             "1 to 253 characters",
		"https://" + strings.Repeat("a.", 127): "https://" + strings.Repeat("a.", 126) + "a:8006",
		"https://" + strings.Repeat("a.", 128): "1 to 253 characters",
	} {
		got, err := ParseEndpoint(in)
		if _, rest, ok := strings.Cut(want, "https://"); ok && strings.Contains(rest, ":") {
			if got != want || err != nil {
				t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: got %q, %v; want a refusal with %q", in, got, err, want)
		}
	}
}

func TestParseTokenAndFriends(t *testing.T) {
	t.Parallel()
	if id, err := ParseToken(canaryToken); id != "mcp@pve!agent" || err != nil {
		t.Errorf("ParseToken: %q, %v", id, err)
	}
	if _, err := ParseToken("mcp@pve!agent=" + canarySecret[1:]); err == nil || strings.Contains(err.Error(), canarySecret[1:]) {
		t.Errorf("a cut uuid: %v", err)
	}
	if pin, err := ParseFingerprint(strings.ToLower(strings.ReplaceAll(pinA, ":", ""))); pin != pinA || err != nil {
		t.Errorf("ParseFingerprint: %q, %v", pin, err)
	}
	if _, err := ParseFingerprint(pinA + ":00"); err == nil {
		t.Error("33 pairs were taken")
	}
	for name, ok := range map[string]bool{"a": true, "lab-2": true, "": false, "-a": false, "a-": false, "A": false, "a_b": false,
		strings.Repeat("a", 32): true, strings.Repeat("a", 33): false} {
		if err := ParseName(name); (err == nil) != ok {
			t.Errorf("ParseName(%q) = %v", name, err)
		}
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"/a/b.yaml": "/a/b.yaml", "/a b": "'/a b'", "/it's": `'/it'\''s'`} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

// FuzzParse: no text of a file makes the reader fail, and no error shows the token that it may hold.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "a", "clusters:\n- name: a\n  endpoints: [https://a]\n  token: " + canaryToken + "\n",
		"clusters:\n- endpoints: https://root:" + canarySecret + "@a\n  tokens: " + canaryToken + "\n", canaryToken + ": {a: [b, {c: d}]}\n",
		"? " + canarySecret + "\n: - x\n", "x: &" + canarySecret + " y\nz: *" + canarySecret + "\n", "a: |\n  " + canarySecret + "\n b: c\n",
		"a: \"" + canaryToken, "%YAML " + canarySecret + "\n---\n", "!!" + canarySecret + " x: y\n", "<<: {a: b}\n", canarySecret + ": 1\n" + canarySecret + ": 2\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &reader{file: "config.yaml"}
		raw := r.parse([]byte(text))
		l := &loader{opts: LoadOptions{GOOS: "linux", Home: "/h"}, ctx: t.Context(), baseDir: "/nonexistent", problems: &r.problems}
		for i := range raw.clusters { // commands of a fuzzed text are not run, its files not opened
			raw.clusters[i].tokenCommand, raw.clusters[i].passwordCommand = settings{}, settings{}
			raw.clusters[i].tokenFile, raw.clusters[i].passwordFile, raw.clusters[i].caFile = setting{}, setting{}, setting{}
		}
		cfg := &Config{}
		l.general(cfg, raw)
		l.clusters(cfg, raw)
		if err := l.err(); err != nil {
			e := fault.Of(err)
			if all := e.Error() + e.Hint + e.Cause; strings.Contains(all, canarySecret) {
				t.Errorf("the secret shows: %s", all)
			}
			return
		}
		for _, c := range cfg.Clusters {
			if c.Name == "" || len(c.Endpoints) == 0 || c.Token.IsSet() == c.Password.IsSet() {
				t.Errorf("accepted, but not usable: %+v", c)
			}
		}
	})
}
