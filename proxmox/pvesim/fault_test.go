package pvesim

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestFaults shows each knob's effect on the wire. It runs in a bubble, so that seconds cost nothing.
func TestFaults(t *testing.T) {
	const vm = "/nodes/pve1/qemu/208/config"
	for _, tt := range []struct {
		name, path string
		fault      Fault
		check      func(t *testing.T, r *rig, got reply)
	}{
		{"F09 phrase only", "/nodes/pve1/qemu/999/config", PhraseOnly(), func(t *testing.T, _ *rig, got reply) {
			want(t, got, "500 Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist", `{"data":null}`)
		}},
		{"F10 no phrase", "/nodes/pve1/qemu/999/config", NoPhrase(), func(t *testing.T, _ *rig, got reply) {
			want(t, got, "500 Internal Server Error", "")
		}},
		{"F11 node down", "/nodes/pve2/status", NodeDown("pve2"), func(t *testing.T, r *rig, got reply) {
			want(t, got, "595 No route to host", "")
			if row := r.get("/cluster/resources").row("id", "qemu/203"); row["status"] != "running" {
				t.Errorf("right after: %v", row)
			}
			if row := r.get("/cluster/status").row("name", "pve2"); row["online"] != 0.0 {
				t.Errorf("cluster/status: %v", row)
			}
			time.Sleep(statsExpire + time.Second)
			expired(t, r.get("/cluster/resources").row("id", "qemu/206")) // HA has taken 203 to another node
		}},
		{"F12 certificate", "/nodes/pve2/status", StaleNodeCertificate("pve2"), func(t *testing.T, r *rig, got reply) {
			want(t, got, "596 tls_process_server_certificate: certificate verify failed", "")
			if other := r.get("/nodes/pve1/status"); other.code != 200 {
				t.Errorf("another node: %s", other.status)
			}
		}},
		{"F13 hang", "/nodes/pve2/status", NodeHangs("pve2"), func(t *testing.T, _ *rig, got reply) { want(t, got, "596 Connection timed out", "") }},
		{"F14 cut", vm, CutBody(20), func(t *testing.T, _ *rig, got reply) {
			if !errors.Is(got.err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v with %q", got.err, got.body)
			}
		}},
		{"F14 truncated", vm, TruncateBody(20), func(t *testing.T, _ *rig, got reply) {
			if got.err != nil || len(got.body) != 20 || json.Valid([]byte(got.body)) {
				t.Errorf("got %v with %q", got.err, got.body)
			}
		}},
		{"F14 proxy code", vm, ProxyError(597, "read timeout"), func(t *testing.T, _ *rig, got reply) { want(t, got, "597 read timeout", "") }},
		{"F15 off for long", "/cluster/resources", NodeExpired("pve2"), func(t *testing.T, _ *rig, got reply) { expired(t, got.row("id", "qemu/203")) }},
		{"F16 no statistics", "/cluster/resources", StatsExpired("pve2"), func(t *testing.T, r *rig, got reply) {
			expired(t, got.row("id", "qemu/203"))
			if c := r.get("/nodes/pve2/qemu/203/config"); c.code != 200 {
				t.Errorf("its config: %s", c.status)
			}
			if n := got.row("id", "node/pve2"); n["status"] != "unknown" {
				t.Errorf("its node: %v", n)
			}
		}},
		{"F17 no quorum", "/cluster/status", NoQuorum(), func(t *testing.T, _ *rig, got reply) {
			if o := got.row("type", "cluster"); o["quorate"] != 0.0 {
				t.Errorf("got %v", o)
			}
		}},
		{"F18 standalone", "/cluster/status", Standalone(), func(t *testing.T, _ *rig, got reply) {
			if o := got.row("type", "cluster"); o != nil || len(got.rows()) != 3 {
				t.Errorf("got %v", got.rows())
			}
		}},
		{"F34 strings", vm, FlipTypes(NumbersAsStrings), func(t *testing.T, _ *rig, got reply) { has1(t, got, `"cores":"2"`) }},
		{"F34 numbers", vm, FlipTypes(StringsAsNumbers), func(t *testing.T, _ *rig, got reply) { has1(t, got, `"memory":2048`) }},
		{"F34 mixed", vm, FlipTypes(MixedTypes), func(t *testing.T, _ *rig, got reply) {
			if got.code != 200 || !json.Valid([]byte(got.body)) {
				t.Errorf("got %s %s", got.status, got.body)
			}
		}},
		{"F34 extra keys", vm, ExtraKeys(), func(t *testing.T, _ *rig, got reply) { has1(t, got, `"x-future":{"nested":[1,null]}`) }},
		{"F34 garbage guest", "/cluster/resources", GarbageGuest(208), func(t *testing.T, _ *rig, got reply) {
			if _, ok := got.row("id", "qemu/208")["maxmem"].(map[string]any); !ok {
				t.Errorf("got %v", got.row("id", "qemu/208"))
			}
		}},
		{"F35 missing", "/cluster/metrics/export", MissingAPI("/cluster/metrics/*"), func(t *testing.T, _ *rig, got reply) {
			want(t, got, "501 Method 'GET /cluster/metrics/export' not implemented", "")
		}},
		{"F46 gateway", vm, Gateway(503, 7*time.Second), func(t *testing.T, _ *rig, got reply) {
			want(t, got, "503 Service Unavailable", "<html>")
			if got.header.Get("Retry-After") != "7" {
				t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
			}
		}},
		{"F51 hostile", "/cluster/resources", HostileNames(), func(t *testing.T, _ *rig, got reply) { has1(t, got, `\u001b[31mred`) }},
		{"F54 null", "/cluster/resources", NullData(), func(t *testing.T, _ *rig, got reply) { want(t, got, "200 OK", `{"data":null}`) }},
		{"F55 stale node", "/cluster/resources", StaleNode(208, "pve2", true), func(t *testing.T, _ *rig, got reply) {
			n := 0
			for _, o := range got.rows() {
				if o["id"] == "qemu/208" {
					n++
				}
			}
			if n != 2 {
				t.Errorf("%d nodes claim the guest", n)
			}
		}},
		{"drop", vm, Drop(), func(t *testing.T, _ *rig, got reply) {
			if got.err == nil {
				t.Errorf("got %s", got.status)
			}
		}},
		{"drip", "/version", DripBody(time.Second), func(t *testing.T, _ *rig, got reply) { want(t, got, "200 OK", "9.2.11") }},
		{"delay", "/version", Delay(5 * time.Second), func(t *testing.T, _ *rig, got reply) { want(t, got, "200 OK", "9.2.11") }},
		{"body", "/version", ReplaceBody("odd", func(string, []byte) []byte { return []byte(`{"data":1e308}`) }), func(t *testing.T, _ *rig, got reply) {
			want(t, got, "200 OK", "1e308")
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, DemoWorld(time.Now()))
				defer r.stop()
				before := r.get(tt.path)
				remove := r.sim.AddFault(tt.fault)
				tt.check(t, r, r.get(tt.path))
				remove()
				if tt.fault.Name == "F51 hostile texts" { // stays in the world
					return
				}
				if after := r.get(tt.path); after.status != before.status {
					t.Errorf("before %s, after the fault %s", before.status, after.status)
				}
			})
		})
	}
}

