package app

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// clinic writes the configuration of a lab and gives what Doctor takes.
func (l *lab) clinic(t *testing.T, change func(*config.Cluster)) DoctorOptions {
	t.Helper()
	o := DoctorOptions{Config: config.LoadOptions{Home: t.TempDir(), GOOS: runtime.GOOS}}
	o.Config.Path = filepath.Join(o.Config.Home, "config.yaml")
	o.StatePath = filepath.Join(o.Config.Home, "state", "state.db")
	c := config.Cluster{Name: "home", Endpoints: []string{l.ends["pve1"].URL}, Token: redact.NewSecret(l.token),
		Fingerprints: []string{l.ends["pve1"].Fingerprint}, ReadOnly: true}
	if change != nil {
		change(&c)
	}
	if err := config.SaveCluster(o.Config.Path, c, false); err != nil {
		t.Fatal(err)
	}
	return o
}

func examine(t *testing.T, o DoctorOptions) DoctorReport {
	t.Helper()
	r, err := Doctor(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), initSecret) {
		t.Fatalf("the token shows in %s", data)
	}
	return r
}

// states gives "check state" of every row.
func states(r DoctorReport) []string {
	var out []string
	for _, c := range r.Checks {
		out = append(out, c.Name+" "+string(c.State))
	}
	return out
}

func find(t *testing.T, r DoctorReport, name string) Check {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no check %s in %v", name, states(r))
	}
	return r.Checks[i]
}

func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.sim.Update(func(w *pvesim.World) { w.SetNodeOnline("pve3", true) })
	r := examine(t, l.clinic(t, nil))
	want := []string{"configuration ok", "endpoint ok", "login ok", "version ok", "rights ok", "code ok", "quorum ok", "nodes ok", "clock ok", "guests ok", "store ok"}
	if diff := cmp.Diff(want, states(r)); diff != "" {
		t.Errorf("%s\n%+v", diff, r)
	}
	if r.Worst() != CheckOK {
		t.Errorf("Worst() = %s", r.Worst())
	}
	if got := find(t, r, "guests").Result; got != "25 guests visible" {
		t.Errorf("guests: %s", got)
	}
	if got := find(t, r, "login").Result; got != "mcp@pve!proxmox-mcp is accepted" {
		t.Errorf("login: %s", got)
	}
}

