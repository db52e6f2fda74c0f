package app

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tiktoken-go/tokenizer"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// agent is a scripted session with the program: it reads what a model reads and counts its calls.
type agent struct {
	t     *testing.T
	deps  tools.Deps
	calls int
	heard strings.Builder
}

func (a *agent) call(tool, args string) string {
	a.t.Helper()
	spec, err := tools.Find(tool)
	if err != nil {
		a.t.Fatal(err)
	}
	res, err := spec.Call(a.t.Context(), a.deps, json.RawMessage(args))
	if err != nil {
		a.t.Fatal(err)
	}
	a.calls++
	text := res.Answer.View(a.deps).Compact()
	a.heard.WriteString(text + "\n")
	return text
}

var (
	guestRow = regexp.MustCompile(`(?m)^(\d{3,9})[ \t]\S*nas\b`)
	named    = regexp.MustCompile(`diagnose_guest (\d+)`)
)

// TestSlowNAS walks the session "why is my NAS slow?" in the demo: find the guest, diagnose it, and look at whom the diagnosis names. It
// must take no more than three calls, and the cause that is planted must be named with its evidence.
func TestSlowNAS(t *testing.T) {
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	r.sync(t)
	a := &agent{t: t, deps: (&App{Clock: time.Now}).deps(r.parts, server.LocalPrincipal(), "stdio")}
	m := guestRow.FindStringSubmatch(a.call("find_guests", `{"query":"nas"}`))
	if m == nil {
		t.Fatalf("no guest is found:\n%s", a.heard.String())
	}
	r.sim.ResetStats()
	first := a.call("diagnose_guest", `{"guest":"`+m[1]+`"}`)
	// The golden number of a diagnosis: what the store has is not asked again.
	want := map[string]int{"GET /nodes/{node}/qemu/{vmid}/rrddata": 2, "GET /nodes/{node}/rrddata": 2, "GET /cluster/metrics/export": 1}
	if got := maps.Clone(r.sim.Stats().ByRoute); !cmp.Equal(want, got) {
		t.Errorf("calls (-want +got):\n%s", cmp.Diff(want, got))
	}
	for _, cause := range []string{"202 docker1", "loads the disks with 9", "both on storage local-lvm, tank", "it waits for its disks, for ", `io pressure [56]\d%, usual`, `io wait 3\d%, usual`} {
		if !regexp.MustCompile(cause).MatchString(first) {
			t.Errorf("%q is not said", cause)
		}
	}
	worst := strings.Split(first, "\n")[2]
	if !strings.HasPrefix(worst, "critical\tguest 202 docker1\t") {
		t.Errorf("the first finding is %q", worst)
	}
	next := named.FindStringSubmatch(worst)
	if next == nil {
		t.Fatalf("no next step is named: %s", worst)
	}
	second := a.call("diagnose_guest", `{"guest":"`+next[1]+`"}`)
	for _, cause := range []string{"loads the disks with 9", " itself", "disk write\t9", ", for "} {
		if !strings.Contains(second, cause) {
			t.Errorf("%q is not said of the neighbour", cause)
		}
	}
	if a.calls > 3 {
		t.Errorf("%d calls", a.calls)
	}
	enc, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{first, second} {
		ids, _, err := enc.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d tokens", len(ids))
		if len(ids) > 600 {
			t.Errorf("%d tokens", len(ids))
		}
	}
	t.Logf("the session:\n%s", a.heard.String())
}
