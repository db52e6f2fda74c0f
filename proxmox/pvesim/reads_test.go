package pvesim

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestReads asks a made world for what the recordings ask a real one, and looks for the one thing that counts.
func TestReads(t *testing.T) {
	w := DemoWorld(time.Now())
	w.SetConfig(202, "cipassword", "canary-secret")
	w.SetConfig(202, "sshkeys", "ssh-ed25519%20AAAA%20x%40y")
	r := newRig(t, w)
	defer r.stop()
	for path, part := range map[string]string{
		"/nodes/pve1/qemu/202/config":                                  `"cipassword":"**********"`,
		"/nodes/pve1/qemu/202/cloudinit":                               `{"key":"cipassword","value":"**********"}`,
		"/nodes/pve1/qemu/202/cloudinit/dump?type=user":                `password: canary-secret\nssh_authorized_keys:\n  - ssh-ed25519 AAAA x@y\n`,
		"/nodes/pve1/qemu/202/cloudinit/dump?type=network":             `address: '192.168.1.22'\n        netmask: '255.255.255.0'\n        gateway: '192.168.1.1'`,
		"/nodes/pve1/qemu/202/cloudinit/dump?type=meta":                `instance-id: `,
		"/nodes/pve1/qemu/900/feature?feature=clone":                   `{"hasFeature":1,"nodes":["pve1"]}`,
		"/nodes/pve1/qemu/900/feature?feature=snapshot":                `{"hasFeature":0`,
		"/nodes/pve1/lxc/103/feature?feature=snapshot":                 `{"hasFeature":1}`,
		"/nodes/pve1/lxc/104/feature?feature=snapshot":                 `{"hasFeature":0}`, // a directory of the node is mounted
		"/nodes/pve1/qemu/201/migrate":                                 `"allowed_nodes":["pve2","pve3"]`,
		"/nodes/pve1/lxc/101/interfaces":                               `"inet":"192.168.1.53/24"`,
		"/nodes/pve2/lxc/901/interfaces":                               `{"data":null}`,
		"/nodes/pve1/qemu/201/agent/get-osinfo":                        `{"result":{"id":"debian"`,
		"/nodes/pve1/qemu/201/agent/get-vcpus":                         `"logical-id":1`,
		"/cluster/backup/backup-nightly":                               `"prune-backups":{"keep-daily":"7","keep-weekly":"4"}`,
		"/cluster/backup/backup-nightly/included_volumes":              `{"id":"101:rootfs","included":1,"leaf":1,"name":"local-lvm:vm-101-disk-0","reason":"rootfs"}`,
		"/cluster/jobs/schedule-analyze?schedule=daily":                `"utc":"`,
		"/nodes/pve1/rrddata?timeframe=hour":                           `"memtotal":68719476736`,
		"/nodes/pve1/qemu/201/rrddata?timeframe=day":                   `"maxmem":4294967296`,
		"/nodes/pve1/storage/tank/rrddata?timeframe=hour":              `"total":3957812363264`,
		"/cluster/metrics/export":                                      `"id":"qemu/201","metric":"mem_used"`,
		"/pools/home":                                                  `"storage":"tank"`,
		"/pools?poolid=lab&type=lxc":                                   `"id":"lxc/109"`,
		"/access/users?full=1":                                         `"tokens":[{"tokenid":"demo","privsep":0,"expire":0}]`,
		"/access/users/root@pam":                                       `"tokens":{"demo":`,
		"/access/users/root@pam/token/demo":                            `"privsep":0`,
		"/access/users/viewer@pve/token":                               `"tokenid":"mon"`,
		"/nodes/pve1/storage/local/content?content=iso":                `local:iso/virtio-win`,
		"/nodes/pve1/storage/local/content/iso/virtio-win-0.1.285.iso": `"path":"/var/lib/vz/template/iso/virtio-win-0.1.285.iso"`,
		"/nodes/pve1/storage?content=backup":                           `"storage":"nas-backup"`,
		"/nodes/pve1/storage?target=pve2":                              `"storage":"nas-backup"`,
		"/cluster/ha/status/current":                                   `vm:203 (pve2, started)`,
		"/nodes/pve2/qemu/203/status/current":                          `"ha":{"managed":1,"state":"started"}`,
		"/cluster/log?max=1":                                           `"msg":"end task UPID:pve2:`,
		"/cluster/config/nodes":                                        `"name":"pve3"`,
		"/cluster/config/join":                                         `"preferred_node":"pve1"`,
		"/nodes/pve1/network?type=any_bridge":                          `"iface":"vmbr0"`,
	} {
		got := r.get(path)
		if got.code != 200 || !strings.Contains(got.body, part) {
			t.Errorf("%s: %s without %s\n%.600s", path, got.status, part, got.body)
		}
	}
	if got := r.get("/nodes/pve2/qemu/204/agent/get-osinfo").status; got != "500 VM 204 is not running" {
		t.Errorf("agent of a stopped VM: %s", got)
	}
	if got := r.get("/nodes/pve2/qemu/207/agent/get-osinfo").status; got != "500 No QEMU guest agent configured" {
		t.Errorf("agent of a VM without: %s", got)
	}
}

