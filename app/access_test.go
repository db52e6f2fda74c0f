package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// readRights are all that the tools need, besides the paths.
var readRights = []string{"VM.Audit", "VM.GuestAgent.Audit", "Sys.Audit", "Datastore.Audit", "Pool.Audit", "SDN.Audit", "Sys.Syslog"}

// give grants the matrix's account a role of these privileges on a path.
func give(w *pvesim.World, path string, below bool, privs ...string) {
	role := "R" + strings.NewReplacer(".", "", " ", "", "/", "").Replace(strings.Join(privs, "")+path)
	w.Access.Roles = append(w.Access.Roles, pvesim.Object{"roleid": role, "privs": strings.Join(privs, ",")})
	w.AddACL(path, "user", matrixUser, role, below)
	w.AddACL(path, "token", matrixUser+"!"+matrixToken, role, below)
}

func without(privs ...string) []string {
	return slices.DeleteFunc(slices.Clone(readRights), func(p string) bool { return slices.Contains(privs, p) })
}

// TestAccess holds check_access to what happens: for each set of rights every tool is run, and fails at every question, lacks something or answers in full
// exactly as check_access says of it.
func TestAccess(t *testing.T) {
	t.Parallel()
	var full map[string]string
	rights := map[string]func(w *pvesim.World){
		"none":          func(*pvesim.World) {},
		"no VM.Audit":   func(w *pvesim.World) { give(w, "/", true, without("VM.Audit")...) },
		"no agent":      func(w *pvesim.World) { give(w, "/", true, without("VM.GuestAgent.Audit")...) },
		"no Sys.Audit":  func(w *pvesim.World) { give(w, "/", true, without("Sys.Audit")...) },
		"no Datastore":  func(w *pvesim.World) { give(w, "/", true, without("Datastore.Audit")...) },
		"no Sys.Syslog": func(w *pvesim.World) { give(w, "/", true, without("Sys.Syslog")...) },
		"no Pool.Audit": func(w *pvesim.World) { give(w, "/", true, without("Pool.Audit")...) },
		"Sys.Audit on / alone": func(w *pvesim.World) {
			for _, p := range []string{"/vms", "/storage", "/pool"} {
				give(w, p, true, without("Sys.Audit")...)
			}
			give(w, "/", false, "Sys.Audit")
		},
		"Sys.Audit on /nodes alone": func(w *pvesim.World) {
			give(w, "/", true, without("Sys.Audit")...)
			give(w, "/nodes", true, readRights...)
		},
	}
	full, _, said := outcomes(t, func(w *pvesim.World) { give(w, "/", true, readRights...) })
	if len(said) != 0 {
		t.Fatalf("with all rights: %v", said)
	}
	for _, name := range slices.Sorted(maps.Keys(rights)) {
		t.Run(name, func(t *testing.T) {
			got, failed, said := outcomes(t, rights[name])
			seen := map[string]string{}
			for tool := range full {
				switch {
				case failed[tool] != "":
					seen[tool] = "fails"
				case got[tool] != full[tool]:
					seen[tool] = "partial"
				}
			}
			if diff := cmp.Diff(seen, said); diff != "" {
				t.Errorf("what happened (-) and what check_access says (+):\n%s", diff)
			}
			for tool, code := range failed {
				if c := fault.Code(code); c != fault.NotFound && c != fault.Forbidden {
					t.Errorf("%s fails with %s", tool, code)
				}
			}
		})
	}
}

// TestAccessFix runs the lines that check_access proposes: then nothing is missing.
func TestAccessFix(t *testing.T) {
	t.Parallel()
	for _, separated := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			m := newMatrixRig(t, &faultRow{prepare: func(w *pvesim.World) {
				revoke(w)
				w.Access.Users[len(w.Access.Users)-1].Tokens[0].PrivSep = separated
			}})
			defer m.close()
			var before, after accessReply
			m.access(&before)
			if len(before.missing()) == 0 {
				t.Fatal("nothing is missing without any right")
			}
			m.sim.Update(func(w *pvesim.World) {
				for _, l := range before.missing() {
					pveum(t, w, l.Fix)
				}
			})
			m.access(&after)
			if len(after.missing()) != 0 {
				t.Errorf("after the lines were run: %+v", after.missing())
			}
			if got := after.Clusters[0].Separated; got == nil || *got != separated {
				t.Errorf("privilege separation %v, want %v", got, separated)
			}
		})
	}
}

// accessReply is the answer of check_access as programs read it.
type accessReply struct {
	Clusters []struct {
		Separated *bool        `json:"privilege_separation"`
		Missing   []tools.Lack `json:"missing"`
	} `json:"clusters"`
}

func (r accessReply) missing() []tools.Lack { return r.Clusters[0].Missing }

func (m *matrixRig) access(out *accessReply) {
	m.t.Helper()
	r := m.call("check_access", map[string]any{})
	if r.err != nil {
		m.t.Fatal(r.err)
	}
	if err := json.Unmarshal(r.json, out); err != nil {
		m.t.Fatal(err)
	}
}

