package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Canaries: what must show nowhere. They guard nothing.
const (
	canaryToken    = "ca9a2711-aaaa-4aaa-8aaa-00000000beef"
	canaryPassword = "Canary1-login-password"
	canaryCI       = "Canary2-cipassword"
	canaryNote     = "Canary3-in-a-note"
	canaryKey      = "Q2FuYXJ5NC1wcml2YXRlLWtleQ"
	canarySnapNote = "Canary5-in-a-snapshot-note"
	canaryLog      = "Canary6-in-a-task-log"
	canaryURL      = "Canary7-in-a-url"
	canaryPanic    = "Canary8-in-a-panic"
	canaryStorage  = "Canary9-of-a-storage"
	canaryPool     = "Canary10-of-a-pool"
	canaryExit     = "Canary11-in-an-exit-text"
)

// canaries are also looked for in parts: half a secret is one too.
func canaries() []string {
	return []string{canaryToken, canaryToken[9:], canaryPassword, canaryCI, canaryNote, canaryKey, canarySnapNote, canaryLog, canaryURL, canaryPanic,
		canaryStorage, canaryPool, canaryExit, "PVE:" + canaryUser}
}

const (
	canaryUser  = "canary@pve"
	canaryGuest = 208 // of the demo world; it has the snapshot "clean"
	canaryCT    = 104
	// marker stands beside canaries, so that the test sees that their texts were shown at all.
	marker = "canary-was-here"
)

// cage is a simulated cluster full of secrets, and what the program said of it.
type cage struct {
	t     *testing.T
	sim   *pvesim.Sim
	end   *pvesim.Endpoint
	dir   string // folder of the store
	state string
	said  map[string]string // by command line
}

func newCage(t *testing.T) *cage {
	t.Helper()
	w := pvesim.DemoWorld(time.Now())
	w.AddUser(canaryUser, canaryPassword)
	w.AddToken(canaryUser, "tt", canaryToken, false)
	w.AddACL("/", "user", canaryUser, "PVEAuditor", true)
	w.SetConfig(canaryGuest, "cipassword", canaryCI)
	w.SetConfig(canaryGuest, "description", marker+" login: password="+canaryNote+" end\nrepo https://bot:"+canaryURL+"@git.example.org/x\n")
	w.AddSnapshot(canaryGuest, "withpw", marker+" password: "+canarySnapNote)
	w.SetConfig(canaryCT, "description", marker+"\n-----BEGIN OPENSSH PRIVATE KEY-----\n"+canaryKey+"\n-----END OPENSSH PRIVATE KEY-----\n")
	w.AddTask("pve1", "vzdump", "208", "root@pam", "failed: password="+canaryExit, marker+" ERROR: mount -o username=x,password="+canaryLog)
	w.Storages = append(w.Storages, pvesim.Object{"storage": "cifs1", "type": "cifs", "content": "backup", "server": "192.168.1.9", "share": "s", "password": canaryStorage})
	w.Pools[0].Comment = marker + " secret=" + canaryPool
	c := &cage{t: t, sim: pvesim.New(w, pvesim.WithAuthDelay(time.Millisecond)), dir: t.TempDir(), said: map[string]string{}}
	c.state = filepath.Join(c.dir, "state.db")
	end, err := c.sim.Start("pve1")
	if err != nil {
		t.Fatal(err)
	}
	c.end = end
	t.Cleanup(func() { _ = end.Close() })
	return c
}

// world is an environment with the token, changed for one case.
func (c *cage) world(change map[string]string) map[string]string {
	env := map[string]string{"PROXMOX_VE_ENDPOINT": c.end.URL, "PROXMOX_VE_API_TOKEN": canaryUser + "!tt=" + canaryToken,
		"PROXMOX_VE_FINGERPRINT": c.end.Fingerprint}
	maps.Copy(env, change)
	return env
}

// run is one command line of the program, at log level debug.
func (c *cage) run(env map[string]string, args ...string) (code int) {
	c.t.Helper()
	var out, errOut bytes.Buffer
	a := &App{Env: func(k string) string { return env[k] }, Home: c.t.TempDir(), GOOS: "linux", Clock: time.Now, Stderr: &errOut}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	full := append([]string{"--log-level", "debug", "--log-file", filepath.Join(c.dir, "logs", "server.log"), "--state", c.state}, args...)
	code = cli.Run(ctx, a, full, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errOut})
	a.logs.Close()
	c.said[strings.Join(args, " ")] += out.String() + "\n" + errOut.String()
	return code
}

// TestCanaries runs everything over a cluster full of secrets and looks for them in all that the program said and kept.
func TestCanaries(t *testing.T) {
	t.Parallel()
	c := newCage(t)
	c.reachable()
	good := c.world(nil)
	if code := c.run(good, "sync"); code != 0 && code != 3 {
		t.Fatalf("sync: exit code %d\n%s", code, c.said["sync"])
	}
	c.commands(good)
	c.failures()
	c.stdio()
	c.http()
	c.panics()
	c.search()
	if info, err := os.Stat(filepath.Join(c.dir, "logs", "server.log")); err != nil || info.Size() == 0 { // it was searched
		t.Errorf("the log file holds nothing: %v", err)
	}
	for _, cmd := range []string{"guest show 208 --detail full", "guest show 104 --detail full", "task show " + c.handle()} {
		if !strings.Contains(c.said[cmd], marker) {
			t.Errorf("%s does not show the text that a canary is in:\n%s", cmd, c.said[cmd])
		}
	}
}