func want(t *testing.T, got reply, status, body string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.body, body) {
		t.Errorf("got %q with %.200s (%v), want %q with %q", got.status, got.body, got.err, status, body)
	}
}

func has1(t *testing.T, got reply, part string) {
	t.Helper()
	if got.code != 200 || !strings.Contains(got.body, part) {
		t.Errorf("got %s %.400s without %s", got.status, got.body, part)
	}
}

// expired is a guest's row whose statistics are gone (F15).
func expired(t *testing.T, row map[string]any) {
	t.Helper()
	_, name := row["name"]
	_, template := row["template"]
	if row["status"] != "unknown" || name || template || row["node"] == nil {
		t.Errorf("row %v", row)
	}
}

// TestDurations: how long faults take, on the bubble's clock.
func TestDurations(t *testing.T) {
	for _, tt := range []struct {
		name  string
		path  string
		fault Fault
		took  time.Duration
	}{
		{"hang", "/nodes/pve2/status", NodeHangs("pve2"), proxyTimeout},
		{"delay", "/version", Delay(5 * time.Second), 5 * time.Second},
		{"drip", "/cluster/nextid", DripBody(time.Second), time.Duration(len(`{"data":"100"}`)) * time.Second},
		{"dead agent", "/nodes/pve2/qemu/203/agent/get-osinfo", Fault{install: func(s *Sim) func() {
			s.Update(func(w *World) { w.Guest(203).Agent.Running = false })
			return func() {}
		}}, agentWait},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, DemoWorld(time.Now()))
				defer r.stop()
				defer r.sim.AddFault(tt.fault)()
				began := time.Now()
				r.get(tt.path)
				if got := time.Since(began); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
			})
		})
	}
}

