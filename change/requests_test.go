package change

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// spy notes what the engine sends.
type spy struct {
	Cluster
	sent []string
}

func (s *spy) Raw(ctx context.Context, method, path string, params proxmox.Params) (json.RawMessage, error) {
	if method != "GET" {
		s.sent = append(s.sent, strings.TrimSpace(method+" "+path+" "+params.Encode()))
	}
	return s.Cluster.Raw(ctx, method, path, params)
}

// Upload notes a file by its parameters: its content is that of the plan.
func (s *spy) Upload(ctx context.Context, path string, params proxmox.Params, f proxmox.File) (json.RawMessage, error) {
	s.sent = append(s.sent, strings.TrimSpace("POST "+path+" "+params.Encode()))
	return s.Cluster.Upload(ctx, path, params, f)
}

// shared is the folder of recordings and schema; a test that needs it ends where it is not there.
func shared(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "shared", "pve", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the recordings are not here")
	}
	return path
}

// TestRequests holds the requests of all actions: dry run and apply are the same bytes, which are those of the golden file together with
// how many reads they cost, and a server that checks everything by the schema of the real API takes them.
func TestRequests(t *testing.T) {
	t.Parallel()
	schema, err := pvesim.OpenSchema(shared(t, "api-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, pvesim.WithSchema(schema))
		defer r.close()
		r.sheriff.Rules.Caps = Caps{}
		var golden strings.Builder
		for k, s := range samples() {
			was := s.make(r, 1000+k)
			look := &spy{Cluster: r.client}
			e := r.living(r.db)
			e.opt.Cluster = func(string) (Cluster, error) { return look, nil }
			r.sim.ResetStats()
			p, err := e.Propose(t.Context(), s.request(r, was.vmid))
			if err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
			if len(look.sent)+r.sim.Stats().Writes > 0 {
				t.Errorf("%s: a dry run sends %v", s.name, look.sent)
			}
			again, err := e.Propose(t.Context(), s.request(r, was.vmid))
			if err != nil || string(again.Body.Canonical()) != string(p.Body.Canonical()) {
				t.Errorf("%s: a second dry run differs: %v", s.name, err)
			}
			r.sim.ResetStats()
			if err := finishPlan(t.Context(), e, p.ID); err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			if diff := cmp.Diff(planText(&p), asPlanned(&p, look.sent)); diff != "" || !s.carried(r, was) {
				t.Errorf("%s: carried out: %v (-planned +sent):\n%s", s.name, s.carried(r, was), diff)
			}
			before, after := readsOf(r, p.Body.Steps[0].Call.Method)
			fmt.Fprintf(&golden, "%s: %d reads before, %d after\n\t%s\n", s.name, before, after, goldenText(look.sent))
			_ = e.Close()
		}
		compareGolden(t, golden.String())
	})
}

func planText(p *Proposal) []string {
	var out []string
	for _, s := range p.Body.Steps {
		if s.Call.Method == "" {
			continue
		}
		var params proxmox.Params
		for _, q := range s.Call.Params {
			params = params.Str(q.Key, q.Value)
		}
		out = append(out, strings.TrimSpace(s.Call.Method+" "+s.Call.Path+" "+params.Encode()))
	}
	return out
}

// asPlanned is what was sent, without the digests that a plan leaves to what its earlier steps make.
func asPlanned(p *Proposal, sent []string) []string {
	out := slices.Clone(sent)
	for k, text := range planText(p) {
		if head, ok := strings.CutSuffix(text, "digest="); ok && k < len(out) && strings.HasPrefix(out[k], head) {
			out[k] = digits.ReplaceAllString(out[k], "digest=")
		}
	}
	return out
}

var digits = regexp.MustCompile(`digest=[0-9a-f]{40}|UPID:[^/ ]+`)

func goldenText(sent []string) string {
	return digits.ReplaceAllStringFunc(strings.Join(sent, "\n\t"), func(s string) string { return s[:4] + "..." })
}

func compareGolden(t *testing.T, got string) {
	t.Helper()
	path := filepath.Join("testdata", "requests.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.MkdirAll("testdata", 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("requests (-golden +now; UPDATE_GOLDEN=1 writes it):\n%s", diff)
	}
}

// TestRecorded compares each request with recordings of the same call on a real Proxmox VE: method, path, and where the parameters are.
func TestRecorded(t *testing.T) {
	t.Parallel()
	recorded := recordings(t)
	bubble(t, func(t *testing.T, r *rig) {
		var without []string
		for k, s := range samples() {
			s.make(r, 1000+k)
			p, err := r.Propose(t.Context(), s.request(r, 1000+k))
			if err != nil {
				t.Fatal(err)
			}
			call := p.Body.Steps[0].Call
			of, ok := recorded[kindOf(call.Method, call.Path)]
			if unrecorded[pattern(call)] {
				continue
			}
			if !ok {
				if !neverRecorded[pattern(call)] {
					without = append(without, pattern(call))
				}
				continue
			}
			for _, q := range call.Params {
				if !of[q.Key] && !schemaOnly[pattern(call)+" "+q.Key] {
					t.Errorf("%s: no recording of %s has %s", s.name, pattern(call), q.Key)
				}
			}
		}
		if len(without) > 0 {
			t.Errorf("no recording that Proxmox VE carried out has %v", without)
		}
	})
}

