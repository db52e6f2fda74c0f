package tools

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// someRecovery is a guest with a point of each kind.
func someRecovery() inventory.Recovery {
	at := now.Add(-2 * time.Hour)
	return inventory.Recovery{Meta: meta(12 * time.Second), Cluster: "lab", VMID: 104, Name: "nas", Node: "pve2", Type: pve.Qemu, Known: true, At: at, Total: 4,
		Rows: []inventory.RecoveryPoint{
			{Kind: inventory.PointSnapshot, ID: "clean", At: at.Add(-26 * time.Hour), Node: "pve2", KeysKnown: true, Keys: []string{"cores", "net0"}},
			{Kind: inventory.PointBackup, ID: "pbs:backup/vm/104/2026-11-21T19:00:00Z", At: at.Add(45 * time.Minute), KeysKnown: true, Missing: []string{"scsi1"}},
			{Kind: inventory.PointBackup, ID: "odd:it's; rm", At: at.Add(-90 * time.Hour), Node: "pve1", Doubt: "its verification failed"},
			{Kind: inventory.PointConfig, ID: "3", At: at.Add(-5 * time.Hour), KeysKnown: true, Keys: []string{"cores"}}}}
}

// TestRestoreCalls: the command of each point, for a guest that exists and one that is gone, with what a shell must not take as its own quoted.
func TestRestoreCalls(t *testing.T) {
	r := someRecovery()
	calls := func() string {
		var out []string
		for k := range r.Rows {
			out = append(out, restoreCall(deps(&fake{}), &r, &r.Rows[k]))
		}
		return strings.Join(out, "\n")
	}
	want := "snapshot_guest guest=104 action=rollback snapshot=clean\nrestore_guest guest=104 action=over backup=pbs:backup/vm/104/2026-11-21T19:00:00Z\n" +
		"restore_guest guest=104 action=over backup='odd:it'\\''s; rm'\nget_history object=104 at=2026-11-21T13:15:00Z"
	if got := calls(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r.GoneAt, r.Rows = now, r.Rows[1:2]
	if got, want := calls(), "restore_guest guest=104 action=new backup=pbs:backup/vm/104/2026-11-21T19:00:00Z"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	d := deps(&fake{})
	d.Who.Door = "cli"
	if got, want := restoreCall(d, &r, &r.Rows[0]), "proxmox-mcp guest restore 104 new --backup pbs:backup/vm/104/2026-11-21T19:00:00Z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRecoveryAsked: what a call asks, and that a configuration that is not recorded is null where one that is the same is empty.
func TestRecoveryAsked(t *testing.T) {
	f := &fake{fakePast: fakePast{recovery: someRecovery()}}
	s, err := Find("find_recovery")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), deps(f), json.RawMessage(`{"guest":" nas","at":"2h"}`))
	if err != nil {
		t.Fatal(err)
	}
	if q := f.back; q.Guest != "nas" || !q.At.Equal(now.Add(-2*time.Hour)) {
		t.Errorf("asked %+v", q)
	}
	raw, err := json.Marshal(res.Answer)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"lost_s":-2700,"age_s":4500,"config_changed_since":[],"disks_not_in_it":["scsi1"]`, `"config_changed_since":null,"doubt":"its verification failed"`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("%s lacks %s", raw, part)
		}
	}
}
