package pvesim

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func authWorld() *World {
	w := DemoWorld(time.Now())
	gone := w.AddUser("gone@pve", "pw")
	gone.Enabled = false
	w.AddToken("gone@pve", "t", "s1", false)
	w.AddToken("viewer@pve", "late", "s2", false)
	w.Access.user("viewer@pve").token("late").Expire = 1
	return w
}

// TestLogin: facts 18 to 20.
func TestLogin(t *testing.T) {
	r := newRig(t, authWorld(), WithAuthDelay(0))
	defer r.stop()
	good := r.token
	r.token = ""
	ticket := r.ticket(rootUser, demoPassword)
	for _, tt := range []struct {
		name, auth, cookie, status string
	}{
		{"nothing", "", "", "401 No ticket"},
		{"token", "PVEAPIToken=" + good, "", "200 OK"},
		{"blank", "PVEAPIToken " + good, "", "200 OK"},
		{"lower case", "pveapitoken=" + good, "", "401 No ticket"},
		{"colon", "PVEAPIToken=" + strings.Replace(good, "=", ":", 1), "", "401 Authentication failed!"},
		{"bearer", "Bearer x", "", "401 No ticket"},
		{"wrong secret", "PVEAPIToken=root@pam!demo=0", "", "401 Authentication failed!"},
		{"disabled user", "PVEAPIToken=gone@pve!t=s1", "", "401 Authentication failed!"},
		{"expired token", "PVEAPIToken=viewer@pve!late=s2", "", "401 Authentication failed!"},
		{"ticket", "", ticket, "200 OK"},
		{"percent-encoded ticket", "", url.QueryEscape(ticket), "200 OK"},
		{"bad cookie beats good token", "PVEAPIToken=" + good, "bad", "401 Authentication failed!"},
		{"good cookie beats bad token", "PVEAPIToken=root@pam!demo=0", ticket, "200 OK"},
		{"forged ticket", "", strings.Replace(ticket, "root", "toor", 1), "401 Authentication failed!"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var h []string
			if tt.auth != "" {
				h = append(h, "Authorization", tt.auth)
			}
			if tt.cookie != "" {
				h = append(h, "Cookie", "PVEAuthCookie="+tt.cookie)
			}
			if got := r.get("/version", h...); got.status != tt.status {
				t.Errorf("got %s, want %s", got.status, tt.status)
			}
		})
	}
}

// login makes a ticket by password; it is empty when that fails.
func (r *rig) ticket(user, password string) string {
	got := r.form("POST", "/access/ticket", url.Values{"username": {user}, "password": {password}}.Encode())
	o, _ := got.data.(map[string]any)
	s, _ := o["ticket"].(string)
	return s
}

// TestTicketRenewal: facts 21.
func TestTicketRenewal(t *testing.T) {
	r := newRig(t, authWorld(), WithAuthDelay(0))
	defer r.stop()
	r.token = ""
	root, viewer := r.ticket(rootUser, demoPassword), r.ticket("viewer@pve", demoPassword)
	for _, tt := range []struct {
		name, user, password string
		ok                   bool
	}{
		{"own ticket", "viewer@pve", viewer, true},
		{"root's ticket for anybody", "viewer@pve", root, true},
		{"another's ticket", rootUser, viewer, false},
		{"wrong password", rootUser, "x", false},
		{"no realm", "root", demoPassword, false},
		{"disabled", "gone@pve", "pw", false},
	} {
		if got := r.ticket(tt.user, tt.password) != ""; got != tt.ok {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.ok)
		}
	}
}

func TestTokenRefused(t *testing.T) {
	r := newRig(t, authWorld())
	defer r.stop()
	got := r.form("POST", "/access/ticket", "username=root@pam&password=x")
	if got.code != 403 || !strings.Contains(got.body, "not available with API token, need proper ticket.") {
		t.Errorf("got %s %s", got.status, got.body)
	}
	if st := r.sim.Stats(); st.Logins != 1 || st.Writes != 0 {
		t.Errorf("logins %d, writes %d", st.Logins, st.Writes)
	}
}

