package app

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/globs"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// fileRig is a cluster whose container and machine have backups on a backup server.
type fileRig struct {
	sim    *pvesim.Sim
	deps   tools.Deps
	ct, vm string
}

const hostileFile = "first\n\x1b[31mred\u202e\npassword=hunter2-canary\n"

func newFileRig(t *testing.T, token func(w *pvesim.World) string, show ...string) *fileRig {
	t.Helper()
	r := &fileRig{sim: twinSim(t, 1)}
	now := time.Now()
	var secret string
	r.sim.Update(func(w *pvesim.World) {
		w.AddBackupServer("pbs", "backup.lan")
		for _, g := range w.Guests() {
			switch {
			case g.Template():
			case g.Type == "lxc":
				r.ct = w.AddServerBackup(pvesim.ServerBackup{Storage: "pbs", VMID: g.VMID, At: now.Add(-24 * time.Hour), Files: map[string]string{
					"root.pxar.didx/etc/hostname": "web\n", "root.pxar.didx/etc/hosts": hostileFile, "root.pxar.didx/etc/empty": "", "root.pxar.didx/srv/pic.png": "\x89PNG\x00",
					"root.pxar.didx/srv/deep/secret.key": "k", "root.pxar.didx/srv/long.txt": strings.Repeat("a line of a log\n", 2000), "root.pxar.didx/srv/huge.log": strings.Repeat("x", 2<<20)}})
				w.AddServerBackup(pvesim.ServerBackup{Storage: "pbs", VMID: g.VMID, At: now.Add(-48 * time.Hour), Files: map[string]string{"root.pxar.didx/etc/hostname": "older\n"}})
			default:
				r.vm = w.AddServerBackup(pvesim.ServerBackup{Storage: "pbs", VMID: g.VMID, At: now.Add(-time.Hour), Slow: true, Files: map[string]string{
					"drive-scsi0.img.fidx/part/1/etc/fstab": "/dev/sda1 /\n", "drive-scsi1.img.fidx/lvm/data/home/me/note.txt": "hi\n"}})
			}
		}
		secret = token(w)
	})
	c := given(t, "lab", r.sim, "node01")
	c.Token = redact.NewSecret(secret)
	cfg := &config.Config{Clusters: []config.Cluster{c}}
	for _, text := range show {
		rule, err := globs.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Backups.Files = append(cfg.Backups.Files, rule)
	}
	p := openTwins(t, cfg)
	if err := p.inv.Complete(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	r.deps = (&App{Clock: time.Now}).deps(p, server.LocalPrincipal(), "test")
	return r
}

func (r *fileRig) ask(t *testing.T, guest, path string, more ...string) (string, error) {
	t.Helper()
	in := map[string]string{"guest": guest, "path": path}
	for k := 0; k+1 < len(more); k += 2 {
		in[more[k]] = more[k+1]
	}
	raw, _ := json.Marshal(in)
	for _, s := range tools.All() {
		if s.Name == "get_file_from_backup" {
			res, err := s.Call(t.Context(), r.deps, raw)
			if err != nil {
				return "", err
			}
			whole, err := json.Marshal(res.Answer)
			if err != nil {
				t.Fatal(err)
			}
			return res.Answer.View(r.deps).Compact() + "\n" + string(whole), nil
		}
	}
	t.Fatal("no such tool")
	return "", nil
}

// TestBackupFile: folders and texts in backups on a server; contents where the configuration names them, as data.
func TestBackupFile(t *testing.T) {
	r := newFileRig(t, (*pvesim.World).RootToken, "/etc/*", "/srv/*", "/me/**")
	ct := strings.Split(r.ct, "/")[2]
	for _, c := range []struct {
		guest, path string
		want        []string
	}{
		{ct, "", []string{"\netc\tfolder", "\nsrv\tfolder"}}, {ct, "/etc/", []string{"hostname\tfile\t4B", "hosts\tfile"}}, {ct, "etc/hostname", []string{"/etc/hostname of ct " + ct, "4B, as the guest wrote it", "\n| web"}},
		{r.ct, "/root.pxar.didx/etc/hostname", []string{"\n| web"}}, {ct, "/etc/hosts", []string{"| first\n| ", "red"}}, {ct, "/etc/empty", []string{"it is empty"}},
		{ct, "/srv/pic.png", []string{"no text: they are not shown"}}, {ct, "/srv/long.txt", []string{"| a line of a log", "cut: its first 16 KiB"}}, {ct, "/srv/../../etc/hostname", []string{"\n| web"}},
		{r.vm, "/", []string{"drive-scsi0.img.fidx\tfolder", "drive-scsi1.img.fidx\tfolder"}}, {r.vm, "/drive-scsi0.img.fidx/part/1/etc/fstab", []string{"| /dev/sda1 /"}},
		{r.vm, "/drive-scsi1.img.fidx/lvm/data/home/me/note.txt", []string{"| hi"}},
	} {
		got, err := r.ask(t, c.guest, c.path)
		if fault.CodeOf(err) == fault.NodeSilent && strings.Contains(tools.ErrorText(err), "being opened") { // the machine that reads the disks starts at the first look
			got, err = r.ask(t, c.guest, c.path)
		}
		if err != nil {
			t.Errorf("%s %s: %v", c.guest, c.path, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s: no %q in\n%s", c.guest, c.path, want, got)
			}
		}
		if strings.ContainsAny(got, "\x1b\u202e") || strings.Contains(got, "hunter2-canary") {
			t.Errorf("%s %s shows what it must not: %q", c.guest, c.path, got)
		}
	}
	if got, err := r.ask(t, ct, "/etc/hostname", "at", time.Now().Add(-36*time.Hour).Format(time.RFC3339)); err != nil || !strings.Contains(got, "| older") {
		t.Errorf("of the day before: %v\n%s", err, got)
	}
}

// TestBackupFileRefusals: what is not read, and why.
func TestBackupFileRefusals(t *testing.T) {
	r := newFileRig(t, (*pvesim.World).RootToken, "/srv/*")
	ct := strings.Split(r.ct, "/")[2]
	for _, c := range []struct {
		guest, path string
		code        fault.Code
		want        string
	}{
		{ct, "/etc/hostname", fault.Forbidden, "backups.files of the configuration does not name it"}, {ct, "/srv/deep/secret.key", fault.Forbidden, "backups.files"},
		{ct, "/srv/huge.log", fault.Conflict, "2048 KiB: files up to 1024 KiB"}, {ct, "/etc/hostnam", fault.NotFound, `did you mean "hostname"`}, {ct, "/nowhere/a", fault.Upstream, "not found in catalog"},
		{r.vm, "/etc/fstab", fault.NotFound, "it has drive-scsi0.img.fidx, drive-scsi1.img.fidx"}, {"pbs:backup/nonsense", "/", fault.Invalid, "volume id of a backup"},
		{"pbs:backup/ct/" + ct + "/2001-01-01T00:00:00Z", "/", fault.NotFound, "is not seen"}, {"9", "/", fault.NotFound, ""},
	} {
		_, err := r.ask(t, c.guest, c.path)
		if err == nil || fault.CodeOf(err) != c.code || !strings.Contains(tools.ErrorText(err), c.want) {
			t.Errorf("%s %s: %v, want %s with %q", c.guest, c.path, err, c.code, c.want)
		}
	}
}

// TestBackupFileWarnings: where a listing was not read there may be a newer backup, and the answer says so.
func TestBackupFileWarnings(t *testing.T) {
	r := newFileRig(t, (*pvesim.World).RootToken)
	f := pvesim.TruncateBody(5)
	f.Path = "/nodes/*/storage/backup/content"
	r.sim.AddFault(f)
	got, err := r.ask(t, strings.Split(r.ct, "/")[2], "/etc")
	if err != nil || !strings.Contains(got, "\n! ") || !strings.Contains(got, `"warnings":[{`) {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := r.ask(t, r.ct, "/etc"); err != nil || strings.Contains(got, "\n! ") {
		t.Errorf("of a named backup there is no newer one: %v\n%s", err, got)
	}
}

// TestBackupFileFaults: F13, F14, F35 and a caller without the privileges. Nothing is half shown.
func TestBackupFileFaults(t *testing.T) {
	for name, c := range map[string]struct {
		fault pvesim.Fault
		path  string
		code  fault.Code
		want  string
	}{
		"cut":      {pvesim.CutBody(2), "/nodes/*/storage/*/file-restore/download", fault.BadAnswer, "cut off"},
		"short":    {pvesim.TruncateBody(2), "/nodes/*/storage/*/file-restore/download", fault.BadAnswer, "came 2 of 4 bytes"},
		"missing":  {pvesim.MissingAPI("/nodes/*/storage/*/file-restore/*"), "", fault.Unsupported, "does not have"},
		"null":     {pvesim.NullData(), "/nodes/*/storage/*/file-restore/list", fault.BadAnswer, ""},
		"node":     {pvesim.ProxyError(595, "No route to host"), "/nodes/*/storage/*/file-restore/*", fault.NodeSilent, ""},
		"no quest": {pvesim.Gateway(502, 0), "/nodes/*/storage/*/file-restore/*", fault.Unreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFileRig(t, (*pvesim.World).RootToken, "/etc/*")
			f := c.fault
			if c.path != "" {
				f.Path = c.path
			}
			r.sim.AddFault(f)
			got, err := r.ask(t, r.ct, "/etc/hostname")
			if err == nil || fault.CodeOf(err) != c.code || !strings.Contains(tools.ErrorText(err), c.want) {
				t.Errorf("%q, %v, want %s with %q", got, err, c.code, c.want)
			}
		})
	}
	r := newFileRig(t, func(w *pvesim.World) string {
		w.AddUser("reader@pve", "")
		w.AddACL("/", "user", "reader@pve", "PVEAuditor", true)
		return w.AddToken("reader@pve", "t", "11111111-1111-1111-1111-111111111111", false)
	}, "/etc/*")
	if _, err := r.ask(t, r.ct, "/etc/hostname"); fault.CodeOf(err) != fault.Forbidden && fault.CodeOf(err) != fault.NotFound {
		t.Errorf("without privileges: %v", err)
	}
}
