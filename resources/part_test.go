package resources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	mcpserver "github.com/mark3labs/mcp-go/server"
	"github.com/tiktoken-go/tokenizer"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// stub knows guest 104 of each cluster, fails for others as their name says, and tells the news that it is given.
type stub struct {
	tools.Inventory
	calls []string
	mu    sync.Mutex // of news and asked
	news  []inventory.News
	asked int
	reach []string
	code  tools.Code
}

func (s *stub) Guest(_ context.Context, ref inventory.GuestRef) (inventory.GuestDetail, error) {
	s.calls = append(s.calls, ref.Cluster+"/"+ref.Name)
	switch ref.Name {
	case "104":
		return inventory.GuestDetail{Guest: inventory.Guest{VMID: 104, Name: "web\u202e", Node: "pve1", State: "running", Type: "qemu"}}, nil
	case "slow":
		return inventory.GuestDetail{}, fault.New(fault.Timeout, "no answer").WithHint("try again")
	case "panic":
		panic("a value")
	}
	return inventory.GuestDetail{}, fault.New(fault.NotFound, "no guest %q is known", ref.Name)
}

func (s *stub) Names(context.Context, string) (inventory.Names, error) {
	n := inventory.Names{Nodes: []string{"pve1", "pve2"}, Tasks: []string{"UPID:pve2:2", "UPID:pve1:1"}}
	for id := range 250 {
		n.Guests = append(n.Guests, inventory.GuestName{VMID: 100 + id, Name: fmt.Sprintf("web-%d", id)})
	}
	return n, nil
}

func (s *stub) follow(_ context.Context, _ []string, m inventory.Mark) ([]inventory.News, inventory.Mark, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	list := s.news
	s.news = nil
	return list, m, nil
}

// happened adds news and gives how often it was asked for any until now.
func (s *stub) happened(n ...inventory.News) (asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = append(s.news, n...)
	return s.asked
}

// open is a server with the part alone.
func open(t *testing.T, s *stub) (*mcpserver.MCPServer, *Part) {
	t.Helper()
	deps := func(context.Context) (tools.Deps, error) {
		return tools.Deps{Inventory: s, Code: s.code, Now: time.Now, Zone: time.UTC}, nil
	}
	clusters := func(context.Context) []string { return s.reach }
	p := New(Options{Deps: deps, Clusters: clusters, Logger: slog.New(slog.DiscardHandler), Follow: s.follow, Values: tools.Completer{Deps: deps, Clusters: clusters}.Values})
	h := &mcpserver.Hooks{}
	srv := mcpserver.NewMCPServer("t", "1", append(p.Options(h), mcpserver.WithHooks(h))...)
	p.Attach(srv)
	return srv, p
}

const modern = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`

func message(method, params string) []byte {
	if params != "" {
		params = "," + params
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":7,"method":%q,"params":{%s%s}}`, method, modern, params)
}

