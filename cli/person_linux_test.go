package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const passphrase = "correct horse battery"

// typist reads what the program says and types an answer when a prompt shows.
type typist struct {
	mu      sync.Mutex
	said    bytes.Buffer
	seen    int
	answers [][2]string // prompt, answer, in order
	always  [][2]string // the same, whenever the prompt shows
	keys    *os.File
	typed   func(line string, hidden bool) string // how what is typed looks; nil: not at all
}

// Write implements io.Writer: the program's standard error.
func (p *typist) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.Write(b)
	for len(p.answers) > 0 {
		at := strings.Index(p.said.String()[p.seen:], p.answers[0][0])
		if at < 0 {
			break
		}
		p.seen += at + len(p.answers[0][0])
		p.enter(p.answers[0][1])
		p.answers = p.answers[1:]
	}
	for _, a := range p.always {
		if at := strings.Index(p.said.String()[p.seen:], a[0]); at >= 0 {
			p.seen += at + len(a[0])
			p.enter(a[1])
		}
	}
	return len(b), nil
}

// enter types a line. Where the terminal shows what is typed, it is part of what is seen.
func (p *typist) enter(line string) {
	_, _ = p.keys.WriteString(line + "\n")
	if p.typed == nil {
		return
	}
	seen := p.said.String()
	prompt := seen[strings.LastIndexByte(seen, '\n')+1:]
	if strings.Contains(prompt, "not shown while you type") || strings.HasPrefix(prompt, "once more") {
		p.said.WriteString(p.typed("", true)) // the program ends the line
		return
	}
	p.said.WriteString(p.typed(line, false) + "\n")
}

// person runs a command line at a terminal and answers its prompts in order.
func (r *rig) person(t *testing.T, answers [][2]string, args ...string) (out, said string, code int) {
	t.Helper()
	master, terminal := cli.PseudoTerminal(t)
	p := &typist{answers: answers, keys: master}
	var o bytes.Buffer
	args = append([]string{"--config", configFile(r.home), "--state", filepath.Join(r.home, "state.db")}, args...)
	code = cli.Run(t.Context(), r.app, args, cli.Streams{In: terminal, Out: &o, Err: p})
	if len(p.answers) > 0 {
		t.Errorf("%q never asked %q:\n%s%s", args, p.answers[0][0], o.String(), p.said.String())
	}
	if strings.Contains(o.String()+p.said.String(), passphrase) {
		t.Errorf("%q shows the passphrase", args)
	}
	return o.String(), p.said.String(), code
}

// does is person for what has to work.
func (r *rig) does(t *testing.T, answers [][2]string, args ...string) string {
	t.Helper()
	out, said, code := r.person(t, answers, args...)
	if code != 0 {
		t.Fatalf("%q: exit code %d\n%s%s", args, code, out, said)
	}
	return out
}

var pass = [2]string{"passphrase (not shown", passphrase}

// operated is a homelab whose owner has a passphrase and allowed a tier.
func operated(t *testing.T, tier string) *rig {
	t.Helper()
	r := newRig(t, pvesim.DemoWorld(time.Now()))
	r.does(t, [][2]string{{"new operator's passphrase", passphrase}, {"once more", passphrase}}, "operator", "init")
	r.does(t, [][2]string{pass}, "allow", tier)
	return r
}

func (r *rig) exists(vmid int) bool {
	var is bool
	r.sim.Update(func(w *pvesim.World) { is = w.Guest(vmid) != nil })
	return is
}

