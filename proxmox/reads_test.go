package proxmox

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

// recordedRoutes serves the first recorded answer of each GET of a scenario.
func recordedRoutes(t testing.TB, scenario string) map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{}
	for _, x := range recorded(t, scenario) {
		key := "GET " + x.Request.Path
		if x.Request.Method != "GET" || x.Request.Format != "" || routes[key] != nil || x.Response.Status != 200 {
			continue
		}
		body := x.Response.JSON
		routes[key] = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }
	}
	return routes
}

func rowsOf(t *testing.T, routes map[string]http.HandlerFunc, key string) int {
	t.Helper()
	w := &recorder{}
	routes[key](w, nil)
	var e struct{ Data []json.RawMessage }
	if err := json.Unmarshal(w.b, &e); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return len(e.Data)
}

type recorder struct{ b []byte }

func (r *recorder) Header() http.Header         { return http.Header{} }
func (r *recorder) WriteHeader(int)             {}
func (r *recorder) Write(p []byte) (int, error) { r.b = append(r.b, p...); return len(p), nil }

// Every typed read decodes what a real Proxmox VE 9.2 answered, without losing a row.
func TestReadsDecodeRecordings(t *testing.T) {
	routes := recordedRoutes(t, "02-cluster-and-node-reads")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, routes, nil)
		defer r.close()
		ctx := t.Context()
		check := func(name, key string, n int, err error) {
			t.Helper()
			if err != nil || n == 0 || n != rowsOf(t, routes, key) {
				t.Errorf("%s: %d rows of %d, %v", name, n, rowsOf(t, routes, key), err)
			}
		}
		v, err := r.Version(ctx)
		if err != nil || v.Major() != 9 {
			t.Errorf("version %+v, %v", v, err)
		}
		res, odd, err := r.Resources(ctx, "")
		check("resources", "GET /cluster/resources", len(res)+len(odd), err)
		if len(odd) != 0 {
			t.Errorf("odd rows: %v", odd)
		}
		st, err := r.ClusterStatus(ctx)
		check("status", "GET /cluster/status", len(st), err)
		if got := r.ends.current().nodeName(); got != "pve1" {
			t.Errorf("the entry node is %q", got)
		}
		defs, err := r.StorageDefs(ctx)
		check("storage", "GET /storage", len(defs), err)
		tasks, err := r.ClusterTasks(ctx)
		check("tasks", "GET /cluster/tasks", len(tasks), err)
		logs, err := r.ClusterLog(ctx, 0)
		check("log", "GET /cluster/log", len(logs), err)
		nb, err := r.NotBackedUp(ctx)
		check("not backed up", "GET /cluster/backup-info/not-backed-up", len(nb), err)
		jobs, err := r.BackupJobs(ctx)
		check("backup jobs", "GET /cluster/backup", len(jobs), err)
		ns, err := r.NodeStatus(ctx, "pve1")
		if err != nil || ns.Memory == nil || ns.Memory.Total == nil || len(ns.LoadAvg) != 3 {
			t.Errorf("node status %+v, %v", ns, err)
		}
		sto, err := r.NodeStorage(ctx, "pve1")
		check("node storage", "GET /nodes/pve1/storage", len(sto), err)
		content, err := r.StorageContent(ctx, "pve1", "local", "")
		check("content", "GET /nodes/pve1/storage/local/content", len(content), err)
		for _, of := range []pve.Sampled{{Node: "pve1"}, {Node: "pve1", Type: pve.Qemu, VMID: 100}} {
			s, err := r.Samples(ctx, of, "hour", "")
			if err != nil || len(s.Times) != 59 || len(s.Values["maxcpu"]) != 59 || !math.IsNaN(s.Values["maxcpu"][0]) {
				t.Errorf("samples of %+v: %d points, %v", of, len(s.Times), err)
			}
		}
		net, err := r.NodeNetwork(ctx, "pve1")
		check("network", "GET /nodes/pve1/network", len(net.Interfaces), err)
		zones, err := r.SDNZones(ctx)
		check("zones", "GET /cluster/sdn/zones", len(zones), err)
		vnets, err := r.SDNVnets(ctx)
		check("vnets", "GET /cluster/sdn/vnets", len(vnets), err)
		services, err := r.NodeServices(ctx, "pve1")
		check("services", "GET /nodes/pve1/services", len(services), err)
		updates, err := r.NodeUpdates(ctx, "pve1")
		check("updates", "GET /nodes/pve1/apt/update", len(updates), err)
		certs, err := r.NodeCertificates(ctx, "pve1")
		check("certificates", "GET /nodes/pve1/certificates/info", len(certs), err)
		if clock, err := r.NodeTime(ctx, "pve1"); err != nil || clock.Time == nil || len(certs) == 0 || certs[0].NotAfter == nil {
			t.Errorf("time %+v, certificates %+v, %v", clock, certs, err)
		}
		if opts, err := r.ClusterOptions(ctx); err != nil || len(opts) == 0 {
			t.Errorf("options %v, %v", opts, err)
		}
	})
}