// unrecorded are calls that take a second node, which the recordings have not; TestRequests checks them by the schema.
var unrecorded = map[string]bool{"POST /nodes/{node}/{type}/{vmid}/migrate": true, "POST /nodes/{node}/wakeonlan": true}

// schemaOnly are parameters that no recording has; TestRequests checks them by the schema.
var schemaOnly = map[string]bool{"POST /nodes/{node}/{type} pool": true, "POST /nodes/{node}/storage/{storage}/download-url checksum-algorithm": true,
	"POST /nodes/{node}/storage/{storage}/download-url checksum": true,
	"PUT /cluster/backup/{id} schedule":                          true, "PUT /cluster/backup/{id} notes-template": true, "PUT /cluster/backup/{id} storage": true,
	"PUT /cluster/backup/{id} all": true, "PUT /cluster/backup/{id} exclude": true,
	"DELETE /nodes/{node}/{type}/{vmid} destroy-unreferenced-disks": true, "POST /nodes/{node}/vzdump protected": true,
	"PUT /nodes/{node}/{type}/{vmid}/resize digest": true, "POST /nodes/{node}/qemu/{vmid}/move_disk digest": true,
	"POST /nodes/{node}/lxc/{vmid}/move_volume digest": true, "PUT /nodes/{node}/{type}/{vmid}/config force": true,
	"PUT /nodes/{node}/{type}/{vmid}/config virtio0": true}

// neverRecorded are calls that no recording has, because the recorded server reached no network; TestRequests checks them by the schema.
var neverRecorded = map[string]bool{"POST /nodes/{node}/aplinfo": true, "POST /nodes/{node}/storage/{storage}/oci-registry-pull": true}

// kindOf is a call without names: what a recording and a request have in common.
func kindOf(method, path string) string {
	path = regexp.MustCompile(`^/nodes/[^/]+/`).ReplaceAllString(path, "/nodes/{node}/")
	path = regexp.MustCompile(`/(qemu|lxc)/[0-9]+`).ReplaceAllString(path, "/$1/{vmid}")
	path = regexp.MustCompile(`/snapshot/[^/]+`).ReplaceAllString(path, "/snapshot/{name}")
	path = regexp.MustCompile(`^/cluster/backup/[^/]+$`).ReplaceAllString(path, "/cluster/backup/{id}")
	path = regexp.MustCompile(`/storage/[^/]+`).ReplaceAllString(path, "/storage/{storage}")
	path = regexp.MustCompile(`/content/.+`).ReplaceAllString(path, "/content/{volume}")
	return method + " " + regexp.MustCompile(`/tasks/[^/]+`).ReplaceAllString(path, "/tasks/{upid}")
}

// recordings are the parameter names of all writes that were recorded with status 200, by kind of call.
func recordings(t *testing.T) map[string]map[string]bool {
	t.Helper()
	out := map[string]map[string]bool{}
	err := filepath.WalkDir(shared(t, "recordings"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".json" || d.Name() == "world.json" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var x struct {
			Request struct {
				Method, Path string
				Params       map[string]any
			}
			Response struct{ Status int }
		}
		if err := json.Unmarshal(raw, &x); err != nil {
			return err
		}
		if x.Request.Method == "GET" || x.Response.Status != 200 {
			return nil
		}
		kind := kindOf(x.Request.Method, x.Request.Path)
		if out[kind] == nil {
			out[kind] = map[string]bool{}
		}
		for k := range x.Request.Params {
			out[kind][k] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOnlyWay: one place of the program sends writes, and it sends what the table of calls lists (S02).
func TestOnlyWay(t *testing.T) {
	t.Parallel()
	var places []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), "WithPermit(ctx)") {
			places = append(places, filepath.ToSlash(path))
		}
		return err
	})
	if diff := cmp.Diff([]string{"../change/guest.go"}, places); err != nil || diff != "" {
		t.Errorf("places that may send writes: %v\n%s", err, diff)
	}
	bubble(t, func(t *testing.T, r *rig) {
		for _, c := range []Call{{Method: "POST", Path: "/nodes/pve2/qemu/204/agent/file-write"}, {Method: "PUT", Path: "/access/password"},
			{Method: "DELETE", Path: "/nodes/pve2/storage/204"}, {Method: "POST", Path: "/nodes/pve2/status"}} {
			p := r.propose(204, odd{c})
			r.approved(p)
			if done := r.apply(p.ID); done.State != Failed {
				t.Errorf("%s %s: %s", c.Method, c.Path, done.State)
			}
		}
		if _, err := r.client.Raw(t.Context(), "POST", "/nodes/pve2/qemu/204/status/start", nil); fault.CodeOf(err) != fault.ReadOnly && fault.CodeOf(err) != fault.Denied {
			t.Errorf("a write past the engine: %v", err)
		}
		if n := r.sim.Stats().Writes; n != 0 {
			t.Errorf("%d writes were sent", n)
		}
	})
}

