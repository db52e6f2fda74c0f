package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/server/auth"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// webDoor is a server over HTTP and who asks it.
type webDoor struct {
	t    *testing.T
	url  string
	said *bytes.Buffer // what the server wrote, to be read after it ended
}

// serveHTTP starts the program over HTTP on a port of its own, until the test ends or stop is called.
func serveHTTP(t *testing.T, a *App, g cli.Globals, o cli.ServeOptions) (d *webDoor, stop func()) {
	t.Helper()
	read, write := io.Pipe()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	o.Over, o.Address = true, "127.0.0.1:0"
	d = &webDoor{t: t, said: &bytes.Buffer{}}
	address := make(chan string, 1)
	var served sync.WaitGroup
	served.Go(func() {
		if err := a.Serve(ctx, g, o, io.Discard, write); err != nil {
			t.Errorf("serve: %v", err)
		}
		_ = write.Close()
	})
	served.Go(func() {
		lines := bufio.NewScanner(read)
		for lines.Scan() {
			_, _ = fmt.Fprintln(d.said, lines.Text())
			if _, rest, ok := strings.Cut(lines.Text(), "MCP is served at "); ok {
				url, _, _ := strings.Cut(rest, ";")
				address <- url
			}
		}
		close(address)
	})
	stop = sync.OnceFunc(func() { cancel(); served.Wait() })
	t.Cleanup(stop)
	if d.url = <-address; d.url == "" {
		t.Fatal("the server did not start")
	}
	return d, stop
}