func TestAddressesDecodeRecordings(t *testing.T) {
	find := func(scenario, file string) json.RawMessage {
		for _, x := range recorded(t, scenario) {
			if strings.HasSuffix(x.file, file) {
				var e envelope
				if err := json.Unmarshal(x.Response.JSON, &e); err != nil {
					t.Fatal(err)
				}
				return e.Data
			}
		}
		t.Fatalf("%s %s is not there", scenario, file)
		return nil
	}
	vm, err := decodeInterfaces(pve.Qemu, find("16-guest-agent", "008.json"))
	if err != nil || len(vm) < 2 || vm[0].Addresses[0] != "127.0.0.1/8" || vm[1].MAC != "BC:24:11:00:00:01" || len(vm[1].Addresses) == 0 {
		t.Errorf("%+v, %v", vm, err)
	}
	ct, err := decodeInterfaces(pve.LXC, find("06-lxc-lifecycle", "036.json"))
	if err != nil || len(ct) != 2 || ct[1].Name != "eth0" || ct[1].MAC != "BC:24:11:AA:02:10" {
		t.Errorf("%+v, %v", ct, err)
	}
	if off, err := decodeInterfaces(pve.LXC, find("06-lxc-lifecycle", "037.json")); off != nil || err != nil {
		t.Errorf("a stopped container: %+v, %v", off, err)
	}
}

// Secrets are masked before a configuration leaves the package, a snapshot's clear cipassword too (pve-api.md 50).
func TestConfigsAreMasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := data(`{"cipassword":"` + canary + `","name":"web","memory":"128","digest":"abc","description":"password=` + canary + `"}`)
		r := newRig(t, map[string]http.HandlerFunc{
			"GET /nodes/pve1/qemu/100/config":            cfg,
			"GET /nodes/pve1/qemu/100/snapshot/s/config": cfg,
			"GET /storage":        data(`[{"storage":"pbs","type":"pbs","password":"` + canary + `","encryption-key":"` + canary + `","max":5000000000000001}]`),
			"GET /cluster/backup": data(`[{"id":"a","secret":"` + canary + `"}]`),
		}, nil)
		defer r.close()
		a, err1 := r.GuestConfig(t.Context(), "pve1", pve.Qemu, 100)
		b, err2 := r.SnapshotConfig(t.Context(), "pve1", pve.Qemu, 100, "s")
		defs, err3 := r.StorageDefs(t.Context())
		jobs, err4 := r.BackupJobs(t.Context())
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
			t.Fatal(err1, err2, err3, err4)
		}
		all := string(a.Canonical()) + string(b.Canonical()) + string(defs[0].Raw) + string(jobs[0].Canonical())
		if strings.Contains(all, canary) {
			t.Errorf("a secret got out: %s", all)
		}
		if a.Str("digest") != "abc" || a.Str("cipassword") != redact.Mask || !strings.Contains(string(defs[0].Raw), "5000000000000001") {
			t.Errorf("too much was changed: %s", all)
		}
	})
}

// F34: types flip, keys are new, one guest is garbage: the others are there.
func TestF34OddRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"GET /cluster/resources": data(`[
			{"id":"qemu/100","type":"qemu","vmid":100,"name":123,"maxmem":"1024","template":"1","cpu":"0.5","new-key":{"a":[]}},
			{"id":"qemu/105","type":"qemu","vmid":{"no":1}}, 7, null,
			{"id":"qemu/101","type":"qemu","vmid":"101","maxmem":2048.0,"template":true,"cpu":0}]`)}, nil)
		defer r.close()
		rows, odd, err := r.Resources(t.Context(), "")
		if err != nil || len(odd) != 2 {
			t.Fatalf("%d odd, %v", len(odd), err)
		}
		var got []pve.Int
		for _, g := range rows {
			if g.IsGuest() {
				got = append(got, g.VMID)
			}
		}
		if diff := cmp.Diff([]pve.Int{100, 101}, got); diff != "" {
			t.Error(diff)
		}
		if rows[0].Name != "123" || *rows[0].MaxMem != 1024 || !bool(*rows[0].Template) || rows[0].Mem != nil {
			t.Errorf("%+v", rows[0])
		}
	})
}

