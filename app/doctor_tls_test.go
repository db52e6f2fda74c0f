package app

import (
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
)

// TestEndpointByAuthority judges a certificate that an authority vouches for, from ca_file.
func TestEndpointByAuthority(t *testing.T) {
	t.Parallel()
	srv := httptest.NewTLSServer(nil)
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		ca     string
		now    time.Time
		state  CheckState
		result string
	}{
		"trusted":    {ca, time.Now(), CheckOK, "is trusted by an authority"},
		"ends soon":  {ca, srv.Certificate().NotAfter.Add(-expirySoon / 2), CheckWarn, "is trusted until 2084-01-29 only"},
		"without it": {"", time.Now(), CheckFail, "is not trusted"},
		"unreadable": {ca + ".none", time.Now(), CheckFail, "ca_file cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &clusterDoctor{c: config.Cluster{Name: "a", Endpoints: []string{srv.URL}, CAFile: c.ca}, clock: func() time.Time { return c.now }}
			d.endpoints(t.Context())
			if got := d.list[0]; len(d.list) != 1 || got.State != c.state || !strings.Contains(got.Result, c.result) {
				t.Errorf("got %+v", d.list)
			}
		})
	}
}

func TestProbeWithoutTLS(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("SSH-2.0-OpenSSH_10.0\r\n"))
		_ = conn.Close()
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, err = probe(t.Context(), "https://"+l.Addr().String(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "answers, but not with TLS") {
		t.Errorf("got %v", err)
	}
}
