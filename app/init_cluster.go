package app

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// initLimit bounds the test of a login with all its questions to the cluster, nodes that are off included.
const initLimit = 45 * time.Second

func (d *initDialogue) intro() {
	r := recipeFor(d.Level)
	d.say("This connects proxmox-mcp to a Proxmox VE cluster. Nothing is changed there.\n")
	d.say("1. Make an API token that can %s. As root in a shell of any node:\n", r.can())
	for _, l := range r.Lines {
		d.say("   %s", l)
	}
	for _, w := range r.Without {
		d.say("   Not with it: %s.", w)
	}
	d.say(`
   PVEAuditor suffices to read everything, and can change nothing. With --privsep 0 the token has the rights
   of its user; a token with privilege separation sees nothing until it is given the role itself.
   Guests' addresses: PVEAuditor can read them in Proxmox VE 9. In 8 that takes VM.Monitor, which also runs
   programs in guests: better left out, the addresses then stay unknown.
   The last line prints the token's secret once: put user, token and secret together as
   %s!%s=SECRET
`, setupUser, setupToken)
	d.say("2. Address and token\n")
}

// address asks for the address of a node until one answers with a certificate that an authority vouches for or a person pins.
func (d *initDialogue) address(ctx context.Context) error {
	for try := 1; ; try++ {
		typed := d.Endpoint
		if typed == "" {
			var err error
			if typed, err = d.Ask("Address of a node, such as https://192.0.2.10:8006: "); err != nil {
				return err
			}
		}
		err := d.tryAddress(ctx, typed)
		if err == nil {
			return nil
		}
		if d.Endpoint != "" || try == attempts || ctx.Err() != nil || fault.CodeOf(err) == fault.Untrusted || fault.CodeOf(err) == fault.Cancelled {
			return err
		}
		d.say("  %s", explain(err))
	}
}

func explain(err error) string {
	e := fault.Of(err)
	if e.Hint == "" {
		return e.Error()
	}
	return e.Error() + "\n  " + e.Hint
}

// withScheme completes what people type: a bare host or address means https.
func withScheme(s string) string {
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		s = "[" + s + "]"
	}
	if s != "" && !strings.Contains(s, "://") {
		s = "https://" + s
	}
	return s
}

func (d *initDialogue) tryAddress(ctx context.Context, typed string) error {
	endpoint, err := config.ParseEndpoint(withScheme(typed))
	if err != nil {
		return err
	}
	shown, err := probe(ctx, endpoint, nil, d.Dial)
	if err != nil {
		return err
	}
	d.cluster.Endpoints = []string{endpoint}
	if len(d.Pins) > 0 {
		return d.matches(shown)
	}
	if shown.Distrust == nil {
		d.say("  The certificate is trusted by an authority of this machine (%s).", shown.Issuer)
		return nil
	}
	return d.pin(shown)
}

// matches takes a certificate whose fingerprint was told beforehand, and no other.
func (d *initDialogue) matches(c shownCert) error {
	if slices.Contains(d.Pins, c.Fingerprint) {
		d.cluster.Fingerprints = []string{c.Fingerprint}
		d.say("  The certificate is the one that was named: %s", c.Fingerprint)
		return nil
	}
	f := fault.New(fault.Untrusted, "%s shows another certificate than the one that was named; nothing was written", d.cluster.Endpoints[0])
	f.Cause = "it shows " + c.Fingerprint
	return f.WithHint("compare it on the node with: %s", compareLine)
}

