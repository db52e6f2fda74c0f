package app

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// initSecret must never show in anything that init prints or fails with.
const initSecret = "0badcafe-dead-4bad-8bad-c0ffeec0ffee"

// lab is a simulated cluster (three nodes, pve3 off) on a network where its nodes' own addresses work.
type lab struct {
	sim   *pvesim.Sim
	world *pvesim.World
	ends  map[string]*pvesim.Endpoint // by node
	token string                      // an auditor's
}

func newLab(t *testing.T) *lab {
	t.Helper()
	w := pvesim.DemoWorld(time.Now())
	w.AddUser(setupUser, "")
	w.AddACL("/", "user", setupUser, "PVEAuditor", true)
	l := &lab{world: w, token: w.AddToken(setupUser, setupToken, initSecret, false), ends: map[string]*pvesim.Endpoint{}}
	l.sim = pvesim.New(w, pvesim.WithAuthDelay(time.Millisecond))
	for _, node := range []string{"pve1", "pve2"} {
		e, err := l.sim.Start(node)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = e.Close() })
		l.ends[node] = e
	}
	return l
}

// dial reaches pve1 and pve2 under their addresses; every other private address refuses.
func (l *lab) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	for ip, node := range map[string]string{"192.168.1.11:8006": "pve1", "192.168.1.12:8006": "pve2"} {
		if addr == ip {
			addr = strings.TrimPrefix(l.ends[node].URL, "https://")
		}
	}
	if strings.HasPrefix(addr, "192.168.") {
		return nil, &net.OpError{Op: "dial", Net: network, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// dialogue runs Init with these answers; secrets are what ReadSecret gives one after the other.
func (l *lab) dialogue(t *testing.T, answers string, secrets []string, change func(*InitOptions)) (out string, o InitOptions, err error) {
	t.Helper()
	var b bytes.Buffer
	o = InitOptions{In: strings.NewReader(answers), Out: &b, Command: []string{"/opt/proxmox-mcp"}, Dial: l.dial,
		Config: config.LoadOptions{Home: t.TempDir(), GOOS: "linux"},
		ReadSecret: func(prompt string) (string, error) {
			b.WriteString(prompt + "\n")
			if len(secrets) == 0 {
				return "", fault.New(fault.Cancelled, "no more secrets")
			}
			s := secrets[0]
			secrets = secrets[1:]
			return s, nil
		}}
	if change != nil {
		change(&o)
	}
	err = Init(t.Context(), o)
	if all := b.String() + explainAll(err); strings.Contains(all, initSecret) {
		t.Fatalf("the token shows in:\n%s", all)
	}
	return b.String(), o, err
}

func explainAll(err error) string {
	if err == nil {
		return ""
	}
	return explain(err)
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("missing %q in:\n%s", p, text)
		}
	}
}

func TestInitWholeDialogue(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	out, o, err := l.dialogue(t, "192.168.1.11\nyes\n", []string{"mcp@pve!proxmox-mcp", l.token + "\n"}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantIn(t, out,
		"pveum user token add mcp@pve proxmox-mcp --privsep 0", "pveum acl modify / --users mcp@pve --roles PVEAuditor",
		"SHA-256  "+l.ends["pve1"].Fingerprint, "pvenode cert info",
		"the =uuid part is missing",
		"Logged in as mcp@pve!proxmox-mcp", "pve1 online, pve2 online, pve3 offline", "rights: can read everything",
		"also by pve2 (https://192.168.1.12:8006)",
		"claude mcp add proxmox -- /opt/proxmox-mcp serve", `"command": "/opt/proxmox-mcp"`,
	)
	if strings.Contains(out, "may also") {
		t.Errorf("an auditor was called too powerful:\n%s", out)
	}
	path := config.DefaultPath(o.Config)
	if info, err := os.Stat(path); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Fatalf("the file: %v, %v", info, err)
	}
	cfg, _, err := config.Load(t.Context(), o.Config)
	if err != nil {
		t.Fatal(err)
	}
	got := cfg.Clusters[0]
	if got.Token.Reveal() != l.token || got.Name != "homelab" || got.ReadOnly {
		t.Errorf("written: %+v", got)
	}
	if diff := cmp.Diff([]string{"https://192.168.1.11:8006", "https://192.168.1.12:8006"}, got.Endpoints); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{l.ends["pve1"].Fingerprint, l.ends["pve2"].Fingerprint}, got.Fingerprints); diff != "" {
		t.Error(diff)
	}
}