// pveum does what the lines would do on a node.
func pveum(t *testing.T, w *pvesim.World, lines string) {
	t.Helper()
	for line := range strings.SplitSeq(lines, "; ") {
		var path, kind, who, role string
		if _, err := fmt.Sscanf(line, "pveum acl modify %s --%s %s --roles %s", &path, &kind, &who, &role); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		w.AddACL(path, strings.TrimSuffix(kind, "s"), strings.Trim(who, "'"), role, true)
	}
}

// outcomes runs every tool over the matrix's world with some rights: answers without their envelopes, codes of errors, and what
// check_access says of tools that do not answer in full.
func outcomes(t *testing.T, rights func(*pvesim.World)) (answers, failed, said map[string]string) {
	t.Helper()
	answers, failed, said = map[string]string{}, map[string]string{}, map[string]string{}
	synctest.Test(t, func(t *testing.T) {
		m := newMatrixRig(t, &faultRow{prepare: func(w *pvesim.World) {
			revoke(w)
			w.Access.Users[len(w.Access.Users)-1].Tokens[0].Expire = 2000000000
			rights(w)
			troubles(w)
		}})
		defer m.close()
		if _, err := m.sync(); err != nil {
			t.Fatal(err)
		}
		m.sim.Update(news)
		time.Sleep(pause)
		if _, err := m.sync(); err != nil {
			t.Fatal(err)
		}
		asked := append(m.questions(0, false, false), question{"find_guests", map[string]any{"query": "pool:lab"}},
			question{"get_metrics", map[string]any{"object": "local"}}, question{"get_history", map[string]any{"object": "local"}}, question{"sync_inventory", map[string]any{}},
			question{"get_history", map[string]any{"object": "lab"}})
		for _, q := range asked {
			r := m.call(q.tool, q.args)
			_, again := answers[q.tool]
			switch {
			case r.err == nil:
				delete(failed, q.tool)
			case !again:
				failed[q.tool] = string(r.err.Code)
			}
			answers[q.tool] += bare(t, q.tool, r.json)
			if q.tool == "check_access" {
				said = saidBy(t, r.json)
			}
		}
		for _, s := range tools.Listed(tools.R0) {
			if _, asked := answers[s.Name]; !asked && len(s.Needs) > 0 { // what needs no right asks Proxmox VE nothing
				t.Errorf("%s is not among the questions of the fault matrix", s.Name)
			}
		}
	})
	// Files in backups take rights beyond reading, and a backup server: TestBackupFileFaults.
	delete(answers, "get_file_from_backup")
	delete(failed, "get_file_from_backup")
	delete(said, "get_file_from_backup")
	return answers, failed, said
}

// troubles give every tool something to tell: a pool, more tasks on a node than the cluster's list keeps, the oldest of them failed, a
// storage that is full, and a guest that should run.
func troubles(w *pvesim.World) {
	w.Pools = append(w.Pools, &pvesim.Pool{ID: "lab", Comment: "may break"})
	w.Guest(onNode1).Pool = "lab"
	w.SetConfig(stoppedID, "onboot", 1)
	for k := range 40 {
		exit := "OK"
		if k == 0 {
			exit = "job errors"
		}
		w.AddTaskAt(w.Now().Add(-time.Duration(300-k)*time.Minute), time.Second, "node01", "vzdump", strconv.Itoa(onNode1), "root@pam", exit)
	}
	s := w.Nodes[0].Storage[0]
	s["used"], s["avail"], s["used_fraction"] = s["total"], 0, 1.0
}

// news is something to find for find_changes in every kind of object.
func news(w *pvesim.World) {
	w.SetConfig(onNode1, "cores", 3)
	w.AddTask("node01", "qmconfig", strconv.Itoa(onNode1), "root@pam", "OK")
	for range 30 {
		w.AddTask("node01", "qmstart", strconv.Itoa(onNode2), "root@pam", "OK")
	}
	w.Pools[len(w.Pools)-1].Comment = "broke"
	w.Storages[0]["content"] = "images"
}

// bare is an answer without what differs by nature: its envelope, and what check_access says of rights.
func bare(t *testing.T, tool string, raw []byte) string {
	t.Helper()
	var v map[string]any
	if len(raw) == 0 {
		return ""
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	warnings := v["warnings"]
	for _, k := range []string{"as_of", "age_s", "warnings"} {
		delete(v, k)
	}
	if tool == "sync_inventory" {
		c := v["clusters"].([]any)[0].(map[string]any)
		delete(c, "calls")
		delete(c, "took_s")
		v["said"] = warnings // they are what it has to say
	}
	if tool == "check_access" {
		c := v["clusters"].([]any)[0].(map[string]any)
		return cmp.Diff(nil, []any{c["expires"], c["privilege_separation"]})
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func saidBy(t *testing.T, raw []byte) map[string]string {
	t.Helper()
	var v accessReply
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, l := range v.missing() {
		for _, tool := range l.Partial {
			if said[tool] == "" {
				said[tool] = "partial"
			}
		}
		for _, tool := range l.Fails {
			said[tool] = "fails"
		}
		if l.Fix == "" {
			t.Errorf("no line grants %s on %s", l.Privilege, l.Path)
		}
	}
	return said
}
