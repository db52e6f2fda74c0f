package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// setupReport is what setup did and found. What was not looked at is left out.
type setupReport struct {
	Config   string       `json:"config,omitempty"`
	Kept     string       `json:"config_backup,omitempty"` // the configuration as it was
	Cluster  string       `json:"cluster,omitempty"`
	Login    string       `json:"login,omitempty"` // without its secret
	Version  string       `json:"version,omitempty"`
	Pinned   []string     `json:"pinned,omitempty"`
	Tools    string       `json:"tools,omitempty"`
	Lacks    []tools.Lack `json:"lacks,omitempty"`
	Recipe   []string     `json:"recipe,omitempty"`
	Without  []string     `json:"recipe_leaves_out,omitempty"`
	Clients  []clientDone `json:"clients,omitempty"`
	Operator string       `json:"operator,omitempty"` // set, known, not set
	Allowed  string       `json:"allowed,omitempty"`
	Next     []string     `json:"next,omitempty"`
}

// setup is one run of the command.
type setup struct {
	*App
	g     cli.Globals
	o     cli.SetupOptions
	t     cli.Terminal
	level tools.Tier
	out   setupReport
}

// Setup implements cli.Program. The dialogue goes to t; the report says at the end what was done.
func (a *App) Setup(ctx context.Context, g cli.Globals, o cli.SetupOptions, t cli.Terminal) (cli.Report, error) {
	s := &setup{App: a, g: g, o: o, t: t}
	if o.Allow != "" {
		s.level, _ = change.TierOf(o.Allow) // the command line was checked
	}
	var err error
	switch {
	case o.Recipe:
		r := recipeFor(s.level)
		s.out.Recipe, s.out.Without = r.Lines, r.Without
	case o.Remove:
		err = s.register(true)
	default:
		err = s.all(ctx)
	}
	if err != nil {
		return cli.Report{}, err
	}
	return s.report(), nil
}

func (s *setup) all(ctx context.Context) error {
	if err := s.clientsChecked(); err != nil {
		return err
	}
	connect, err := s.wanted()
	if err != nil {
		return err
	}
	if connect {
		if err := s.connect(ctx); err != nil {
			return err
		}
		s.firstAnswer(ctx)
	}
	if err := s.register(false); err != nil {
		return err
	}
	return s.operator(ctx)
}

// fileOptions are those of the configuration file alone, whatever the environment says of a cluster.
func (s *setup) fileOptions() config.LoadOptions {
	o := s.loadOptions(s.g)
	env := o.Env
	o.WithoutClusters = true
	o.Env = func(name string) string {
		if env == nil || strings.HasPrefix(name, "PROXMOX_VE_") {
			return ""
		}
		return env(name)
	}
	return o
}

// wanted says whether a cluster is to be connected: the first one always, another one where it is named or asked for.
func (s *setup) wanted() (bool, error) {
	path, _ := s.loadOptions(s.g).File()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	cfg, _, err := config.Load(context.Background(), s.fileOptions())
	if err != nil {
		return false, err
	}
	var names []string
	for _, c := range cfg.Clusters {
		names = append(names, c.Name)
	}
	if len(names) == 0 || s.o.Endpoint != "" || s.o.Name != "" {
		return true, nil
	}
	s.out.Config = path
	s.t.Say("%s has: %s.", path, strings.Join(names, ", "))
	if s.o.Alone || s.o.Yes {
		return false, nil
	}
	return s.yes("Connect another cluster?")
}

func (s *setup) yes(question string) (bool, error) {
	a, err := s.t.Ask(question + " [y/N]: ")
	a = strings.ToLower(a)
	return a == "y" || a == "yes", err
}

// connect asks for what is not given, tests it and writes the configuration.
func (s *setup) connect(ctx context.Context) error {
	d := &initDialogue{InitOptions: InitOptions{Out: s.t.Out, Ask: s.t.Ask, ReadSecret: s.t.Secret, Command: selfCommand(), Config: s.loadOptions(s.g),
		Name: s.o.Name, Force: s.o.Force, Clock: s.Clock, Alone: s.o.Alone, Level: s.level}}
	if err := s.given(&d.InitOptions); err != nil {
		return err
	}
	seen, err := d.connectCluster(ctx)
	if err != nil {
		return err
	}
	d.written()
	s.out.Config, s.out.Kept, s.out.Cluster, s.out.Login = d.path, d.kept, d.cluster.Name, seen.identity
	s.out.Version, s.out.Pinned = clean.Line(seen.version.Version, 30), d.cluster.Fingerprints
	if seen.rightsErr == nil {
		s.out.Tools, s.out.Lacks = seen.rights.toolsText(), seen.rights.missing()
	}
	return nil
}

