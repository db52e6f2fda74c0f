package cli_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/app"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// newcomer is somebody with an empty home folder and a simulated cluster with a certificate of its own.
type newcomer struct {
	*rig
	end   *pvesim.Endpoint
	root  string // a token of root@pam, for the shell on a node
	clock func() time.Time
	env   map[string]string
	looks func(line string, hidden bool) string // of what is typed
}

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	began, base := time.Now(), time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return base.Add(time.Since(began)) }
	w := pvesim.DemoWorld(base)
	n := &newcomer{root: w.RootToken(), clock: clock, env: map[string]string{}, looks: func(line string, _ bool) string { return line }}
	sim := pvesim.New(w, pvesim.WithClock(clock), pvesim.WithAuthDelay(time.Millisecond))
	var err error
	if n.end, err = sim.Start("pve1"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.end.Close() })
	home := t.TempDir()
	n.rig = &rig{sim: sim, home: home, app: &app.App{Env: func(k string) string { return n.env[k] }, Home: home, GOOS: runtime.GOOS, Clock: clock, Stderr: io.Discard}}
	return n
}

// types runs a command line at a terminal; what is said and answered comes in the order in which a person sees it.
func (n *newcomer) types(t *testing.T, answers [][2]string, args ...string) (said string, code int) {
	t.Helper()
	master, terminal := cli.PseudoTerminal(t)
	p := &typist{answers: answers, keys: master, typed: n.looks}
	code = cli.Run(t.Context(), n.app, args, cli.Streams{In: terminal, Out: p, Err: p})
	if len(p.answers) > 0 {
		t.Fatalf("%q never asked %q:\n%s", args, p.answers[0][0], p.said.String())
	}
	return p.said.String(), code
}

// script runs a command line where nobody answers.
func (n *newcomer) script(t *testing.T, in string, args ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = cli.Run(t.Context(), n.app, args, cli.Streams{In: strings.NewReader(in), Out: &o, Err: &e})
	if all := o.String() + e.String(); strings.Contains(all, n.secret()) {
		t.Errorf("%q shows the token", args)
	}
	return o.String(), e.String(), code
}

func (n *newcomer) secret() string { _, s, _ := strings.Cut(n.root, "="); return s }

// shell runs pveum lines as root on a node does, through the API, and gives the token that the last one prints.
func (n *newcomer) shell(t *testing.T, lines []string) (token string) {
	t.Helper()
	for _, l := range lines {
		w := words(l)
		v := url.Values{}
		for k := 3; k < len(w); k++ {
			if name, ok := strings.CutPrefix(w[k], "--"); ok {
				v.Set(name, w[k+1])
			}
		}
		switch strings.Join(w[1:3], " ") {
		case "role add":
			v.Set("roleid", w[3])
			n.api(t, "POST", "/access/roles", v)
		case "user add":
			v.Set("userid", w[3])
			n.api(t, "POST", "/access/users", v)
		case "acl modify":
			v.Set("path", w[3])
			n.api(t, "PUT", "/access/acl", v)
		case "user token":
			var made struct {
				ID    string `json:"full-tokenid"`
				Value string
			}
			if err := json.Unmarshal(n.api(t, "POST", "/access/users/"+w[4]+"/token/"+w[5], v), &made); err != nil {
				t.Fatal(err)
			}
			token = made.ID + "=" + made.Value
		default:
			t.Fatalf("no such line is known: %s", l)
		}
	}
	return token
}

func (n *newcomer) api(t *testing.T, method, path string, v url.Values) json.RawMessage {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, n.end.URL+"/api2/json"+path, strings.NewReader(v.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "PVEAPIToken="+n.root)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	res, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var body struct{ Data json.RawMessage }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || res.StatusCode != 200 {
		t.Fatalf("%s %s: %s, %v", method, path, res.Status, err)
	}
	return body.Data
}

