package change

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// refused proposes a change that policy has to refuse, with these words; nothing is sent.
func (r *rig) refused(t *testing.T, guest int, a Action, words string) {
	t.Helper()
	_, err := r.Propose(t.Context(), Request{Tool: "test", Guest: strconv.Itoa(guest), Action: a, Caller: agent})
	if fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), words) {
		t.Errorf("%s of %d: %v, want %q", a.Name(), guest, err, words)
	}
}

// TestRules: one row for each kind of rule; deny wins over a grant, and what is outside of a rule goes on (S08, S10).
func TestRules(t *testing.T) {
	stop, tag := Power{Verb: "stop"}, Configure{Set: map[string]string{"description": "x"}}
	for name, c := range map[string]struct {
		rules  Rules
		grants []Grant
		a      Action
		words  string // "" = allowed
	}{
		"all allowed":                  {a: stop},
		"nothing allowed":              {grants: []Grant{}, a: stop, words: "read-only"},
		"less allowed":                 {grants: []Grant{{Tier: Reversible}}, a: stop, words: "allowed: reversible"},
		"a grant that ended":           {grants: []Grant{{Tier: Host, Until: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}}, a: stop, words: "read-only"},
		"a grant for it":               {grants: []Grant{{Tier: Disruptive, Scope: Scope{VMIDs: [][2]int{{200, 200}}}}}, a: stop},
		"a grant for another":          {grants: []Grant{{Tier: Disruptive, Scope: Scope{VMIDs: [][2]int{{201, 299}}}}}, a: stop, words: "read-only here; allowed: disruptive for vmid 201-299"},
		"a grant for another cluster":  {grants: []Grant{{Tier: Disruptive, Scope: Scope{Cluster: "lab"}}}, a: stop, words: "this server is read-only here"},
		"above the maximum":            {rules: Rules{Maximum: Reversible}, a: stop, words: "allowed: reversible"},
		"denied by vmid":               {rules: Rules{Deny: []Scope{{VMIDs: [][2]int{{100, 250}}}}}, a: tag, words: "denies (vmid 100-250)"},
		"denied by tag, in any case":   {rules: Rules{Deny: []Scope{{Tag: "PROD"}}}, a: tag, words: "denies (tag PROD)"},
		"denied by node":               {rules: Rules{Deny: []Scope{{Node: "pve1"}}}, a: tag, words: "denies (node pve1)"},
		"denied on another node":       {rules: Rules{Deny: []Scope{{Node: "pve2"}}}, a: tag},
		"denied by two that both fit":  {rules: Rules{Deny: []Scope{{Node: "pve1", Tag: "prod"}}}, a: tag, words: "denies"},
		"denied by two, one of which":  {rules: Rules{Deny: []Scope{{Node: "pve2", Tag: "prod"}}}, a: tag},
		"not among the allowed":        {rules: Rules{Allow: []Scope{{Pool: "lab"}}}, a: tag, words: "none of the scopes"},
		"allowed, and denied":          {rules: Rules{Allow: []Scope{{Tag: "prod"}}, Deny: []Scope{{Node: "pve1"}}}, a: tag, words: "denies"},
		"protected":                    {rules: Rules{Protected: []Scope{{Tag: "prod"}}}, a: stop, words: "protected by the owner"},
		"protected, for what is small": {rules: Rules{Protected: []Scope{{Tag: "prod"}}}, a: tag},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.sim.Update(func(w *pvesim.World) { w.SetConfig(200, "tags", "prod;web") })
				c.rules.Caps = DefaultCaps
				if c.rules.Maximum == Read {
					c.rules.Maximum = Host
				}
				if r.sheriff.Rules = c.rules; c.grants != nil {
					r.grants = c.grants
				}
				if c.words != "" {
					r.refused(t, 200, c.a, c.words)
				} else if p := r.propose(200, c.a); p.ID == "" {
					t.Errorf("no plan: %+v", p)
				}
			})
		})
	}
}