// request sends a request of 2026-07-28 and gives its result or error as JSON.
func request(t *testing.T, ctx context.Context, srv *mcpserver.MCPServer, method, params string) string {
	t.Helper()
	raw, err := json.Marshal(srv.HandleMessage(ctx, message(method, params)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestRead: an address answers what its tool answers; what is not there is "not found" with the reason, in the code of the client's revision;
// what fails otherwise says so; another's cluster is not there.
func TestRead(t *testing.T) {
	s := &stub{reach: []string{"home"}}
	srv, _ := open(t, s)
	for uri, want := range map[string][]string{
		"pve://home/guests/104":     {`"mimeType":"text/plain"`, `vm 104 web on pve1: running`, `"ttlMs":10000`, `"cacheScope":"private"`, `"uri":"pve://home/guests/104"`},
		"pve://home/guests/999":     {`"code":-32602`, `no guest \"999\" is known`},
		"pve://home/guests/slow":    {`"code":-32603`, `error timeout: no answer`, `try again`},
		"pve://home/guests/panic":   {`"code":-32603`, `internal error`},
		"pve://home/guests/..":      {`"code":-32602`},
		"pve://other/guests/104":    {`"code":-32602`},
		"pve://docs/queries":        {`"mimeType":"text/markdown"`, `# Query grammar`, `"ttlMs":3600000`, `"cacheScope":"public"`},
		"pve://docs/tools.md":       {`"mimeType":"text/markdown"`, `# Tools`, `"uri":"pve://docs/tools.md"`},
		"pve://docs/http.md#tls":    {`"mimeType":"text/markdown"`, `token create wallboard`},
		"pve://docs/trubleshooting": {`"code":-32602`, `there is no page of this name; the pages are queries, `, `did you mean pve://docs/troubleshooting?`},
		"pve://answer":              {`"code":-32602`},
	} {
		got := request(t, t.Context(), srv, "resources/read", fmt.Sprintf(`"uri":%q`, uri))
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %s\nis without %s", uri, got, w)
			}
		}
		if strings.Contains(got, "a value") || strings.Contains(got, "\u202e") {
			t.Errorf("%s: %s", uri, got)
		}
	}
	if slices.Contains(s.calls, "other/104") {
		t.Error("a cluster out of reach was asked")
	}
	raw, _ := json.Marshal(srv.HandleMessage(t.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"pve://home/guests/999"}}`)))
	if !strings.Contains(string(raw), `"code":-32002`) {
		t.Errorf("to a client of 2025-11-25: %s", raw)
	}
}

// TestLists: short, the same at each question, without a call; a client of another cluster does not see this one; each list within its bound.
func TestLists(t *testing.T) {
	s := &stub{reach: []string{"home"}}
	srv, _ := open(t, s)
	enc, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	for method, bound := range map[string]int{"resources/list": 900, "resources/templates/list": 700} {
		got := request(t, t.Context(), srv, method, "")
		if got != request(t, t.Context(), srv, method, "") {
			t.Errorf("%s differs from one question to the next", method)
		}
		n, err := enc.Count(got)
		t.Logf("%s: %d tokens of %d, %d bytes", method, n, bound, len(got))
		if err != nil || n > bound {
			t.Errorf("%s has %d tokens (%v), at most %d", method, n, err, bound)
		}
	}
	if got := request(t, t.Context(), srv, "resources/list", ""); !strings.Contains(got, "pve://home/health") || strings.Contains(got, inside) {
		t.Error(got)
	}
	s.reach = []string{"lab"}
	if got := request(t, t.Context(), srv, "resources/list", ""); strings.Contains(got, "home") || len(s.calls) > 0 {
		t.Errorf("%s after %v", got, s.calls)
	}
}

// exported is a cluster with some generated files.
type exported struct{ tools.Code }

var generated = []string{"COVERAGE.md", "README.md", "terraform/guests.tf", "terraform/modules/vm.tf", "terraform/nodes.tf"}

func (exported) Files(_ context.Context, cluster string) (string, []code.File, error) {
	var list []code.File
	for _, p := range generated {
		if cluster == "home" {
			list = append(list, code.File{Path: p})
		}
	}
	return cluster, list, nil
}

func (exported) File(_ context.Context, _, path string) (*code.File, error) {
	return &code.File{Path: path, Text: "text of " + path}, nil
}

// TestCode: a file, what a folder and the top hold, what is near a name that is none, and a cluster of which nothing was exported; paths are
// completed to the next slash.
func TestCode(t *testing.T) {
	s := &stub{reach: []string{"home", "lab"}, code: exported{}}
	srv, _ := open(t, s)
	for uri, want := range map[string][]string{
		"pve://home/code/README.md":           {`"mimeType":"text/markdown"`, `text of README.md`},
		"pve://home/code/terraform/guests.tf": {`"mimeType":"text/plain"`, `text of terraform/guests.tf`},
		"pve://home/code/terraform":           {`pve://home/code/terraform holds:\npve://home/code/terraform/guests.tf\npve://home/code/terraform/modules/\npve://home/code/terraform/nodes.tf\n"`},
		"pve://home/code":                     {`pve://home/code holds:\npve://home/code/COVERAGE.md\npve://home/code/README.md\npve://home/code/terraform/\n"`},
		"pve://home/code/terraform/guest.tf":  {`"code":-32602`, `no generated file or folder is called`, `did you mean terraform/guests.tf?`},
		"pve://home/code/terrafrm":            {`"code":-32602`, `did you mean terraform?`},
		"pve://lab/code":                      {`nothing was exported`, `export_code`},
		"pve://lab/code/README.md":            {`"code":-32602`, `export_code`},
	} {
		got := request(t, t.Context(), srv, "resources/read", fmt.Sprintf(`"uri":%q`, uri))
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %s\nis without %s", uri, got, w)
			}
		}
	}
	for arg, want := range map[string]string{
		`"argument":{"name":"path","value":""},"context":{"arguments":{"cluster":"home"}}`:             `{"values":["COVERAGE.md","README.md","terraform/"],"total":3}`,
		`"argument":{"name":"path","value":"terr"}`:                                                    `{"values":["terraform/"],"total":1}`,
		`"argument":{"name":"path","value":"terraform/"}`:                                              `{"values":["terraform/guests.tf","terraform/modules/","terraform/nodes.tf"],"total":3}`,
		`"argument":{"name":"path","value":"terraform/"},"context":{"arguments":{"cluster":"lab"}}`:    `{"values":[]}`,
		`"argument":{"name":"path","value":"terraform/"},"context":{"arguments":{"cluster":"nosuch"}}`: `{"values":[]}`,
	} {
		got := request(t, t.Context(), srv, "completion/complete", `"ref":{"type":"ref/resource","uri":"pve://{cluster}/code/{+path}"},`+arg)
		if !strings.Contains(got, `"completion":`+want) {
			t.Errorf("%s: %s, want %s", arg, got, want)
		}
	}
}