// recipe is what setup --recipe prints for a tier.
func (n *newcomer) recipe(t *testing.T, tier string) []string {
	t.Helper()
	args := []string{"setup", "--recipe", "-o", "json"}
	if tier != "" {
		args = append(args, "--allow", tier)
	}
	out, errOut, code := n.script(t, "", args...)
	var r struct{ Recipe []string }
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d: %s%s", err, code, out, errOut)
	}
	return r.Recipe
}

// setupAnswers are those to the questions about a cluster.
func (n *newcomer) setupAnswers(token string) [][2]string {
	return [][2]string{{"Address of a node", n.end.URL}, {"Pin it? [y/N]: ", "y"}, {"API token", token}}
}

// TestSetupRegisters walks through all of it at a terminal, with clients here, and does it again: nothing is new then. Then it is taken back.
func TestSetupRegisters(t *testing.T) {
	n := newNewcomer(t)
	zed := filepath.Join(n.home, ".config", "zed", "settings.json")
	if err := os.MkdirAll(filepath.Join(n.home, ".codex"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(zed), 0o700); err != nil {
		t.Fatal(err)
	}
	mine := "{\n  // mine\n  \"theme\": \"One\",\n}\n"
	if err := os.WriteFile(zed, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	said, code := n.types(t, append(n.setupAnswers(n.root), [2]string{"Add it to these 2 clients?", "y"},
		[2]string{"new operator's passphrase", "short"}, [2]string{"once more", "short"}, [2]string{"new operator's passphrase", passphrase}, [2]string{"once more", passphrase},
		[2]string{"What may agents change", "everything"}, [2]string{"What may agents change", "reversible"}), "setup")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, said)
	}
	for _, part := range []string{"What an agent sees:", "cluster homelab, Proxmox VE 9", " answer in full\n", "+ [mcp_servers.proxmox]", `+   "context_servers": {`,
		"must have at least 10 characters", "must be one of reversible", "Allowed: reversible changes", "Restart these clients"} {
		if !strings.Contains(said, part) {
			t.Errorf("%q is not said:\n%s", part, said)
		}
	}
	if strings.Contains(said, n.secret()) || strings.Contains(said, passphrase) {
		t.Error("a secret is shown")
	}
	is, err := os.ReadFile(zed)
	if err != nil || !strings.Contains(string(is), "// mine") || !strings.Contains(string(is), `"source": "custom"`) {
		t.Errorf("%s, %v", is, err)
	}
	files := tree(t, n.home)
	said, code = n.types(t, [][2]string{{"Connect another cluster? [y/N]: ", ""}}, "setup")
	if code != 0 || !strings.Contains(said, "as it was") {
		t.Errorf("again: exit code %d\n%s", code, said)
	}
	if diff := cmp.Diff(files, tree(t, n.home)); diff != "" {
		t.Errorf("a second setup changed files:\n%s", diff)
	}
	said, code = n.types(t, [][2]string{{"Take it out of these 2 clients?", "y"}}, "setup", "--remove")
	if is, err := os.ReadFile(zed); code != 0 || err != nil || strings.Contains(string(is), "proxmox") || !strings.Contains(string(is), "// mine") {
		t.Errorf("--remove: exit code %d, %s\n%s", code, is, said)
	}
}

// tree are the files below a folder but for the state database, which every look at it may change.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, filepath.Join(".local", "state")) {
			return err
		}
		b, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSetupInScripts: all that is not given is named at once, no secret comes by argument, and the report is JSON.