// TestCloseRace: F01, a POST on a connection that closes under it is lost, and the request is not carried out.
func TestCloseRace(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	f := CloseRace(1)
	f.Count = 1
	defer r.sim.AddFault(f)()
	c := r.raw()
	defer c.conn.Close()
	c.send("GET /api2/json/version HTTP/1.1", r.token)
	if got := c.receive("GET"); got.code != 200 {
		t.Fatalf("first: %+v", got)
	}
	c.send("GET /api2/json/version HTTP/1.1", r.token)
	if got := c.receive("GET"); got.err == nil {
		t.Errorf("second: %s", got.status)
	}
	if st := r.sim.Stats(); st.Requests != 1 {
		t.Errorf("%d requests were carried out", st.Requests)
	}
}

// TestExecutes: an answer may be lost before or after the request was carried out.
func TestExecutes(t *testing.T) {
	for _, executes := range []bool{false, true} {
		r := newRig(t, DemoWorld(time.Now()))
		f := Drop()
		f.Executes, f.Path = executes, "/access/ticket"
		defer r.sim.AddFault(f)()
		r.token = ""
		got := r.form("POST", "/access/ticket", "username=root@pam&password="+demoPassword)
		if got.err == nil {
			t.Errorf("executes=%v: %s", executes, got.status)
		}
		logged := false
		r.sim.Update(func(w *World) { logged = strings.Contains(w.Cluster.Log[0].Msg, "successful auth") })
		if logged != executes {
			t.Errorf("executes=%v: carried out %v", executes, logged)
		}
		r.stop()
	}
}

// TestTriggers: n-th, count and chance from the seed.
func TestTriggers(t *testing.T) {
	count := func(f Fault, seed uint64) (hits string) {
		r := newRig(t, DemoWorld(time.Now()), WithSeed(seed))
		defer r.stop()
		defer r.sim.AddFault(f)()
		for range 12 {
			if r.get("/version").code == 200 {
				hits += "."
			} else {
				hits += "x"
			}
		}
		return hits
	}
	f := Gateway(502, 0)
	f.After, f.Count = 3, 2
	if got := count(f, 1); got != "...xx......." {
		t.Errorf("after 3, 2 times: %s", got)
	}
	f = Gateway(502, 0)
	f.P = 0.5
	a, b := count(f, 7), count(f, 7)
	if n := strings.Count(a, "x"); a != b || n == 0 || n == 12 {
		t.Errorf("chance: %s, again %s", a, b)
	}
	f = Gateway(502, 0)
	f.VMID = 208
	if got := count(f, 1); strings.Contains(got, "x") {
		t.Errorf("another path is hit: %s", got)
	}
}

