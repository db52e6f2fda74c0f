package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// queryWorld has one guest of each kind that the grammar can ask for.
func queryWorld() *world {
	w := newWorld(2, 10) // 103 and 107 are containers
	g := w.guests
	g[100].tags, g[100].pool, g[100].cpu, g[100].config["name"] = "web;prod", "lab", 0.95, "Web Server"
	g[101].status, g[101].lock = "stopped", "backup"
	g[102].template, g[102].status, g[102].config["template"] = true, "stopped", 1
	g[102].config["onboot"] = 0
	g[103].mem, g[103].tags = 1<<30-1, "db"
	g[104].config["agent"], g[104].ha = "1,fstrim_cloned_disks=1", "started"
	g[105].config["parent"] = "old"
	g[105].snaps = []pve.Snapshot{{Name: "old", SnapTime: pve.Ptr(pve.Int(1_700_000_000))}}
	g[106].expired = true
	g[108].config["ostype"], g[108].config["scsi1"] = "win11", "ceph1:vm-108-disk-1,size=1T"
	g[109].status, g[109].lock = "stopped", "suspended"
	w.noJob = []int{101, 102}
	start := time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC)
	w.task("pve1", "vzdump", "100", start, start.Add(time.Minute), "OK")
	w.task("pve1", "vzdump", "101", start.AddDate(0, 0, 10), start.AddDate(0, 0, 10).Add(time.Minute), "OK")
	w.task("pve1", "vzdump", "101", start.AddDate(0, 0, 10).Add(time.Hour), start.AddDate(0, 0, 10).Add(2*time.Hour), "failed")
	return w
}

