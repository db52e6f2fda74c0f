package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// The guests of the story: one that runs and is changed, one that nobody misses.
const (
	storyGuest, storyGuestPath = "210", "/nodes/pve1/qemu/210"
	storyDoomed                = "208"
)

// storyLimit bounds the whole story: it takes some 10 s, most of them tasks of the simulated cluster.
const storyLimit = 3 * time.Minute

// story is a session of an agent over MCP on the simulated homelab, with its owner beside it. The first error ends it.
type story struct {
	*demo
	app    *App
	out    io.Writer
	agent  *client
	other  *proxmox.Client // somebody else's way to the simulated cluster, past this program's engine and store
	desk   *desk
	person cli.Terminal
	err    error
}

// stories are what demo --story tells, by name.
var stories = map[string]func(*story, context.Context){"change": (*story).tell, "lifecycle": (*story).lifecycle, "code": (*story).code}

// tellStory implements demo --story.
func (a *App) tellStory(ctx context.Context, g cli.Globals, name string, out, errOut io.Writer) error {
	log, err := a.logger(g, errOut)
	if err != nil {
		return err
	}
	d, err := a.startDemo(log)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	ctx, cancel := deadline(ctx, storyLimit)
	defer cancel()
	if err := errors.Join(d.parts.inv.Complete(ctx, "", nil), d.parts.readSettings(ctx, func(string) {})); err != nil {
		return err
	}
	db, err := d.parts.openStore(ctx, a.Clock)
	if err != nil {
		return err
	}
	s := &story{demo: d, app: a, out: out}
	s.desk = &desk{parts: d.parts, app: a, db: db, keeper: a.keeper(db), deps: a.deps(d.parts, server.LocalPrincipal(), "cli")}
	s.desk.deps.Who = operator("cli")
	s.person = s.owner()
	pool, err := proxmox.NewPool([]proxmox.ClusterConfig{clientConfig(d.parts.cfg.Clusters[0])}, proxmox.WithClock(a.Clock))
	if err != nil {
		return err
	}
	defer pool.Close()
	if s.other, err = pool.Get(d.parts.cfg.Clusters[0].Name); err != nil {
		return err
	}
	in, toServer := io.Pipe()
	fromServer, answers := io.Pipe()
	served := make(chan error, 1)
	go func() {
		l := &lazy{clusters: []string{demoCluster}, allowed: func() string { return d.parts.grants.Path }, open: func(context.Context) (*parts, error) { return d.parts, nil }}
		err := a.serveStdio(ctx, l, tools.Caller{}, tools.Toolset{}, in, answers, log)
		_ = answers.CloseWithError(io.EOF)
		served <- err
	}()
	if s.agent, s.err = connectClient(toServer, fromServer); s.err == nil {
		stories[name](s, ctx)
	}
	_ = toServer.Close()
	go func() { _, _ = io.Copy(io.Discard, fromServer) }()
	if err := <-served; s.err == nil {
		s.err = err
	}
	return s.err
}

// owner is who sits at the terminal: the story types what a person would.
func (s *story) owner() cli.Terminal {
	passphrase := rand.Text()
	typed := func(prompt, text string) {
		s.line("  %s%s", prompt, text)
	}
	return cli.Terminal{Out: io.Discard, Progress: func(string, int, int) {},
		Secret: func(prompt string) (string, error) {
			typed(prompt, "********")
			return passphrase, nil
		},
		Ask: func(prompt string) (string, error) {
			typed(prompt, storyDoomed)
			return storyDoomed, nil
		}}
}

