package change

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// TestPlausible: a plan refuses a typing error in a key, a number that is none and a bridge that is not there, and names what was meant; it
// lets pass what Proxmox VE takes, and keys that only a newer one may know.
func TestPlausible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		set := func(pairs ...string) Action {
			c := Configure{Set: map[string]string{}}
			for _, p := range pairs {
				k, v, _ := strings.Cut(p, "=")
				c.Set[k] = v
			}
			return c
		}
		for _, c := range []struct {
			guest int
			a     Action
			says  string
		}{
			{208, set("memroy=4096"), "did you mean memory?"}, {208, set("onbot=1"), "did you mean onboot?"}, {208, set("ntet1=virtio"), "did you mean net1?"},
			{101, set("hostnam=x"), "did you mean hostname?"}, {208, set("memory=lots"), "memory takes a number from 16"}, {208, set("memory=4"), "from 16"},
			{208, set("cores=2.5"), "cores takes a number"}, {208, set("cpulimit=200"), "from 0 to 128"}, {208, set("memory=NaN"), "number"},
			{208, NIC{Verb: "add", Bridge: "vmbr7"}, "has no bridge vmbr7; it has vmbr0, vmbr1"}, {208, set("net1=virtio,bridge=vmbr7"), "has no bridge vmbr7"},
			{208, set("memory=current=4096"), ""}, {208, set("cpulimit=1.5"), ""}, {208, set("quantum-drive=1"), ""}, {208, set("scsi7=local-lvm:4"), ""},
			{208, NIC{Verb: "add", Bridge: "vmbr1"}, ""},
		} {
			_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: strconv.Itoa(c.guest), Action: c.a, Caller: agent})
			rule := ""
			if e := fault.Of(err); err != nil {
				rule = e.Rule + e.Message
			}
			if (err == nil) != (c.says == "") || !strings.Contains(rule, c.says) {
				t.Errorf("%s %v: %v, want %q", c.a.Name(), c.a, err, c.says)
			}
		}
		p := r.propose(208, set("memory=999999"))
		if notes := strings.Join(p.Body.Notes, ";"); !strings.Contains(notes, "memory 999999 MiB is more than node "+p.Body.Steps[0].Target.Node+" has (262144 MiB)") {
			t.Errorf("more memory than the node has is not told: %q", notes)
		}
		if p := r.propose(208, set("memory=3072")); len(p.Body.Notes) > 0 {
			t.Errorf("notes of a usual change: %v", p.Body.Notes)
		}
		if got := mistyped(&Live{Target: Target{Type: pve.LXC}, Config: pve.Config{"memroy": "1"}}, "memroy"); got != "" {
			t.Errorf("a key that is configured is refused as %s", got)
		}
	})
}
