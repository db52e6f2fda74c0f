package pvesim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTOTP: the values of RFC 6238, appendix B.
func TestTOTP(t *testing.T) {
	for _, tt := range []struct {
		secret, algorithm string
		at                int64
		want              string
	}{
		{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "SHA1", 59, "94287082"},
		{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "SHA1", 1111111109, "07081804"},
		{"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA", "SHA256", 59, "46119246"},
	} {
		g, err := parseTOTP("otpauth://totp/x?digits=8&secret=" + tt.secret + "&algorithm=" + tt.algorithm)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(tt.at, 0)
		if !g.fits(tt.want, at) || g.fits(tt.want, at.Add(2*time.Minute)) || g.code(tt.at/30) != tt.want {
			t.Errorf("%s at %d: %s, want %s", tt.algorithm, tt.at, g.code(tt.at/30), tt.want)
		}
	}
}

// TestSecondFactor: factors are added, shown, switched off and removed by those who may; with one, a password alone opens
// nothing, the answer to its challenge does, and a recovery code does once.
func TestSecondFactor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, staffWorld(), WithoutDelays())
		defer r.stop()
		const joe, uri = "joe@pve", "otpauth://totp/joe?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		authenticator, err := parseTOTP(uri)
		if err != nil {
			t.Fatal(err)
		}
		code := func() string { return authenticator.code(time.Now().Unix() / 30) }
		const mine, password = "/access/tfa/" + joe, "password=oldpassword"
		for _, tt := range []struct {
			who, method, path, want string
			params                  []string
		}{
			{joe, "POST", mine, "password is required to modify TFA data", []string{"type=recovery"}},
			{joe, "POST", mine, "authentication failure", []string{"type=recovery", "password=wrong-one"}},
			{"boss@pve", "POST", mine, "403 Permission check failed", []string{"type=recovery", password}},
			{"hr@pve", "POST", "/access/tfa/" + rootUser, "403 Permission check failed", []string{"type=recovery", password}},
			{joe, "POST", mine, "failed to verify TOTP", []string{"type=totp", "totp=" + uri, "value=000000", password}},
			{joe, "POST", mine, "missing secret", []string{"type=totp", "totp=otpauth://totp/joe", "value=000000", password}},
			{joe, "POST", mine, "no webauthn configuration", []string{"type=webauthn", password}},
			{joe, "GET", mine + "/recovery", "404 No such tfa entry 'recovery'", nil},
		} {
			if got := r.as(tt.who, tt.method, tt.path, tt.params...); got.code == 200 || !strings.Contains(got.status+got.body, tt.want) {
				t.Errorf("%s: %s %s %v: %s %s, want %s", tt.who, tt.method, tt.path, tt.params, got.status, got.body, tt.want)
			}
		}
		if got := r.form("POST", mine, "type=recovery"); got.code != 403 || !strings.Contains(got.body, "not available with API token") {
			t.Errorf("with a token: %s %s", got.status, got.body)
		}
		if len(r.must("GET", "/access/tfa").rows()) != 0 {
			t.Error("refused factors are there")
		}
		added, _ := r.as(joe, "POST", mine, "type=totp", "description=phone", "totp="+uri, "value="+code(), password).data.(map[string]any)
		id, _ := added["id"].(string)
		added, _ = r.must("POST", mine, "type=recovery").data.(map[string]any) // root needs no password
		codes, _ := added["recovery"].([]any)
		if len(codes) != 10 || fmt.Sprint(r.must("GET", mine+"/"+id).data) != fmt.Sprintf("map[created:%v description:phone id:%s type:totp]", float64(time.Now().Unix()), id) {
			t.Fatalf("%v %v", codes, r.must("GET", mine).data)
		}
		if got := r.must("GET", "/access/users/"+joe+"/tfa", "multiple=1").data; fmt.Sprint(got) != "map[types:[totp recovery]]" {
			t.Errorf("types %v", got)
		}
		if all := r.as("boss@pve", "GET", "/access/tfa").rows(); len(all) != 0 {
			t.Errorf("others see %v", all)
		}

		login := func(params ...string) (string, map[string]any) {
			form := url.Values{"username": {joe}}
			for i := 0; i < len(params); i += 2 {
				form.Set(params[i], params[i+1])
			}
			token := r.token
			r.token = ""
			defer func() { r.token = token }()
			got := r.form("POST", "/access/ticket", form.Encode())
			o, _ := got.data.(map[string]any)
			ticket, _ := o["ticket"].(string)
			return ticket, o
		}
		opens := func(ticket string) bool {
			token := r.token
			r.token = ""
			defer func() { r.token = token }()
			return r.get("/version", "Cookie", authCookie+"="+url.QueryEscape(ticket)).code == 200
		}
		asked, answer := login("password", "oldpassword")
		if fmt.Sprint(answer["NeedTFA"]) != "1" || answer["cap"] != nil || opens(asked) {
			t.Errorf("a password alone: %v", answer)
		}
		recovery := "recovery:" + fmt.Sprint(codes[3])
		for _, step := range []struct {
			answer string
			ok     bool
		}{{"totp:" + code(), true}, {"totp:123", false}, {recovery, true}, {recovery, false}, {"oldpassword", false}} {
			if ticket, o := login("password", step.answer, "tfa-challenge", asked); (ticket != "" && opens(ticket)) != step.ok {
				t.Errorf("%s: %v, want %t", step.answer, o, step.ok)
			}
		}
		if ticket, _ := login("password", "totp:"+code(), "tfa-challenge", r.sim.newTicket(joe, time.Now())); ticket != "" {
			t.Error("a ticket that is no challenge is taken for one")
		}
		r.must("PUT", mine+"/recovery", "enable=0")
		r.must("DELETE", mine+"/"+id)
		if ticket, _ := login("password", "oldpassword"); !opens(ticket) {
			t.Error("a factor that is switched off is asked for")
		}
		if rows := r.must("GET", mine).rows(); len(rows) != 1 || fmt.Sprint(rows[0]["enable"]) != "0" {
			t.Errorf("left: %v", rows)
		}
	})
}
