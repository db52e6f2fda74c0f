package pvesim

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestManners checks what the daemon does with connections (faults.md 3.1).
func TestManners(t *testing.T) {
	t.Run("100 requests", func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()))
		defer r.stop()
		c := r.raw()
		defer c.conn.Close()
		for i := range keepAliveRequests {
			c.send("GET /api2/json/version HTTP/1.1", r.token)
			if got := c.receive("GET"); got.code != 200 {
				t.Fatalf("request %d: %+v", i+1, got)
			}
		}
		if _, err := c.br.ReadByte(); err == nil {
			t.Error("the connection is open after 100 requests")
		}
	})
	t.Run("1000 requests of a worker", func(t *testing.T) {
		var c crew
		first := c.assign()
		for i := range workerRequests {
			if first.spent() != (i == workerRequests-1) {
				t.Fatalf("request %d", i+1)
			}
		}
		for range proxyWorkers {
			if c.assign() == first {
				t.Error("a worker outlives its requests")
			}
		}
	})
	t.Run("plain HTTP", func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()))
		defer r.stop()
		conn, err := r.l.Dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET /api2/json/version?x=1 HTTP/1.1\r\nHost: pve.lab:8006\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 301 ") || !strings.Contains(string(answer), "\r\nLocation: https://pve.lab:8006/api2/json/version?x=1\r\n") {
			t.Errorf("%q %v", answer, err)
		}
	})
	t.Run("idle 5 s", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, DemoWorld(time.Now()))
			c := r.raw()
			c.send("GET /api2/json/version HTTP/1.1", r.token)
			c.receive("GET")
			began := time.Now()
			if _, err := c.br.ReadByte(); err == nil {
				t.Error("a byte out of nothing")
			}
			if got := time.Since(began); got != idleTimeout {
				t.Errorf("closed after %v, want %v", got, idleTimeout)
			}
			_ = c.conn.Close()
			r.stop()
		})
	})
}

func TestWire(t *testing.T) {
	big := "X-Big: " + strings.Repeat("x", 9<<10)
	for _, tt := range []struct {
		name, request, status, body string
		closed                      bool
	}{
		{"ok keeps the connection", "GET /api2/json/version HTTP/1.1", "200 OK", `"release":"9.2"`, false},
		{"an error closes it", "GET /api2/json/nosuch HTTP/1.1", "501 Method 'GET /nosuch' not implemented", `"message":"Method 'GET /nosuch' not implemented"`, true},
		{"chunked", "POST /api2/json/access/ticket HTTP/1.1\nTransfer-Encoding: chunked", "501 chunked transfer encoding not supported", "", true},
		{"body on GET", "GET /api2/json/version HTTP/1.1\nContent-Length: 0", "200 OK", "", false},
		{"unknown method", "PATCH /api2/json/version HTTP/1.1", "501 method 'PATCH' not available", "", true},
		{"other node's name by case", "GET /api2/json/nodes/PVE1/version HTTP/1.1", "595 Connection refused", "", true},
		{"no such node", "GET /api2/json/nodes/other/version HTTP/1.1", "500 hostname lookup 'other' failed - failed to get address info for: other: Temporary failure in name resolution", "", true},
		{"HTTP/2.0", "GET /api2/json/version HTTP/2.0", "506 http protocol version 2.0 not supported", "", true},
		{"HTTP/1.0", "GET /api2/json/version HTTP/1.0", "200 OK", "", true},
		{"large header", "GET /api2/json/version HTTP/1.1\n" + big, "", "", true},
		{"long address", "GET /api2/json/version?x=" + strings.Repeat("y", 9000) + " HTTP/1.1", "400 Parameter verification failed.", "additional properties", true},
		{"no API", "GET /nothing HTTP/1.1", "404 no such file '/nothing'", "", true},
		{"format", "GET /api2/xml/version HTTP/1.1", "501 no formatter for uri /version, xml", "no formatter", true},
		{"encoded slash", "GET /api2/json/%2Fversion HTTP/1.1", "200 OK", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, DemoWorld(time.Now()))
			defer r.stop()
			c := r.raw()
			defer c.conn.Close()
			c.send(tt.request, r.token)
			got := c.receive("GET")
			if got.status != tt.status || !strings.Contains(got.body, tt.body) {
				t.Fatalf("got %q with %q (%v), want %q with %q", got.status, got.body, got.err, tt.status, tt.body)
			}
			if tt.closed {
				if _, err := c.br.ReadByte(); err == nil {
					t.Error("the connection is still open")
				}
				return
			}
			c.send("GET /api2/json/version HTTP/1.1", r.token)
			if again := c.receive("GET"); again.code != 200 {
				t.Errorf("second request: %+v", again)
			}
		})
	}
}

// TestProtectedClose: answers of pvedaemon carry both values of Connection (facts 7), those of the proxy one.
func TestProtectedClose(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	for path, want := range map[string]string{"/version": "Keep-Alive", "/nodes/pve1/status": "close,Keep-Alive"} {
		c := r.raw()
		c.send("GET /api2/json"+path+" HTTP/1.1", r.token)
		if got := strings.Join(c.rawHeader("Connection"), ","); got != want {
			t.Errorf("%s: Connection %q, want %q", path, got, want)
		}
		_ = c.conn.Close()
	}
}

func TestGzip(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	for path, want := range map[string]string{"/version": "", "/cluster/resources": "gzip"} {
		if got := r.get(path, "Accept-Encoding", "gzip").header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: Content-Encoding %q, want %q", path, got, want)
		}
	}
}

func TestExtJS(t *testing.T) {
	r := newRig(t, DemoWorld(time.Now()))
	defer r.stop()
	c := r.raw()
	defer c.conn.Close()
	c.send("GET /api2/extjs/nodes/pve1/qemu/999/config HTTP/1.1", r.token)
	got := c.receive("GET")
	want := `{"data":null,"message":"Configuration file 'nodes/pve1/qemu-server/999.conf' does not exist\n","success":0,"status":500}`
	if got.code != http.StatusOK || got.body != want {
		t.Errorf("got %d %s", got.code, got.body)
	}
}

// TestTCP is the same over a real socket: fingerprint, statistics, ServeHTTP's absence of phrases not included.
func TestTCP(t *testing.T) {
	s := New(DemoWorld(time.Now()))
	e, err := s.Start("pve2")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	var seen string
	tr := &http.Transport{TLSClientConfig: pinning(&seen)}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), "GET", e.URL+"/api2/json/cluster/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "PVEAPIToken="+s.RootToken())
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 1 || seen != e.Fingerprint {
		t.Errorf("HTTP/%d, certificate %s, endpoint says %s", resp.ProtoMajor, seen, e.Fingerprint)
	}
	if st := s.Stats(); st.Requests != 1 || st.Handshakes != 1 || st.MaxInFlight["pve2"] != 1 || st.ByRoute["GET /cluster/status"] != 1 {
		t.Errorf("stats %+v", st)
	}
}
