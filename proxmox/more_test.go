package proxmox

import (
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// A CA file replaces the system's authorities; the name has to fit too.
func TestCAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certA.cert.Certificate[0]})
	if err := os.WriteFile(file, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for endpoint, trusted := range map[string]bool{"pve1": true, "192.0.2.1": false} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, map[string]http.HandlerFunc{"*": data(version)}, func(c *ClusterConfig) {
				c.Endpoints, c.Fingerprints, c.CAFile = []string{endpoint}, nil, file
			})
			defer r.close()
			r.stop = append(r.stop, r.net.serve("pve1:8006", certA, 0, r.pve))
			_, err := r.Version(t.Context())
			if trusted && err != nil || !trusted && fault.CodeOf(err) != fault.Untrusted {
				t.Errorf("%s: %v", endpoint, err)
			}
		})
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(ClusterConfig{Endpoints: []string{"pve1"}, CAFile: empty}); err == nil || !strings.Contains(err.Error(), "no PEM certificate") {
		t.Errorf("an empty file: %v", err)
	}
}

// After an upgrade what was missing is asked again; the version is read at most once an hour.
func TestUpgradeForgetsWhatWasMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"GET /version": data(`{"version":"8.2.2"}`)}, nil)
		defer r.close()
		for range 3 {
			if f, err := r.Features(t.Context()); err != nil || f.Major != 8 || f.MetricsExport {
				t.Errorf("%+v, %v", f, err)
			}
			if _, err := r.Raw(t.Context(), "GET", "/cluster/metrics/export", nil); fault.CodeOf(err) != fault.Unsupported {
				t.Errorf("%v", err)
			}
		}
		if v, m := r.pve.count("GET /version"), r.pve.count("GET /cluster/metrics"); v != 1 || m != 1 {
			t.Errorf("%d versions, %d tries", v, m)
		}
		r.pve.on("GET /version", data(version))
		r.pve.on("GET /cluster/metrics/export", data(`{"data":[]}`))
		time.Sleep(versionAge)
		if f, err := r.Features(t.Context()); err != nil || f.Major != 9 {
			t.Errorf("%+v, %v", f, err)
		}
		if _, err := r.Raw(t.Context(), "GET", "/cluster/metrics/export", nil); err != nil {
			t.Errorf("after the upgrade: %v", err)
		}
	})
}

func TestNodeTasksFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var query string
		r := newRig(t, map[string]http.HandlerFunc{"GET /nodes/pve1/tasks": func(w http.ResponseWriter, q *http.Request) {
			query = q.URL.RawQuery
			data(`[{"upid":"a","status":"RUNNING","starttime":5},{"upid":"b","status":"OK","starttime":"4","endtime":5}]`)(w, q)
		}}, nil)
		defer r.close()
		rows, err := r.NodeTasks(t.Context(), "pve1", NodeTaskFilter{VMID: 100, Limit: 5, Since: time.Unix(1763752657, 0), Errors: true, Source: "all"})
		if err != nil || len(rows) != 2 || rows[0].Status != "" || rows[1].StartTime != 4 {
			t.Errorf("%+v, %v", rows, err)
		}
		if want := "vmid=100&limit=5&since=1763752657&errors=1&source=all"; query != want {
			t.Errorf("query %s", query)
		}
	})
}

// Beyond what one entry node carries, a second endpoint shares the work without becoming the first choice.
func TestOverflowGoesToFurtherEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, q *http.Request) {
			time.Sleep(10 * time.Millisecond)
			data(`{"digest":"x"}`)(w, q)
		}
		r := newRig(t, map[string]http.HandlerFunc{"*": slow}, func(c *ClusterConfig) { c.Endpoints = []string{addr1, addr2} },
			WithLimits(Limits{EntryTotal: 4}), WithClock(time.Now))
		defer r.close()
		second := &fakePVE{routes: map[string]http.HandlerFunc{"*": slow}}
		r.stop = append(r.stop, r.net.serve(addr2, certA, 0, second))
		var wg sync.WaitGroup
		for i := range 60 {
			wg.Go(func() {
				if _, err := r.GuestConfig(WithUserWaiting(t.Context()), []string{"pve1", "pve2", "pve3"}[i%3], pve.Qemu, 100+i); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if a, b := r.pve.count(""), second.count(""); a+b != 60 || b == 0 || a < b/2 {
			t.Errorf("%d and %d requests", a, b)
		}
		before := r.pve.count("")
		_, _ = r.Version(t.Context())
		if r.pve.count("") != before+1 {
			t.Error("the first choice changed")
		}
	})
}

func TestRawRefusesUnsafePaths(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, p := range []string{"", "version", "/../x", "/nodes/%2e%2e/x", "/nodes/a%2Fb", "/nodes/a?b=c", "/nodes/a#b", "/nodes//x", "/nodes/a\r\nX: y", "/%zz"} {
		if _, err := r.Raw(t.Context(), "GET", p, nil); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%q: %v", p, err)
		}
	}
	if r.net.dials != 0 {
		t.Errorf("%d dials", r.net.dials)
	}
}

// Parameters of GET and DELETE travel in the query, those of POST and PUT in a form with its length (pve-api.md 1-2).
func TestEncoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := map[string]string{}
		r := newRig(t, map[string]http.HandlerFunc{"*": func(w http.ResponseWriter, q *http.Request) {
			b, _ := io.ReadAll(q.Body)
			got[q.Method] = q.URL.RawQuery + "|" + string(b) + "|" + q.Header.Get("Content-Type") + "|" + strings.Join(q.TransferEncoding, ",")
			if int(q.ContentLength) != len(b) {
				t.Errorf("%s: length %d of %d", q.Method, q.ContentLength, len(b))
			}
			data(`null`)(w, q)
		}}, nil)
		defer r.close()
		for _, m := range []string{"GET", "DELETE", "POST", "PUT"} {
			if _, err := r.Raw(t.Context(), m, "/x", Params{}.Int("n", 1763752657).Bool("purge", true)); err != nil {
				t.Error(err)
			}
		}
		const form = "n=1763752657&purge=1"
		want := map[string]string{"GET": form + "|||", "DELETE": form + "|||", "POST": "|" + form + "|application/x-www-form-urlencoded|",
			"PUT": "|" + form + "|application/x-www-form-urlencoded|"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRetryAfterForms(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{"7": 7 * time.Second, "999999": maxRetryAfter, "Sat, 21 Nov 2026 12:00:09 GMT": 9 * time.Second,
		"Sat, 21 Nov 2026 11:00:00 GMT": 0, "soon": -1, "-5": -1, "": -1} {
		d, ok := retryAfter(&http.Response{Header: http.Header{"Retry-After": {v}}}, now)
		if ok != (want >= 0) || ok && d != want {
			t.Errorf("%q: %s, %v", v, d, ok)
		}
	}
}
