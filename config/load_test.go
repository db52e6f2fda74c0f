package config

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	// canarySecret must never show in any output.
	canarySecret = "0badcafe-dead-4bad-8bad-c0ffeec0ffee"
	canaryToken  = "mcp@pve!agent=" + canarySecret
	pinA         = "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99"
)

// secretEqual lets cmp compare secrets by value.
var secretEqual = cmp.Comparer(func(a, b redact.Secret) bool { return a.Reveal() == b.Reveal() })

// home is a Linux-like world in a temporary folder.
func home(t *testing.T, env map[string]string) LoadOptions {
	t.Helper()
	return LoadOptions{Home: t.TempDir(), GOOS: "linux", Env: func(k string) string { return env[k] }}
}

// put writes a file with this mode, whatever the umask.
func put(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// loadText loads text as the default configuration file.
func loadText(t *testing.T, text string, env map[string]string) (*Config, []Note, error) {
	t.Helper()
	o := home(t, env)
	put(t, DefaultPath(o), text, 0o600)
	return Load(t.Context(), o)
}

// texts gives the problems of err as "line key: text".
func texts(t *testing.T, err error) []string {
	t.Helper()
	if got := fault.CodeOf(err); got != fault.Config {
		t.Fatalf("code %q of %v, want %q", got, err, fault.Config)
	}
	list, ok := errors.AsType[Problems](err)
	if !ok {
		t.Fatalf("no Problems in %v", err)
	}
	var out []string
	for _, p := range list {
		p.File = ""
		out = append(out, p.String())
	}
	if strings.Contains(err.Error(), canarySecret) || strings.Contains(fault.Of(err).Hint, canarySecret) {
		t.Fatalf("the error shows the secret: %v", err)
	}
	return out
}

func TestLoadFull(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	dir := filepath.Dir(DefaultPath(o))
	put(t, filepath.Join(dir, "pw"), "hunter2\n", 0o600)
	path := put(t, DefaultPath(o), `
clusters:
  - name: home
    endpoints: [https://PVE1.lan, "https://[2001:db8::1]:8006/"]
    token: `+canaryToken+`
    fingerprints: `+strings.ToLower(pinA)+`
  - name: lab-2
    endpoints: https://10.0.0.5:8007
    username: root@pam
    password_file: pw
    insecure: yes-it-is
`, 0o600)
	_, _, err := Load(t.Context(), o)
	if diff := cmp.Diff([]string{"clusters[1].insecure: must be true or false"}, texts(t, err)); diff != "" {
		t.Fatal(diff)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rest := "state:\n  path: ~/x.db\nlog: {level: debug, format: json}\nfreshness: 20s\ntick: 10s\nzone: Europe/Berlin\ncode: {folder: ~/infra, git: commit, follow: true, terraform: tofu}\n"
	put(t, path, strings.Replace(string(data), "yes-it-is", "true\n    read_only: true", 1)+rest, 0o600)
	cfg, notes, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Path: path,
		Clusters: []Cluster{
			{Name: "home", Endpoints: []string{"https://pve1.lan:8006", "https://[2001:db8::1]:8006"},
				Token: redact.NewSecret(canaryToken), Fingerprints: []string{pinA}},
			{Name: "lab-2", Endpoints: []string{"https://10.0.0.5:8007"}, Username: "root@pam",
				Password: redact.NewSecret("hunter2"), Insecure: true, ReadOnly: true},
		},
		State: State{Path: filepath.Join(o.Home, "x.db")}, Log: Log{Level: "debug", Format: "json", File: DefaultLogFile()}, Telemetry: DefaultTelemetry(),
		Freshness: 20 * time.Second, Tick: 10 * time.Second, Zone: "Europe/Berlin",
		Code: Code{Folder: filepath.Join(o.Home, "infra"), Git: "commit", Follow: true, Terraform: "tofu", Parts: []string{"infrastructure", "firewall"}},
	}
	if diff := cmp.Diff(want, cfg, secretEqual); diff != "" {
		t.Error(diff)
	}
	wantNotes := []Note{"cluster lab-2: certificates are not checked; whoever sits on the path can read the credentials"}
	if diff := cmp.Diff(wantNotes, notes); diff != "" {
		t.Error(diff)
	}
	if got := cfg.Location().String(); got != "Europe/Berlin" {
		t.Errorf("Location() = %s", got)
	}
	if a, b := cfg.Clusters[0].Principal(), cfg.Clusters[1].Principal(); a != "mcp@pve!agent" || b != "root@pam" {
		t.Errorf("Principal() = %s, %s", a, b)
	}
}

func TestLoadDefaults(t *testing.T) {
	t.Parallel()
	o := home(t, map[string]string{"PROXMOX_VE_ENDPOINT": "https://pve1.lan:8006/", "PROXMOX_VE_API_TOKEN": canaryToken})
	cfg, notes, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Clusters: []Cluster{{Name: "default", Endpoints: []string{"https://pve1.lan:8006"}, Token: redact.NewSecret(canaryToken),
			FromEnv: true}},
		State: State{Path: filepath.Join(o.Home, ".local", "state", "proxmox-mcp", "state.db")},
		Log:   Log{Level: "warn", Format: "auto", File: DefaultLogFile()}, Telemetry: DefaultTelemetry(),
		Freshness: 45 * time.Second, Tick: 30 * time.Second, Code: Code{Git: "none", Parts: []string{"infrastructure", "firewall"}},
	}
	if diff := cmp.Diff(want, cfg, secretEqual); diff != "" {
		t.Error(diff)
	}
	if len(notes) > 0 {
		t.Errorf("notes: %q", notes)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	file := "tick: 5s\nclusters:\n- name: home\n  endpoints: [https://a]\n  token: " + canaryToken + "\n"
	type env map[string]string
	for name, c := range map[string]struct {
		file     string
		env      env
		clusters []string // name endpoint principal
		notes    []Note
		problems []string
	}{
		"env wins over file": {
			file:     file,
			env:      env{"PROXMOX_VE_ENDPOINT": "https://b,https://c:1", "PROXMOX_VE_API_TOKEN": canaryToken, "PROXMOX_VE_FINGERPRINT": pinA},
			clusters: []string{"default https://b:8006 https://c:1 mcp@pve!agent " + pinA},
			notes:    []Note{"PROXMOX_VE_ENDPOINT is set: it alone is used, and the clusters of FILE are left out"},
		},
		"lone token beside a file": {
			file: file, env: env{"PROXMOX_VE_API_TOKEN": canaryToken},
			clusters: []string{"home https://a:8006 mcp@pve!agent "},
			notes:    []Note{"PROXMOX_VE_API_TOKEN left out: without PROXMOX_VE_ENDPOINT the clusters come from FILE"},
		},
		"lone token": {
			env: env{"PROXMOX_VE_API_TOKEN": canaryToken},
			problems: []string{"PROXMOX_VE_ENDPOINT: is missing, while PROXMOX_VE_API_TOKEN is set: the address of a node, " +
				"such as https://pve1.example.org:8006"},
		},
		"token before password, pin before insecure": {
			env: env{"PROXMOX_VE_ENDPOINT": "https://b", "PROXMOX_VE_API_TOKEN": canaryToken, "PROXMOX_VE_USERNAME": "root@pam",
				"PROXMOX_VE_PASSWORD": "x", "PROXMOX_VE_INSECURE": "true", "PROXMOX_VE_FINGERPRINT": pinA},
			clusters: []string{"default https://b:8006 mcp@pve!agent " + pinA},
			notes: []Note{"PROXMOX_VE_API_TOKEN is used; PROXMOX_VE_USERNAME and PROXMOX_VE_PASSWORD are left out",
				"PROXMOX_VE_INSECURE is left out: the certificate must have a fingerprint of PROXMOX_VE_FINGERPRINT"},
		},
		"password": {
			env:      env{"PROXMOX_VE_ENDPOINT": "https://b", "PROXMOX_VE_USERNAME": "root@pam", "PROXMOX_VE_PASSWORD": " x "},
			clusters: []string{"default https://b:8006 root@pam "},
		},
		"all wrong at once": {
			env: env{"PROXMOX_VE_ENDPOINT": "https://b,,pve", "PROXMOX_VE_USERNAME": "root", "PROXMOX_VE_FINGERPRINT": "AB"},
			problems: []string{
				"PROXMOX_VE_ENDPOINT: is empty",
				"PROXMOX_VE_ENDPOINT: https:// is missing; write it as https://pve1.example.org:8006",
				"PROXMOX_VE_FINGERPRINT: must have 32 hexadecimal pairs (SHA-256)",
				"PROXMOX_VE_USERNAME: the @realm part is missing; write root@pam or name@pve",
				"PROXMOX_VE_USERNAME: PROXMOX_VE_PASSWORD is missing beside the username",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := home(t, c.env)
			if c.file != "" {
				put(t, DefaultPath(o), c.file, 0o600)
			}
			cfg, notes, err := Load(t.Context(), o)
			if c.problems != nil {
				if diff := cmp.Diff(c.problems, texts(t, err)); diff != "" {
					t.Error(diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, k := range cfg.Clusters {
				got = append(got, strings.Join([]string{k.Name, strings.Join(k.Endpoints, " "), k.Principal(),
					strings.Join(k.Fingerprints, " ")}, " "))
			}
			for i := range notes {
				notes[i] = Note(strings.ReplaceAll(string(notes[i]), DefaultPath(o), "FILE"))
			}
			if diff := cmp.Diff(c.clusters, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.notes, notes); diff != "" {
				t.Error(diff)
			}
			if c.file != "" && cfg.Tick != 5*time.Second {
				t.Errorf("the file's other settings are lost: tick %s", cfg.Tick)
			}
		})
	}
}

// TestRules has one line per rule: what is written below a sound cluster, and the problems that it gives.
func TestRules(t *testing.T) {
	t.Parallel()
	const sound = "clusters:\n- name: home\n  endpoints: [https://a]\n"
	withToken := sound + "  token: " + canaryToken + "\n"
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown key near":      {withToken + "  endpoint: x\n", []string{`clusters[0]: "endpoint" is not a setting; did you mean "endpoints"?`}},
		"unknown key contained": {withToken + "  api_token: x\n", []string{`clusters[0]: "api_token" is not a setting; did you mean "token"?`}},
		"unknown key far":       {withToken + "colour: red\n", []string{`"colour" is not a setting; known here: agent, backups, changes, clusters, code, freshness, http, log, state, telemetry, tick, toolset, zone`}},
		"secret as key":         {withToken + canarySecret + ": x\n", []string{"this key is not a setting; known here: agent, backups, changes, clusters, code, freshness, http, log, state, telemetry, tick, toolset, zone"}},
		"no token":              {sound, []string{"clusters[0].token: is missing: an API token user@realm!tokenid=uuid (proxmox-mcp init shows how to make one)"}},
		"empty token":           {sound + "  token:\n  username: a@pve\n  password: x\n", []string{"clusters[0].token: is empty"}},
		"token without id":      {sound + "  token: mcp@pve=" + canarySecret + "\n", []string{"clusters[0].token: the !tokenid part is missing; " + tokenShape}},
		"token without realm":   {sound + "  token: mcp!agent=" + canarySecret + "\n", []string{"clusters[0].token: the part before ! is not user@realm; " + tokenShape}},
		"token id malformed":    {sound + "  token: mcp@pve!9=" + canarySecret + "\n", []string{"clusters[0].token: the token id (between ! and =) is malformed; " + tokenShape}},
		"token without secret":  {sound + "  token: mcp@pve!agent\n", []string{"clusters[0].token: the =uuid part is missing: the secret that Proxmox VE showed once when the token was made; " + tokenShape}},
		"token upper case":      {sound + "  token: mcp@pve!agent=" + strings.ToUpper(canarySecret) + "\n", []string{"clusters[0].token: the secret after = is not a UUID in small letters; " + tokenShape}},
		"token with header":     {sound + "  token: PVEAPIToken=" + canaryToken + "\n", []string{"clusters[0].token: leave out PVEAPIToken=; " + tokenShape}},
		"two ways to log in":    {withToken + "  username: a@pve\n  password: x\n", []string{"clusters[0].token: a token and username or password are both set: keep one way to log in, the token for choice"}},
		"two tokens":            {withToken + "  token_file: x\n", []string{"clusters[0].token_file: give only one of token, token_file and token_command"}},
		"two passwords":         {sound + "  username: a@pve\n  password: x\n  password_command: [y]\n", []string{"clusters[0].password_command: give only one of password, password_file and password_command"}},
		"password without user": {sound + "  password: x\n", []string{"clusters[0].password: username is missing beside the password"}},
		"user without password": {sound + "  username: a@pve\n", []string{"clusters[0].username: password is missing beside the username"}},
		"username malformed":    {sound + "  username: 'a b@pve'\n  password: x\n", []string{"clusters[0].username: must be user@realm, such as root@pam or name@pve"}},
		"insecure and pinned":   {withToken + "  insecure: true\n  fingerprints: [" + pinA + "]\n", []string{"clusters[0].insecure: contradicts fingerprints: leave insecure out, the pins are checked"}},
		"sha1 pin":              {withToken + "  fingerprints: " + pinA[:59] + "\n", []string{"clusters[0].fingerprints: has 20 pairs: that is a SHA-1 fingerprint; the SHA-256 one has 32"}},
		"pin twice":             {withToken + "  fingerprints: [" + pinA + ", " + strings.ToLower(pinA) + "]\n", []string{"clusters[0].fingerprints[1]: is written twice"}},
		"pin not hex":           {withToken + "  fingerprints: [zz]\n", []string{"clusters[0].fingerprints[0]: must be hexadecimal pairs, AA:BB:.."}},
		"ca file missing":       {withToken + "  ca_file: nowhere.pem\n", []string{"clusters[0].ca_file: cannot be read: no such file or directory"}},
		"name missing":          {"clusters:\n- endpoints: [https://a]\n  token: " + canaryToken + "\n", []string{"clusters[0].name: is missing"}},
		"name malformed":        {strings.Replace(withToken, "home", "Home_1", 1), []string{"clusters[0].name: " + nameRule}},
		"names twice":           {withToken + strings.TrimPrefix(withToken, "clusters:\n"), []string{"clusters[1].name: another cluster has this name: clusters[0]"}},
		"endpoints missing":     {"clusters:\n- name: a\n  token: " + canaryToken + "\n", []string{"clusters[0].endpoints: is missing: the addresses of the nodes, such as https://pve1.example.org:8006"}},
		"endpoints empty":       {strings.Replace(withToken, "[https://a]", "[]", 1), []string{"clusters[0].endpoints: must be a list with at least one entry"}},
		"endpoint nested":       {strings.Replace(withToken, "[https://a]", "[[x]]", 1), []string{"clusters[0].endpoints[0]: must be one plain value"}},
		"command not a list":    {sound + "  token_command: pass show pve\n", []string{"clusters[0].token_command: must be a list with at least one entry"}},
		"clusters no list":      {"clusters:\n  home: {}\n", []string{"clusters: must be a list: each cluster starts with a dash"}},
		"cluster no mapping":    {"clusters:\n- https://a\n", []string{"clusters[0]: must hold settings of the form key: value", "clusters[0].name: is missing", "clusters[0].endpoints: is missing: the addresses of the nodes, such as https://pve1.example.org:8006", "clusters[0].token: is missing: an API token user@realm!tokenid=uuid (proxmox-mcp init shows how to make one)"}},
		"log level":             {withToken + "log: {level: loud}\n", []string{"log.level: must be one of debug, info, warn, error"}},
		"freshness no unit":     {withToken + "freshness: 45\n", []string{"freshness: must be a duration with its unit, such as 45s"}},
		"tick too short":        {withToken + "tick: 1s\n", []string{"tick: must be between 5s and 1h0m0s"}},
		"git":                   {withToken + "code: {git: push}\n", []string{"code.git: must be one of none, init, commit"}},
		"zone":                  {withToken + "zone: Mars/Olympus\n", []string{"zone: is not the name of a time zone; write it as Europe/Berlin or UTC"}},
		"key twice":             {withToken + "tick: 5s\ntick: 6s\n", []string{"a key is set twice"}},
		"alias":                 {"zone: &z UTC\n" + strings.Replace(withToken, "home", "*z", 1), []string{"zone: must be one plain value", "clusters[0].name: must be one plain value"}},
		"two documents":         {withToken + "---\ntick: 5s\n", []string{"only one YAML document is taken"}},
		"no mapping":            {"hello\n", []string{"must hold settings of the form key: value"}},
		"open quote":            {sound + "  token: \"" + canaryToken + "\n", []string{"this is not valid YAML: could not find end character of double-quoted text"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := loadText(t, c.text, nil)
			if diff := cmp.Diff(c.want, texts(t, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestGolden holds the message with all kinds of problems at once, with their lines.
func TestGolden(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	path := put(t, DefaultPath(o), `# everything is wrong here
clusters:
  - name: Home
    endpoints:
      - http://pve1.lan:8006
      - https://root:`+canarySecret+`@pve2.lan
    token: mcp@pve:agent=`+canarySecret+`
    fingerprints: aa:bb
    verify_ssl: false
  - endpoints: [https://fe80::1]
    token_file: nowhere
    insecure: maybe
log:
  level: chatty
freshness: soon
`, 0o644)
	_, _, err := Load(t.Context(), o)
	texts(t, err)
	got := strings.ReplaceAll(err.Error()+"\nhint: "+fault.Of(err).Hint+"\n", path, "config.yaml")
	golden := filepath.Join("testdata", "all_wrong.txt")
	if *update {
		put(t, golden, got, 0o644)
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingConfigured(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	_, _, err := Load(t.Context(), o)
	if e := fault.Of(err); e.Code != fault.Config || e.Next != "proxmox-mcp setup" || !strings.Contains(e.Error(), DefaultPath(o)) {
		t.Errorf("got %+v", e)
	}
	o.WithoutClusters = true
	if _, _, err := Load(t.Context(), o); err != nil {
		t.Errorf("WithoutClusters: %v", err)
	}
	o.Path = filepath.Join(o.Home, "named.yaml")
	if _, _, err := Load(t.Context(), o); fault.CodeOf(err) != fault.Config || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a named file that is missing: %v", err)
	}
	o.Path = o.Home
	if _, _, err := Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("a folder: %v", err)
	}
	o.Path = put(t, filepath.Join(o.Home, "big.yaml"), strings.Repeat("#\n", maxFile), 0o600)
	if _, _, err := Load(t.Context(), o); err == nil || !strings.Contains(err.Error(), "256 KiB") {
		t.Errorf("a huge file: %v", err)
	}
}

// TestWithoutClusters shows that commands on the store alone read no secret.
func TestWithoutClusters(t *testing.T) {
	t.Parallel()
	o := home(t, nil)
	o.WithoutClusters = true
	put(t, DefaultPath(o), "clusters:\n- name: a\n  endpoints: https://a\n  token_command: [/nonexistent/program]\nstate: {path: here.db}\n", 0o644)
	cfg, _, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(filepath.Dir(cfg.Path), "here.db"); cfg.State.Path != want || len(cfg.Clusters) != 1 || cfg.Clusters[0].Token.IsSet() {
		t.Errorf("got %+v, want the store at %s and a cluster without its token", cfg, want)
	}
}

// TestCodeParts: what is not said is the default, and an empty list is none.
func TestCodeParts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{"": {"infrastructure", "firewall"}, "code:\n  parts: none\n": nil, "code:\n  parts: access\n": {"access"}} {
		o := home(t, nil)
		o.Path = filepath.Join(o.Home, "c.yaml")
		if err := os.WriteFile(o.Path, []byte("clusters:\n  - name: a\n    endpoints: https://192.0.2.1:8006\n    token: a@pve!bb=00000000-0000-4000-8000-000000000000\n"+text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, _, err := Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, cfg.Code.Parts); diff != "" {
			t.Errorf("%q:\n%s", text, diff)
		}
	}
}

// TestExample keeps the documented example true.
func TestExample(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // echo is no program there
	}
	o := home(t, nil)
	o.Path = filepath.Join("testdata", "example.yaml")
	cfg, _, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{cfg.Clusters[0].Principal(), cfg.Clusters[1].Principal(), cfg.Clusters[0].Endpoints[1], cfg.State.Path}
	want := []string{"mcp@pve!proxmox-mcp", "monitor@pve", "https://pve2.example.org:8006", filepath.Join(o.Home, "proxmox", "state.db")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