// F07, F08: no ACL means an empty map; what is visible follows the nearest path.
func TestPrivileges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"GET /access/permissions": data(`{}`)}, nil)
		defer r.close()
		miss, err := r.Missing(t.Context(), "VM.Audit", "/vms/100")
		if err != nil || !miss {
			t.Errorf("empty: %v, %v", miss, err)
		}
		_, _ = r.EffectivePrivileges(t.Context())
		if n := r.pve.count(""); n != 1 {
			t.Errorf("asked %d times", n)
		}
		r.pve.on("GET /access/permissions", data(`{"/":{"Sys.Audit":1,"VM.Audit":0},"/vms":{"VM.Audit":1},"/vms/100":{"VM.PowerMgmt":0},"/pool/lab":{"VM.Audit":"1"}}`))
		time.Sleep(privilegesAge)
		p, err := r.EffectivePrivileges(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string][]string{
			"/": nil, "/vms/101": nil, "/vms/100": {"VM.Audit"}, "/nodes/pve1": {"VM.Audit"}, "/pool/lab/x": nil, "": {"VM.Audit"},
		} {
			if diff := cmp.Diff(want, p.Missing(path, "VM.Audit")); diff != "" {
				t.Errorf("%s: %s", path, diff)
			}
		}
	})
}

func TestGrantLine(t *testing.T) {
	c, err := New(ClusterConfig{Endpoints: []string{"pve1"}, Username: "op@pve", Password: redact.NewSecret("x")})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.GrantLine("VM.PowerMgmt", "/vms/110"), "pveum acl modify /vms/110 --users 'op@pve' --roles PVEVMUser"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestFeatures(t *testing.T) {
	for v, want := range map[string]Features{
		"9.2.11": {9, "VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted", true, true, true},
		"8.4.1":  {8, "VM.Monitor", "VM.Monitor", false, true, false},
		"8.2.4":  {8, "VM.Monitor", "VM.Monitor", false, false, false},
		"8.2.5":  {8, "VM.Monitor", "VM.Monitor", false, true, false},
		"7.4-17": {7, "VM.Monitor", "VM.Monitor", false, false, false},
		"":       {0, "VM.Monitor", "VM.Monitor", false, false, false},
	} {
		if diff := cmp.Diff(want, FeaturesOf(pve.Version{Version: v})); diff != "" {
			t.Errorf("%s: %s", v, diff)
		}
	}
}

func TestAgentStates(t *testing.T) {
	for reason, want := range map[string]string{"No QEMU guest agent configured": "not_configured", "QEMU guest agent is not running": "not_running",
		"VM 110 is not running": "guest_off", "something else": "", "VM 100 qmp command 'guest-network-get-interfaces' failed - got timeout": "slow"} {
		e, _ := faultOf(t, "GET", "/nodes/pve1/qemu/110/agent/network-get-interfaces", 500, reason, "")
		if got := AgentState(e); got != want {
			t.Errorf("%s: %q", reason, got)
		}
	}
	if AgentState(fault.New(fault.Forbidden, "no")) != "denied" || AgentState(nil) != "" {
		t.Error("denied or nil")
	}
}

// /journal comes compressed whether asked or not (pve-api.md 9); big answers are asked for compressed.
func TestCompressedAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, _ *http.Request) { gzipped(w, `{"data":["a","b"]}`) }}, nil)
		defer r.close()
		for _, p := range []string{"/nodes/pve1/journal", "/version", "/cluster/resources"} {
			raw, err := r.Raw(t.Context(), "GET", p, nil)
			if err != nil || string(raw) != `["a","b"]` {
				t.Errorf("%s: %s, %v", p, raw, err)
			}
		}
		if r.pve.header[1].Get("Accept-Encoding") != "" || r.pve.header[2].Get("Accept-Encoding") != "gzip" {
			t.Errorf("asked for: %q, %q", r.pve.header[1].Get("Accept-Encoding"), r.pve.header[2].Get("Accept-Encoding"))
		}
	})
}

func TestBodyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{
			"GET /version": func(w http.ResponseWriter, _ *http.Request) { gzipped(w, strings.Repeat(" ", 17<<20)) }, // a bomb of 17 kB
			"GET /nodes": func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "99999999")
				_, _ = io.WriteString(w, "{")
			},
		}, nil)
		defer r.close()
		for _, p := range []string{"/version", "/nodes"} {
			if _, err := r.Raw(t.Context(), "GET", p, nil); fault.CodeOf(err) != fault.BadAnswer || !strings.Contains(err.Error(), "larger than 16 MiB") {
				t.Errorf("%s: %v", p, err)
			}
		}
	})
}

func TestCounters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		given, mine := new(Counter), new(Counter)
		r := newRig(t, map[string]http.HandlerFunc{"*": data(`{"digest":"x"}`)}, nil, WithCounter(given))
		defer r.close()
		ctx := WithCallCounter(t.Context(), mine)
		for i := range 3 {
			_, _ = r.GuestConfig(ctx, "pve1", pve.Qemu, 100+i)
		}
		_, _ = r.NodeStatus(t.Context(), "pve1")
		if diff := cmp.Diff(map[string]int{"GET /nodes/{node}/qemu/{vmid}/config": 3}, mine.Calls()); diff != "" {
			t.Error(diff)
		}
		if given.Total() != 4 || len(r.Stats().Calls) != 2 || r.Stats().Peak["pve1"] != 1 {
			t.Errorf("%d, %+v", given.Total(), r.Stats())
		}
	})
}