func (s *story) tell(ctx context.Context) {
	s.line("An agent, its owner and a simulated homelab. Each call below is a real one over MCP, on a store, a list of what is allowed and a\n" +
		"passphrase of the demo's own; your files are not touched. Answers are shortened.")
	s.title("Nothing is allowed at first")
	s.listed(ctx)
	s.call(ctx, "power_guest", map[string]any{"guest": storyGuest, "action": "stop"})
	s.title("Its owner allows changes, with a passphrase that the agent does not know")
	s.allow(ctx)
	s.listed(ctx)
	s.title("A snapshot: reversible, so it runs at once")
	s.call(ctx, "snapshot_guest", map[string]any{"guest": storyGuest, "action": "create", "snapshot": "before-upgrade"})
	s.title("More memory: disruptive, so it is planned first")
	plan := s.planned(ctx, "update_guest", map[string]any{"guest": storyGuest, "memory_mib": 6144})
	s.title("The plan is stale: somebody else was faster")
	s.elsewhere(ctx, "PUT", storyGuestPath+"/config", "memory", "5120")
	s.call(ctx, "apply_plan", map[string]any{"plan": plan})
	s.title("Planned again on what is now, and applied")
	plan = s.planned(ctx, "update_guest", map[string]any{"guest": storyGuest, "memory_mib": 6144})
	s.call(ctx, "apply_plan", map[string]any{"plan": plan})
	s.title("To destroy a guest waits for its owner")
	doomed := s.planned(ctx, "delete_guest", map[string]any{"guest": storyDoomed})
	s.call(ctx, "apply_plan", map[string]any{"plan": doomed})
	s.title("The owner reads the plan and approves it on a terminal")
	s.approve(ctx, doomed)
	s.title("The memory is taken back")
	s.call(ctx, "apply_plan", map[string]any{"plan": s.planned(ctx, "undo_change", map[string]any{"plan": plan})})
	s.title("What Proxmox VE says now, asked past this program's store")
	s.state(ctx)
	s.title("Every step is in the audit")
	s.audit(ctx)
}

func (s *story) line(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *story) title(text string) {
	if s.err == nil {
		s.line("\n── %s %s", text, strings.Repeat("─", max(3, 96-len(text))))
	}
}

// call shows a call of the agent and what came back, and returns the answer's text.
func (s *story) call(ctx context.Context, tool string, args map[string]any) string {
	if s.err != nil {
		return ""
	}
	raw, err := json.Marshal(args)
	if err != nil {
		s.err = err
		return ""
	}
	s.line("%s", wrapped(fmt.Sprintf("agent> %s %s", tool, raw), callWidth, ""))
	text, err := s.agent.call(ctx, tool, raw)
	s.err = err
	s.show(text)
	return text
}

var planID = regexp.MustCompile(`\bp-[a-z2-7]{8}\b`)

// planned is call for what answers with a plan: it returns the plan's id.
func (s *story) planned(ctx context.Context, tool string, args map[string]any) string {
	text := s.call(ctx, tool, args)
	id := planID.FindString(text)
	if s.err == nil && id == "" {
		s.err = fault.New(fault.Internal, "%s answered without a plan: %s", tool, text)
	}
	return id
}

// How much of an answer the story shows.
const (
	storyLines = 14
	storyWidth = 98
	callWidth  = 126
)

func (s *story) show(text string) {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for _, l := range lines[:min(len(lines), storyLines)] {
		s.line("%s", wrapped(strings.ReplaceAll(l, "\t", "  "), storyWidth, "  "))
	}
	if more := len(lines) - storyLines; more > 0 {
		s.line("  ... %d lines more", more)
	}
}

// wrapped breaks a line at spaces; what goes on is indented deeper.
func wrapped(text string, width int, indent string) string {
	var out []string
	for prefix := indent; ; prefix = indent + "    " {
		room := width - len(prefix)
		r := []rune(text)
		if len(r) <= room {
			return strings.Join(append(out, prefix+text), "\n")
		}
		cut := strings.LastIndexByte(string(r[:room]), ' ')
		if cut <= 0 {
			cut = len(string(r[:room]))
		}
		out, text = append(out, prefix+text[:cut]), strings.TrimLeft(text[cut:], " ")
	}
}

func (s *story) listed(ctx context.Context) {
	if s.err != nil {
		return
	}
	var n, changing int
	if n, changing, s.err = s.agent.listed(ctx); s.err == nil {
		s.line("agent> tools/list\n  %d tools, %d of them can change something", n, changing)
	}
}

// allow is what operator init and allow do on a terminal.
func (s *story) allow(ctx context.Context) {
	if s.err != nil {
		return
	}
	s.line("owner> proxmox-mcp operator init        (no terminal is needed here: the demo types)")
	fresh, err := s.person.Secret("new operator's passphrase (not shown while you type): ")
	if err == nil {
		err = s.desk.keeper.Init(ctx, "", fresh)
	}
	if err == nil {
		s.line("owner> proxmox-mcp allow destructive --for 1h")
		err = prove(ctx, s.desk.keeper, s.person)
	}
	grant := change.Grant{Tier: change.Destructive, Until: s.app.Clock().Add(time.Hour).UTC().Truncate(time.Second)}
	if err == nil {
		err = s.desk.keeper.Open(ctx, &change.GrantFile{Path: s.parts.grants.Path}, grant)
	}
	if s.err = err; err == nil {
		s.line("  allowed: %s", grant)
	}
}

