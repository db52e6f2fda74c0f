package proxmox

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	goproxmox "github.com/luthermonson/go-proxmox"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
)

func testSettings(t testing.TB) *settings {
	t.Helper()
	s, err := ClusterConfig{Endpoints: []string{"pve1"}, Token: redact.NewSecret(testToken)}.check()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// faultOf runs an answer through the one function that makes errors.
func faultOf(t testing.TB, method, path string, status int, reason, body string) (*APIError, *fault.Error) {
	t.Helper()
	c := newCall(t.Context(), method, path)
	e := newAPIError(c, &http.Response{StatusCode: status, Status: strconv.Itoa(status) + " " + reason, Header: http.Header{}}, []byte(body))
	e.fault = toFault(e, testSettings(t), c)
	return e, fault.Of(e)
}

func TestAnswersBecomeFaults(t *testing.T) {
	const get, put = http.MethodGet, http.MethodPut
	for name, tc := range map[string]struct {
		method, path string
		status       int
		reason, body string
		code         fault.Code
		want         string // in message, cause or hint
	}{
		"F09 phrase only": {get, "/nodes/pve1/qemu/110/config", 403, "Permission check failed (/vms/110, VM.Audit)", `{"data":null}`,
			fault.Forbidden, "pveum acl modify /vms/110 --tokens 'agent@pve!mcp' --roles PVEAuditor"},
		"F09 owner": {get, "/nodes/pve1/qemu/110/config", 403, "x", `{"data":null,"message":"Permission check failed (/vms/110, VM.Audit)\n"}`,
			fault.Forbidden, "pveum acl modify /vms/110 --users 'agent@pve' --roles PVEAuditor"},
		"alternatives (11/119)": {put, "/nodes/pve1/qemu/101/config", 403, "Permission check failed (/vms/101, VM.Config.Disk|VM.Config.CDROM)", "",
			fault.Forbidden, "VM.Config.Disk or VM.Config.CDROM"},
		"no built-in role": {get, "/x", 403, "Permission check failed (/, Sys.Modify)", "", fault.Forbidden,
			"pveum role add MCP-Sys-Modify --privs Sys.Modify; pveum acl modify / "},
		"bare 403":        {put, "/nodes/pve1/qemu", 403, "Permission check failed", "", fault.Forbidden, "did not name the missing privilege"},
		"token refused":   {put, "/access/password", 403, "URI '/access/password' not available with API token, need proper ticket.", "", fault.Forbidden, "login with user and password"},
		"root only":       {put, "/nodes/pve1/execute", 403, "Permission check failed (user != root@pam)", "", fault.Forbidden, "root@pam"},
		"403 no pool":     {put, "/nodes/pve1/qemu", 403, "pool 'x' does not exist", "", fault.NotFound, "pool 'x'"},
		"F10 generic":     {get, "/nodes/pve1/status", 500, "Internal Server Error", `{"data":null}`, fault.Upstream, "HTTP/2 proxy"},
		"F10 empty":       {get, "/nodes/pve1/status", 500, "", "", fault.Upstream, "without a reason"},
		"not found":       {get, "/nodes/pve1/qemu/99999/config", 500, "Configuration file 'nodes/pve1/qemu-server/99999.conf' does not exist", "", fault.NotFound, "99999.conf"},
		"no such storage": {get, "/x", 400, "Parameter verification failed.", `{"data":null,"errors":{"storage":"No such storage."}}`, fault.NotFound, "No such storage"},
		"no such task":    {get, "/x", 400, "Parameter verification failed.", `{"data":null,"errors":{"upid":"no such task"}}`, fault.NotFound, "no such task"},
		"unknown node":    {get, "/nodes/other/status", 500, "hostname lookup 'other' failed - failed to get address info", "", fault.NotFound, "other"},
		"exists":          {put, "/x", 500, "VM 110 already exists on node 'pve1'", "", fault.Conflict, "110"},
		"digest":          {put, "/x", 500, "checksum mismatch (file change by other user?)", "", fault.Conflict, "checksum"},
		"locked":          {put, "/x", 500, "VM is locked (backup)", "", fault.Locked, "backup"},
		"F17 no quorum":   {put, "/x", 500, "cluster not ready - no quorum?", "", fault.Upstream, "no quorum: reads go on"},
		"parameter":       {put, "/x", 400, "Parameter verification failed.", `{"errors":{"cores":"type check ('integer') failed"}}`, fault.Invalid, "cores: type check"},
		"F11 595":         {get, "/nodes/pve3/status", 595, "No route to host", "", fault.NodeSilent, "node pve3 does not answer"},
		"F11 595 write":   {put, "/nodes/pve3/qemu/1/config", 595, "Connection refused", "", fault.NodeSilent, "pve3"},
		"F12 596":         {get, "/nodes/pve2.example.org/status", 596, "tls_process_server_certificate: certificate verify failed", "", fault.NodeSilent, "pvecm updatecerts"},
		"F13 596 write":   {put, "/nodes/pve2/qemu/1/config", 596, "Connection timed out", "", fault.UnknownOutcome, "task list"},
		"F14 597":         {get, "/nodes/pve2/status", 597, "Broken pipe", "", fault.BadAnswer, "lost on its way"},
		"F14 599 write":   {put, "/nodes/pve2/status", 599, "Invalid", "", fault.UnknownOutcome, "task list"},
		"F35 501":         {get, "/nodes/pve1/x", 501, "Method 'GET /nodes/pve1/x' not implemented", "", fault.Unsupported, "does not have GET /nodes/pve1/x"},
		"501 too large":   {put, "/x", 501, "for data too large", "for data too large", fault.Invalid, "too large"},
		"F46 429":         {get, "/x", 429, "Too Many Requests", "<html>", fault.RateLimited, "429"},
		"F46 502":         {get, "/x", 502, "Bad Gateway", "<html>", fault.Unreachable, "502"},
		"F46 504 write":   {put, "/x", 504, "Gateway Timeout", "<html>", fault.UnknownOutcome, "task list"},
		"401":             {get, "/x", 401, "No ticket", "", fault.Unauthenticated, "agent@pve!mcp"},
		"redirect":        {get, "/x", 301, "Moved Permanently", "", fault.BadAnswer, "redirect"},
		"agent":           {get, "/x", 500, "QEMU guest agent is not running", "", fault.Upstream, "agent"},
	} {
		e, f := faultOf(t, tc.method, tc.path, tc.status, tc.reason, tc.body)
		all := f.Message + " | " + f.Cause + " | " + f.Hint
		if f.Code != tc.code || !strings.Contains(all, tc.want) {
			t.Errorf("%s: code %s, want %s with %q in: %s", name, f.Code, tc.code, tc.want, all)
		}
		if !errors.Is(f, e) || fault.CodeOf(e) != f.Code {
			t.Errorf("%s: error and fault do not lead to each other", name)
		}
		noCanary(t, f)
		if strings.Contains(all, canary) {
			t.Errorf("%s: the token is in %s", name, all)
		}
	}
}

// Every recorded refusal must come through with its words.
func TestRecordedErrors(t *testing.T) {
	n := 0
	for _, scenario := range []string{"01-auth-and-protocol", "02-cluster-and-node-reads", "03-qemu-lifecycle", "04-qemu-config", "10-tasks-locks-races",
		"11-permissions-and-tokens", "14-firewall", "15-ha-sdn-jobs-pools-options"} {
		for _, x := range recorded(t, scenario) {
			if x.Response.Status < 400 {
				continue
			}
			n++
			body := string(x.Response.JSON)
			if body == "" || body == "null" {
				body = x.Response.Text
			}
			e, f := faultOf(t, x.Request.Method, "/x", x.Response.Status, x.Response.Reason, body)
			if e.Message == "" || f.Message == "" || f.Code == fault.Internal {
				t.Errorf("%s: %d %s gives %+v", x.file, x.Response.Status, x.Response.Reason, f)
			}
			if strings.Contains(x.Response.Reason, "Permission check failed (/") && (e.Privilege == "" || e.PrivPath == "") {
				t.Errorf("%s: no privilege in %q", x.file, x.Response.Reason)
			}
			want := map[int]fault.Code{401: fault.Unauthenticated, 595: fault.NodeSilent}[x.Response.Status]
			if want != "" && f.Code != want {
				t.Errorf("%s: code %s, want %s", x.file, f.Code, want)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d recorded errors were seen", n)
	}
}

func TestTypedKeepsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status, code := range map[int]fault.Code{400: fault.Invalid, 401: fault.Unauthenticated, 403: fault.Forbidden, 404: fault.NotFound, 595: fault.NodeSilent} {
			r := newRig(t, map[string]http.HandlerFunc{"*": failing(status, "because", `{"data":null,"message":"because"}`)}, nil)
			var v any
			err := r.Typed().Get(t.Context(), "/nodes/pve1/version", &v)
			api, ok := errors.AsType[*APIError](err)
			if !ok || api.Status != status || fault.CodeOf(err) != code {
				t.Errorf("%d through go-proxmox: %v (%s)", status, err, fault.CodeOf(err))
			}
			if got, want := errors.Is(err, goproxmox.ErrNotAuthorized), status == 401 || status == 403; got != want {
				t.Errorf("%d is ErrNotAuthorized: %v", status, got)
			}
			noCanary(t, err)
			r.close()
		}
	})
}