// pin shows a certificate that no authority vouches for, as each new Proxmox VE has one, and trusts it if a person says so (S17: trust on
// first use only in a dialogue).
func (d *initDialogue) pin(c shownCert) error {
	d.say("\n  No authority of this machine vouches for the certificate; that is usual for Proxmox VE:")
	d.say("    SHA-256  %s", c.Fingerprint)
	d.say("    subject  %s\n    issuer   %s", c.Subject, c.Issuer)
	d.say("    valid    %s to %s", c.NotBefore.UTC().Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly))
	if d.Clock().After(c.NotAfter) {
		d.say("    It has EXPIRED. On the node, pvecm updatecerts makes a new one.")
	}
	d.say("  Compare the fingerprint on the node itself:")
	d.say("    %s\n    or: openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem", compareLine)
	d.say("    (a certificate of your own is pveproxy-ssl.pem there)")
	if d.Alone {
		return fault.New(fault.Untrusted, "no authority vouches for the certificate of %s, and nobody is here to compare it; nothing was written", d.cluster.Endpoints[0]).
			WithHint("compare it, then add: --fingerprint %s", c.Fingerprint)
	}
	yes, err := d.confirm("  Is it the same? Pin it?")
	if err != nil {
		return err
	}
	if !yes {
		return fault.New(fault.Untrusted, "the certificate was not pinned; nothing was written").
			WithHint("compare it with: %s (on the node), then run init again", compareLine)
	}
	d.cluster.Fingerprints = []string{c.Fingerprint}
	return nil
}

// clusterSeen is what the test of the login found. Lists and counts are as the token sees them.
type clusterSeen struct {
	version        pve.Version
	identity       string
	name           string // of the cluster, or of a node that stands alone
	members        []pve.ClusterMember
	membersErr     error
	vms, cts       int
	guestsErr      error
	rights         held
	rightsErr      error
	grant          string
	learnt         []proxmox.LearntNode
	learntErr      error
	answeringLocal string // node behind the given address
}

// login asks for a token until Proxmox VE takes it, and looks around with it.
func (d *initDialogue) login(ctx context.Context) (clusterSeen, error) {
	for try := 1; ; try++ {
		if d.Token.IsSet() {
			d.cluster.Token, try = d.Token, attempts // there is no other to try
		} else if err := d.token(); err != nil {
			return clusterSeen{}, err
		}
		d.say("  Testing the login ...")
		seen, err := d.look(ctx)
		if err == nil && ctx.Err() == nil {
			return seen, nil
		}
		if ctx.Err() != nil {
			return clusterSeen{}, fault.Of(ctx.Err())
		}
		if try == attempts || fault.CodeOf(err) != fault.Unauthenticated {
			return clusterSeen{}, err
		}
		d.say("  %s", explain(err))
	}
}

func (d *initDialogue) look(ctx context.Context) (clusterSeen, error) {
	ctx, cancel := context.WithTimeout(ctx, initLimit)
	defer cancel()
	options := []proxmox.Option{proxmox.WithClock(d.Clock)}
	if d.Dial != nil {
		options = append(options, proxmox.WithDialer(d.Dial))
	}
	client, err := proxmox.New(clientConfig(d.cluster), options...)
	if err != nil {
		return clusterSeen{}, err
	}
	defer client.Close()
	s := clusterSeen{identity: client.Identity(), grant: client.GrantLine("VM.Audit", "/")}
	if s.version, err = client.Version(ctx); err != nil {
		return s, err
	}
	p, err := client.Permissions(ctx)
	s.rights, s.rightsErr = weigh(p, s.version, client.GrantLine, d.Level), err
	s.members, s.membersErr = client.ClusterStatus(ctx)
	s.nameCluster()
	s.countGuests(ctx, client)
	// With authorities there is nothing to learn: they decide for the other nodes too.
	if s.membersErr == nil && len(d.cluster.Fingerprints) > 0 {
		s.learnt, s.learntErr = client.LearnPins(ctx)
	}
	return s, nil
}

func (s *clusterSeen) nameCluster() {
	for _, m := range s.members {
		if m.Type == "node" && m.Local != nil && bool(*m.Local) {
			s.answeringLocal = string(m.Name)
		}
	}
	s.name = s.answeringLocal
	for _, m := range s.members {
		if m.Type == "cluster" {
			s.name = string(m.Name)
		}
	}
}