// TestTagUnlocksNothing: a tag that a rule goes by is not taken away here, nor put on to get into a grant; a rule that came to fit after the
// plan was made is heeded when it is applied (S08).
func TestTagUnlocksNothing(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.sim.Update(func(w *pvesim.World) { w.SetConfig(208, "tags", "keep") })
		r.sheriff.Rules.Protected = []Scope{{Tag: "keep"}}
		for _, a := range []Action{Configure{Delete: []string{"tags"}}, Configure{Set: map[string]string{"tags": "other"}}} {
			r.refused(t, 208, a, "a rule of the owner goes by this (tag keep)")
		}
		r.do(208, Configure{Set: map[string]string{"tags": "keep;other"}})
		r.grants = []Grant{{Tier: Reversible}, {Tier: Destructive, Scope: Scope{Tag: "sandbox"}}}
		r.refused(t, 200, Configure{Set: map[string]string{"tags": "sandbox"}}, "tag sandbox")

		r.grants, r.sheriff.Rules.Protected = []Grant{{Tier: Host}}, nil
		p := r.propose(200, Configure{Set: map[string]string{"memory": "3072"}})
		r.sheriff.Rules.Deny = []Scope{{VMIDs: [][2]int{{200, 200}}}}
		if err := r.applies(p.ID, agent); fault.CodeOf(err) != fault.Denied {
			t.Errorf("applied against a rule that came later: %v", err)
		}
	})
}

// TestCaps: the sixth destruction within an hour is refused, and possible again when the hour is over; so are plans over too many guests (S07).
func TestCaps(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		for n := range DefaultCaps.DestroyPerHour {
			name := fmt.Sprintf("s%d", n)
			r.do(208, Snapshot{Verb: "create", Snapshot: name})
			r.do(208, Snapshot{Verb: "delete", Snapshot: name})
		}
		r.do(208, Snapshot{Verb: "create", Snapshot: "last"})
		r.refused(t, 208, Snapshot{Verb: "delete", Snapshot: "last"}, "5 destructive steps within the last hour and 1 more: at most 5")
		time.Sleep(time.Hour)
		r.do(208, Snapshot{Verb: "delete", Snapshot: "last"})

		r.sheriff.Rules.Caps.PerPlan = 1
		r.sim.Update(func(w *pvesim.World) { w.SetConfig(200, "tags", "two"); w.SetConfig(208, "tags", "two") })
		_, err := r.Propose(t.Context(), Request{Tool: "test", Query: "tag:two", Action: Configure{Set: map[string]string{"description": "x"}}, Caller: agent})
		if fault.CodeOf(err) != fault.Denied || !strings.Contains(err.Error(), "at most 1") {
			t.Errorf("two guests: %v", err)
		}
	})
}

// TestRecovery: nothing is destroyed without the backup that the owner demands (S11).
func TestRecovery(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.sheriff.Rules.BackupWithin = 48 * time.Hour
		r.refused(t, 208, Destroy{}, "demands a backup of the last 48h")
		old, young := time.Now().Add(-49*time.Hour), time.Now().Add(-time.Hour)
		p := &Body{Tier: Destructive, Blast: Blast{LastBackup: &old}}
		if _, ok := r.sheriff.recovery(p); ok {
			t.Error("an old backup is enough")
		}
		p.Blast.LastBackup = &young
		if v, ok := r.sheriff.recovery(p); !ok {
			t.Errorf("a young one is not: %+v", v)
		}
		p.Blast.Unknown = []string{"208: backups"}
		if _, ok := r.sheriff.recovery(p); ok {
			t.Error("unknown is taken for known")
		}
	})
}

// TestWhoAgrees: a client that accepts everything by itself cannot destroy (S04); disruptive changes wait for an operator where the owner wants
// that.
func TestWhoAgrees(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		willing := agent
		willing.Elicits = true
		p := r.propose(208, Destroy{})
		if p.Verdict.Decision != Operator {
			t.Fatalf("%+v", p.Verdict)
		}
		_, err := r.Apply(t.Context(), p.ID, willing, ApplyOptions{Agreed: true, Wait: time.Hour})
		if fault.CodeOf(err) != fault.Conflict || !strings.Contains(fault.Of(err).Hint, "plan approve "+p.ID) {
			t.Errorf("agreed by its client: %v", err)
		}
		for _, who := range []Caller{agent, willing, stranger} {
			if _, err := r.Approve(t.Context(), p.ID, who, "itself"); fault.CodeOf(err) != fault.Denied {
				t.Errorf("approved by %s: %v", who.Principal, err)
			}
		}
		r.sheriff.Rules.OperatorForR2 = true
		if p := r.propose(200, Power{Verb: "stop"}); p.Verdict.Decision != Operator || p.State != Waiting {
			t.Errorf("%s %+v", p.State, p.Verdict)
		}
	})
}