func TestTypedCannotLeaveTheCluster(t *testing.T) {
	r := newRig(t, nil, nil)
	for _, p := range []string{"https://169.254.169.254/latest", "file:///etc/passwd", "http://" + baseHost + "/api2/json/version",
		"/../../etc", "/nodes/..%2f..%2fx", "/nodes/%2e%2e/x", "https://u:p@" + baseHost + "/api2/json/version"} {
		if err := r.Typed().Get(t.Context(), p, nil); err == nil {
			t.Errorf("%s was sent", p)
		}
	}
	if n := r.pve.count(""); n != 0 || r.net.dials != 0 {
		t.Errorf("%d requests and %d dials left", n, r.net.dials)
	}
}

func TestTypedWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, map[string]http.HandlerFunc{"GET /version": data(`{"version":"9.2.11","release":"9.2","repoid":"x"}`)}, nil)
		defer r.close()
		v, err := r.Typed().Version(t.Context())
		if err != nil || v.Release != "9.2" {
			t.Errorf("%+v, %v", v, err)
		}
	})
}

func FuzzAPIError(f *testing.F) {
	f.Add(403, "Permission check failed (/vms/1, VM.Audit)", `{"data":null,"errors":{"a":{"b":[1]}},"message":3}`)
	f.Add(500, "", "\xff\xfe")
	f.Add(596, "certificate", `{"errors":[1]}`)
	s := testSettings(f)
	f.Fuzz(func(t *testing.T, status int, reason, body string) {
		c := newCall(t.Context(), http.MethodGet, "/nodes/pve1/status")
		e := newAPIError(c, &http.Response{StatusCode: status, Status: "x " + reason, Header: http.Header{}}, []byte(body))
		e.fault = toFault(e, s, c)
		if fault.CodeOf(e) == fault.Internal || fault.Of(e).Code == "" {
			t.Errorf("%d %q %q has no code", status, reason, body)
		}
		if len(e.Error()) > 100_000 && len(body) < 50_000 {
			t.Errorf("the text grew to %d", len(e.Error()))
		}
	})
}
