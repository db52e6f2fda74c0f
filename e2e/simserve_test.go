package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestSimServe drives `proxmox-mcp sim serve` with curl as docs/simulator.md shows: the lines that the program prints are set as
// variables of a shell, which then reads with a token, logs in, and makes and deletes a machine with a ticket.
func TestSimServe(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		missing(t, "curl on PATH")
	}
	exports := serve(t)
	const script = `set -eu
api=$PROXMOX_VE_ENDPOINT/api2/json
field() { sed -n 's/.*"'"$1"'":"\([^"]*\)".*/\1/p'; echo; }
curl -ksf -H "Authorization: PVEAPIToken=$PROXMOX_VE_API_TOKEN" "$api/cluster/resources?type=vm" | grep -o '"name":"pihole"'
login=$(curl -ksf "$api/access/ticket" --data-urlencode username=root@pam --data-urlencode password=demo-password)
ticket=$(echo "$login" | field ticket) csrf=$(echo "$login" | field CSRFPreventionToken)
write() { curl -ksf -b "PVEAuthCookie=$ticket" -H "CSRFPreventionToken: $csrf" "$@"; }
wait() {
  for _ in $(seq 100); do
    case $(curl -ksf -b "PVEAuthCookie=$ticket" "$api/nodes/pve1/tasks/$1/status") in *'"status":"stopped"'*) break ;; esac
    sleep 0.1
  done
  curl -ksf -b "PVEAuthCookie=$ticket" "$api/nodes/pve1/tasks/$1/status" | field exitstatus
}
made=$(write "$api/nodes/pve1/qemu" -d vmid=5000 -d name=by-curl --data-urlencode scsi0=local-lvm:4)
wait "$(echo "$made" | field data)"
curl -ksf -b "PVEAuthCookie=$ticket" "$api/nodes/pve1/qemu/5000/config" | field scsi0
gone=$(write -X DELETE "$api/nodes/pve1/qemu/5000")
wait "$(echo "$gone" | field data)"
curl -ks -o /dev/null -w '%{http_code}\n' -b "PVEAuthCookie=$ticket" "$api/nodes/pve1/qemu/5000/config"
curl -ks -o /dev/null -w '%{http_code}\n' -b "PVEAuthCookie=$ticket" -X POST "$api/nodes/pve1/qemu" -d vmid=5000
`
	o := run(t, []string{"PATH=" + os.Getenv("PATH")}, exports+script, "bash")
	want := "\"name\":\"pihole\"\nOK\nlocal-lvm:vm-5000-disk-0,size=4G\nOK\n500\n401\n"
	if o.code != 0 || o.stdout != want {
		t.Errorf("exit %d with %s\n%s%swant\n%s", o.code, curl, o.stdout, o.stderr, want)
	}
}

// serve starts the program's simulator and gives the lines that it prints.
func serve(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), "sim", "serve")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var b strings.Builder
	for s := bufio.NewScanner(out); strings.Count(b.String(), "\n") < 3 && s.Scan(); {
		b.WriteString(s.Text() + "\n")
	}
	return b.String()
}