// reachable sees that the cluster does give the secrets away to who asks: a test that nothing could fail proves nothing.
func (c *cage) reachable() {
	c.t.Helper()
	client, err := proxmox.New(proxmox.ClusterConfig{Endpoints: []string{c.end.URL}, Fingerprints: []string{c.end.Fingerprint},
		Token: redact.NewSecret(canaryUser + "!tt=" + canaryToken)})
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	for path, secret := range map[string]string{"/nodes/pve1/qemu/208/snapshot/withpw/config": canaryCI, "/nodes/pve1/qemu/208/config": canaryNote,
		"/nodes/pve1/lxc/104/config": canaryKey, "/nodes/pve1/qemu/208/snapshot": canarySnapNote} {
		raw, err := client.Raw(c.t.Context(), "GET", path, nil)
		if err != nil || !strings.Contains(string(raw), secret) {
			c.t.Errorf("%s does not hold its canary: %v\n%s", path, err, raw)
		}
	}
}

func (c *cage) handle() string {
	c.t.Helper()
	var upid string
	c.sim.Update(func(w *pvesim.World) {
		upid = w.Node("pve1").Tasks[slices.IndexFunc(w.Node("pve1").Tasks, func(k *pvesim.Task) bool { return strings.Contains(k.Exit, canaryExit) })].UPID
	})
	return upid
}

// commands runs every command of the program that ends by itself.
func (c *cage) commands(env map[string]string) {
	c.t.Helper()
	backup := filepath.Join(c.dir, "backup.db")
	for _, line := range [][]string{
		{"overview"}, {"overview", "--fresh"}, {"guest", "list"}, {"guest", "list", "--fields", "mem,disk,cpus,uptime,pool,ip,os,ha,lock,onboot"},
		{"guest", "list", canaryNote}, {"guest", "show", "208"}, {"guest", "show", "208", "--fresh"}, {"guest", "show", "208", "--detail", "full"},
		{"guest", "show", "208", "--detail", "full", "--fresh"}, {"guest", "show", "104", "--detail", "full"}, {"guest", "show", canaryCI},
		{"node", "list"}, {"task", "show", c.handle()}, {"task", "show", c.handle(), "--fresh", "--log-lines", "500"}, {"health"}, {"doctor"}, {"sync"},
		{"db", "path"}, {"db", "check"}, {"db", "backup", backup}, {"version"}, {"init"}, {"--help"}, {"completion", "bash"},
		{"__complete", "guest", "show", ""}, {"no-such-command"}, {"guest", "list", "--limit", "x"},
		{"code", "export"}, {"code", "export", "--target", "terraform"}, {"code", "diff"}, {"code", "show", "208"}, {"code", "show", "104"},
	} {
		c.run(env, line...)
	}
	for _, format := range []string{"json", "jsonl", "yaml", "csv", "name"} {
		for _, line := range [][]string{{"overview"}, {"guest", "list"}, {"guest", "show", "208", "--detail", "full"}, {"guest", "show", "104", "--detail", "full"},
			{"node", "list"}, {"task", "show", c.handle()}, {"health"}, {"doctor"}, {"sync"}, {"db", "check"}, {"code", "export"}, {"code", "diff"}, {"code", "show", "208"}} {
			c.run(env, append(line, "-o", format)...)
		}
	}
}

// failures are errors that quote what was sent: refused logins, missing rights, a foreign certificate, settings that are wrong.
func (c *cage) failures() {
	c.t.Helper()
	other := "AA" + c.end.Fingerprint[2:]
	if other == c.end.Fingerprint {
		other = "BB" + c.end.Fingerprint[2:]
	}
	byPassword := func(password string) map[string]string {
		return c.world(map[string]string{"PROXMOX_VE_API_TOKEN": "", "PROXMOX_VE_USERNAME": canaryUser, "PROXMOX_VE_PASSWORD": password})
	}
	cases := map[string]map[string]string{
		"password login": byPassword(canaryPassword), "refused password": byPassword(canaryPassword + "x"),
		"refused token":         c.world(map[string]string{"PROXMOX_VE_API_TOKEN": canaryUser + "!no=" + canaryToken}),
		"foreign certificate":   c.world(map[string]string{"PROXMOX_VE_FINGERPRINT": other}),
		"unknown certificate":   c.world(map[string]string{"PROXMOX_VE_FINGERPRINT": ""}),
		"malformed token":       c.world(map[string]string{"PROXMOX_VE_API_TOKEN": canaryUser + "!tt:" + canaryToken}),
		"secret in the address": c.world(map[string]string{"PROXMOX_VE_ENDPOINT": "https://root:" + canaryURL + "@127.0.0.1:8006"}),
		"nobody there":          c.world(map[string]string{"PROXMOX_VE_ENDPOINT": "https://127.0.0.1:1"}),
		"token and password":    c.world(map[string]string{"PROXMOX_VE_USERNAME": canaryUser, "PROXMOX_VE_PASSWORD": canaryPassword}),
	}
	full := c.state
	for _, store := range []string{full, filepath.Join(c.dir, "empty.db")} {
		c.state = store
		for _, env := range cases {
			for _, line := range [][]string{{"overview", "--fresh"}, {"guest", "show", "208", "--detail", "full", "--fresh"}, {"sync"}, {"doctor"}} {
				c.run(env, line...)
			}
		}
	}
	c.state = full
	c.sim.Update(func(w *pvesim.World) { w.RemoveACL("", canaryUser) })
	for _, line := range [][]string{{"overview", "--fresh"}, {"guest", "show", "208", "--fresh"}, {"task", "show", c.handle(), "--fresh"}, {"sync"}, {"doctor"}} {
		c.run(c.world(nil), line...)
	}
	c.sim.Update(func(w *pvesim.World) { w.AddACL("/", "user", canaryUser, "PVEAuditor", true) })
	c.run(c.world(nil), "sync")
}