func TestSetupInScripts(t *testing.T) {
	n := newNewcomer(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(n.root+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		env  map[string]string
		code int
		says []string
	}{
		"nothing given": {code: 2, says: []string{"the address (--endpoint or PROXMOX_VE_ENDPOINT)", "the token (--token-file FILE"}},
		"no fingerprint": {args: []string{"--endpoint", n.end.URL, "--token-file", file}, code: 1,
			says: []string{"nobody is here to compare it", "--fingerprint " + n.end.Fingerprint}},
		"another certificate": {args: []string{"--endpoint", n.end.URL, "--token-file", file, "--fingerprint", strings.Repeat("AA:", 31) + "AA"}, code: 1,
			says: []string{"shows another certificate", n.end.Fingerprint}},
		"no fingerprint at all": {args: []string{"--endpoint", n.end.URL, "--token-file", file, "--fingerprint", "nonsense"}, code: 2, says: []string{"fingerprint"}},
		"no token file":         {args: []string{"--endpoint", n.end.URL, "--token-file", file + "x"}, code: 1, says: []string{"token file cannot be read"}},
		"no token in it":        {in: "hello " + n.secret(), args: []string{"--endpoint", n.end.URL, "--token-file", "-"}, code: 2, says: []string{"the token from standard input"}},
		"a wrong token": {in: strings.Replace(n.root, "deadbeef", "00000000", 1), args: []string{"--endpoint", n.end.URL, "--fingerprint", n.end.Fingerprint, "--token-file", "-"}, code: 1,
			says: []string{"does not accept the credentials"}},
		"an unknown client": {args: []string{"--clients", "emacs"}, code: 2, says: []string{"claude-desktop, claude-code"}},
		"an unknown tier":   {args: []string{"--allow", "all"}, code: 2, says: []string{"must be one of reversible"}},
		"a bad name":        {args: []string{"--server-name", "a b"}, code: 2, says: []string{"must be letters, digits"}},
		"a dead address":    {args: []string{"--endpoint", "https://127.0.0.1:1", "--token-file", file}, code: 1, says: []string{"refuses the connection"}},
	} {
		t.Run(name, func(t *testing.T) {
			n.env = c.env
			out, errOut, code := n.script(t, c.in, append([]string{"setup"}, c.args...)...)
			for _, part := range c.says {
				if !strings.Contains(out+errOut, part) {
					t.Errorf("%q is not said", part)
				}
			}
			if code != c.code || len(tree(t, n.home)) > 0 {
				t.Errorf("exit code %d, want %d; files %v\n%s%s", code, c.code, tree(t, n.home), out, errOut)
			}
		})
	}
	n.env = map[string]string{"PROXMOX_VE_ENDPOINT": n.end.URL, "PROXMOX_VE_API_TOKEN": n.root, "PROXMOX_VE_FINGERPRINT": n.end.Fingerprint}
	if _, errOut, code := n.script(t, "", "setup", "--clients", "cursor"); len(tree(t, n.home)) > 0 || code != 2 || !strings.Contains(errOut, "nobody is here to agree") {
		t.Errorf("a client's file without --yes: exit code %d, %s", code, errOut)
	}
	for range 2 { // the second one finds all of it done, but is told to do it again
		if _, errOut, code := n.script(t, "", "setup", "--endpoint", n.end.URL, "--force"); code != 0 {
			t.Fatalf("exit code %d: %s", code, errOut)
		}
	}
	out, errOut, code := n.script(t, "", "setup", "--endpoint", n.end.URL, "--force", "--clients", "cursor", "--yes", "--allow", "reversible", "-o", "json")
	var got struct {
		Cluster, Login, Operator string
		Next                     []string
		Clients                  []struct {
			Client, Action string
			Written        bool
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || len(got.Clients) != 1 {
		t.Fatalf("%v, exit code %d\n%s%s", err, code, out, errOut)
	}
	want := "homelab root@pam!demo not set proxmox-mcp operator init, proxmox-mcp allow reversible cursor add true"
	if is := strings.Join([]string{got.Cluster, got.Login, got.Operator, strings.Join(got.Next, ", "), got.Clients[0].Client, got.Clients[0].Action, map[bool]string{true: "true"}[got.Clients[0].Written]}, " "); is != want {
		t.Errorf("%s, want %s", is, want)
	}
	kept := 0
	for path := range tree(t, n.home) {
		if info, err := os.Stat(filepath.Join(n.home, path)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		if strings.HasSuffix(path, ".bak") {
			kept++
		}
	}
	if kept == 0 { // of the configuration that the first setup wrote; within a second there is one of them
		t.Error("no copy of the configuration that was replaced")
	}
}

// TestRecipes gives a token the rights that setup proposes for a tier, on the simulated cluster's own checks: every tool of the tier works, what
// the tier allows can be done, and what is beyond is refused by Proxmox VE itself.
func TestRecipes(t *testing.T) {
	for tier, c := range map[string]struct{ can, cannot []string }{
		"": {cannot: []string{"guest power 208 start", "guest snapshot 208 create before"}},
		"reversible": {can: []string{"guest power 208 start --wait-s 30", "guest snapshot 208 create before --wait-s 30", "guest clone 208 copy --wait-s 60",
			"guest tags 208 add new", "vm create fresh --disks 1 --wait-s 60", "guest backup 208 --wait-s 60"}},
		"disruptive":  {can: []string{"guest update 208 --memory-mib 1024", "guest nic 208 add --bridge vmbr0", "guest disk 208 add scsi5 --size 1G --storage local-lvm"}},
		"destructive": {can: []string{"guest delete 208 --wait-s 60"}},
	} {
		t.Run(tier, func(t *testing.T) {
			n := newNewcomer(t)
			token := n.shell(t, n.recipe(t, tier))
			args := []string{"setup", "--endpoint", n.end.URL, "--fingerprint", n.end.Fingerprint, "--token-file", "-"}
			if tier != "" {
				args = append(args, "--allow", tier)
			}
			out, errOut, code := n.script(t, token, args...)
			if code != 0 || strings.Contains(errOut, "missing") || strings.Contains(errOut, "may also") {
				t.Fatalf("exit code %d\n%s%s", code, out, errOut)
			}
			n.types(t, [][2]string{{"new operator's passphrase", passphrase}, {"once more", passphrase}}, "operator", "init")
			if tier != "" {
				n.types(t, [][2]string{pass}, "allow", tier)
			}
			n.sameCount(t, out+errOut)
			n.types(t, [][2]string{pass}, "allow", "host")
			for _, line := range c.can {
				if said, code := n.does(t, line); code != 0 {
					t.Errorf("%s: exit code %d\n%s", line, code, said)
				}
			}
			for _, line := range c.cannot {
				if said, code := n.does(t, line); code == 0 || !strings.Contains(said, "forbidden") {
					t.Errorf("%s: exit code %d\n%s", line, code, said)
				}
			}
		})
	}
}

// sameCount wants what setup said of the tools to be what check_access says with the same login at the same tier, with each tool's name.
func (n *newcomer) sameCount(t *testing.T, setup string) {
	t.Helper()
	count := regexp.MustCompile(`(\d+ of \d+) (?:tools )?answer in full`)
	said, code := n.does(t, "access check")
	of, is := count.FindStringSubmatch(setup), count.FindStringSubmatch(said)
	if code != 0 || of == nil || is == nil || of[1] != is[1] || !strings.Contains(setup, "without answer: ") || !strings.Contains(setup, "read_log") {
		t.Errorf("setup said %v:\n%s\naccess check says, exit code %d:\n%s", of, setup, code, said)
	}
}

// does runs a line at a terminal whose person agrees to everything.
func (n *newcomer) does(t *testing.T, line string) (said string, code int) {
	t.Helper()
	master, terminal := cli.PseudoTerminal(t)
	p := &typist{keys: master, typed: n.looks, always: [][2]string{{"apply? [y/N] ", "y"}, {"(Enter leaves it waiting): ", "208"}, pass}}
	code = cli.Run(t.Context(), n.app, words(line), cli.Streams{In: terminal, Out: p, Err: p})
	return p.said.String(), code
}
