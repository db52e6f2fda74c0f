package app

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// twinSim is a simulated cluster on loopback; both seeds make clusters of the same name with nodes of the same names.
func twinSim(t *testing.T, seed uint64) *pvesim.Sim {
	t.Helper()
	return pvesim.New(pvesim.GenerateWorld(pvesim.GenOptions{Seed: seed, Nodes: 2, Guests: 6, Now: time.Now()}))
}

// given is a cluster of the configuration: a node of a simulated one.
func given(t *testing.T, name string, sim *pvesim.Sim, node string) config.Cluster {
	t.Helper()
	e, err := sim.Start(node)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return config.Cluster{Name: name, Endpoints: []string{e.URL}, Token: redact.NewSecret(sim.RootToken()), Fingerprints: []string{e.Fingerprint}, ReadOnly: true}
}

func openTwins(t *testing.T, cfg *config.Config) *parts {
	t.Helper()
	if cfg.State.Path == "" {
		cfg.State.Path = filepath.Join(t.TempDir(), "state.db")
	}
	p, err := (&App{Clock: time.Now}).build(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// F42: the same cluster given by two of its nodes is one, with the endpoints of both; a lookalike beside it is not. A later process knows
// it at once, and reaches the cluster through the second entry's node alone.
func TestTheSameClusterTwice(t *testing.T) {
	sim := twinSim(t, 1)
	first := given(t, "a", sim, "node01")
	cfg := &config.Config{Clusters: []config.Cluster{first, given(t, "b", sim, "node02"), given(t, "c", twinSim(t, 2), "node01")}}
	p := openTwins(t, cfg)
	if !p.findTwins(t.Context()) {
		t.Error("not all have answered")
	}
	if m := p.inv.Merged(); len(m) != 1 || m["b"] != "a" {
		t.Fatalf("merged: %v", m)
	}
	if err := p.inv.Complete(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	page, err := p.inv.FindGuests(t.Context(), inventory.GuestQuery{})
	told := func(m inventory.Meta) (n int) {
		for _, w := range m.Warnings {
			if w.Code == "merged" {
				n++
			}
		}
		return n
	}
	if err != nil || page.Counts.Total != 12 || told(page.Meta) != 1 {
		t.Errorf("%d guests, %v, %v", page.Counts.Total, page.Warnings, err)
	}
	page, err = p.inv.FindGuests(t.Context(), inventory.GuestQuery{ReadOptions: inventory.ReadOptions{Cluster: "b"}})
	if err != nil || page.Counts.Total != 6 || page.Rows[0].Cluster != "a" || told(page.Meta) != 0 {
		t.Errorf("by its other name: %d guests, %v, %v", page.Counts.Total, page.Warnings, err)
	}
	list, err := p.inv.Clusters(t.Context(), inventory.ReadOptions{})
	if err != nil || len(list.Clusters) != 2 || strings.Join(list.Clusters[0].AlsoAs, " ") != "b" || len(list.Clusters[0].Endpoints) != 2 || list.Clusters[1].LooksLike != "a" {
		t.Errorf("%+v, %v", list.Clusters, err)
	}
	_ = p.Close()
	cfg.Clusters[0].Endpoints = []string{"https://127.0.0.1:1"} // another configuration: decided anew, and a cannot be asked
	p = openTwins(t, cfg)
	if _, err := p.openStore(t.Context(), time.Now); err != nil || len(p.inv.Merged()) != 0 {
		t.Errorf("another configuration took over %v, %v", p.inv.Merged(), err)
	}
	_ = p.Close()
	cfg.Clusters[0].Endpoints = first.Endpoints
	p = openTwins(t, cfg)
	if _, err := p.openStore(t.Context(), time.Now); err != nil || p.inv.Merged()["b"] != "a" {
		t.Errorf("a later process: %v, %v", p.inv.Merged(), err)
	}
	if a, _ := p.pool.Get("a"); len(a.Endpoints()) != 2 {
		t.Errorf("endpoints of a later process: %+v", a.Endpoints())
	}
}

// Rules for changes that name the second entry must go on to mean its guests.
func TestARuledClusterKeepsItsName(t *testing.T) {
	sim := twinSim(t, 1)
	cfg := &config.Config{Clusters: []config.Cluster{given(t, "a", sim, "node01"), given(t, "b", sim, "node02")}}
	cfg.Changes.Deny = []config.Scope{{Cluster: "b"}}
	p := openTwins(t, cfg)
	if p.findTwins(t.Context()); len(p.inv.Merged()) != 0 {
		t.Errorf("merged %v", p.inv.Merged())
	}
}

// A hostile cluster tells all that the first one tells, which is public; it lacks the key, so it is not merged and never sees the token.
func TestAClaimIsNoProof(t *testing.T) {
	sim := twinSim(t, 1)
	first := given(t, "a", sim, "node01")
	back, _ := url.Parse(first.Endpoints[0])
	var mu sync.Mutex
	seen := map[string]bool{}
	front := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(back)
		r.Out.Header.Set("Authorization", "PVEAPIToken="+sim.RootToken())
	}, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} //nolint:gosec // the simulator's own certificate
	hostile := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Header.Get("Authorization")] = true
		mu.Unlock()
		front.ServeHTTP(w, r)
	}))
	defer hostile.Close()
	sum := sha256.Sum256(hostile.Certificate().Raw)
	own := "evil@pve!x=11111111-2222-3333-4444-555555555555"
	p := openTwins(t, &config.Config{Clusters: []config.Cluster{first, {Name: "b", Endpoints: []string{hostile.URL}, ReadOnly: true,
		Token: redact.NewSecret(own), Fingerprints: []string{hex.EncodeToString(sum[:])}}}})
	if !p.findTwins(t.Context()) || len(p.inv.Merged()) != 0 {
		t.Errorf("merged %v", p.inv.Merged())
	}
	a, _ := p.pool.Get("a")
	b, _ := p.pool.Get("b")
	pa, errA := a.Passport(t.Context())
	pb, errB := b.Passport(t.Context())
	if errA != nil || errB != nil || pa.Differs(pb) != "" {
		t.Errorf("the claim is not complete, so that it tests nothing: %q, %v, %v", pa.Differs(pb), errA, errB)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(seen) != 1 || !seen["PVEAPIToken="+own] {
		t.Errorf("the hostile cluster was shown %d logins", len(seen))
	}
}