// stdio calls every tool as an MCP client does, in both formats.
func (c *cage) stdio() {
	c.t.Helper()
	var in bytes.Buffer
	say := func(id int, method string, params any) {
		msg := map[string]any{"jsonrpc": "2.0", "method": method, "params": params}
		if id > 0 {
			msg["id"] = id
		}
		b, err := json.Marshal(msg)
		if err != nil {
			c.t.Fatal(err)
		}
		in.Write(append(b, '\n'))
	}
	say(1, "initialize", map[string]any{"protocolVersion": "2025-11-25", "capabilities": map[string]any{}, "clientInfo": map[string]any{"name": "canary", "version": "1"}})
	say(0, "notifications/initialized", map[string]any{})
	id := 2
	for _, format := range []string{"text", "json"} {
		for _, q := range []question{{"get_overview", nil}, {"find_guests", nil}, {"get_guest", map[string]any{"guest": "208", "detail": "full"}},
			{"get_guest", map[string]any{"guest": "104", "detail": "full", "fresh": true}}, {"list_nodes", nil}, {"check_health", nil},
			{"get_task", map[string]any{"task": c.handle()}}, {"get_guest", map[string]any{"guest": canaryGuest, "no-such-input": 1}}} {
			args := map[string]any{"format": format}
			maps.Copy(args, q.args)
			say(id, "tools/call", map[string]any{"name": q.tool, "arguments": args})
			id++
		}
	}
	var out, errOut bytes.Buffer
	env := c.world(nil)
	a := &App{Env: func(k string) string { return env[k] }, Home: c.t.TempDir(), GOOS: "linux", Clock: time.Now, Stderr: &errOut}
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if err := a.Serve(ctx, cli.Globals{StatePath: c.state, LogLevel: "debug", LogFile: filepath.Join(c.dir, "logs", "server.log")}, cli.ServeOptions{In: &in}, &out, &errOut); err != nil {
		c.t.Errorf("serve: %v", err)
	}
	if n := strings.Count(out.String(), marker); n < 4 {
		c.t.Errorf("the server showed the texts with canaries %d times:\n%s", n, out.String())
	}
	c.said["serve"] = out.String() + errOut.String()
}

// panics lets a handler panic with a secret in its hands.
func (c *cage) panics() {
	c.t.Helper()
	in := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}` + "\n" +
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_overview","arguments":{}}}` + "\n")
	var out, errOut bytes.Buffer
	log, err := (&App{}).logger(cli.Globals{LogLevel: "debug"}, &errOut)
	if err != nil {
		c.t.Fatal(err)
	}
	srv := server.New(server.Options{Version: "test", Specs: tools.All(), Logger: log, Deps: func(context.Context) (tools.Deps, error) {
		// What is tried here is that a handler's panic neither ends the server nor shows its text.
		panic("while decoding {\"password\":\"" + canaryPanic + "\"} of " + canaryPanic)
	}})
	if err := server.ServeStdio(c.t.Context(), srv, in, &out, log); err != nil {
		c.t.Errorf("serve: %v", err)
	}
	if !strings.Contains(out.String(), "internal error") || !strings.Contains(errOut.String(), "panicked") {
		c.t.Errorf("the panic was not answered and logged:\n%s%s", out.String(), errOut.String())
	}
	c.said["panic"] = out.String() + errOut.String()
}

// search looks for the canaries in what was said and in every file of the store.
func (c *cage) search() {
	c.t.Helper()
	places := maps.Clone(c.said)
	files := 0
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		places[path], files = string(data), files+1
		return err
	})
	if err != nil || files < 2+30 { // the store, and the cluster as code
		c.t.Errorf("%d files: %v", files, err)
	}
	for place, text := range places {
		for _, s := range canaries() {
			i := strings.Index(text, s)
			if i < 0 || strings.Contains(place, s) {
				continue // what a person typed as an argument may be quoted
			}
			c.t.Errorf("%q in %s: ...%q...", s, place, text[max(0, i-120):min(len(text), i+len(s)+40)])
		}
	}
}
