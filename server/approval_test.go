package server

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// onPage serves an approval and gives its origin, its token and what it ended with.
func onPage(t *testing.T, a Approval) (origin, token string, ended chan error) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	link, ended := make(chan string, 1), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	go func() { ended <- ServeApproval(ctx, l, a, func(s string) { link <- s }) }()
	origin, token, _ = strings.Cut(<-link, "/#")
	return origin, token, ended
}

func ask(t *testing.T, method, url, body string, header map[string]string) (status int, text string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		if k == "Host" {
			r.Host = v
		}
		r.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(raw), res.Header
}

// TestApprovalPage: what does not come from the page itself learns nothing and decides nothing; a wrong answer can be mended; after the decision
// the page is gone.
func TestApprovalPage(t *testing.T) {
	var decided []ApprovalAnswer
	origin, token, ended := onPage(t, Approval{Review: "delete 208 <script>", Typing: true, Decide: func(_ context.Context, d ApprovalAnswer) (string, error) {
		if d.Passphrase != "right" {
			return "", fault.New(fault.Denied, "this is not the operator's passphrase")
		}
		decided = append(decided, d)
		return "done", nil
	}})
	good := map[string]string{"Content-Type": "application/json", "Origin": origin}
	body := `{"token":"` + token + `","approve":true,"typed":"208","passphrase":"right"}`
	for name, c := range map[string]struct {
		path, body string
		header     map[string]string
		want       int
	}{
		"another origin":     {"/decide", body, map[string]string{"Content-Type": "application/json", "Origin": "http://evil.example"}, 403},
		"no origin":          {"/decide", body, map[string]string{"Content-Type": "application/json"}, 403},
		"a name of our own":  {"/decide", body, map[string]string{"Content-Type": "application/json", "Origin": origin, "Host": "rebound.example"}, 403},
		"a form":             {"/decide", "approve=true", map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}, 400},
		"no token":           {"/review", `{}`, good, 403},
		"a wrong token":      {"/decide", strings.Replace(body, token, "x"+token[1:], 1), good, 403},
		"a body of 1 MB":     {"/decide", `{"typed":"` + strings.Repeat("x", 1<<20) + `"}`, good, 400},
		"a wrong passphrase": {"/decide", strings.Replace(body, "right", "wrong", 1), good, 409},
	} {
		if status, text, _ := ask(t, "POST", origin+c.path, c.body, c.header); status != c.want || strings.Contains(text, "208") {
			t.Errorf("%s: %d %s, want %d", name, status, text, c.want)
		}
	}
	if status, _, _ := ask(t, "GET", origin+"/decide?token="+token, "", nil); status != 405 {
		t.Errorf("by GET: %d", status)
	}
	status, page, h := ask(t, "GET", origin+"/", "", nil)
	if status != 200 || strings.Contains(page, "208") || strings.Contains(page, token) || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") ||
		strings.Contains(h.Get("Content-Security-Policy"), "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v\n%s", status, h, page)
	}
	if status, text, _ := ask(t, "POST", origin+"/review", `{"token":"`+token+`"}`, good); status != 200 || !strings.Contains(text, "delete 208") || strings.Contains(text, "<script>") {
		t.Errorf("%d %s", status, text)
	}
	if len(decided) != 0 {
		t.Fatalf("decided already: %+v", decided)
	}
	if status, text, _ := ask(t, "POST", origin+"/decide", body, good); status != 200 || !strings.Contains(text, "done") {
		t.Errorf("%d %s", status, text)
	}
	if err := <-ended; err != nil || len(decided) != 1 || !decided[0].Approve || decided[0].Typed != "208" {
		t.Errorf("%+v, %v", decided, err)
	}
	if status, text, _ := ask(t, "POST", origin+"/decide", body, good); status != 0 {
		t.Errorf("after the decision: %d %s", status, text)
	}
}

// TestApprovalEnds: wrong tokens close the page, and so does the end of the command; nothing is decided then.
func TestApprovalEnds(t *testing.T) {
	never := Approval{Decide: func(context.Context, ApprovalAnswer) (string, error) { return "", errors.New("decided") }}
	origin, _, ended := onPage(t, never)
	for range wrongTokens {
		ask(t, "POST", origin+"/review", `{"token":"guess"}`, map[string]string{"Content-Type": "application/json", "Origin": origin})
	}
	if err := <-ended; fault.CodeOf(err) != fault.Denied {
		t.Errorf("after wrong tokens: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := ServeApproval(ctx, l, never, func(string) {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after its end: %v", err)
	}
}