func TestQuery(t *testing.T) {
	r := newRig(t, queryWorld())
	r.sync()
	r.clock.advance(time.Second)
	all := []int{100, 101, 102, 103, 104, 105, 106, 107, 108, 109}
	for _, c := range []struct {
		q    string
		want []int
	}{
		{"", all}, {"   ", all},
		{"web", []int{100}}, {"WEB", []int{100}}, {"104", []int{104}}, {"vm10*", []int{101, 102, 103, 104, 105, 106, 107, 108, 109}}, {"prod", []int{100}}, {"nothing", []int{}},
		{`"web server"`, []int{100}}, {`name:"web server"`, []int{100}}, {"name:web*", []int{100}}, {"name:web", []int{}},
		{"node:pve1", []int{100, 102, 104, 106, 108}}, {"-node:pve1", []int{101, 103, 105, 107, 109}}, {"node:pve?", all},
		{"tag:web", []int{100}}, {"tag:web,db", []int{100, 103}}, {"tag:none", []int{101, 102, 104, 105, 106, 107, 108, 109}},
		{"state:running", []int{100, 103, 104, 105, 107, 108}}, {"state:stopped", []int{101}}, {"state:suspended", []int{109}},
		{"state:template,unknown", []int{102, 106}}, {"status:unknown", []int{106}},
		{"type:ct", []int{103, 107}}, {"type:lxc", []int{103, 107}}, {"type:vm state:stopped", []int{101}},
		{"pool:lab", []int{100}}, {"ip:10.0.0.10", []int{103, 107}}, {"ip:10.0.0.103", []int{103}},
		{"os:debian", []int{103, 107}}, {"os:windows", []int{108}}, {"os:l26 node:pve2", []int{101, 105, 109}},
		{"storage:ceph1", []int{108}}, {"cpu>80", []int{100}}, {"cpu>=95%", []int{100}}, {"cpu<5", []int{101, 102, 109}}, {"mem>80", []int{103}},
		{"mem>600M", []int{103}}, {"mem<=512MiB type:ct", []int{107}}, {"mem>0.9g", []int{103}}, {"mem>80%", []int{103}}, {"maxmem>=1G vmid:100-101", []int{100, 101}}, {"maxmem>1G", []int{}},
		{"-mem<600M type:ct", []int{103}}, {"order:memused vmid:103,106,107", []int{103, 107, 106}}, {"order:-memused vmid:103,107", []int{107, 103}}, {"order:maxdisk vmid:103,107", []int{103, 107}},
		{"disk>80", []int{}}, {"backup:none", []int{101, 102}}, {"backup>7d", []int{100}}, {"backup<2d", []int{101}},
		{"snapshot>30d", []int{105}}, {"snapshot:none -type:ct", []int{100, 101, 102, 104, 106, 108, 109}}, {"snapshot:yes", []int{105}},
		{"agent:yes", []int{104}}, {"agent:none", []int{100, 101, 102, 105, 106, 108, 109}}, {"onboot:no", []int{102, 103, 107}}, {"ha:yes", []int{104}},
		{"lock:backup", []int{101}}, {"lock:any", []int{101, 109}}, {"template:yes", []int{102}}, {"vmid:104-106", []int{104, 105, 106}}, {"vmid:100,109", []int{100, 109}},
		{"order:cpu type:vm state:running", []int{100, 104, 105, 108}}, {"order:-vmid vmid:100-102", []int{102, 101, 100}},
		{"order:name type:ct", []int{103, 107}}, {"order:mem vmid:103,106,107", []int{103, 107, 106}}, {"order:-mem vmid:103,106,107", []int{107, 103, 106}},
	} {
		t.Run(c.q, func(t *testing.T) {
			if diff := cmp.Diff(c.want, vmids(r.find(c.q))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestQueryErrors(t *testing.T) {
	for _, c := range []struct{ q, want string }{
		{"nod:pve1", "did you mean node?"}, {"fe80::1 x:y", `unknown key "x"`}, {"state:rnning", `"rnning" is none of running`},
		{"cpu:80", "cpu: it takes >"}, {"cpu>much", "not a percentage"}, {"cpu>4G", "not a percentage"}, {"mem>much", "neither a percentage nor a size"}, {"mem>4X", "neither a percentage nor a size"}, {"mem:4G", "it takes >"},
		{"maxmem>80", "not a size such as 512M"}, {"maxmem>G", "not a size"}, {"mem>4GG", "neither"}, {"cpu>NaN", "not a percentage"}, {`"open`, "quote is not closed"}, {"node:", "node needs a value"},
		{"backup>soon", "not an age"}, {"backup:yes", "is none of none"}, {"vmid:9-1", "neither a vmid nor a range"}, {"order:size", "is none of cpu"},
		{"type>vm", "it takes a colon"}, {"ip:web", "beginning of an address"}, {strings.Repeat("a ", 100), "at most 64 terms"}, {strings.Repeat("a", 2000), "at most 1000"},
	} {
		_, err := parseQuery(c.q)
		if e := fault.Of(err); e == nil || e.Code != fault.Invalid || e.Field != "query" || !strings.Contains(e.Rule, c.want) || e.Example == "" {
			t.Errorf("%q: %+v, want %q", c.q, e, c.want)
		}
	}
}

// TestStrangers: a name in a query that nothing bears is told, with what it may have meant; one that something bears is not.
func TestStrangers(t *testing.T) {
	r := newRig(t, queryWorld())
	r.sync()
	for q, want := range map[string]string{
		"node:pve9": `no node "pve9" is known; did you mean pve1, pve2?`, "tag:wbe": `no tag "wbe" is known; did you mean db, web?`, "-tag:wbe": `no tag "wbe" is known; did you mean db, web?`,
		"pool:production": `no pool "production" is known; known: lab`, "storage:locla-zfs": `no storage "locla-zfs" is known; did you mean local-zfs?`,
		"node:pve1,pve9": `no node "pve9" is known; did you mean pve1, pve2?`, "web-servr": `no guest "web-servr" is known; did you mean Web Server?`, "name:vm10x": `no guest "vm10x" is known; did you mean`,
		"node:pve? tag:none pool:lab": "", "tag:WEB storage:ceph*": "", "nothing": "", "vm10* -name:zzz": "",
	} {
		var got string
		if p := r.find(q); hasWarning(p.Warnings, "unknown_name") {
			got = p.Warnings[len(p.Warnings)-1].Text
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%s: %q, want %q", q, got, want)
		}
	}
}

func TestPages(t *testing.T) {
	r := newRig(t, newWorld(2, 120))
	r.sync()
	var got []int
	q := GuestQuery{Query: "state:running"}
	for pages := 1; ; pages++ {
		p, err := r.FindGuests(t.Context(), q)
		if err != nil || p.Counts.Total != 120 {
			t.Fatal(p.Counts, err)
		}
		got = append(got, vmids(p)...)
		if q.Cursor = p.NextCursor; q.Cursor == "" {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
	}
	if len(got) != 120 || !slices.IsSorted(got) {
		t.Errorf("%d guests", len(got))
	}
	for _, bad := range []string{"x", "50-other", "-1-abc"} {
		if _, err := r.FindGuests(t.Context(), GuestQuery{Cursor: bad}); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

func TestBackupWarnings(t *testing.T) {
	w := queryWorld()
	w.fail = func(call, _ string, _ int) error {
		if call == "notbackedup" {
			return fault.New(fault.Forbidden, "Permission check failed")
		}
		return nil
	}
	r := newRig(t, w)
	r.sync()
	if p := r.find("backup:none"); len(p.Rows) != 0 || !hasWarning(p.Warnings, "partial") {
		t.Errorf("warnings %v", p.Warnings)
	}
	if p := r.find("backup>7d"); !hasWarning(p.Warnings, "partial") {
		t.Errorf("warnings %v", p.Warnings)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "web", "node:pve1 -tag:web cpu>80", `name:"a b",c order:-mem`, "backup>7d ip:10. vmid:1-2", "*?*?", "-", "--x", "a:\"\"", "cpu>=1e5%"} {
		f.Add(s)
	}
	w := queryWorld()
	rows := []*row{}
	for _, id := range sortedIDs(w.guests) {
		g := w.guests[id]
		res := g.resource()
		r := &row{}
		r.g.VMID, r.g.Cluster, r.g.Type, r.g.Node = id, "lab", string(g.typ), g.node
		r.facts(&res, string(res.Pool))
		r.figures(&res)
		r.f = extractFacets(g.typ, g.config)
		r.finish()
		rows = append(rows, r)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := parseQuery(s)
		if err != nil {
			if fault.CodeOf(err) != fault.Invalid {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		e := &evaluation{now: time.Unix(1_790_000_000, 0), facts: map[string]*clusterFacts{"lab": {cv: &clusterView{tasks: newTaskIndex()}}}}
		for _, r := range rows {
			want := true
			for i := range q.terms {
				want = want && q.terms[i].holds(e, r) != q.terms[i].negate
			}
			if q.matches(e, r) != want {
				t.Fatalf("%q on %d", s, r.g.VMID)
			}
		}
		sorted := slices.Clone(rows)
		q.sort(sorted)
		if len(sorted) != len(rows) {
			t.Fatal("sort lost rows")
		}
	})
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		p, s string
		want bool
	}{{"", "", true}, {"*", "", true}, {"a*c", "abbc", true}, {"a*c", "abb", false}, {"?", "a", true}, {"?", "", false}, {"a?c*", "abcd", true},
		{"*b*", "abc", true}, {"**", "x", true}, {"a*b*c", "aXbYbZc", true}, {"a", "b", false}} {
		if got := glob(c.p, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %t", c.p, c.s, got)
		}
	}
}