// TestOffered: where a tool is not offered its resource is not listed, read, completed or subscribed to.
func TestOffered(t *testing.T) {
	s := &stub{reach: []string{"home"}}
	srv, p := open(t, s)
	p.o.Offered = func(_ context.Context, tool string) bool { return tool == "check_health" }
	if got := request(t, t.Context(), srv, "resources/list", ""); strings.Contains(got, "overview") || !strings.Contains(got, "pve://home/health") {
		t.Error(got)
	}
	for _, guest := range []string{"104", "999"} {
		if got := request(t, t.Context(), srv, "resources/read", fmt.Sprintf(`"uri":"pve://home/guests/%s"`, guest)); !strings.Contains(got, "-32602") ||
			!strings.Contains(got, "pve://{cluster}/guests/{vmid} is not open to you") || len(s.calls) > 0 {
			t.Error(got)
		}
	}
	if got := request(t, t.Context(), srv, "resources/read", `"uri":"pve://other/guests/104"`); !strings.Contains(got, "no cluster that you may ask has this name") {
		t.Error(got)
	}
	if got := request(t, t.Context(), srv, "resources/templates/list", ""); strings.Contains(got, "guests") || strings.Contains(got, "/code") ||
		!strings.Contains(got, "pve://{cluster}/health") || !strings.Contains(got, "pve://docs/{name}") || strings.Contains(got, "public") {
		t.Error(got)
	}
	if got := request(t, t.Context(), srv, "completion/complete", `"ref":{"type":"ref/resource","uri":"pve://{cluster}/guests/{vmid}"},"argument":{"name":"vmid","value":""}`); !strings.Contains(got, `"values":[]`) {
		t.Error(got)
	}
	raw, _ := json.Marshal(srv.HandleMessage(srv.WithContext(t.Context(), newSession("x")), []byte(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"pve://home/guests/104"}}`)))
	if !strings.Contains(string(raw), "guests/{vmid} is not open to you") || p.hub.total > 0 {
		t.Errorf("subscribed: %s", raw)
	}
}

// TestCompletion: within reach, at most 100 values with their number.
func TestCompletion(t *testing.T) {
	s := &stub{reach: []string{"home"}}
	srv, _ := open(t, s)
	for arg, want := range map[string]string{
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/guests/{vmid}"},"argument":{"name":"vmid","value":"web-12"}`:                                      `{"values":["112","220","221","222","223","224","225","226","227","228","229",`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/guests/{vmid}"},"argument":{"name":"vmid","value":"101"}`:                                         `{"values":["101"],"total":1}`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/guests/{vmid}"},"argument":{"name":"cluster","value":""}`:                                         `{"values":["home"],"total":1}`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/nodes/{node}"},"argument":{"name":"node","value":""},"context":{"arguments":{"cluster":"other"}}`: `{"values":[]}`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/nodes/{node}"},"argument":{"name":"node","value":""},"context":{"arguments":{"cluster":"home"}}`:  `{"values":["pve1","pve2"],"total":2}`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/tasks/{upid}"},"argument":{"name":"upid","value":""}`:                                             `{"values":["UPID:pve2:2","UPID:pve1:1"],"total":2}`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/tasks/{upid}"},"argument":{"name":"upid","value":"UPID:pve1"}`:                                    `{"values":["UPID:pve1:1"],"total":1}`,
		`"ref":{"type":"ref/resource","uri":"pve://docs/{name}"},"argument":{"name":"name","value":"qu"}`:                                                      `{"values":["queries"],"total":1}`,
		`"ref":{"type":"ref/resource","uri":"pve://{cluster}/nosuch"},"argument":{"name":"x","value":""}`:                                                      `{"values":[]}`,
	} {
		if got := request(t, t.Context(), srv, "completion/complete", arg); !strings.Contains(got, `"completion":`+want) {
			t.Errorf("%s: %s, want %s", arg, got, want)
		}
	}
	got := request(t, t.Context(), srv, "completion/complete", `"ref":{"type":"ref/resource","uri":"pve://{cluster}/guests/{vmid}"},"argument":{"name":"vmid","value":""}`)
	if !strings.Contains(got, `"total":250,"hasMore":true`) || strings.Count(got, `","`) < 99 {
		t.Error(got)
	}
}

