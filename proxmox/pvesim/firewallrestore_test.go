package pvesim

import (
	"strings"
	"testing"
)

// TestRestoredFirewall: who may only restore a container over itself brings its firewall not back, others do.
func TestRestoredFirewall(t *testing.T) {
	for _, tt := range []struct{ role, want, line string }{
		{"PVEVMAdmin", "ACCEPT", ""},
		{"PVEVMUser", "DROP", "lacking API permission to modify firewall."},
	} {
		r, sim := backupRig(t)
		base := "/nodes/" + sim.firstNode()
		must := func(method, path, form string) string {
			t.Helper()
			exit, log := r.task(method, path, form)
			if exit != "OK" {
				t.Fatalf("%s %s: %s\n%s", method, path, exit, log)
			}
			return log
		}
		must("POST", base+"/lxc", "vmid=7001&storage=files&ostemplate=files:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz")
		sim.serve(asking(t.Context(), sim, "POST", base+"/lxc/7001/firewall/rules", "type=in&action=ACCEPT"))
		must("POST", base+"/vzdump", "vmid=7001&storage=files")
		sim.serve(asking(t.Context(), sim, "PUT", base+"/lxc/7001/firewall/rules/0", "action=DROP"))
		volid := ""
		sim.Update(func(w *World) {
			for _, v := range w.Nodes[0].Content["files"] {
				if v["content"] == contentBackup && integer(v["vmid"]) == 7001 {
					volid = text(v["volid"])
				}
			}
			w.AddUser("half@pve", "geheim12")
			w.AddACL("/vms/7001", "user", "half@pve", tt.role, true)
			w.AddACL("/storage/files", "user", "half@pve", "PVEDatastoreUser", true)
			r.token = w.AddToken("half@pve", "x", "11111111-2222-4333-8444-555555555555", false)
		})
		log := must("POST", base+"/lxc", "vmid=7001&restore=1&force=1&storage=files&ostemplate="+volid)
		got := firewallAnswer(t, sim.serve(asking(t.Context(), sim, "GET", base+"/lxc/7001/firewall/rules", "")))
		if !strings.Contains(got, tt.want) || !strings.Contains(log, tt.line) || tt.line == "" && strings.Contains(log, "firewall") {
			t.Errorf("%s: %s\n%s", tt.role, got, log)
		}
	}
}
