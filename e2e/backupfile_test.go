package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// TestBackupFile: a file of last night by the program itself, over MCP and on the command line; what the configuration does not name is
// listed and not shown.
func TestBackupFile(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.AddBackupServer("pbs", "backup.lan")
	w.AddServerBackup(pvesim.ServerBackup{Storage: "pbs", VMID: 104, At: w.Now().Add(-8 * time.Hour), Files: map[string]string{
		"root.pxar.didx/etc/app/app.conf": "port = 8080\n", "root.pxar.didx/etc/shadow": "root:canary-of-shadow:\n"}})
	cl := startCluster(t, w, w.RootToken())
	cl.configure(t, "backups: {files: [/etc/app/*]}\n")
	s := start(t, cl.env, program(t), "serve")
	defer s.close()
	s.handshake()
	for args, want := range map[string]string{
		`{"guest":"104","path":"/etc"}`:              "shadow\\tfile",
		`{"guest":"104","path":"/etc/app/app.conf"}`: "| port = 8080",
		`{"guest":"104","path":"/etc/shadow"}`:       "error forbidden: the contents of /etc/shadow are not shown",
	} {
		if got := s.call("tools/call", `{"name":"get_file_from_backup","arguments":`+args+`}`); !strings.Contains(got, want) || strings.Contains(got, "canary-of-shadow") {
			t.Errorf("%s: no %q in %s", args, want, got)
		}
	}
	if out := cl.cli(t, "backup", "file", "104", "/etc/app/app.conf"); !strings.Contains(out, "| port = 8080") {
		t.Error(out)
	}
}