// elsewhere sends a request to Proxmox VE past all plans, as its web interface does.
func (s *story) elsewhere(ctx context.Context, method, path string, pairs ...string) {
	if s.err != nil {
		return
	}
	var params proxmox.Params
	for pair := range slices.Chunk(pairs, 2) {
		params = params.Str(pair[0], pair[1])
	}
	_, s.err = s.other.Raw(ctx, method, path, params)
	s.line("somebody in Proxmox VE's web interface> %s %s %s", method, path, strings.Join(pairs, "="))
}

// approve is plan approve.
func (s *story) approve(ctx context.Context, id string) {
	if s.err != nil {
		return
	}
	s.line("owner> proxmox-mcp plan approve %s", id)
	var review strings.Builder
	t := s.person
	ask := t.Ask
	t.Out = &review
	t.Ask = func(prompt string) (string, error) {
		s.show(review.String())
		return ask(prompt)
	}
	r, err := s.desk.approve(ctx, cli.ApproveOptions{ID: id}, t)
	if err == nil && r.Failed {
		err = cli.ErrFailed
	}
	if s.err = err; err == nil {
		var b strings.Builder
		s.err = cli.WriteView(&b, r.View)
		s.show(b.String())
	}
}

// state asks the simulated cluster itself.
func (s *story) state(ctx context.Context) {
	if s.err != nil {
		return
	}
	for _, ask := range []struct {
		path string
		read func(json.RawMessage) string
	}{
		{storyGuestPath + "/config", memoryOf},
		{storyGuestPath + "/snapshot", snapshotsOf},
		{"/cluster/resources", func(raw json.RawMessage) string { return existence(raw, storyDoomed) }},
	} {
		raw, err := s.other.Raw(ctx, "GET", ask.path, nil)
		if err != nil {
			s.err = err
			return
		}
		s.line("  GET %-36s %s", ask.path, ask.read(raw))
	}
}

func memoryOf(raw json.RawMessage) string {
	var c map[string]any
	if json.Unmarshal(raw, &c) != nil {
		return "cannot be read"
	}
	return fmt.Sprintf("memory %v", c["memory"])
}

func snapshotsOf(raw json.RawMessage) string {
	var list []struct{ Name string }
	if json.Unmarshal(raw, &list) != nil {
		return "cannot be read"
	}
	var names []string
	for _, sn := range list {
		if sn.Name != "current" {
			names = append(names, sn.Name)
		}
	}
	return "snapshots: " + strings.Join(names, ", ")
}

func existence(raw json.RawMessage, vmid string) string {
	type resource struct{ VMID json.Number }
	var list []resource
	if json.Unmarshal(raw, &list) != nil {
		return "cannot be read"
	}
	list = slices.DeleteFunc(list, func(r resource) bool { return r.VMID == "" })
	exists := "does not exist"
	if slices.ContainsFunc(list, func(r resource) bool { return r.VMID.String() == vmid }) {
		exists = "exists"
	}
	return fmt.Sprintf("guest %s %s; %d guests", vmid, exists, len(list))
}

// audit counts the rows of each event, in the order in which the first of them came, and verifies the chain.
func (s *story) audit(ctx context.Context) {
	if s.err != nil {
		return
	}
	rows, err := s.desk.db.Audit(ctx, store.AuditFilter{Forward: true, Limit: 1000})
	if err != nil {
		s.err = err
		return
	}
	var events []string
	count := map[string]int{}
	for k := range rows {
		if count[rows[k].Event]++; count[rows[k].Event] == 1 {
			events = append(events, rows[k].Event)
		}
	}
	for k, e := range events {
		events[k] = fmt.Sprintf("%d %s", count[e], e)
	}
	s.line("%s", wrapped("rows: "+strings.Join(events, ", "), storyWidth, "  "))
	s.line("owner> proxmox-mcp audit verify")
	var report store.AuditReport
	report, err = s.desk.db.VerifyAudit(ctx, nil)
	switch {
	case err != nil:
		s.err = err
	case !report.OK():
		s.err = fault.New(fault.StoreCorrupt, "the audit is not as it was written: %s", report.Problem)
	default:
		s.line("  sound: %d rows, each in its place and as it was written; head %d %.16s", report.Rows, report.Head.Seq, report.Head.Hash)
	}
}