// TestMasking: facts 50, an auditor sees the password nowhere but in a snapshot's configuration.
func TestMasking(t *testing.T) {
	w := DemoWorld(time.Now())
	w.SetConfig(202, "cipassword", "canary-secret")
	w.AddSnapshot(202, "leaky", "")
	r := newRig(t, w)
	defer r.stop()
	r.token = "viewer@pve!mon=" + viewSecret
	for path, leaks := range map[string]bool{
		"/nodes/pve1/qemu/202/config": false, "/nodes/pve1/qemu/202/pending": false, "/nodes/pve1/qemu/202/config?current=1": false,
		"/nodes/pve1/qemu/202/config?snapshot=leaky": false, "/nodes/pve1/qemu/202/cloudinit/dump?type=user": false,
		"/nodes/pve1/qemu/202/snapshot/leaky/config": true,
	} {
		if got := r.get(path); got.code != 200 || strings.Contains(got.body, "canary-secret") != leaks {
			t.Errorf("%s: %s, leaks %v, want %v", path, got.status, !leaks, leaks)
		}
	}
}

func TestHandler(t *testing.T) {
	s := New(DemoWorld(time.Now()))
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, "/api2/json/version", nil)
	req.Header.Set("Authorization", "PVEAPIToken="+s.RootToken())
	s.ServeHTTP(rec, req)
	if rec.Code != 200 || rec.Header().Get("Content-Type") != jsonType || !strings.Contains(rec.Body.String(), "9.2.11") {
		t.Errorf("%d %v %s", rec.Code, rec.Header(), rec.Body)
	}
}

func TestJSON(t *testing.T) {
	got := string(encode(fields{{"s", "a\"\\\n\t\x01<é\xff"}, {"f", 0.5}, {"i", 3}, {"n", nil}, {"l", []any{true, int64(2)}}, {"o", Object{"b": 1, "a": "x"}}}))
	want := `{"s":"a\"\\\n\t\u0001<é` + "\ufffd" + `","f":0.5,"i":3,"n":null,"l":[true,2],"o":{"a":"x","b":1}}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// syncBuffer is a buffer that a test reads while a server writes.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestServeForever(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out syncBuffer
	done := make(chan error, 1)
	go func() {
		done <- ServeForever(ctx, ServeOptions{Guests: 5, Nodes: 2, Latency: "1ms", Faults: []string{"F11:node=node02"}}, &out)
	}()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(out.String(), "FINGERPRINT=") && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	var endpoint, token string
	for line := range strings.Lines(out.String()) {
		if v, ok := strings.CutPrefix(line, "export PROXMOX_VE_ENDPOINT="); ok {
			endpoint = strings.TrimSpace(v)
		}
		if v, ok := strings.CutPrefix(line, "export PROXMOX_VE_API_TOKEN="); ok {
			token = strings.Trim(strings.TrimSpace(v), "'")
		}
	}
	var seen string
	tr := &http.Transport{TLSClientConfig: pinning(&seen)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, endpoint+"/api2/json/nodes/node02/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "PVEAPIToken="+token)
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 595 || !strings.Contains(out.String(), "FINGERPRINT="+seen+"\n") {
		t.Errorf("%s with %s, announced:\n%s", resp.Status, seen, out.String())
	}
	tr.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestServeAllNodes: each node is announced at a port of its own.
func TestServeAllNodes(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out syncBuffer
	done := make(chan error, 1)
	go func() { done <- ServeForever(ctx, ServeOptions{Guests: 3, Nodes: 3, AllNodes: true}, &out) }()
	for deadline := time.Now().Add(10 * time.Second); strings.Count(out.String(), "\n") < 5 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"export PROXMOX_VE_ENDPOINT=https://127.0.0.1:", "\n# node02 https://127.0.0.1:", "\n# node03 https://127.0.0.1:"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}

func TestServeErrors(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "world.json")
	if err := os.WriteFile(bad, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range []ServeOptions{{World: bad}, {World: bad + "x"}, {Latency: "soon"}, {Faults: []string{"F99"}}, {Node: "nobody"}, {Addr: "256.0.0.1:1"}} {
		if err := ServeForever(t.Context(), o, &syncBuffer{}); err == nil {
			t.Errorf("%+v serves", o)
		}
	}
}

// TestConcurrent: reads, changes and faults at once; the race detector judges.
func TestConcurrent(t *testing.T) {
	r := newRig(t, GenerateWorld(GenOptions{Seed: 2, Nodes: 3, Guests: 30, Now: time.Now()}))
	defer r.stop()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 20 {
				g := 1000 + (i*7+n)%30
				if got := r.get(fmt.Sprintf("/cluster/resources?type=%s", []string{"vm", "node", "storage"}[n%3])); got.code != 200 {
					t.Errorf("%s %v", got.status, got.err)
				}
				r.sim.Update(func(w *World) { w.SetConfig(g, "description", fmt.Sprint(n)); w.SetStatus(g, "stopped") })
				remove := r.sim.AddFault(FlipTypes(MixedTypes))
				r.get("/cluster/status")
				remove()
				_ = r.sim.Stats()
			}
		})
	}
	wg.Wait()
}