// Without checked certificates nothing proves that two entries are one: a handshake shows any key.
func TestUncheckedClustersStayTwo(t *testing.T) {
	sim := twinSim(t, 1)
	cfg := &config.Config{Clusters: []config.Cluster{given(t, "a", sim, "node01"), given(t, "b", sim, "node02")}}
	cfg.Clusters[0].Fingerprints, cfg.Clusters[0].Insecure = nil, true
	p := openTwins(t, cfg)
	if !p.findTwins(t.Context()) || len(p.inv.Merged()) != 0 {
		t.Errorf("merged %v", p.inv.Merged())
	}
}

// Two entries that were one and lead to different clusters now, at the same addresses, are two again, for later processes as well.
func TestTwinsPart(t *testing.T) {
	sim, other := twinSim(t, 1), twinSim(t, 2)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end := sim.Serve(l, "node02")
	defer func() { _ = end.Close() }()
	b := config.Cluster{Name: "b", Endpoints: []string{"https://" + l.Addr().String()}, Token: redact.NewSecret(sim.RootToken()), ReadOnly: true,
		Fingerprints: []string{sim.Fingerprint("node02"), other.Fingerprint("node02")}}
	cfg := &config.Config{Clusters: []config.Cluster{given(t, "a", sim, "node01"), b}}
	p := openTwins(t, cfg)
	if p.findTwins(t.Context()); p.inv.Merged()["b"] != "a" {
		t.Fatalf("merged %v", p.inv.Merged())
	}
	_ = end.Close()
	if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	end = other.Serve(l, "node02")
	if p.findTwins(t.Context()); len(p.inv.Merged()) != 0 {
		t.Errorf("still merged: %v", p.inv.Merged())
	}
	if err := p.inv.Complete(t.Context(), "", nil); err != nil {
		t.Fatal(err)
	}
	page, err := p.inv.FindGuests(t.Context(), inventory.GuestQuery{})
	if err != nil || page.Counts.Total != 12 {
		t.Errorf("%d guests, %v, %v", page.Counts.Total, page.Warnings, err)
	}
	_ = p.Close()
	p = openTwins(t, cfg)
	if _, err := p.openStore(t.Context(), time.Now); err != nil || len(p.inv.Merged()) != 0 {
		t.Errorf("a later process: %v, %v", p.inv.Merged(), err)
	}
}
