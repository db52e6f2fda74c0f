package proxmox

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

const addr2, addr3 = "192.0.2.2:8006", "192.0.2.3:8006"

// F41: an unknown certificate shows itself and the line that pins it; a changed one shows old and new and says stop.
func TestF41Certificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, func(c *ClusterConfig) { c.Fingerprints = nil })
		defer r.close()
		_, err := r.Version(t.Context())
		f := fault.Of(err)
		if f.Code != fault.Untrusted || f.Retryable {
			t.Fatalf("%+v", f)
		}
		for _, want := range []string{certA.pin, "CN=pve1", "1999-01-01 to 2090-01-01"} {
			if !strings.Contains(f.Message, want) {
				t.Errorf("%q is not in %s", want, f.Message)
			}
		}
		if !strings.Contains(f.Hint, "PROXMOX_VE_FINGERPRINT="+certA.pin) || !strings.Contains(f.Hint, `fingerprints: ["`+certA.pin+`"]`) {
			t.Errorf("hint %s", f.Hint)
		}
		if r.pve.count("") != 0 || r.net.dials != 1 {
			t.Errorf("%d requests, %d dials: the token must not be sent", r.pve.count(""), r.net.dials)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, func(c *ClusterConfig) { c.Fingerprints = []string{certB.pin} })
		defer r.close()
		_, err := r.Version(t.Context())
		f := fault.Of(err)
		if f.Code != fault.Untrusted || !strings.Contains(f.Message, certA.pin) || !strings.Contains(f.Message, certB.pin) ||
			!strings.Contains(f.Hint, "do not continue unless you changed") {
			t.Errorf("%+v", f)
		}
	})
}

// F41: the certificate changes while the client runs.
func TestCertificateRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, nil)
		defer r.close()
		if _, err := r.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.stop[0]()
		r.stop[0] = r.net.serve(addr1, certB, 0, r.pve)
		if _, err := r.Version(t.Context()); fault.CodeOf(err) != fault.Untrusted {
			t.Errorf("after the change: %v", err)
		}
	})
}

func TestInsecureIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, func(c *ClusterConfig) { c.Fingerprints, c.Insecure = nil, true })
		defer r.close()
		for range 3 {
			if _, err := r.Version(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if n := strings.Count(r.logs.String(), "certificates are not checked"); n != 1 {
			t.Errorf("said %d times", n)
		}
	})
}

// F21: the entry node dies; the next endpoint takes over, and a write that was never sent moves too.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, func(c *ClusterConfig) { c.Endpoints = []string{addr1, addr2} })
		defer r.close()
		second := &fakePVE{routes: map[string]http.HandlerFunc{"*": data(version)}}
		r.stop = append(r.stop, r.net.serve(addr2, certA, 0, second))
		if _, err := r.Version(t.Context()); err != nil || second.count("") != 0 {
			t.Fatalf("%v, %d", err, second.count(""))
		}
		// The answer is lost: a GET moves on.
		r.pve.on("*", hangUp)
		if _, err := r.Version(t.Context()); err != nil || second.count("GET") != 1 {
			t.Fatalf("lost answer: %v, %d", err, second.count(""))
		}
		// It sticks to the one that answers, for writes as well.
		r.net.set(addr1, errRefused)
		for range 3 {
			if _, err := r.Raw(t.Context(), "POST", "/x", Params{}.Str("a", "b")); err != nil {
				t.Fatal(err)
			}
		}
		if second.count("POST") != 3 || r.pve.count("POST") != 0 {
			t.Errorf("POSTs: %d and %d", r.pve.count("POST"), second.count("POST"))
		}
		// The second dies, the first is back.
		time.Sleep(failedRest)
		r.Close()
		r.net.set(addr1, nil)
		r.net.set(addr2, errRefused)
		r.pve.on("*", data(version))
		if _, err := r.Raw(t.Context(), "POST", "/x", Params{}.Str("a", "b")); err != nil || r.pve.count("POST") != 1 {
			t.Errorf("back: %v, %d", err, r.pve.count("POST"))
		}
	})
}

// F18, F20 and learning: one pin is enough; an address that cannot be reached is not used.
func TestLearnPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		info := func(pin string) http.HandlerFunc {
			return data(`[{"filename":"pve-root-ca.pem","fingerprint":"` + strings.Repeat("00:", 31) + `00"},{"filename":"pve-ssl.pem","fingerprint":"` + pin + `"}]`)
		}
		routes := map[string]http.HandlerFunc{
			"GET /version": data(version),
			"GET /cluster/status": data(`[{"type":"cluster","id":"cluster","name":"lab","quorate":1},{"type":"node","name":"pve1","local":1,"ip":"192.0.2.1"},
				{"type":"node","name":"pve2","ip":"192.0.2.2"},{"type":"node","name":"pve3","ip":"192.0.2.3"},{"type":"node","name":"pve4","ip":"192.0.2.4"}]`),
			"GET /nodes/pve1/certificates/info": info(certA.pin),
			"GET /nodes/pve2/certificates/info": info(certB.pin),
			"GET /nodes/pve3/certificates/info": info(certB.pin),
			"GET /nodes/pve4/certificates/info": failing(595, "No route to host", ""),
		}
		r := newRig(t, routes, nil)
		defer r.close()
		r.stop = append(r.stop, r.net.serve(addr2, certB, 0, r.pve), r.net.serve(addr3, certA, 0, r.pve)) // addr3 shows the wrong certificate
		nodes, err := r.LearnPins(t.Context())
		if err != nil || len(nodes) != 4 {
			t.Fatalf("%+v, %v", nodes, err)
		}
		usable := map[string]bool{}
		for _, n := range nodes {
			usable[n.Node] = n.Usable
		}
		if !usable["pve1"] || !usable["pve2"] || usable["pve3"] || usable["pve4"] {
			t.Errorf("usable: %v", usable)
		}
		if fault.CodeOf(nodes[2].Err) != fault.Untrusted || fault.CodeOf(nodes[3].Err) != fault.NodeSilent {
			t.Errorf("reasons: %v; %v", nodes[2].Err, nodes[3].Err)
		}
		r.Close()
		r.net.set(addr1, errRefused)
		if _, err := r.Version(t.Context()); err != nil || r.Stats().Failovers == 0 {
			t.Errorf("failover to a learnt node: %v, %d", err, r.Stats().Failovers)
		}
	})
}
