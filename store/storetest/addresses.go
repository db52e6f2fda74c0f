package storetest

import (
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// testAddresses keeps the address of an object for life, refuses a second one and an address that another object has, and then stores
// none of those that came with it.
func testAddresses(t *testing.T, s *suite) {
	name := func(kind store.Kind, id string, life int, address string) store.Address {
		return store.Address{Ref: store.Ref{Cluster: "a", Kind: kind, ID: id}, Life: life, Target: "terraform", Address: address}
	}
	web, db := name(store.KindGuest, "104", 1, "vm.web"), name(store.KindGuest, "99", 1, "vm.db")
	if err := s.AddAddresses(t.Context(), "a", []store.Address{web, db}); err != nil {
		t.Fatal(err)
	}
	other := s.open(t)
	same(t, "of a", []store.Address{web, db}, must(other.Addresses(t.Context(), "a"))(t))
	same(t, "of b", []store.Address{}, must(other.Addresses(t.Context(), "b"))(t))

	pool, again := name(store.KindPool, "prod", 1, "pool.prod"), name(store.KindGuest, "104", 2, "vm.web_104")
	for _, refused := range []store.Address{name(store.KindGuest, "104", 1, "vm.web_2"), name(store.KindGuest, "105", 1, "vm.web")} {
		if err := other.AddAddresses(t.Context(), "a", []store.Address{pool, refused}); fault.CodeOf(err) != fault.Conflict {
			t.Errorf("%s for %s: %v", refused.Address, refused.ID, err)
		}
	}
	if err := other.AddAddresses(t.Context(), "a", []store.Address{web, again, pool, pool}); err != nil {
		t.Fatal(err)
	}
	same(t, "in the end", []store.Address{web, again, db, pool}, must(s.Addresses(t.Context(), "a"))(t))
	ansible, elsewhere := web, web
	ansible.Target, elsewhere.Cluster = "ansible", "b"
	if err := s.AddAddresses(t.Context(), "a", []store.Address{ansible}); err != nil {
		t.Errorf("the same address for another target: %v", err)
	}
	if err := s.AddAddresses(t.Context(), "b", []store.Address{elsewhere}); err != nil {
		t.Errorf("the same address in another cluster: %v", err)
	}
}