// send asks one request of the newest protocol and gives status and body.
func (d *webDoor) send(token, method string, params map[string]any, header ...string) (int, string) {
	d.t.Helper()
	params["_meta"] = map[string]any{"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": map[string]any{}}
	raw, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url, bytes.NewReader(raw))
	if err != nil {
		d.t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method} {
		r.Header.Set(k, v)
	}
	for _, of := range []string{"name", "uri"} {
		if name, ok := params[of].(string); ok {
			r.Header.Set("Mcp-Name", name)
		}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for k := 0; k < len(header); k += 2 {
		r.Header.Set(header[k], header[k+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func (d *webDoor) call(token, tool string, args map[string]any, header ...string) string {
	d.t.Helper()
	_, body := d.send(token, "tools/call", map[string]any{"name": tool, "arguments": args}, header...)
	return body
}

// token makes one in the store of the household.
func (h *household) token(t store.TokenRow) string {
	h.t.Helper()
	secret, hash := auth.NewToken()
	t.Hash = hash
	h.keep(func(db *store.DB, _ *change.Keeper) error {
		return db.AddToken(h.t.Context(), t, store.AuditEntry{Event: "token"})
	})
	return secret
}

// TestTokensOverHTTP: who has which token reaches what; plans belong to who asked for them; what is refused is written down; the first
// token closes the door for everybody else, and a revoked one is refused within a second.
func TestTokensOverHTTP(t *testing.T) {
	h := newHousehold(t)
	h.allow(change.Grant{Tier: change.Disruptive})
	d, _ := serveHTTP(t, h.app, cli.Globals{StatePath: h.state()}, cli.ServeOptions{})
	if code, body := d.send("", "tools/list", map[string]any{}); code != 200 || !strings.Contains(body, `"power_guest"`) {
		t.Fatalf("without tokens: %d %.300s", code, body)
	}
	writer, other := h.token(store.TokenRow{Name: "writer", Tier: 2}), h.token(store.TokenRow{Name: "other", Tier: 2})
	reader := h.token(store.TokenRow{Name: "reader"})
	low := h.token(store.TokenRow{Name: "low", Tier: 1})
	nodes := h.token(store.TokenRow{Name: "nodes", Families: []string{"node"}})
	time.Sleep(time.Second)
	if code, body := d.send("", "tools/list", map[string]any{}); code != 401 {
		t.Errorf("without a token once there are some: %d %.300s", code, body)
	}
	stop := map[string]any{"guest": "200", "action": "stop", "dry_run": true}
	for name, c := range map[string]struct {
		token      string
		header     []string
		has, hides string
	}{
		"writer":         {writer, nil, `"power_guest"`, `"wake_node"`},
		"reader":         {reader, nil, `"get_guest"`, `"power_guest"`},
		"low":            {low, nil, `"enum":["start","resume"]`, `"delete_guest"`},
		"families":       {nodes, nil, `"list_nodes"`, `"get_guest"`},
		"header":         {writer, []string{"X-MCP-Tools", "power_guest"}, `"apply_plan"`, `"get_guest"`},
		"read only":      {writer, []string{"X-MCP-Readonly", "1"}, `"get_guest"`, `"power_guest"`},
		"header, narrow": {nodes, []string{"X-MCP-Families", "guest,node"}, `"read_log"`, `"get_guest"`},
	} {
		if _, body := d.send(c.token, "tools/list", map[string]any{}, c.header...); !strings.Contains(body, c.has) || strings.Contains(body, `"name":`+c.hides) {
			t.Errorf("%s: %s is missing or %s listed: %.2000s", name, c.has, c.hides, body)
		}
	}
	for name, c := range map[string]struct {
		token, tool string
		args        map[string]any
		header      []string
		want        string
	}{
		"reader writes":        {reader, "power_guest", stop, nil, "your credential reaches read at most"},
		"low stops":            {low, "power_guest", stop, nil, "your credential reaches reversible changes at most, this one is disruptive"},
		"writer, read only":    {writer, "power_guest", stop, []string{"X-MCP-Readonly", "true"}, "your credential reaches read at most"},
		"hidden by family":     {nodes, "get_guest", map[string]any{"guest": "200"}, nil, "leaves it out"},
		"hidden by the header": {writer, "get_guest", map[string]any{"guest": "200"}, []string{"X-MCP-Exclude-Tools", "get_guest"}, "leaves it out"},
	} {
		if body := d.call(c.token, c.tool, c.args, c.header...); !strings.Contains(body, "error denied") || !strings.Contains(body, c.want) {
			t.Errorf("%s: %.600s", name, body)
		}
	}
	for uri, want := range map[string]string{
		"pve://home/guests/200":    `"message":"pve://{cluster}/guests/{vmid} is not open to you: it shows what get_guest tells`,
		"pve://home/guests/99999":  `"message":"pve://{cluster}/guests/{vmid} is not open to you: it shows what get_guest tells`,
		"pve://home/code/main.tf":  `"message":"pve://{cluster}/code/{+path} is not open to you`,
		"pve://home/nodes/nosuch":  `"message":"no node \"nosuch\" is known`,
		"pve://elsewhere/guests/1": `"message":"no cluster that you may ask has this name"`,
	} {
		if _, body := d.send(nodes, "resources/read", map[string]any{"uri": uri}); !strings.Contains(body, want) {
			t.Errorf("%s: %.600s, want %s", uri, body, want)
		}
	}
	if _, body := d.send(nodes, "resources/templates/list", map[string]any{}); strings.Contains(body, "guests") || !strings.Contains(body, "pve://{cluster}/nodes/{node}") {
		t.Errorf("templates: %.600s", body)
	}
	if _, body := d.send(nodes, "prompts/get", map[string]any{"name": "trubleshoot"}); !strings.Contains(body, `"message":"there is no such prompt`) {
		t.Errorf("an unknown prompt: %.600s", body)
	}
	id := planShape.FindString(d.call(writer, "power_guest", map[string]any{"guest": "200", "action": "stop"}))
	if id == "" {
		t.Fatal("the writer gets no plan")
	}
	for _, tool := range []string{"get_plan", "apply_plan", "cancel_plan", "undo_change"} {
		if body := d.call(other, tool, map[string]any{"plan": id}); !strings.Contains(body, "not_found") {
			t.Errorf("%s of another principal: %.600s", tool, body)
		}
		if body := d.call(reader, tool, map[string]any{"plan": id}); !strings.Contains(body, "denied") {
			t.Errorf("%s by a reader: %.600s", tool, body)
		}
	}
	if body := d.call(other, "list_plans", map[string]any{}); strings.Contains(body, id) {
		t.Errorf("another principal lists the plan: %.600s", body)
	}
	if w := h.writes(); len(w) > 0 {
		t.Errorf("sent: %v", w)
	}
	if err := h.app.TokenRevoke(t.Context(), cli.Globals{StatePath: h.state()}, "writer"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	if code, _ := d.send(writer, "tools/list", map[string]any{}); code != 401 {
		t.Errorf("a second after it was revoked: %d", code)
	}
	h.refusals(map[string]int{"token:reader": 5, "token:low": 1, "token:nodes": 1, "token:writer": 2})
}

// refusals compares the rows of the audit that deny something, by principal.
func (h *household) refusals(want map[string]int) {
	h.t.Helper()
	h.keep(func(db *store.DB, _ *change.Keeper) error {
		rows, err := db.Audit(h.t.Context(), store.AuditFilter{Events: []string{"deny"}, Limit: 100})
		got := map[string]int{}
		for k := range rows {
			got[rows[k].Principal]++
		}
		for who, n := range want {
			if got[who] != n {
				h.t.Errorf("%s was refused %d times by the audit, want %d", who, got[who], n)
			}
		}
		return err
	})
}

// TestNoDoorForOthers: an address that others reach is refused without a token or OAuth, and without TLS or a declared proxy.
func TestNoDoorForOthers(t *testing.T) {
	h := newHousehold(t)
	h.app.Stderr = io.Discard
	conf := func(text string) cli.Globals {
		path := h.home + "/http.yaml"
		if err := os.WriteFile(path, fmt.Appendf(nil, "clusters:\n- name: home\n  endpoints: %s\n  token: %s\n  fingerprints: %q\n%s", h.cluster.Endpoints[0], h.cluster.Token.Reveal(), h.cluster.Fingerprints[0], text), 0o600); err != nil {
			t.Fatal(err)
		}
		return cli.Globals{StatePath: h.state(), ConfigPath: path}
	}
	for name, c := range map[string]struct{ conf, address, want string }{
		"plain":       {"", "0.0.0.0:0", "tokens would travel in clear"},
		"all, quiet":  {"", ":0", "tokens would travel in clear"},
		"no name":     {"http: {behind_proxy: 10.0.0.1}\n", "0.0.0.0:0", "no name of this server is known"},
		"no token":    {"http: {behind_proxy: 10.0.0.1, hosts: mcp.example.org}\n", "0.0.0.0:0", "nobody has a token"},
		"a name":      {"http: {hosts: mcp.example.org}\n", "127.0.0.1:0", "nobody has a token"},
		"required":    {"http: {auth: required}\n", "127.0.0.1:0", "nobody has a token"},
		"certificate": {"http: {tls: {cert: no.pem, key: no.pem}, hosts: mcp.example.org, oauth: {issuer: https://a.example, audience: https://mcp.example.org/mcp}}\n", "0.0.0.0:0", "the certificate cannot be used"},
		"toolset":     {"toolset: {tools: [get_geust]}\n", "127.0.0.1:0", "get_geust"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := h.app.Serve(ctx, conf(c.conf), cli.ServeOptions{HTTPOptions: cli.HTTPOptions{Over: true, Address: c.address}}, io.Discard, io.Discard)
		if cancel(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// selfSigned writes a certificate for loopback and gives its serial number.
func selfSigned(t *testing.T, cert, key string, serial int64) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOwnCertificate: the configuration's certificate encrypts, and one that is renewed counts without a restart; half a renewal does not.
func TestOwnCertificate(t *testing.T) {
	dir := t.TempDir()
	d := httpDoor{HTTP: config.HTTP{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}}
	selfSigned(t, d.Cert, d.Key, 1)
	scheme, secure, err := d.certificate(slog.New(slog.DiscardHandler))
	if err != nil || scheme != "https" {
		t.Fatal(scheme, err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = srv.Serve(secure(l)) }()
	t.Cleanup(func() { _ = srv.Close() })
	serial := func() int64 {
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", l.Addr().String()) //nolint:gosec // the serial number is what is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	c := &certificate{cert: d.Cert, key: d.Key, log: slog.New(slog.DiscardHandler)}
	if err := c.read(); err != nil {
		t.Fatal(err)
	}
	now := func() int64 {
		c.looked = time.Time{}
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	selfSigned(t, d.Cert, filepath.Join(dir, "other.pem"), 2)
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(d.Cert, later, later); err != nil {
		t.Fatal(err)
	}
	if got := now(); got != 1 {
		t.Errorf("half of a renewal: serial %d", got)
	}
	selfSigned(t, d.Cert, d.Key, 3)
	if got := now(); got != 3 {
		t.Errorf("renewed: serial %d", got)
	}
	if _, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // that it is refused is the point
		t.Error("TLS 1.1 is taken")
	}
}

// TestToolFlags: flags narrow the configuration's set and never widen it; a list of one tool has its true schema; one that is left out is
// not called.
func TestToolFlags(t *testing.T) {
	conf := config.Toolset{Families: []string{"guest", "cluster"}, Exclude: []string{"get_agent_info"}}
	both, err := within(conf, tools.Toolset{Families: []string{"guest", "node"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"get_guest": true, "get_agent_info": false, "get_node": false, "get_overview": false, "apply_plan": false} {
		s, err := tools.Find(name)
		if err != nil || both.Has(s) != want {
			t.Errorf("%s: %v, %v", name, both.Has(s), err)
		}
	}
	if _, err := within(conf, tools.Toolset{Tools: []string{"power_guest"}}); err == nil {
		t.Error("flags that leave nothing are taken")
	}
	h := newHousehold(t)
	h.serve(cli.ServeOptions{ToolOptions: cli.ToolOptions{Tools: []string{"get_guest"}}})
	if list := h.ask("tools/list", map[string]any{}); strings.Count(list, `"inputSchema"`) != 1 || !strings.Contains(list, `"detail"`) {
		t.Errorf("%.600s", list)
	}
	if said := h.call("get_overview", map[string]any{}); !strings.Contains(said, `"error"`) {
		t.Errorf("a tool that is left out answers %.300s", said)
	}
	if said := h.call("get_guest", map[string]any{"guest": "104"}); !strings.Contains(said, "jellyfin") {
		t.Errorf("%.300s", said)
	}
}
