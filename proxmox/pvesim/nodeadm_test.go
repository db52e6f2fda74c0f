package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// must is as for root, and wants success.
func (r *rig) must(method, path string, params ...string) reply {
	r.t.Helper()
	got := r.as(rootUser, method, path, params...)
	if got.code != 200 {
		r.t.Fatalf("%s %s: %s %s", method, path, got.status, got.body)
	}
	return got
}

// backups counts the vzdump tasks of a node that began since.
func backups(r *rig, node string, since time.Time) (out []string) {
	for _, row := range r.must("GET", "/nodes/"+node+"/tasks", "source=all", "typefilter=vzdump", "limit=1000").rows() {
		if at := time.Unix(int64(row["starttime"].(float64)), 0); !at.Before(since) {
			out = append(out, at.UTC().Format("02 15:04")+" "+fmt.Sprint(row["id"], " ", row["status"]))
		}
	}
	return out
}

// TestBackupJobsFire: a job runs on each node with guests of it, at its time by the node's clock, and not while it is
// switched off; one that a node missed runs when the node is back if it asks for that.
func TestBackupJobsFire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuilder(1, time.Now())
		b.demoNodes()
		b.demoStorage()
		b.w.Cluster.Name = "c"
		for i, node := range []string{"pve1", "pve2"} {
			b.machine(100+i, node, node, 1, 512, 4, nil)
		}
		r := newRig(t, b.w, WithoutDelays())
		defer r.stop()
		r.must("POST", "/cluster/backup", "id=j1", "schedule=03:00", "vmid=100,101", "storage=nas-backup", "mode=snapshot", "prune-backups=keep-last=2", "notes-template={{guestname}}")
		began := time.Now() // midnight, 01:00 in Berlin
		time.Sleep(2*time.Hour - time.Minute)
		if got := backups(r, "pve1", began); len(got) != 0 {
			t.Errorf("too early: %v", got)
		}
		time.Sleep(2 * time.Minute)
		for i, node := range []string{"pve1", "pve2"} {
			want := fmt.Sprintf("01 02:00 %d OK", 100+i)
			if got := backups(r, node, began); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %v, want %s", node, got, want)
			}
		}
		log := r.must("GET", "/nodes/pve1/tasks/"+r.must("GET", "/nodes/pve1/tasks", "typefilter=vzdump").rows()[0]["upid"].(string)+"/log").rows()
		if got, want := log[0]["t"], "INFO: starting new backup job: vzdump 100 --storage nas-backup --mode snapshot --notes-template '{{guestname}}' --prune-backups keep-last=2 --quiet 1"; got != strings.Replace(want, "vzdump 100", "vzdump 100 101", 1) {
			t.Errorf("log begins %q", got)
		}
		r.must("PUT", "/cluster/backup/j1", "enabled=0")
		time.Sleep(48 * time.Hour)
		if got := backups(r, "pve1", began); len(got) != 1 {
			t.Errorf("while it is off: %v", got)
		}
		r.must("PUT", "/cluster/backup/j1", "enabled=1", "repeat-missed=1")
		r.must("PUT", "/nodes/pve2/config", "wakeonlan=bc:24:11:00:00:02")
		r.must("POST", "/nodes/pve2/status", "command=shutdown")
		time.Sleep(36 * time.Hour)
		if got := r.as(rootUser, "GET", "/nodes/pve2/status"); got.code != 595 {
			t.Errorf("a node that was switched off: %s", got.status)
		}
		if got := r.must("POST", "/nodes/pve2/wakeonlan"); got.data != "BC:24:11:00:00:02" {
			t.Errorf("woken %v", got.data)
		}
		time.Sleep(5 * time.Minute)
		if got := backups(r, "pve2", began); len(got) != 2 || got[0] != "04 14:03 101 OK" {
			t.Errorf("a job that was missed: %v", got)
		}
	})
}