// TestDoctorFindings has a fault per case, and the row that must name it with its fix.
func TestDoctorFindings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault       func(*testing.T, *lab)
		change      func(*lab, *config.Cluster)
		clock       time.Duration // how far our own clock is ahead
		check       string
		state       CheckState
		result, fix string // parts
		endsAtLogin bool
	}{
		"node off": {check: "nodes", state: CheckWarn, result: "2 of 3 online; not online: pve3", fix: "on purpose"},
		"no quorum": {fault: func(_ *testing.T, l *lab) { l.sim.AddFault(pvesim.NoQuorum()) },
			check: "quorum", state: CheckFail, result: "changes are refused", fix: "pvecm status"},
		"standalone": {fault: func(_ *testing.T, l *lab) { l.sim.AddFault(pvesim.Standalone()) },
			check: "quorum", state: CheckOK, result: "a node of its own"},
		"wrong secret": {change: func(_ *lab, c *config.Cluster) {
			c.Token = redact.NewSecret("mcp@pve!proxmox-mcp=" + strings.Repeat("0", 8) + initSecret[8:])
		}, check: "login", state: CheckFail, result: "does not accept the credentials of mcp@pve!proxmox-mcp", fix: "check that the token", endsAtLogin: true},
		"other certificate": {change: func(l *lab, c *config.Cluster) { c.Fingerprints = []string{l.ends["pve2"].Fingerprint} },
			check: "endpoint", state: CheckFail, result: "NOT a pinned one", fix: "pvenode cert info", endsAtLogin: true},
		"unknown certificate": {change: func(_ *lab, c *config.Cluster) { c.Fingerprints = nil },
			check: "endpoint", state: CheckFail, result: "certificate is not trusted", fix: `then set fingerprints: ["`, endsAtLogin: true},
		"insecure": {change: func(_ *lab, c *config.Cluster) { c.Fingerprints, c.Insecure = nil, true },
			check: "endpoint", state: CheckWarn, result: "not checked", fix: "replace insecure by fingerprints"},
		"dead endpoint beside a good one": {change: func(_ *lab, c *config.Cluster) { c.Endpoints = []string{"https://127.0.0.1:1", c.Endpoints[0]} },
			check: "endpoint", state: CheckWarn, result: "127.0.0.1:1 refuses the connection", fix: "8006"},
		"only a dead endpoint": {change: func(_ *lab, c *config.Cluster) { c.Endpoints = []string{"https://127.0.0.1:1"} },
			check: "endpoint", state: CheckFail, result: "127.0.0.1:1 refuses the connection", endsAtLogin: true},
		"unknown name": {change: func(_ *lab, c *config.Cluster) { c.Endpoints = []string{"https://nowhere.invalid"} },
			check: "endpoint", state: CheckFail, result: "the name nowhere.invalid cannot be resolved", fix: "spelling", endsAtLogin: true},
		"our clock ahead":  {clock: time.Minute, check: "clock", state: CheckWarn, result: "1m0s behind this machine", fix: "NTP"},
		"our clock behind": {clock: -10 * time.Minute, check: "clock", state: CheckFail, result: "10m0s ahead of this machine: tickets are refused", fix: "NTP"},
		"separated token": {change: func(l *lab, c *config.Cluster) {
			l.sim.Update(func(w *pvesim.World) { c.Token = redact.NewSecret(w.AddToken(setupUser, "sep", initSecret, true)) })
		}, check: "rights", state: CheckFail, result: "a token with privilege separation sees nothing", fix: "pveum acl modify / --tokens 'mcp@pve!sep' --roles PVEAuditor"},
		"no right on the cluster": {change: func(l *lab, c *config.Cluster) {
			l.sim.Update(func(w *pvesim.World) {
				w.AddUser("part@pve", "")
				w.AddACL("/vms", "user", "part@pve", "PVEAuditor", true)
				c.Token = redact.NewSecret(w.AddToken("part@pve", "tt", initSecret, false))
			})
		}, check: "quorum", state: CheckWarn, result: "unknown: part@pve!tt may not do this: Sys.Audit is missing on /", fix: "pveum acl modify"},
		"too many rights": {change: func(l *lab, c *config.Cluster) { c.Token = redact.NewSecret(l.world.RootToken()) },
			check: "surplus", state: CheckWarn, result: "root@pam!", fix: "pveum user token add mcp@pve proxmox-mcp --privsep 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			if c.fault != nil {
				c.fault(t, l)
			}
			o := l.clinic(t, func(k *config.Cluster) {
				if c.change != nil {
					c.change(l, k)
				}
			})
			o.Clock = func() time.Time { return time.Now().Add(c.clock) }
			r := examine(t, o)
			got := find(t, r, c.check)
			if got.State != c.state || !strings.Contains(got.Result, c.result) || !strings.Contains(got.Fix, c.fix) {
				t.Errorf("got %+v", got)
			}
			if c.state == CheckFail && r.Worst() != CheckFail {
				t.Errorf("Worst() = %s", r.Worst())
			}
			atLogin := !slices.ContainsFunc(r.Checks, func(k Check) bool { return k.Name == "rights" })
			if atLogin != c.endsAtLogin {
				t.Errorf("ended at the login: %v; %v", atLogin, states(r))
			}
		})
	}
}

