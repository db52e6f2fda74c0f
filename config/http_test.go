package config

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestHTTP reads the two sections of the example, which shows every setting.
func TestHTTP(t *testing.T) {
	t.Parallel()
	cfg, _, err := loadText(t, oneCluster+`
http:
  address: 0.0.0.0:8811
  hosts: [mcp.example.org]
  origins: [https://app.example.org]
  sse: true
  auth: required
  tls: {cert: /etc/mcp.pem, key: /etc/mcp-key.pem}
  behind_proxy: 192.0.2.10, 10.0.0.9/24
  limits: {reads_per_second: 20, writes_per_minute: 5, concurrent: 4}
  oauth:
    issuer: https://login.example.org/realms/home
    audience: https://mcp.example.org/mcp
    scopes: {"api://mcp/view": read, mcp.operate: disruptive}
    clusters: home
toolset: {families: [guest], tools: get_overview, exclude: [get_agent_info]}
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := HTTP{Address: "0.0.0.0:8811", Hosts: []string{"mcp.example.org"}, Origins: []string{"https://app.example.org"}, SSE: true, AuthRequired: true,
		Cert: "/etc/mcp.pem", Key: "/etc/mcp-key.pem", Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32"), netip.MustParsePrefix("10.0.0.0/24")},
		Limits: Limits{Reads: 20, Writes: 5, Concurrent: 4},
		OAuth: OAuth{Issuer: "https://login.example.org/realms/home", Audience: "https://mcp.example.org/mcp",
			Scopes: map[string]string{"api://mcp/view": "read", "mcp.operate": "disruptive"}, Clusters: []string{"home"}}}
	if diff := cmp.Diff(want, cfg.HTTP, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Toolset{Families: []string{"guest"}, Tools: []string{"get_overview"}, Exclude: []string{"get_agent_info"}}, cfg.Toolset); diff != "" {
		t.Error(diff)
	}
}

// TestHTTPRefused: what would open the server further than its owner meant is an error.
func TestHTTPRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"address":       {"http: {address: mcp.example.org}", []string{"http.address: must be HOST:PORT, such as 127.0.0.1:8811"}},
		"auth":          {"http: {auth: none}", []string{"http.auth: must be one of required"}},
		"cert alone":    {"http: {tls: {cert: a.pem}}", []string{"http.tls: needs both cert and key, files in PEM form"}},
		"host":          {"http: {hosts: [https://mcp.example.org]}", []string{"http.hosts[0]: must be a name as clients write it, such as mcp.example.org"}},
		"origin":        {"http: {origins: ['*']}", []string{"http.origins[0]: must be an origin, such as https://app.example.org, without a path"}},
		"proxy":         {"http: {behind_proxy: proxy.example.org}", []string{"http.behind_proxy: must be an address or a range of the proxies that may connect, such as 192.0.2.10 or 10.0.0.0/24"}},
		"no audience":   {"http: {oauth: {issuer: https://a.example}}", []string{"http.oauth.audience: is missing: the URL under which clients reach this server, such as https://mcp.example.org/mcp; tokens for anything else are refused"}},
		"no issuer":     {"http: {oauth: {audience: https://a.example/mcp}}", []string{"http.oauth.issuer: is missing: the URL of the authorization server"}},
		"plain issuer":  {"http: {oauth: {issuer: http://a.example, audience: https://a.example/mcp}}", []string{"http.oauth.issuer: must be an https URL, such as https://login.example.org/realms/home"}},
		"scope":         {"http: {oauth: {issuer: https://a.example, audience: https://a.example/mcp, scopes: {x: all}}}", []string{"http.oauth.scopes[0]: must be one of read, reversible, disruptive, destructive, host"}},
		"oauth cluster": {"http: {oauth: {issuer: https://a.example, audience: https://a.example/mcp, clusters: [hmoe]}}", []string{"http.oauth.clusters[0]: is not the name of a configured cluster"}},
		"limit":         {"http: {limits: {concurrent: 0}}", []string{"http.limits.concurrent: must be a number from 1 to 100000"}},
		"tool":          {"toolset: {tools: ['*']}", []string{"toolset.tools[0]: must be a name as docs/tools.md has it, such as guest or get_overview"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := loadText(t, oneCluster+c.text+"\n", nil)
			if diff := cmp.Diff(c.want, texts(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDocumented keeps the page's example that of the file which is loaded.
func TestDocumented(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile(filepath.Join("testdata", "example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	section := func(s []byte) string {
		from := string(s)[indexOf(t, s, "\nhttp:"):]
		return from[:indexOf(t, []byte(from), "\nfreshness:")]
	}
	if diff := cmp.Diff(section(example), section(page)); diff != "" {
		t.Error(diff)
	}
}

func indexOf(t *testing.T, s []byte, part string) int {
	t.Helper()
	k := bytes.Index(s, []byte(part))
	if k < 0 {
		t.Fatalf("%q is not in it", part)
	}
	return k
}

// TestPageLoads loads each configuration that the page about HTTP shows.
func TestPageLoads(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "http.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		if _, _, err := loadText(t, oneCluster+text, nil); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
		n++
	}
	if n < 3 {
		t.Errorf("%d configurations", n)
	}
}