// TestNetworkWaits: changes of the network show beside what is in effect until they are applied or taken back.
func TestNetworkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()), WithoutDelays())
		defer r.stop()
		const path = "/nodes/pve1/network"
		r.must("POST", path, "iface=vmbr1", "type=bridge", "autostart=1", "cidr=10.0.0.1/24", "bridge_vlan_aware=1", "comments=lab")
		if got := r.as(rootUser, "POST", path, "iface=vmbr2", "type=bridge", "cidr=10.1.0.1/24", "gateway=10.1.0.254"); !strings.Contains(got.body, "Default gateway already exists on interface 'vmbr0'.") {
			t.Errorf("a second gateway: %s", got.body)
		}
		r.must("PUT", path+"/enp1s0", "type=eth", "mtu=9000")
		r.must("DELETE", path+"/enp1s0")
		body := r.must("GET", path).body
		for _, want := range []string{`"changes":"--- /etc/network/interfaces\t`, `\n+auto vmbr1\n+iface vmbr1 inet static\n+\taddress 10.0.0.1/24\n+\tbridge-ports none`,
			`+\tbridge-vlan-aware yes\n+\tbridge-vids 2-4094\n+#lab\n`} {
			if !strings.Contains(body, want) {
				t.Errorf("%s lacks %s", body, want)
			}
		}
		if strings.Contains(body, "mtu") {
			t.Errorf("a network card keeps the settings that were taken away: %s", body)
		}
		r.must("DELETE", path)
		if got := r.must("GET", path); strings.Contains(got.body, "changes") || got.row("iface", "vmbr1") != nil {
			t.Errorf("taken back: %s", got.body)
		}
		r.must("POST", path, "iface=vmbr1", "type=bridge", "autostart=1", "cidr=10.0.0.1/24")
		r.must("PUT", path)
		time.Sleep(time.Minute)
		got := r.must("GET", path)
		if row := got.row("iface", "vmbr1"); strings.Contains(got.body, "changes") || row["active"] != 1.0 || row["netmask"] != "24" {
			t.Errorf("applied: %v in %s", row, got.body)
		}
	})
}

// TestReplication: a job copies the volumes of a guest to another node every 15 minutes, tells of failures, runs when it
// is asked to, and takes its copies away when it is removed.
func TestReplication(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := DemoWorld(time.Now())
		b := &builder{w: w, rng: newBuilder(1, time.Now()).rng, now: time.Now()}
		for _, n := range w.Nodes {
			n.Online = true
		}
		b.storage(Object{"storage": "fast", "type": "zfspool", "pool": "fast", "content": "images"}, 1, 100*gib, w.Nodes[0], w.Nodes[1])
		b.volume(w.Nodes[0], "fast", "vm-800-disk-0", "images", "raw", gib, 800)
		w.AddGuest(&Guest{VMID: 800, Type: typeQEMU, Node: "pve1", Config: Object{"scsi0": "fast:vm-800-disk-0,size=1G"}})
		r := newRig(t, w, WithoutDelays())
		defer r.stop()
		for params, want := range map[string]string{"id=800-0 target=pve1": "Source and target must not be identical", "id=101-0 target=pve2": "missing replicate feature on volume"} {
			if got := r.as(rootUser, "POST", "/cluster/replication", append(strings.Fields(params), "type=local")...); !strings.Contains(got.body, want) {
				t.Errorf("%s: %s", params, got.body)
			}
		}
		r.must("POST", "/cluster/replication", "id=800-0", "type=local", "target=pve2")
		status := func() map[string]any {
			o, _ := r.must("GET", "/nodes/pve1/replication/800-0/status").data.(map[string]any)
			return o
		}
		if s := status(); s["last_sync"] != 0.0 || s["next_sync"] != float64(time.Now().Truncate(15*time.Minute).Add(15*time.Minute).Unix()) {
			t.Errorf("before the first run: %v", s)
		}
		time.Sleep(16 * time.Minute)
		if s := status(); s["last_sync"] == 0.0 || s["fail_count"] != 0.0 || w.Nodes[1].volume("fast:vm-800-disk-0") == nil {
			t.Errorf("after the first run: %v", s)
		}
		r.sim.Update(func(w *World) { w.SetNodeOnline("pve2", false) })
		r.must("POST", "/nodes/pve1/replication/800-0/schedule_now")
		time.Sleep(2 * time.Minute)
		if s := status(); s["fail_count"] != 1.0 || !strings.HasSuffix(fmt.Sprint(s["error"]), "exit code 255") {
			t.Errorf("without its target: %v", s)
		}
		r.sim.Update(func(w *World) { w.SetNodeOnline("pve2", true) })
		r.must("DELETE", "/cluster/replication/800-0")
		time.Sleep(2 * time.Minute)
		if got := r.must("GET", "/cluster/replication"); got.row("id", "800-0") != nil || w.Nodes[1].volume("fast:vm-800-disk-0") != nil {
			t.Errorf("after its removal: %s", got.body)
		}
	})
}