func TestDoctorConfiguration(t *testing.T) {
	t.Parallel()
	o := DoctorOptions{Config: config.LoadOptions{Home: t.TempDir(), GOOS: "linux"}}
	r := examine(t, o)
	c := find(t, r, "configuration")
	if c.State != CheckFail || !strings.Contains(c.Result, "no Proxmox VE cluster is configured") || !strings.Contains(c.Fix, "proxmox-mcp setup") {
		t.Errorf("nothing configured: %+v", c)
	}
	if s := find(t, r, "store"); s.State != CheckOK || !strings.Contains(s.Result, "created by the first sync") {
		t.Errorf("the store is looked at all the same: %+v", s)
	}
	o.Config.Path = filepath.Join(o.Config.Home, "c.yaml")
	if err := os.WriteFile(o.Config.Path, []byte("clusters:\n- name: A\n  token: "+initSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r = examine(t, o)
	if diff := cmp.Diff([]string{"configuration fail", "configuration fail", "configuration fail", "store ok"}, states(r)); diff != "" {
		t.Error(diff)
	}
}

func TestDoctorNotesAndSource(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	o := l.clinic(t, nil)
	o.Config.Env = func(k string) string {
		return map[string]string{"PROXMOX_VE_ENDPOINT": l.ends["pve1"].URL, "PROXMOX_VE_API_TOKEN": l.token,
			"PROXMOX_VE_FINGERPRINT": l.ends["pve1"].Fingerprint}[k]
	}
	r := examine(t, o)
	if c := r.Checks[0]; c.Result != "environment: 1 cluster default" {
		t.Errorf("source: %+v", c)
	}
	if c := r.Checks[1]; c.State != CheckWarn || !strings.Contains(c.Result, "it alone is used") {
		t.Errorf("note: %+v", c)
	}
}

func TestCheckStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	db, err := store.Open(t.Context(), store.Options{Path: good})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	bad := write("bad.db", strings.Repeat("no database ", 100))
	o := DoctorOptions{Config: config.LoadOptions{GOOS: "linux"}}
	for name, c := range map[string]struct {
		path   string
		state  CheckState
		result string
	}{
		"sound":           {good, CheckOK, "sound, 0 guests"},
		"no store":        {bad, CheckFail, "damaged"},
		"not yet there":   {filepath.Join(dir, "a", "b", "s.db"), CheckOK, "will be created"},
		"below a file":    {filepath.Join(bad, "s.db"), CheckFail, ""},
		"a folder itself": {dir, CheckFail, "is a folder"},
	} {
		if got := checkStore(t.Context(), config.State{Path: c.path}, o); got.State != c.state || !strings.Contains(got.Result, c.result) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".proxmox-mcp-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if runtime.GOOS == "windows" {
		return // no modes there
	}
	if err := os.Chmod(good, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := checkStore(t.Context(), config.State{Path: good}, o); got.State != CheckWarn || got.Fix != "chmod 600 "+good {
		t.Errorf("open to others: %+v", got)
	}
}

func TestWeigh(t *testing.T) {
	t.Parallel()
	with := func(extra map[string]bool) proxmox.Privileges {
		m := map[string]bool{"VM.Audit": true, "Sys.Audit": true, "Datastore.Audit": true, "Pool.Audit": true, "SDN.Audit": true, "Mapping.Audit": true}
		maps.Copy(m, extra)
		return proxmox.Privileges{"/": m}
	}
	for name, c := range map[string]struct {
		p       proxmox.Privileges
		version string
		missing []string
		surplus []string
		note    string
	}{
		"9, auditor":      {p: with(map[string]bool{"VM.GuestAgent.Audit": true}), version: "9.2.1"},
		"9, no agent":     {p: with(nil), version: "9.2.1", missing: []string{"VM.GuestAgent.Audit on /vms"}},
		"8, auditor":      {p: with(nil), version: "8.4.1", note: "runs programs in guests"},
		"8, monitor":      {p: with(map[string]bool{"VM.Monitor": true}), version: "8.4.1", surplus: []string{"VM.Monitor"}},
		"not propagating": {p: with(map[string]bool{"VM.GuestAgent.Audit": true, "VM.Audit": false}), version: "9.2.1", missing: []string{"VM.Audit on /vms"}},
		"log reader":      {p: with(map[string]bool{"VM.GuestAgent.Audit": true, "Sys.Syslog": true}), version: "9.2.1"},
		"surplus, two places": {p: proxmox.Privileges{"/": with(map[string]bool{"VM.GuestAgent.Audit": true})["/"],
			"/vms/1": {"VM.Audit": true, "VM.GuestAgent.Audit": true, "VM.PowerMgmt": true, "VM.Console": true}, "/vms/2": {"VM.Audit": true, "VM.GuestAgent.Audit": true, "VM.PowerMgmt": true}},
			version: "9.2.1", surplus: []string{"VM.Console", "VM.PowerMgmt"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := weigh(c.p, pve.Version{Version: c.version}, func(priv, path string) string { return "grant " + priv + " " + path }, tools.R0)
			var missing []string
			for _, l := range h.missing() {
				missing = append(missing, l.Privilege+" on "+l.Path)
			}
			if diff := cmp.Diff([][]string{c.missing, c.surplus}, [][]string{missing, h.surplus}); diff != "" {
				t.Error(diff)
			}
			if (h.note() != "") != (c.note != "") || !strings.Contains(h.note(), c.note) {
				t.Errorf("note %q", h.note())
			}
		})
	}
}

// TestDoctorView tells each result in full, and what to do about it on a line of its own.
func TestDoctorView(t *testing.T) {
	t.Parallel()
	long := strings.TrimSpace(strings.Repeat("a long reason ", 20))
	r := DoctorReport{Checks: []Check{{Name: "configuration", State: CheckOK, Result: "fine"},
		{Cluster: "home", Name: "endpoint", State: CheckFail, Result: long, Fix: "do this"}, {Name: "store", State: CheckWarn, Result: "x\ny"},
		{Cluster: "home", Name: "code", State: CheckOK, Result: "fine", Fix: "a better role"}}}
	var b strings.Builder
	if err := cli.WriteView(&b, r.View()); err != nil {
		t.Fatal(err)
	}
	wantIn(t, b.String(), "fail   home endpoint  "+long+"\n", "\nfail home endpoint: fix: do this\n", "\nhome code: a better role\n", "warn   store          x y\n")
	if r.Worst() != CheckFail {
		t.Errorf("Worst() = %s", r.Worst())
	}
}

func TestDoctorStopsWithContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Doctor(ctx, newLab(t).clinic(t, nil)); err == nil {
		t.Error("a cancelled doctor reported as if it had looked")
	}
}