// session is a client's session that keeps what it is told.
type session struct {
	id  string
	got chan mcp.JSONRPCNotification
}

func newSession(id string) *session { return &session{id, make(chan mcp.JSONRPCNotification, 10)} }

func (s *session) SessionID() string                                   { return s.id }
func (s *session) NotificationChannel() chan<- mcp.JSONRPCNotification { return s.got }
func (s *session) Initialize()                                         {}
func (s *session) Initialized() bool                                   { return true }

// heard empties what a session was told: "uri" of an update, "uri@id" of one of a stream.
func (s *session) heard() []string {
	out := []string{}
	for {
		select {
		case n := <-s.got:
			text := fmt.Sprint(n.Params.AdditionalFields["uri"])
			if n.Method != mcp.MethodNotificationResourceUpdated {
				text = n.Method
			}
			if id := n.Params.Meta[mcp.MetaKeySubscriptionID]; id != nil {
				text += fmt.Sprintf("@%v", id)
			}
			out = append(out, text)
		default:
			return out
		}
	}
}

// TestSubscriptions: both forms hear of what they asked for, as they wrote it, once per second at most, and nothing after they ended; what cannot
// be served is refused or left out of the acknowledgement; while nobody listens nothing is asked.
func TestSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{reach: []string{"home"}}
		srv, p := open(t, s)
		ctx, end := context.WithCancel(t.Context())
		defer end()
		go p.Serve(ctx)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := s.happened(); n != 0 {
			t.Errorf("nobody subscribed, asked %d times", n)
		}
		old := newSession("old")
		oldCtx := srv.WithContext(t.Context(), old)
		send := func(method, uri string) string {
			raw, _ := json.Marshal(srv.HandleMessage(oldCtx, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"resources/%s","params":{"uri":%q}}`, method, uri)))
			return string(raw)
		}
		for uri, ok := range map[string]bool{"pve://home/guests/104": true, "pve://home/overview/": true, "pve://docs/queries": false, "pve://home/code/a": false, "pve://other/overview": false, "nonsense": false} {
			if got := send("subscribe", uri); strings.Contains(got, "error") == ok {
				t.Errorf("subscribing to %s: %s", uri, got)
			}
		}
		stream := newSession("")
		streamCtx, hangUp := context.WithCancel(srv.WithContext(t.Context(), stream))
		go srv.HandleMessage(streamCtx, message("subscriptions/listen", `"notifications":{"resourceSubscriptions":["pve://home/guests/web","pve://docs/queries","pve://other/health"]}`))
		time.Sleep(3 * time.Second)
		if got := stream.heard(); !slices.Equal(got, []string{"notifications/subscriptions/acknowledged@7"}) {
			t.Errorf("acknowledged: %v", got)
		}
		changed := inventory.News{Cluster: "home", Kind: "guest", ID: "104", Name: "web"}
		for range 5 { // five changes within a second are one
			s.happened(changed)
			p.Kick()
			time.Sleep(150 * time.Millisecond)
		}
		time.Sleep(3 * time.Second)
		got := old.heard()
		slices.Sort(got)
		if n := len(got); n < 2 || n > 4 || !slices.Contains(got, "pve://home/guests/104") || !slices.Contains(got, "pve://home/overview/") {
			t.Errorf("told %v", got)
		}
		if got := stream.heard(); len(got) < 1 || len(got) > 2 || got[0] != "pve://home/guests/web@7" {
			t.Errorf("the stream was told %v", got)
		}
		send("unsubscribe", "pve://home/overview")
		hangUp()
		time.Sleep(time.Second)
		s.happened(changed, inventory.News{Cluster: "home", Kind: "node", ID: "pve1"})
		time.Sleep(3 * time.Second)
		if a, b := old.heard(), stream.heard(); !slices.Equal(a, []string{"pve://home/guests/104"}) || len(b) != 0 {
			t.Errorf("after the end: %v, %v", a, b)
		}
		p.hub.gone(old)
		p.hub.mu.Lock()
		defer p.hub.mu.Unlock()
		if p.hub.total != 0 || len(p.hub.byAddress)+len(p.hub.sessions)+len(p.hub.perCaller)+len(p.hub.clusters) != 0 {
			t.Errorf("left over: %+v", p.hub)
		}
		end()
		synctest.Wait()
	})
}

// TestManySubscribers: a thousand cost one question a round, and hear of a change once each; a caller's subscriptions are bounded, another's are not
// less for it.
func TestManySubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stub{reach: []string{"home"}}
		_, p := open(t, s)
		a, err := parse("pve://home/guests/104")
		if err != nil {
			t.Fatal(err)
		}
		var all []*session
		for range maxPerCaller + 100 {
			one := newSession("x")
			all = append(all, one)
			p.hub.add(p.hub.session(one, "greedy"), a, "pve://home/guests/104")
		}
		if p.hub.total != maxPerCaller || p.hub.full("greedy") == nil || p.hub.full("other") != nil {
			t.Errorf("%d subscriptions of one caller", p.hub.total)
		}
		ctx, end := context.WithCancel(t.Context())
		go p.Serve(ctx)
		time.Sleep(5 * time.Second)
		before := s.happened(inventory.News{Cluster: "home", Kind: "guest", ID: "104"})
		time.Sleep(10 * time.Second)
		if n := s.happened() - before; n > 6 {
			t.Errorf("%d questions in 10 s", n)
		}
		for k, one := range all[:maxPerCaller] {
			if got := one.heard(); len(got) != 1 {
				t.Fatalf("session %d was told %v", k, got)
			}
		}
		end()
		synctest.Wait()
	})
}

// TestFollowingFails: the store's trouble ends nothing; what comes after it is told.
func TestFollowingFails(t *testing.T) {
	s := &stub{reach: []string{"home"}}
	_, p := open(t, s)
	last := newSeen()
	p.o.Follow = func(context.Context, []string, inventory.Mark) ([]inventory.News, inventory.Mark, error) {
		return nil, inventory.Mark{}, errors.New("the store is away")
	}
	p.round(t.Context(), []string{"home"}, &last)
	if last.trouble == "" {
		t.Error("no trouble was noted")
	}
	p.o.Follow = s.follow
	p.round(t.Context(), []string{"home"}, &last)
	if d := cmp.Diff("", last.trouble); d != "" {
		t.Error(d)
	}
}