// TestTicketTime: a ticket lives two hours (F05), a failed login takes three seconds (F04), a skewed clock ends it
// early (F06).
func TestTicketTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, authWorld())
		r.token = ""
		cookie := "PVEAuthCookie=" + r.ticket(rootUser, demoPassword)
		status := func() string { return r.get("/version", "Cookie", cookie).status }
		if got := status(); got != "200 OK" {
			t.Fatalf("fresh ticket: %s", got)
		}
		time.Sleep(ticketLife - time.Minute)
		if got := status(); got != "200 OK" {
			t.Errorf("after 1 h 59 min: %s", got)
		}
		remove := r.sim.AddFault(ClockSkew("", 5*time.Minute))
		if got := status(); got != "401 Authentication failed!" {
			t.Errorf("with a skewed clock: %s", got)
		}
		remove()
		time.Sleep(time.Minute)
		began := time.Now()
		if got := status(); got != "401 Authentication failed!" {
			t.Errorf("after 2 h: %s", got)
		}
		if took := time.Since(began); took != authFailDelay {
			t.Errorf("a 401 took %v, want %v", took, authFailDelay)
		}
		r.stop()
	})
}

func permissionWorld() *World {
	w := GenerateWorld(GenOptions{Seed: 1, Guests: 6, Nodes: 2, Now: time.Now()})
	for i, g := range w.Guests() {
		g.Pool = ""
		if i < 2 {
			g.Pool = "dev"
		}
	}
	w.AddUser("dev@pve", "pw")
	w.AddToken("dev@pve", "all", "s", false)
	w.AddToken("dev@pve", "sep", "s", true)
	w.AddToken(rootUser, "sep", "s", true)
	w.AddACL("/pool/dev", "user", "dev@pve", "PVEVMUser", true)
	w.AddACL("/vms/1003", "user", "dev@pve", "PVEAuditor", false)
	w.Access.Groups = append(w.Access.Groups, &Group{ID: "ops", Members: []string{"ops@pve"}})
	w.AddUser("ops@pve", "pw")
	w.AddToken("ops@pve", "all", "s", false)
	w.AddACL("/vms", "group", "ops", "PVEAuditor", true)
	w.AddACL("/vms/1004", "group", "ops", "NoAccess", true)
	w.AddACL("/vms/1000", "token", "dev@pve!sep", "PVEVMAdmin", true)
	return w
}

// TestPrivileges: inheritance, groups, pools, NoAccess and privilege separation decide which guests a list shows.
func TestPrivileges(t *testing.T) {
	r := newRig(t, permissionWorld(), WithAuthDelay(0))
	defer r.stop()
	for _, tt := range []struct {
		token  string
		guests []float64
	}{
		{r.token, []float64{1000, 1001, 1002, 1003, 1004, 1005}},
		{"dev@pve!all=s", []float64{1000, 1001, 1003}},
		{"dev@pve!sep=s", []float64{1000}},
		{"root@pam!sep=s", nil},
		{"ops@pve!all=s", []float64{1000, 1001, 1002, 1003, 1005}},
	} {
		t.Run(tt.token, func(t *testing.T) {
			root := r.token
			r.token = tt.token
			defer func() { r.token = root }()
			var got []float64
			for _, o := range r.get("/cluster/resources?type=vm").rows() {
				id, _ := o["vmid"].(float64)
				got = append(got, id)
			}
			if d := cmp.Diff(tt.guests, got); d != "" {
				t.Errorf("visible guests (-want +got):\n%s", d)
			}
		})
	}
	r.token = "dev@pve!sep=s"
	g := r.get("/access/permissions?path=/vms/1000").data
	perms, _ := g.(map[string]any)
	at, _ := perms["/vms/1000"].(map[string]any)
	if _, ok := at["VM.Allocate"]; ok || at["VM.Audit"] == nil {
		t.Errorf("a separated token has more than its user or nothing: %v", perms)
	}
}

func TestForbidden(t *testing.T) {
	r := newRig(t, permissionWorld(), WithAuthDelay(0))
	defer r.stop()
	r.token = "root@pam!sep=s"
	for path, want := range map[string]string{
		"/nodes/node01/qemu/1005/config":      "403 Permission check failed (/vms/1005, VM.Audit)",
		"/nodes/node01/qemu/9999/config":      "403 Permission check failed (/vms/9999, VM.Audit)",
		"/nodes/node01/status":                "403 Permission check failed (/nodes/node01, Sys.Audit)",
		"/nodes/node01/storage/local/content": "403 Permission check failed (/storage/local, Datastore.Audit|Datastore.AllocateSpace)",
		"/cluster/status":                     "403 Permission check failed (/, Sys.Audit)",
		"/nodes/node01/qemu":                  "200 OK",
		"/storage":                            "200 OK",
		"/pools":                              "200 OK",
	} {
		got := r.get(path)
		if got.status != want || got.code == 200 && len(got.rows()) != 0 {
			t.Errorf("%s: %s with %d rows, want %s", path, got.status, len(got.rows()), want)
		}
	}
}