// odd is an action that sends what the table does not list.
type odd struct{ call Call }

func (odd) Name() string  { return "guest.odd" }
func (odd) Title() string { return "odd" }
func (odd) Needs() Needs  { return Needs{} }
func (o odd) Steps(l *Live) ([]Step, error) {
	return []Step{{Action: o.Name(), Tier: Destructive, Target: l.Target, Call: o.call}}, nil
}

// FuzzCalls: what is taken for a known call can be no other path, whatever decodes it (S16).
func FuzzCalls(f *testing.F) {
	for _, path := range []string{"/nodes/pve1/qemu/100/status/start", "/nodes/pve1/qemu/100/snapshot/a%2f..%2f..%2fconfig", "/nodes/../qemu/100/config",
		"/nodes/pve1/qemu/100;x/config", "/nodes/pve1/qemu/1\n/config", "/nodes/pve1/qemu/100/snapshot/..", "/nodes/pve1/qemu/100/snapshot/a?force=1",
		"/nodes/pve1/tasks/UPID:pve1:000002DC:0005FBB5:6B01FBF3:vzdump:106:root@pam:", "/nodes/pve1/tasks/UPID:pve1:000002DC:0005FBB5:6B01FBF3:vzdump:..%2f106:root@pam:"} {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			f.Add(method, path)
		}
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		if _, ok := TierOfCall(Call{Method: method, Path: path}); !ok {
			return
		}
		for _, bad := range []string{"..", ";", "\n", "\r", "?", "#", "//", "\\", " ", "%2f", "%2e", "%00", "%25"} {
			if strings.Contains(strings.ToLower(path), bad) {
				t.Errorf("%s %q is taken for a known call", method, path)
			}
		}
	})
}

// TestHostileArguments: names with paths, separators and line breaks, and parameters that would make another request, never reach Proxmox VE.
func TestHostileArguments(t *testing.T) {
	t.Parallel()
	hostile := []string{"../208", "..", "a/../../config", "a%2fb", "%2e%2e", "a;b", "a\nb", "a\r\nX: y", "a b", "a?force=1", "a#b", "\x00", "'", strings.Repeat("a", 50)}
	bubble(t, func(t *testing.T, r *rig) {
		var asked []Request
		for _, h := range hostile {
			for _, verb := range []string{"create", "delete", "rollback"} {
				asked = append(asked, Request{Guest: "208", Action: Snapshot{Verb: verb, Snapshot: h}})
			}
			asked = append(asked, Request{Guest: h, Action: Power{Verb: "start"}}, Request{Guest: "208", Action: Power{Verb: h}},
				Request{Guest: "208", Action: Configure{Set: map[string]string{h: "1"}}},
				Request{Direct: CancelTask{Cluster: "home", UPID: "UPID:pve1:000002DC:0005FBB5:6B01FBF3:vzdump:" + h + "/:root@pam:"}})
		}
		for key := range requestOnly {
			asked = append(asked, Request{Guest: "208", Action: Configure{Set: map[string]string{key: "1"}}})
		}
		for _, q := range asked {
			q.Tool, q.Cluster, q.Caller = "test", "home", agent
			if p, err := r.Propose(t.Context(), q); err == nil {
				t.Errorf("%+v is planned: %+v", q, p.Body.Steps)
			}
		}
		for _, q := range r.sim.Requests() {
			if q.Method != "GET" || strings.ContainsAny(q.Path, ";\n\r?#%") || strings.Contains(q.Path, "..") {
				t.Errorf("sent was %s %q", q.Method, q.Path)
			}
		}
	})
}

// TestSaidButNotDone: a task that ends OK while the guest still runs is no success (S29).
func TestSaidButNotDone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, r *rig) {
		r.guest(likeRunning, func(g *pvesim.Guest) { g.Behaviour = pvesim.Behaviour{IgnoresACPI: true} })
		r.sim.AddFault(pvesim.TaskExit("qmshutdown", "OK"))
		p := r.propose(likeRunning, Power{Verb: "shutdown", Timeout: 5 * time.Second})
		if done := r.apply(p.ID); done.State != Failed || !strings.Contains(done.Note, "it is running") || !r.running(likeRunning) {
			t.Errorf("%s: %s", done.State, done.Note)
		}
	})
}