// TestNodeAdministration: writes and what the reads after them say.
func TestNodeAdministration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()), WithoutDelays())
		defer r.stop()
		for _, tt := range []struct{ request, want string }{
			{"PUT /nodes/pve1/time timezone=Asia/Tokyo", "200"},
			{"GET /nodes/pve1/time", `"localtime":946717260`}, // nine hours and a minute after midnight
			{"POST /nodes/pve1/hosts data=127.0.0.1 digest=x", "500 detected modified configuration"},
			{"POST /nodes/pve1/services/pveproxy/stop", "UPID"},
			{"GET /nodes/pve1/tasks typefilter=srvstop", "refusing to stop essential service!"},
			{"POST /nodes/pve1/services/cron/stop", "UPID"},
			{"GET /nodes/pve1/services/cron/state", `"state":"dead"`},
			{"POST /nodes/pve1/aplinfo storage=local template=alpine-3.22-default_20250617_amd64.tar.zst", "UPID"},
			{"GET /nodes/pve1/storage/local/content content=vztmpl", "alpine-3.22"},
			{"POST /nodes/pve1/aplinfo storage=local template=nosuch", "no such template"},
			{"GET /nodes/pve1/scan/nfs server=192.168.1.20", `"path":"/volume1/proxmox"`},
			{"GET /nodes/pve1/scan/nfs server=192.168.1.99", "showmount"},
			{"GET /nodes/pve1/syslog limit=2 start=1", `"n":2`},
			{"PUT /nodes/pve1/subscription key=pve1c-0123456789", "500 Invalid response from server"},
			{"GET /nodes/pve1/subscription", `"status":"new"`},
			{"POST /nodes/pve1/apt/repositories path=/etc/apt/sources.list.d/proxmox.sources index=0 enabled=0", "200"},
			{"GET /nodes/pve1/apt/repositories", `"handle":"no-subscription","name":"No-Subscription","status":0`},
			{"POST /cluster/notifications/endpoints/gotify name=pager server=https://gotify.example token=secret", "200"},
			{"POST /cluster/notifications/endpoints/gotify name=pager server=https://gotify.example token=secret", "400 Cannot create 'pager'"},
			{"GET /cluster/notifications/endpoints/gotify/pager", `"name":"pager","origin":"user-created","server":"https://gotify.example"`},
			{"POST /cluster/notifications/matchers name=m1 target=pager match-severity=error", "200"},
			{"DELETE /cluster/notifications/endpoints/gotify/pager", "400 cannot delete 'pager', referenced by: m1"},
			{"POST /cluster/notifications/targets/pager/test", "could not notify"},
			{"DELETE /cluster/notifications/matchers/m1", "200"},
			{"DELETE /cluster/notifications/endpoints/gotify/pager", "200"},
			{"GET /cluster/notifications/endpoints/gotify/pager", "404 endpoint 'pager' not found"},
			{"POST /cluster/mapping/pci id=gpu map=node=pve1,path=0000:01:00.0,id=8086:1237", "200"},
			{"PUT /cluster/mapping/pci/gpu digest=0000 description=x", "500 update hardware mapping failed: detected modified"},
			{"PUT /cluster/mapping/pci/gpu description=x", "200"},
			{"GET /cluster/mapping/pci check-node=pve2", "No mapping for node pve2."},
			{"PUT /cluster/options registered-tags=b;a next-id=lower=500 max_workers=3", "200"},
			{"GET /cluster/options", `"max_workers":3,"next-id":{"lower":"500"},"registered-tags":["b","a"]`},
			{"POST /cluster/metrics/server/tcp type=graphite server=10.0.0.9 port=2003 proto=tcp", "500 Can't connect to 10.0.0.9:2003 (No route to host)"},
			{"POST /cluster/backup schedule=daily storage=nas-backup vmid=101 all=1", "500 400 Parameter verification failed."},
			{"POST /cluster/backup schedule=daily storage=nas-backup vmid=101 notes-template={{nosuch}}", "variable 'nosuch' at char 2"},
		} {
			words := strings.Fields(tt.request)
			got := r.as(rootUser, words[0], words[1], words[2:]...)
			if text := fmt.Sprintf("%s %s", got.status, got.body); !strings.Contains(text, tt.want) {
				t.Errorf("%s: %s, want %s", tt.request, text, tt.want)
			}
			time.Sleep(time.Minute)
		}
		if got := r.do("GET", "/nodes/pve1/journal?lastentries=3", nil, "Accept-Encoding", "identity"); got.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("journal: %v", got.header)
		}
	})
}
