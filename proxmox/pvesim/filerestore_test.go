package pvesim

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFileRestore: backups on a server can be looked into, by who may read them; others cannot.
func TestFileRestore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := haWorld()
		w.AddBackupServer("pbs-bac", "backup.lan")
		w.Storages = append(w.Storages, Object{"storage": "pbs-127", "type": "pbs", "server": "127.0.0.1", "datastore": "d", "content": "backup"})
		ct, vm := 0, 0
		for _, g := range w.Guests() {
			if g.Type == typeLXC {
				ct = g.VMID
			} else {
				vm = g.VMID
			}
		}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		inCT := w.AddServerBackup(ServerBackup{Storage: "pbs-bac", VMID: ct, At: at, Files: map[string]string{"root.pxar.didx/etc/hostname": "web\n", "root.pxar.didx/srv/a/b": "b"}})
		inVM := w.AddServerBackup(ServerBackup{Storage: "pbs-bac", VMID: vm, At: at, Slow: true, Files: map[string]string{"drive-scsi0.img.fidx/part/1/etc/hosts": "127.0.0.1\n"}})
		r := newRig(t, w)
		defer r.stop()
		var steps []string
		for _, what := range []string{"list", "download"} {
			for _, step := range []string{
				"nas-backup/file-restore/WHAT?volume=vzdump-qemu-101-2026_01_01-00_00_00.vma.zst -> Only PBS storages supported for file-restore.",
				"nas-backup/file-restore/WHAT?volume=x -> unable to parse directory volume name 'backup/x'", "pbs-bac/file-restore/WHAT?volume=x -> unable to parse PBS volume name",
				"pbs-bac/file-restore/WHAT?volume=vm/101/2026-01-01T00:00:01Z -> no such snapshot 'vm/101/2026-01-01T00:00:01Z'",
				"pbs-127/file-restore/WHAT?volume=vm/101/2026-01-01T00:00:00Z -> proxmox-file-restore failed: 500 Can't connect",
			} {
				steps = append(steps, "GET /nodes/pve1/storage/"+strings.Replace(strings.Replace(step, "WHAT", what, 1), " ->", "&filepath=/ ->", 1))
			}
		}
		ask := func(what, volid, path, want string) string {
			if path != "/" {
				path = strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(base64.StdEncoding.EncodeToString([]byte(path)))
			}
			return "GET /nodes/pve1/storage/pbs-bac/file-restore/" + what + "?volume=" + volid + "&filepath=" + path + " -> " + want
		}
		steps = append(steps,
			ask("list", inCT, "/", "map[filepath:L3Jvb3QucHhhci5kaWR4 leaf:0 size:1.048576e+06 text:root.pxar.didx type:d]"),
			ask("list", inCT, "/root.pxar.didx", "text:etc type:d"), ask("list", inCT, "root.pxar.didx/etc/", "leaf:1 mtime:1.7672256e+09 size:4 text:hostname type:f"),
			ask("list", inCT, "/root.pxar.didx/nowhere", "not found in catalog"), ask("list", inCT, "/qemu-server.conf.blob", "'qemu-server.conf.blob' is not supported for file-restore"),
			ask("list", inVM, "/", "text:drive-scsi0.img.fidx type:v"), ask("list", inVM, "/drive-scsi0.img.fidx", "list not finished in time"),
			ask("list", inVM, "/drive-scsi0.img.fidx", "text:part type:v"), ask("list", inVM, "/drive-scsi0.img.fidx/part", "text:1 type:v"),
		)
		r.walk(steps)
		res := r.do(http.MethodGet, "/nodes/pve1/storage/pbs-bac/file-restore/download?volume="+inCT+"&filepath="+base64.StdEncoding.EncodeToString([]byte("/root.pxar.didx/etc/hostname")), nil)
		if res.body != "web\n" || res.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%q %v", res.body, res.header)
		}
	})
}
