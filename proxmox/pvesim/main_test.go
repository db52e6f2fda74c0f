package pvesim

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	cmdline "flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shared gives a path below the shared folder beside the module. Without the folder the test is skipped, and fails
// where CI is set.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no module root above the test")
	}
	p := filepath.Join(append([]string{filepath.Dir(dir), "shared"}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing", filepath.Join(parts...))
		}
		t.Skipf("%s is not here", filepath.Join(parts...))
	}
	return p
}

const recorded02 = "02-cluster-and-node-reads"

func recordedWorld(t testing.TB) *World {
	t.Helper()
	f, err := os.Open(shared(t, "pve", "recordings", recorded02, "world.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := LoadWorld(f)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// rig is a simulator with one endpoint in memory and a client that keeps connections alive.
type rig struct {
	t   testing.TB
	sim *Sim
	l   *PipeListener
	// token is sent with every request unless it is empty.
	token  string
	client *http.Client
	stop   func()
}

func newRig(t testing.TB, w *World, opts ...Option) *rig {
	t.Helper()
	sim := New(w, opts...)
	l := NewPipeListener()
	e := sim.Serve(l, "")
	tr := &http.Transport{DialContext: l.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, IdleConnTimeout: time.Hour}
	r := &rig{t: t, sim: sim, l: l, token: sim.RootToken(), client: &http.Client{Transport: tr}}
	r.stop = func() {
		tr.CloseIdleConnections()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	return r
}

type reply struct {
	status string
	code   int
	header http.Header
	body   string
	data   any
	err    error
}

func (r *rig) do(method, path string, body io.Reader, header ...string) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "https://pve.sim/api2/json"+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.token != "" {
		req.Header.Set("Authorization", "PVEAPIToken="+r.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	out := reply{status: resp.Status, code: resp.StatusCode, header: resp.Header, body: string(raw), err: err}
	var v struct {
		Data any `json:"data"`
	}
	if json.Unmarshal(raw, &v) == nil {
		out.data = v.Data
	}
	return out
}

// form is do with parameters: a form, or a query where the method has no body.
func (r *rig) form(method, path, params string, header ...string) reply {
	r.t.Helper()
	if method == "POST" || method == "PUT" {
		return r.do(method, path, strings.NewReader(params), append([]string{"Content-Type", formType}, header...)...)
	}
	if params != "" {
		path += "?" + params
	}
	return r.do(method, path, nil, header...)
}

func (r *rig) get(path string, header ...string) reply { return r.do("GET", path, nil, header...) }

// rows gives data as a list of objects.
func (p reply) rows() []map[string]any {
	var out []map[string]any
	list, _ := p.data.([]any)
	for _, e := range list {
		o, _ := e.(map[string]any)
		out = append(out, o)
	}
	return out
}

func (p reply) row(key, value string) map[string]any {
	for _, o := range p.rows() {
		if o[key] == value {
			return o
		}
	}
	return nil
}

// raw is one connection for requests written by hand.
type raw struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
}

func (r *rig) raw() *raw {
	r.t.Helper()
	c, err := r.l.Dial()
	if err != nil {
		r.t.Fatal(err)
	}
	conn := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	return &raw{r.t, conn, bufio.NewReader(conn)}
}

// send writes a request line with a token and more header lines.
func (c *raw) send(text, token string) {
	c.t.Helper()
	text = strings.ReplaceAll(text, "\n", "\r\n") + "\r\n"
	text = strings.Replace(text, "\r\n", "\r\nHost: pve.sim\r\nAuthorization: PVEAPIToken="+token+"\r\n", 1) + "\r\n"
	if _, err := io.WriteString(c.conn, text); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one answer; status 0 means that the connection ended.
func (c *raw) receive(method string) reply {
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{status: resp.Status, code: resp.StatusCode, header: resp.Header, body: string(b), err: err}
}

// logChecks tells how many random cases a property test tries: make e2e-full has more of them than other runs.
func logChecks(t *testing.T) {
	t.Helper()
	t.Logf("%s random cases (-rapid.checks)", cmdline.Lookup("rapid.checks").Value)
}
