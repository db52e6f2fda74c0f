package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testTokens makes, finds, uses and revokes tokens: another handle sees each at once, a live name is taken, and one that ended is free.
func testTokens(t *testing.T, s *suite) {
	hash := func(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }
	agent := store.TokenRow{Name: "agent", Hash: hash(0xff), Tier: 2, Clusters: []string{"home", "lab"}, Families: []string{"guest"}, By: "operator", Created: t0}
	ci := store.TokenRow{Name: "ci", Hash: hash(0), By: "local:1000", Created: t0, Expires: t0.Add(time.Hour)}
	add := func(r store.TokenRow) error { return s.AddToken(t.Context(), r, entry("token", "")) }
	other := s.open(t)
	same(t, "none", false, must(other.AnyToken(t.Context()))(t))
	for _, r := range []store.TokenRow{agent, ci} {
		if err := add(r); err != nil {
			t.Fatal(err)
		}
		same(t, "found", r, must2(other.TokenByHash(t.Context(), r.Hash))(t))
	}
	same(t, "some", true, must(other.AnyToken(t.Context()))(t))
	if _, ok, err := s.TokenByHash(t.Context(), hash(1)); ok || err != nil {
		t.Errorf("a hash of no token: %v, %v", ok, err)
	}
	again := agent
	again.Hash = hash(2)
	wantCode(t, add(again), fault.Conflict)
	wantCode(t, add(store.TokenRow{Name: "x", Hash: hash(3)[:31]}), fault.Invalid)
	wantCode(t, add(store.TokenRow{Hash: hash(3)}), fault.Invalid)

	s.pass(time.Minute)
	if err := s.TokenUsed(t.Context(), "agent", entry("login", "")); err != nil {
		t.Fatal(err)
	}
	agent.Used = s.clock()
	s.pass(time.Minute)
	if err := s.RevokeToken(t.Context(), "agent", entry("token", "")); err != nil {
		t.Fatal(err)
	}
	agent.Revoked = s.clock()
	same(t, "revoked", []store.TokenRow{agent, ci}, must(other.Tokens(t.Context()))(t))
	wantCode(t, s.RevokeToken(t.Context(), "agent", entry("token", "")), fault.NotFound)
	wantCode(t, s.RevokeToken(t.Context(), "nobody", entry("token", "")), fault.NotFound)

	again.Created = s.clock()
	if err := add(again); err != nil {
		t.Fatal(err)
	}
	same(t, "again", again, must2(other.TokenByHash(t.Context(), again.Hash))(t))
	if _, ok, err := other.TokenByHash(t.Context(), agent.Hash); ok || err != nil {
		t.Errorf("the secret of a token that was replaced: %v, %v", ok, err)
	}
	ci.Created, ci.Expires, ci.Hash = t0.Add(time.Hour), time.Time{}, hash(4)
	if err := add(ci); err != nil { // the one before has expired by then
		t.Fatal(err)
	}
	same(t, "audit", "token token login token token token", s.events(t))
}