// given takes over what flags, files and the environment say, and names at once all that a script did not give.
func (s *setup) given(d *InitOptions) (err error) {
	endpoint, _, _ := strings.Cut(cmp.Or(s.o.Endpoint, s.env("PROXMOX_VE_ENDPOINT")), ",") // further ones are learnt from the first
	d.Endpoint = strings.TrimSpace(endpoint)
	pins := s.o.Fingerprints
	if len(pins) == 0 {
		pins = strings.FieldsFunc(s.env("PROXMOX_VE_FINGERPRINT"), func(r rune) bool { return r == ',' || r == ' ' })
	}
	for _, p := range pins {
		if p, err = config.ParseFingerprint(p); err != nil {
			return err
		}
		d.Pins = append(d.Pins, p)
	}
	if d.Token, err = s.token(); err != nil || !s.o.Alone {
		return err
	}
	var missing []string
	if d.Endpoint == "" {
		missing = append(missing, "the address (--endpoint or PROXMOX_VE_ENDPOINT)")
	}
	if !d.Token.IsSet() {
		missing = append(missing, "the token (--token-file FILE, --token-file - for standard input, or PROXMOX_VE_API_TOKEN)")
	}
	if len(missing) > 0 {
		return fault.New(fault.Invalid, "nobody is here to answer, and this is missing: %s", strings.Join(missing, "; ")).
			WithHint("run it in a terminal, or see: proxmox-mcp setup --help")
	}
	return nil
}

func (s *setup) env(name string) string {
	if s.Env == nil {
		return ""
	}
	return s.Env(name)
}

// maxToken is far beyond any token; what is longer is another file.
const maxToken = 4096

// token is what a file, standard input or the environment has; unset where a person is to be asked.
func (s *setup) token() (redact.Secret, error) {
	text, from := s.env("PROXMOX_VE_API_TOKEN"), "PROXMOX_VE_API_TOKEN"
	if s.o.TokenFile != "" {
		in := s.o.In
		if from = "standard input"; s.o.TokenFile != "-" {
			from = s.o.TokenFile
			f, err := os.Open(from)
			if err != nil {
				return redact.Secret{}, fault.Wrap(fault.Config, err, "the token file cannot be read")
			}
			defer f.Close()
			in = f
		}
		data, err := io.ReadAll(io.LimitReader(in, maxToken))
		if err != nil {
			return redact.Secret{}, fault.Wrap(fault.Config, err, "the token cannot be read from %s", from)
		}
		text = string(data)
	} else if text == "" {
		return redact.Secret{}, nil
	}
	text = strings.TrimSpace(text)
	if _, err := config.ParseToken(text); err != nil {
		e := fault.Of(err)
		e.Message = "the token from " + from + ": " + e.Message
		return redact.Secret{}, e
	}
	return redact.NewSecret(text), nil
}

// firstAnswer shows that it works: the overview, as an agent reads it. The connection stands already, so that a failure is told and no more.
func (s *setup) firstAnswer(ctx context.Context) {
	err := s.overview(ctx)
	if err != nil {
		s.t.Say("The first overview failed: %s\nLook with: proxmox-mcp doctor", explain(err))
	}
}

func (s *setup) overview(ctx context.Context) error {
	session, err := s.Open(ctx, s.g)
	if err != nil {
		return err
	}
	defer func() { _ = session.Close() }()
	if err := session.Complete(ctx, s.t.Progress); err != nil {
		return err
	}
	spec, err := tools.Find("get_overview")
	if err != nil {
		return err
	}
	res, err := spec.Call(ctx, session.Deps, json.RawMessage(`{}`))
	if err != nil {
		return err
	}
	s.t.Say("\nWhat an agent sees:\n")
	session.Deps.Who.Door = "stdio"
	return cli.WriteView(s.t.Out, res.Answer.View(session.Deps))
}

