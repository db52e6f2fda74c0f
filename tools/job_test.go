package tools

import (
	"strings"
	"testing"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

func TestKeeping(t *testing.T) {
	for in, want := range map[string]string{"": "", "7": "keep-last=7", "keep-daily=7, keep-weekly=4": "keep-daily=7,keep-weekly=4", "keep-all=1": "keep-all=1"} {
		if got, err := keeping(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"0", "-3", "seven", "keep-daily", "keep-dayly=7", "keep-daily=7,,"} {
		if got, err := keeping(in); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// A new job that meets another one on the same guests says so, and what both prune.
func TestSharedNotes(t *testing.T) {
	got := strings.Join(sharedNotes([]inventory.SharedGuests{{Job: "nightly", Schedule: "03:00", Keep: "keep-weekly=4", Guests: 19, Prunes: true}, {Job: "lab", Schedule: "sat", Guests: 1}}), "\n")
	want := "job nightly (03:00) backs up 19 of its guests too; both prune on the same storage, so each removes what the other keeps (keep-weekly=4)\n" +
		"job lab (sat) backs up 1 of its guests too"
	if got != want {
		t.Error(got)
	}
}

// Every guest that a plan leaves as it is has its name in the review, whatever the reasons take.
func TestLeftOutText(t *testing.T) {
	list := []string{"109: " + strings.Repeat("no route to host ", 20), "107 unifi: it is locked (mounted)", "206 gitlab: no node has 12G of memory left", "205 db: it does not run"}
	got := leftOutText(list)
	for _, name := range []string{"109", "107 unifi", "206 gitlab", "205 db", "locked (mounted)"} {
		if !strings.Contains(got, name) {
			t.Errorf("%q is missing in %s", name, got)
		}
	}
	alike := []string{"302 k3s-2: to pve1: pve1 has 1536M left", "206 gitlab: it has snapshots; " + strings.Repeat("they do not move, ", 9), "901 tpl: it is a template: it stays", "900 tpl: it is a template: it stays",
		"1 a: " + strings.Repeat("because of one thing and another, ", 9), "2 b: " + strings.Repeat("for all that is known of it, ", 9), "3 c: " + strings.Repeat("as far as it goes beyond, ", 9)}
	got = leftOutText(alike)
	for _, want := range []string{"7: 302 k3s-2: to pve1: pve1 has 1536M left; 206 gitlab: it has snapshots", "…; 901 tpl, 900 tpl: it is a template: it stays; ", "3 c: other reasons, which get_plan tells"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in %s", want, got)
		}
	}
	if one := leftOutText(list[1:2]); one != list[1] {
		t.Error(one)
	}
}