func (s *clusterSeen) countGuests(ctx context.Context, client *proxmox.Client) {
	rows, _, err := client.Resources(ctx, "vm")
	s.guestsErr = err
	for i := range rows {
		switch rows[i].Type {
		case string(pve.Qemu):
			s.vms++
		case string(pve.LXC):
			s.cts++
		}
	}
}

// show says what the token sees and what it lacks. A token that sees little is no reason to stop: rights can be given later.
func (d *initDialogue) show(s clusterSeen) {
	d.say("\n  Logged in as %s", s.identity)
	d.say("  Proxmox VE %s%s", clean.Line(s.version.Version, 30), map[bool]string{true: "", false: " (not verified with this version; 9 is)"}[s.version.Major() == 9])
	if s.membersErr != nil {
		d.say("  nodes: unknown: %s", explain(s.membersErr))
	} else {
		d.say("  nodes: %s", memberList(s.members))
	}
	if s.guestsErr != nil {
		d.say("  guests: unknown: %s", explain(s.guestsErr))
	} else {
		d.say("  guests visible: %s, %s", plural(s.vms, "VM"), plural(s.cts, "container"))
	}
	d.showRights(s)
}

func (d *initDialogue) showRights(s clusterSeen) {
	h := s.rights
	switch {
	case s.rightsErr != nil:
		d.say("  rights: unknown: %s", explain(s.rightsErr))
	case h.none:
		d.say("  rights: %s.\n    As root on a node: %s", noRights(s.identity), s.grant)
	case len(h.missing()) > 0:
		d.say("  rights: missing: %s\n    As root on a node: %s", h.says(), h.fix())
	default:
		d.say("  rights: can %s%s", recipeFor(d.Level).can(), h.note())
	}
	d.say("  tools: %s", h.toolsText())
	if len(h.lacks) > 0 {
		d.say("    proxmox-mcp access check names the rights that they lack.")
	}
	switch {
	case len(h.surplus) > 0 && d.Level > tools.R0:
		d.say("  The token may also: %s.\n    %s", some(h.surplus, 6), d.safer())
	case len(h.surplus) > 0:
		d.say("  This server only reads until you allow more (proxmox-mcp allow), but the token may also: %s.\n    %s", some(h.surplus, 6), d.safer())
	}
}

// safer points to the lines that make a token with no more rights than wanted: they were shown to whoever was asked for a token.
func (d *initDialogue) safer() string {
	if !d.Token.IsSet() {
		return "A token made as shown above is safer."
	}
	line := "proxmox-mcp setup --recipe"
	if d.Level > tools.R0 {
		line += " --allow " + d.Level.String()
	}
	return "A token made as this shows is safer: " + line
}

func memberList(rows []pve.ClusterMember) string {
	var nodes []string
	for _, m := range rows {
		if m.Type != "node" {
			continue
		}
		state := "offline"
		if m.Online == nil {
			state = "unknown"
		} else if bool(*m.Online) {
			state = "online"
		}
		nodes = append(nodes, fmt.Sprintf("%s %s", clean.Line(string(m.Name), 60), state))
	}
	return strings.Join(nodes, ", ")
}

// adoptNodes writes the other nodes' addresses and certificates down as well, so that a start with the first node off works too.
func (d *initDialogue) adoptNodes(s clusterSeen) {
	if s.learntErr != nil {
		d.say("  other nodes' certificates: unknown: %s", explain(s.learntErr))
		return
	}
	for _, n := range s.learnt {
		if n.Node == s.answeringLocal || !n.Usable {
			continue
		}
		d.cluster.Endpoints = addNew(d.cluster.Endpoints, "https://"+n.Addr)
		d.cluster.Fingerprints = addNew(d.cluster.Fingerprints, n.Fingerprints...)
		d.say("  also by %s (https://%s), with its certificate pinned", clean.Line(n.Node, 60), n.Addr)
	}
}

// addNew appends what is not there yet: nodes may share one certificate.
func addNew(list []string, items ...string) []string {
	for _, s := range items {
		if !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