// TestSelf: where this server runs is found by uuid, network address and container id, and is left alone (S09).
func TestSelf(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var uuid, mac string
		r.guest(200, func(g *pvesim.Guest) {
			uuid = strings.TrimPrefix(strings.Split(fmt.Sprint(g.Config["smbios1"]), ",")[0], "uuid=")
			cfg := pve.Config{"net0": g.Config["net0"]}
			mac = cfg.NICs()[0].MAC
		})
		file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text + "\n")} }
		for name, c := range map[string]struct {
			fs    fstest.MapFS
			guest int
			words string
		}{
			"by uuid":           {fstest.MapFS{"sys/class/dmi/id/product_uuid": file(strings.ToUpper(uuid))}, 200, "uuid"},
			"by address":        {fstest.MapFS{"sys/class/net/ens18/address": file(strings.ToLower(mac)), "sys/class/net/lo/address": file("00:00:00:00:00:00")}, 200, mac},
			"by cpuset":         {fstest.MapFS{"proc/1/cpuset": file("/lxc/104/ns")}, 104, "container"},
			"by control group":  {fstest.MapFS{"proc/1/cgroup": file("9:name=systemd:/\n0::/lxc.payload.104/init.scope")}, 104, "container"},
			"by root on LVM":    {fstest.MapFS{"proc/self/mounts": file("proc /proc proc rw 0 0\n/dev/mapper/pve-vm--104--disk--0 / ext4 rw 0 0")}, 104, "container"},
			"by root on ZFS":    {fstest.MapFS{"proc/self/mounts": file("rpool/data/subvol-104-disk-0 / zfs rw 0 0")}, 104, "container"},
			"a machine of ours": {fstest.MapFS{"sys/class/dmi/id/product_uuid": file("11111111-2222-3333-4444-555555555555"), "proc/1/cpuset": file("/")}, 200, ""},
			"a VM of that id":   {fstest.MapFS{"proc/1/cpuset": file("/lxc/200/ns")}, 200, ""},
			"nothing is known":  {fstest.MapFS{}, 200, ""},
		} {
			r.sheriff.Self = LookAround(c.fs).Is
			if c.words != "" {
				r.refused(t, c.guest, Power{Verb: "reboot"}, c.words)
				continue
			}
			if p := r.propose(c.guest, Power{Verb: "reboot"}); p.ID == "" {
				t.Errorf("%s: %+v", name, p)
			}
		}
	})
}

// TestOperationsOfNobody: a guest or a principal that nothing is known of is an error that names what was meant, not an empty answer.
func TestOperationsOfNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.do(208, Tags{Verb: "add", Tags: []string{"seen"}})
		for _, c := range []struct {
			q    OperationQuery
			rows int
			want string
		}{
			{OperationQuery{Guest: "208"}, 1, ""}, {OperationQuery{Principal: "local:1000"}, 1, ""}, {OperationQuery{Guest: "101"}, 0, ""},
			{OperationQuery{Principal: "local:1000", Since: r.now().Add(time.Hour)}, 0, ""},
			{OperationQuery{Guest: "9999"}, 0, "9999"}, {OperationQuery{Principal: "lcal:1000"}, 0, "did you mean local:1000?"},
		} {
			c.q.Limit = 50
			p, err := r.Operations(t.Context(), c.q)
			if said := fmt.Sprint(err); p.Total != c.rows || (err != nil) != (c.want != "") || !strings.Contains(said, c.want) {
				t.Errorf("%+v: %d, %v", c.q, p.Total, err)
			}
		}
	})
}