func (r *rig) audit(t *testing.T, f store.AuditFilter) []store.AuditRow {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(r.home, "state.db"), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	rows, err := db.Audit(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestApprove walks the way of a destruction as a person does: asked for, refused without terminal, with a wrong id and a wrong passphrase,
// then approved (S04, S05, S06).
func TestApprove(t *testing.T) {
	r := operated(t, "destructive")
	out, errOut, _ := r.run(t.Context(), "guest", "delete", "208")
	id := planID.FindString(out)
	if id == "" || !strings.Contains(out, " plan approve "+id) || !strings.Contains(out, "--state "+filepath.Join(r.home, "state.db")) {
		t.Fatalf("the answer has no line to paste:\n%s%s", out, errOut)
	}
	if _, _, code := r.run(t.Context(), "plan", "apply", id); code == 0 || !r.exists(208) {
		t.Errorf("applied without approval: exit code %d", code)
	}
	if _, errOut, code := r.run(t.Context(), "plan", "approve", id); code != 2 || !strings.Contains(errOut, "on a terminal") {
		t.Errorf("without a terminal: exit code %d, %s", code, errOut)
	}
	if _, said, code := r.person(t, [][2]string{{"Type the id", "200"}}, "plan", "approve", id); code != 2 || !strings.Contains(said, "not what plan") {
		t.Errorf("a wrong id: exit code %d\n%s", code, said)
	}
	if _, said, code := r.person(t, [][2]string{{"Type the id", "208"}, {"passphrase", "wrong donkey battery"}}, "plan", "approve", id); code != 4 {
		t.Errorf("a wrong passphrase: exit code %d\n%s", code, said)
	}
	if !r.exists(208) {
		t.Fatal("destroyed without approval")
	}
	if out := r.does(t, nil, "plan", "approve"); !strings.Contains(out, id) {
		t.Errorf("what waits:\n%s", out)
	}
	if out = r.does(t, [][2]string{{"Type the id", "208"}, pass}, "plan", "approve", id); r.exists(208) || !strings.Contains(out, "does not exist any more") {
		t.Errorf("approved: %s", out)
	}
	for _, q := range r.sim.Requests() {
		if q.Method == "DELETE" && (strings.Contains(q.Query, "purge=1") || strings.Contains(q.Query, "disks=1")) {
			t.Errorf("more than the guest was asked for: %+v", q)
		}
	}
	rows := r.audit(t, store.AuditFilter{Plan: id, Forward: true})
	var events []string
	for _, a := range rows {
		events = append(events, a.Principal[:5]+" "+a.Event)
	}
	if got := strings.Join(events, ", "); !strings.Contains(got, "local plan") || !strings.Contains(got, "opera approve, opera apply, opera send") {
		t.Errorf("audit: %s", got)
	}
}

// TestReject: what was rejected is not applied any more, and its requester reads why.
func TestReject(t *testing.T) {
	r := operated(t, "disruptive")
	id := r.plan(t, "--dry-run")
	r.does(t, [][2]string{pass}, "plan", "reject", id, "--reason", "not on a Friday")
	if out, errOut, code := r.run(t.Context(), "plan", "apply", id); code == 0 {
		t.Errorf("a rejected plan is applied: %s%s", out, errOut)
	}
	if out, _, _ := r.run(t.Context(), "plan", "show", id); !strings.Contains(out, "not on a Friday") {
		t.Error(out)
	}
}

// TestAllow: each door of the owner asks for the passphrase, except those that take away; a second passphrase wants the first.
func TestAllow(t *testing.T) {
	r := operated(t, "reversible")
	if _, _, code := r.run(t.Context(), "guest", "power", "200", "stop"); code != 4 {
		t.Errorf("more than was allowed: exit code %d", code)
	}
	if _, said, code := r.person(t, [][2]string{{"passphrase", "wrong donkey battery"}}, "allow", "host"); code != 4 {
		t.Errorf("exit code %d\n%s", code, said)
	}
	r.does(t, [][2]string{pass}, "grant", "--vmid", "208", "--tier", "disruptive", "--for", "2h")
	if out, _, _ := r.run(t.Context(), "allow"); !strings.Contains(out, "vmid 208") || !strings.Contains(out, "reversible") {
		t.Error(out)
	}
	if _, said, code := r.person(t, [][2]string{{"holds now", "wrong donkey battery"}, {"new operator's", "x"}, {"once more", "x"}}, "operator", "init"); code != 4 {
		t.Errorf("another passphrase without the old one: exit code %d\n%s", code, said)
	}
	if out, _, code := r.run(t.Context(), "stop", "--reason", "smoke"); code != 0 || !strings.Contains(out, "STOPPED") {
		t.Errorf("stop: exit code %d, %s", code, out)
	}
	if _, errOut, code := r.run(t.Context(), "guest", "power", "208", "start"); code != 4 || !strings.Contains(errOut, "smoke") {
		t.Errorf("while stopped: exit code %d, %s", code, errOut)
	}
	if _, errOut, code := r.run(t.Context(), "stop", "--off"); code != 2 {
		t.Errorf("stop --off without a terminal: exit code %d, %s", code, errOut)
	}
	r.does(t, [][2]string{pass}, "stop", "--off")
	if out, _, code := r.run(t.Context(), "allow", "--none"); code != 0 || !strings.Contains(out, "Nothing is allowed") {
		t.Errorf("allow --none: exit code %d, %s", code, out)
	}
}

// linkReader waits for the link that a command prints.
type linkReader struct{ links chan string }

var pageLink = regexp.MustCompile(`http://127\.0\.0\.1:\d+/#\S+`)

// Write implements io.Writer.
func (l linkReader) Write(b []byte) (int, error) {
	if link := pageLink.FindString(string(b)); link != "" {
		l.links <- link
	}
	return len(b), nil
}

// TestApproveByPage: without a terminal the same is decided on a page, by who knows the passphrase.
func TestApproveByPage(t *testing.T) {
	r := operated(t, "destructive")
	out, _, _ := r.run(t.Context(), "guest", "delete", "208")
	id := planID.FindString(out)
	l, code := linkReader{make(chan string, 1)}, make(chan int, 1)
	var answer bytes.Buffer
	go func() {
		args := []string{"--config", configFile(r.home), "--state", filepath.Join(r.home, "state.db"), "plan", "approve", id, "--browser"}
		code <- cli.Run(t.Context(), r.app, args, cli.Streams{In: strings.NewReader(""), Out: &answer, Err: l})
	}()
	origin, token, _ := strings.Cut(<-l.links, "/#")
	post := func(path, typed, pass string) (int, string) {
		body := fmt.Sprintf(`{"token":%q,"approve":true,"typed":%q,"passphrase":%q}`, token, typed, pass)
		q, err := http.NewRequestWithContext(t.Context(), "POST", origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Content-Type", "application/json")
		q.Header.Set("Origin", origin)
		res, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(raw)
	}
	if status, text := post("/review", "", ""); status != 200 || !strings.Contains(text, "208 test-debian") {
		t.Errorf("review: %d %s", status, text)
	}
	if status, text := post("/decide", "200", passphrase); status != 409 || !strings.Contains(text, "not what plan") {
		t.Errorf("a wrong id: %d %s", status, text)
	}
	if status, text := post("/decide", "208", "wrong donkey battery"); status != 409 || !r.exists(208) {
		t.Errorf("a wrong passphrase: %d %s", status, text)
	}
	if status, text := post("/decide", "208", passphrase); status != 200 || r.exists(208) {
		t.Errorf("approved: %d %s", status, text)
	}
	if c := <-code; c != 0 || !strings.Contains(answer.String(), "does not exist any more") {
		t.Errorf("exit code %d\n%s", c, answer.String())
	}
}