func TestInitStops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers string
		secrets func(*lab) []string
		change  func(*lab, *InitOptions)
		code    fault.Code
		out     []string
	}{
		"no yes to the pin": {answers: "192.168.1.11\n\n", code: fault.Untrusted, out: []string{"Is it the same? Pin it? [y/N]"}},
		"input ends":        {answers: "192.168.1.11\n", code: fault.Cancelled},
		"bad addresses":     {answers: "http://192.168.1.11\n\nx y\n", code: fault.Invalid, out: []string{"http is refused", "endpoint: is empty"}},
		"dead address":      {answers: "192.168.1.99\n192.168.1.99\n192.168.1.99\n", code: fault.Unreachable, out: []string{"192.168.1.99:8006 refuses the connection"}},
		"dead flag":         {change: func(_ *lab, o *InitOptions) { o.Endpoint = "https://192.168.1.99" }, code: fault.Unreachable},
		"malformed token thrice": {answers: "192.168.1.11\ny\n", secrets: func(*lab) []string { return []string{"a", initSecret, "b=" + initSecret} },
			code: fault.Invalid, out: []string{"the !tokenid part is missing"}},
		"wrong secret thrice": {answers: "192.168.1.11\ny\n", secrets: func(*lab) []string {
			bad := "mcp@pve!proxmox-mcp=" + strings.Repeat("0", 8) + initSecret[8:]
			return []string{bad, bad, bad}
		}, code: fault.Unauthenticated, out: []string{"does not accept the credentials of mcp@pve!proxmox-mcp"}},
		"bad name": {change: func(_ *lab, o *InitOptions) { o.Name = "Home!" }, code: fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var secrets []string
			if c.secrets != nil {
				secrets = c.secrets(l)
			}
			out, o, err := l.dialogue(t, c.answers, secrets, func(o *InitOptions) {
				if c.change != nil {
					c.change(l, o)
				}
			})
			if fault.CodeOf(err) != c.code {
				t.Errorf("got %v, want code %s\n%s", err, c.code, out)
			}
			wantIn(t, out, c.out...)
			if _, err := os.Stat(config.DefaultPath(o.Config)); !os.IsNotExist(err) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestInitShowsRights(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		token func(*pvesim.World) string
		out   []string
	}{
		"separated token": {
			func(w *pvesim.World) string { return w.AddToken(setupUser, "sep", initSecret, true) },
			[]string{"mcp@pve!sep has no right at all: a token with privilege separation sees nothing",
				"pveum acl modify / --tokens 'mcp@pve!sep' --roles PVEAuditor", "guests visible: 0 VMs, 0 containers"},
		},
		"part of the rights": {
			func(w *pvesim.World) string {
				w.AddUser("part@pve", "")
				w.AddACL("/vms", "user", "part@pve", "PVEAuditor", true)
				return w.AddToken("part@pve", "tt", initSecret, false)
			},
			[]string{"rights: missing: Sys.Audit on /", "nodes: unknown: "},
		},
		"root": {
			func(w *pvesim.World) string { return w.AddToken("root@pam", "tt", initSecret, false) },
			[]string{"can read everything", "This server only reads until you allow more (proxmox-mcp allow), but the token may also: Datastore.Allocate, "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			var token string
			l.sim.Update(func(w *pvesim.World) { token = c.token(w) })
			out, o, err := l.dialogue(t, "192.168.1.11\ny\n", []string{token}, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			wantIn(t, out, c.out...)
			if _, err := os.Stat(config.DefaultPath(o.Config)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestInitSecondCluster: what is configured stays; a name that is taken wants a yes or --force.
func TestInitSecondCluster(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	old := "# mine\nclusters:\n  - name: homelab\n    endpoints: https://other\n    token_command: [pass, pve]\n"
	at := filepath.Join(t.TempDir(), "c.yaml")
	run := func(answers string, change func(*InitOptions)) (string, error) {
		out, _, err := l.dialogue(t, answers, []string{l.token}, func(o *InitOptions) {
			o.Config.Path, o.Endpoint = at, "192.168.1.11"
			if change != nil {
				change(o)
			}
		})
		return out, err
	}
	write := func() {
		t.Helper()
		if err := os.WriteFile(at, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if out, err := run("y\nno\n", nil); fault.CodeOf(err) != fault.Conflict || !strings.Contains(out, "Replace it? [y/N]") {
		t.Errorf("no: %v\n%s", err, out)
	}
	if got, _ := os.ReadFile(at); string(got) != old {
		t.Errorf("the file changed to %s", got)
	}
	out, err := run("y\n", func(o *InitOptions) { o.Name = "second" })
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, out, "serve --config "+at)
	got, _ := os.ReadFile(at)
	wantIn(t, string(got), old, `- name: "second"`)
	write()
	if _, err := run("y\ny\n", nil); err != nil {
		t.Fatal(err)
	}
	got, _ = os.ReadFile(at)
	if strings.Contains(string(got), "https://other") || !strings.HasPrefix(string(got), "# mine\n") {
		t.Errorf("after a yes: %s", got)
	}
	write()
	if _, err := run("y\n", func(o *InitOptions) { o.Name, o.Force = "homelab", true }); err != nil {
		t.Errorf("--force: %v", err)
	}
}

func TestPlainName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"homelab": "homelab", "My Lab_2": "my-lab-2", "": "default", "ü": "default", "--": "default",
		strings.Repeat("ab-", 20): strings.Repeat("ab-", 10) + "ab"} {
		if got := plainName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestWithScheme(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"pve1": "https://pve1", "pve1:443": "https://pve1:443", "2001:db8::1": "https://[2001:db8::1]",
		"http://pve1": "http://pve1", "": ""} {
		if got := withScheme(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestSaferToken: lines that nobody was shown are not "shown above".
func TestSaferToken(t *testing.T) {
	t.Parallel()
	asked := &initDialogue{}
	given := &initDialogue{InitOptions: InitOptions{Token: redact.NewSecret("a@pve!b=c"), Level: tools.R2}}
	if got := asked.safer(); !strings.Contains(got, "shown above") {
		t.Error(got)
	}
	if got := given.safer(); !strings.Contains(got, "setup --recipe --allow disruptive") {
		t.Error(got)
	}
}