// TestRefused: F47, by fault (the connection is reset) and at the listener (refused).
func TestRefused(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	remove := r.sim.AddFault(Refuse(""))
	if got := r.get("/version"); got.err == nil {
		t.Errorf("got %s", got.status)
	}
	remove()
	r.l.Refuse(true)
	if got := r.get("/version"); !errors.Is(got.err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", got.err)
	}
	r.l.Refuse(false)
	if got := r.get("/version"); got.code != http.StatusOK {
		t.Errorf("afterwards: %+v", got)
	}
}

// TestRotated: F41, new connections see another certificate, and the API tells the same.
func TestRotated(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	old := r.sim.Fingerprint("pve1")
	r.sim.AddFault(CertificateRotated("pve1"))
	var seen string
	c, err := r.l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	tc := tlsClient(c, &seen)
	if err := tc.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = tc.Close()
	row := r.get("/nodes").row("node", "pve1")
	info := r.get("/nodes/pve1/certificates/info").row("filename", "pve-ssl.pem")
	if seen == old || seen != row["ssl_fingerprint"] || seen != info["fingerprint"] {
		t.Errorf("old %s, seen %s, listed %v, info %v", old, seen, row["ssl_fingerprint"], info["fingerprint"])
	}
}

// TestStaleStatistics: facts 47, resources shows the former state for a while, status/current the true one.
func TestStaleStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()))
		defer r.stop()
		r.sim.AddFault(StaleStatistics(10 * time.Second))
		r.sim.Update(func(w *World) {
			w.SetStatus(208, "running")
			w.AddGuest(&Guest{VMID: 555, Type: "qemu", Node: "pve1", Config: Object{"name": "new"}})
		})
		listed := func(id string) map[string]any { return r.get("/cluster/resources").row("id", id) }
		if row := listed("qemu/208"); row["status"] != "stopped" {
			t.Errorf("listed %v", row)
		}
		expired(t, listed("qemu/555"))
		live, _ := r.get("/nodes/pve1/qemu/208/status/current").data.(map[string]any)
		if live["status"] != "running" {
			t.Errorf("status/current %v", live)
		}
		time.Sleep(11 * time.Second)
		if a, b := listed("qemu/208"), listed("qemu/555"); a["status"] != "running" || b["name"] != "new" {
			t.Errorf("later %v, %v", a, b)
		}
	})
}

func TestParseFault(t *testing.T) {
	for s, name := range map[string]string{
		"F11:node=pve2": "F11 node pve2 down", "F46:status=429,retry=7s": "F46 gateway 429", "f34:mode=string": "F34 types string",
		"delay:by=2s,path=/version,p=0.5": "delay 2s", "F17": "F17 no quorum", "F35:path=/cluster/sdn": "F35 missing /cluster/sdn",
	} {
		f, err := ParseFault(s)
		if err != nil || f.Name != name {
			t.Errorf("%s: %q, %v", s, f.Name, err)
		}
	}
	for _, s := range []string{"F99", "F11:pve2", "F54:p=3"} {
		if f, err := ParseFault(s); err == nil {
			t.Errorf("%s is taken as %q", s, f.Name)
		}
	}
	if f, _ := ParseFault("delay:by=2s,node=pve1,count=3,after=1,method=GET,vmid=100"); f.Node != "pve1" || f.Count != 3 || f.After != 1 || f.Method != "GET" || f.VMID != 100 {
		t.Errorf("selectors: %+v", f)
	}
}

// TestTrust: the certificate of a node is a CA that a client can trust, by its addresses and names.
func TestTrust(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(r.sim.CertificatePEM("pve1"))) {
		t.Fatal("no certificate in the PEM text")
	}
	for name, ok := range map[string]bool{"pve.sim": true, "127.0.0.1": true, "pve1": true, "pve2": false} {
		c, err := r.l.Dial()
		if err != nil {
			t.Fatal(err)
		}
		err = tls.Client(c, &tls.Config{RootCAs: pool, ServerName: name}).HandshakeContext(t.Context())
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		_ = c.Close()
	}
}