// operator sets the passphrase where there is none, and allows what was asked for. A script can do neither.
func (s *setup) operator(ctx context.Context) error {
	return s.withKeeper(ctx, s.g, func(db *store.DB, k *change.Keeper) error {
		known, err := k.Known(ctx)
		if err != nil {
			return err
		}
		s.out.Operator = map[bool]string{true: "known", false: "not set"}[known]
		if s.o.Alone {
			s.leave(known)
			return nil
		}
		if !known {
			set, err := s.passphrase(ctx, k)
			if err != nil || !set {
				s.leave(false)
				return err
			}
			s.out.Operator = "set"
		}
		return s.allow(ctx, db, k, known)
	})
}

// leave says what a person has to do for changes to be possible.
func (s *setup) leave(known bool) {
	if !known {
		s.out.Next = append(s.out.Next, "proxmox-mcp operator init")
	}
	if s.o.Allow != "" {
		s.out.Next = append(s.out.Next, "proxmox-mcp allow "+s.o.Allow)
	}
}

// passphrase asks for a new one, twice; an empty one leaves it for later.
func (s *setup) passphrase(ctx context.Context, k *change.Keeper) (bool, error) {
	s.t.Say("\nAgents can only read until you allow more. That, and every destructive change, takes an operator's passphrase: one that you alone know.")
	for try := 1; ; try++ {
		fresh, err := s.t.Secret("new operator's passphrase (Enter: later; not shown while you type): ")
		if err != nil || fresh == "" {
			return false, err
		}
		again, err := s.t.Secret("once more: ")
		if err != nil {
			return false, err
		}
		if err = k.Init(ctx, "", fresh); fresh != again {
			err = fault.New(fault.Invalid, "the two were not the same")
		}
		if err == nil {
			s.t.Say("Set. Keep it from agents: what knows it can approve.")
			return true, nil
		}
		if try == attempts || fault.CodeOf(err) != fault.Invalid {
			return false, err
		}
		s.t.Say("  %s", explain(err))
	}
}

// allow opens the tier that was asked for. The passphrase of who set it just now was given already.
func (s *setup) allow(ctx context.Context, db *store.DB, k *change.Keeper, before bool) error {
	tier := s.o.Allow
	if tier == "" && !before {
		var err error
		if tier, err = s.askTier(); err != nil {
			return err
		}
	}
	if tier == "" {
		return nil
	}
	grant, err := s.grantOf(s.g, cli.AllowOptions{Tier: tier})
	if err != nil {
		return err
	}
	f := &change.GrantFile{Path: s.allowedPath(), Seal: func(ctx context.Context) (string, error) { return change.Seal(ctx, db) }}
	grants, err := f.Grants(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(grants, func(g change.Grant) bool {
		return g.Tier >= grant.Tier && g.Until.IsZero() && g.Scope.String() == grant.Scope.String()
	}) {
		s.out.Allowed = tier
		return nil
	}
	s.t.Say("This allows %s.", grant)
	if before {
		if err := prove(ctx, k, s.t); err != nil {
			return err
		}
	}
	s.out.Allowed = tier
	return k.Open(ctx, &change.GrantFile{Path: s.allowedPath()}, grant)
}

// askTier asks what may be changed; "" is nothing.
func (s *setup) askTier() (string, error) {
	for try := 1; ; try++ {
		a, err := s.t.Ask("What may agents change from now on? (Enter: nothing; reversible, disruptive, destructive): ")
		if err != nil || a == "" || a == "nothing" {
			return "", err
		}
		if _, err = s.grantOf(s.g, cli.AllowOptions{Tier: a}); err == nil || try == attempts {
			return a, err
		}
		s.t.Say("  %s", explain(err))
	}
}

// report is what was done, for people and programs.
func (s *setup) report() cli.Report {
	o, v := s.out, tools.View{}
	for _, l := range o.Recipe {
		v.Text(l)
	}
	for _, l := range o.Without {
		v.Line("# not with it: %s", l)
	}
	if o.Cluster != "" {
		v.Line("Connected: %s as %s, in %s", o.Cluster, o.Login, o.Config)
	}
	failed := s.clientsView(&v)
	switch {
	case o.Allowed != "":
		v.Line("Allowed: %s changes. proxmox-mcp allow shows it, proxmox-mcp allow --none takes it away.", o.Allowed)
	case o.Operator != "" && !s.o.Alone:
		v.Line("Agents can only read. To let them change things: proxmox-mcp allow reversible")
	}
	for _, l := range o.Next {
		v.Line("On a terminal: %s", l)
	}
	return cli.Report{Value: o, View: v, Failed: failed}
}
