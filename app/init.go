package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// InitOptions is what Init talks through and writes to.
type InitOptions struct {
	In         io.Reader
	Out        io.Writer
	ReadSecret func(prompt string) (string, error) // reads a line without echo
	Command    []string                            // how clients start this program, absolute; without the subcommand
	Config     config.LoadOptions                  // says which file is written
	Endpoint   string                              // "" = asked for
	Name       string                              // of the cluster; "" = that of the cluster itself
	Force      bool                                // replace a cluster of that name without asking
	Clock      func() time.Time                    // nil: time.Now
	Dial       proxmox.Dialer                      // nil: the network

	// What setup knows besides.
	Ask   func(prompt string) (string, error) // instead of In
	Token redact.Secret                       // instead of ReadSecret
	Pins  []string                            // the certificate has to have one of these fingerprints; nobody is asked about it
	Alone bool                                // nobody is there to answer
	Level tools.Tier                          // what the token is to be good for
}

// attempts is how often a wrong answer is asked again.
const attempts = 3

// Init connects one cluster in a dialogue: it shows how to make a token, asks for address and token, lets a person compare and pin the
// certificate, tests the login, writes the configuration (0600) and prints what connects a client. Nothing is written before the login
// worked, and nothing is changed at Proxmox VE. An error says why it stopped.
func Init(ctx context.Context, o InitOptions) error {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	d := &initDialogue{InitOptions: o}
	if _, err := d.connectCluster(ctx); err != nil {
		return err
	}
	d.connect()
	return nil
}

// connectCluster is the dialogue up to the configuration that is written.
func (d *initDialogue) connectCluster(ctx context.Context) (clusterSeen, error) {
	if d.Ask == nil {
		d.Ask = asker(d.In, d.Out)
	}
	if err := d.target(); err != nil {
		return clusterSeen{}, err
	}
	if !d.Token.IsSet() {
		d.intro()
	}
	if err := d.address(ctx); err != nil {
		return clusterSeen{}, err
	}
	seen, err := d.login(ctx)
	if err != nil {
		return seen, err
	}
	d.show(seen)
	if err := d.pickName(seen); err != nil {
		return seen, err
	}
	d.adoptNodes(seen)
	if d.kept, err = config.Backup(d.path, d.Clock()); err != nil {
		return seen, err
	}
	return seen, config.SaveCluster(d.path, d.cluster, d.Force)
}

type initDialogue struct {
	InitOptions
	path    string
	kept    string // the copy of the configuration as it was, "" where there was none
	cluster config.Cluster
}

// asker reads lines; the end of the input stops the dialogue.
func asker(in io.Reader, out io.Writer) func(string) (string, error) {
	lines := bufio.NewScanner(in)
	return func(prompt string) (string, error) {
		_, _ = fmt.Fprint(out, prompt)
		if !lines.Scan() {
			_, _ = fmt.Fprintln(out)
			return "", fault.New(fault.Cancelled, "the input ended before all was answered; nothing was written").
				WithHint("run init in a terminal")
		}
		return strings.TrimSpace(lines.Text()), nil
	}
}

func (d *initDialogue) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.Out, format+"\n", args...) // a terminal that went away ends the dialogue at its next question
}

// confirm wants a plain yes; everything else is no.
func (d *initDialogue) confirm(question string) (bool, error) {
	a, err := d.Ask(question + " [y/N]: ")
	a = strings.ToLower(a)
	return a == "y" || a == "yes", err
}

// target finds the file and refuses early what could not be written late.
func (d *initDialogue) target() error {
	path, _ := d.Config.File()
	if path == "" {
		return fault.New(fault.Config, "no home folder is known to write the configuration to").WithHint("name a file with --config")
	}
	d.path = path
	if d.Name == "" {
		_, err := config.HasCluster(path, "") // a file that cannot be read or parsed is refused before any question
		return err
	}
	if err := config.ParseName(d.Name); err != nil {
		return err
	}
	return d.claim(d.Name)
}

// claim takes a name; one that is configured already wants --force or a yes.
func (d *initDialogue) claim(name string) error {
	d.cluster.Name = name
	taken, err := config.HasCluster(d.path, name)
	if err != nil || !taken || d.Force {
		return err
	}
	d.say("%s already has a cluster named %s.", d.path, name)
	if d.Alone {
		return fault.New(fault.Conflict, "%s already has a cluster named %s; nothing was written", d.path, name).
			WithHint("--force replaces it, --name gives this one another name")
	}
	if d.Force, err = d.confirm("Replace it?"); err != nil || d.Force {
		return err
	}
	return fault.New(fault.Conflict, "a cluster named %s is configured already; nothing was written", name).
		WithHint("choose another name with --name")
}

// pickName names the cluster as it names itself; a node of its own lends its name.
func (d *initDialogue) pickName(seen clusterSeen) error {
	if d.cluster.Name != "" {
		return nil
	}
	return d.claim(plainName(seen.name))
}

// plainName makes a configuration name of what a cluster calls itself.
func plainName(s string) string {
	s = strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	s = strings.Trim(s[:min(len(s), 32)], "-")
	if config.ParseName(s) != nil {
		return config.EnvCluster
	}
	return s
}

// token asks until what was typed has the form of a token. It is never shown, not even in part.
func (d *initDialogue) token() error {
	for try := 1; ; try++ {
		s, err := d.ReadSecret("API token, user@realm!tokenid=uuid (not shown while you type): ")
		if err != nil {
			return err
		}
		s = strings.TrimSpace(s)
		if _, err = config.ParseToken(s); err == nil {
			d.cluster.Token = redact.NewSecret(s)
			return nil
		}
		if try == attempts {
			return err
		}
		d.say("  %s", fault.Of(err).Rule)
	}
}

// written says where the settings are.
func (d *initDialogue) written() {
	d.say("\nWritten: %s (mode 0600, cluster %s)", d.path, d.cluster.Name)
	if d.kept != "" {
		d.say("As it was before: %s", d.kept)
	}
	if get := d.Config.Env; get != nil && get("PROXMOX_VE_ENDPOINT") != "" {
		d.say("Note: PROXMOX_VE_ENDPOINT is set here and goes before this file; unset it to use the file.")
	}
}

// connect says where the settings are and how clients start this program.
func (d *initDialogue) connect() {
	d.written()
	serve := append([]string{}, d.Command...)
	serve = append(serve, "serve")
	if _, named := d.Config.File(); named {
		serve = append(serve, "--config", d.path)
	}
	d.say("\n3. Connect a client\n")
	d.say("Claude Code:\n  claude mcp add proxmox -- %s\n", shellLine(serve))
	d.say("Claude Desktop (Settings > Developer > Edit Config, claude_desktop_config.json):\n%s\n", desktopSnippet("proxmox", serve))
	d.say("Any other client, over stdio:\n  command: %s\n  args:    %s\n", filepath.ToSlash(serve[0]), shellLine(serve[1:]))
	d.say("It only reads. To let it change things: %s, then allow reversible (docs/changes.md)\n", shellLine(append(append([]string{}, d.Command...), "operator", "init")))
	d.say("Look for yourself: %s", shellLine(append(append([]string{}, d.Command...), "doctor")))
}
