package app

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
)

const (
	// expirySoon is when a certificate that an authority vouches for is worth a word: ACME renews 30 days before the end.
	expirySoon = 14 * 24 * time.Hour
	// skewWarn and skewFail are differences of clocks: history is dated by both sides, and beyond 300 s Proxmox VE refuses tickets
	// (faults.md 3.5, 2).
	skewWarn = 10 * time.Second
	skewFail = 300 * time.Second
)

// checkCluster looks at one cluster from the network up; where a login fails, what rests on it is left out. The passport is nil where the
// cluster did not tell it.
func checkCluster(ctx context.Context, c config.Cluster, clock func() time.Time) ([]Check, *proxmox.Passport) {
	d := &clusterDoctor{c: c, clock: clock}
	d.endpoints(ctx)
	client, err := proxmox.New(clientConfig(c), proxmox.WithClock(clock))
	if err != nil {
		d.list = append(d.list, failed(d.check("client"), err))
		return d.list, nil
	}
	defer client.Close()
	d.client = client
	if !d.login(ctx) {
		return d.list, nil
	}
	d.rights(ctx)
	d.members(ctx)
	d.clocks(ctx)
	d.guests(ctx)
	passport, err := client.Passport(ctx)
	if err != nil {
		return d.list, nil // the row about quorum says why
	}
	return d.list, &passport
}

type clusterDoctor struct {
	c       config.Cluster
	clock   func() time.Time
	client  *proxmox.Client
	version pve.Version
	online  []string // names of the nodes that are online
	list    []Check
}

func (d *clusterDoctor) check(name string) Check { return Check{Cluster: d.c.Name, Name: name} }

func (d *clusterDoctor) ok(name, format string, args ...any) {
	c := d.check(name)
	c.State, c.Result = CheckOK, fmt.Sprintf(format, args...)
	d.list = append(d.list, c)
}

func (d *clusterDoctor) bad(state CheckState, name, fix, format string, args ...any) {
	c := d.check(name)
	c.State, c.Result, c.Fix = state, fmt.Sprintf(format, args...), fix
	d.list = append(d.list, c)
}

// unknown reports a check that could not be made: a warning with the reason.
func (d *clusterDoctor) unknown(name string, err error) {
	c := failed(d.check(name), err)
	c.State, c.Result = CheckWarn, "unknown: "+c.Result
	d.list = append(d.list, c)
}

// endpoints probes all endpoints at the same time. A dead one is a warning while another one serves.
func (d *clusterDoctor) endpoints(ctx context.Context) {
	roots, err := d.roots()
	if err != nil {
		d.list = append(d.list, failed(d.check("ca_file"), err))
		return
	}
	found := make([]Check, len(d.c.Endpoints))
	var wg sync.WaitGroup
	for i, e := range d.c.Endpoints {
		wg.Go(func() { found[i] = d.endpoint(ctx, e, roots) })
	}
	wg.Wait()
	serves := slices.ContainsFunc(found, func(c Check) bool { return c.State != CheckFail })
	for i, c := range found {
		if c.State == CheckFail && serves {
			found[i].State = CheckWarn
		}
	}
	d.list = append(d.list, found...)
}

// roots are the authorities of ca_file; nil means those of the system.
func (d *clusterDoctor) roots() (*x509.CertPool, error) {
	if d.c.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(d.c.CAFile)
	if err != nil {
		return nil, fault.Wrap(fault.Config, err, "ca_file cannot be read")
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return pool, nil
}

func (d *clusterDoctor) endpoint(ctx context.Context, endpoint string, roots *x509.CertPool) Check {
	c := d.check("endpoint")
	at := strings.TrimPrefix(endpoint, "https://")
	shown, err := probe(ctx, endpoint, roots, nil)
	if err != nil {
		return failed(c, err)
	}
	c.State = CheckOK
	left := shown.NotAfter.Sub(d.clock())
	switch {
	case slices.Contains(d.c.Fingerprints, shown.Fingerprint):
		c.Result = at + ": certificate is the pinned one"
	case len(d.c.Fingerprints) > 0:
		c.State = CheckFail
		c.Result = fmt.Sprintf("%s: certificate is NOT a pinned one; it shows %s", at, shown.Fingerprint)
		c.Fix = "only if you changed it yourself (compare on the node: " + compareLine + "), add to fingerprints: \"" + shown.Fingerprint + "\""
	case d.c.Insecure:
		c.State = CheckWarn
		c.Result = at + ": certificate is not checked (insecure)"
		c.Fix = "compare on the node (" + compareLine + "), then replace insecure by fingerprints: [\"" + shown.Fingerprint + "\"]"
	case shown.Distrust != nil:
		c.State = CheckFail
		c.Result = fmt.Sprintf("%s: certificate is not trusted: %s", at, clean.Line(shown.Distrust.Error(), 160))
		c.Fix = "compare on the node (" + compareLine + "), then set fingerprints: [\"" + shown.Fingerprint + "\"]"
	case left < expirySoon:
		c.State = CheckWarn
		c.Result = fmt.Sprintf("%s: certificate is trusted until %s only", at, shown.NotAfter.UTC().Format(time.DateOnly))
		c.Fix = "on the node: pvenode acme cert renew"
	default:
		c.Result = at + ": certificate is trusted by an authority"
	}
	return c
}

// login asks for the version, the cheapest question that needs a valid login.
func (d *clusterDoctor) login(ctx context.Context) bool {
	v, err := d.client.Version(ctx)
	if err != nil {
		d.list = append(d.list, failed(d.check("login"), err))
		return false
	}
	d.version = v
	d.ok("login", "%s is accepted", d.client.Identity())
	name := clean.Line(v.Version, 30)
	switch major := v.Major(); {
	case major == 9:
		d.ok("version", "Proxmox VE %s", name)
	case major == 8:
		d.bad(CheckWarn, "version", "nothing to do; report what looks wrong", "Proxmox VE %s: written for, but not verified with 8", name)
	default:
		d.bad(CheckWarn, "version", "upgrade one of the two", "Proxmox VE %s: this program knows 9 and 8", name)
	}
	return true
}

// members looks at quorum and nodes.
func (d *clusterDoctor) members(ctx context.Context) {
	rows, err := d.client.ClusterStatus(ctx)
	if err != nil {
		d.unknown("quorum", err)
		return
	}
	var off []string
	var cluster *pve.ClusterMember
	for i, m := range rows {
		switch {
		case m.Type == "cluster":
			cluster = &rows[i]
		case m.Type != "node":
		case m.Online != nil && bool(*m.Online):
			d.online = append(d.online, string(m.Name))
		default:
			off = append(off, clean.Line(string(m.Name), 60))
		}
	}
	all := len(d.online) + len(off)
	switch {
	case cluster == nil:
		d.ok("quorum", "a node of its own, no cluster")
	case cluster.Quorate == nil:
		d.bad(CheckWarn, "quorum", "on a node: pvecm status", "unknown: Proxmox VE does not say")
	case !bool(*cluster.Quorate):
		d.bad(CheckFail, "quorum", "start the missing nodes; on a node: pvecm status", "none: %d of %d nodes are online, changes are refused",
			len(d.online), all)
	default:
		d.ok("quorum", "the cluster has quorum")
	}
	if len(off) > 0 {
		d.bad(CheckWarn, "nodes", "start it, if it is not off on purpose", "%d of %d online; not online: %s", len(d.online), all, strings.Join(off, ", "))
		return
	}
	d.ok("nodes", "all %d online", all)
}

// clocks compares the clock of each node that is online with ours (GET /nodes/{node}/time, 02/047).
func (d *clusterDoctor) clocks(ctx context.Context) {
	var worst time.Duration
	var where string
	for _, node := range d.online {
		skew, err := d.skew(ctx, node)
		if err != nil {
			d.unknown("clock", err)
			return
		}
		if where == "" || skew.Abs() > worst.Abs() {
			worst, where = skew, node
		}
	}
	if where == "" {
		return // no node is online that could be asked; the row about nodes says so
	}
	side := "ahead of"
	if worst < 0 {
		side = "behind"
	}
	say := fmt.Sprintf("node %s is %s %s this machine", clean.Line(where, 60), worst.Abs().Round(time.Second), side)
	switch {
	case worst.Abs() >= skewFail:
		d.bad(CheckFail, "clock", "set both clocks by NTP; on the node: chronyc tracking", "%s: tickets are refused beyond 300 s", say)
	case worst.Abs() >= skewWarn:
		d.bad(CheckWarn, "clock", "set both clocks by NTP; on the node: chronyc tracking", "%s", say)
	default:
		d.ok("clock", "%s agree within %s", plural(len(d.online), "node"), skewWarn)
	}
}

// skew is how far a node's clock is ahead of ours. The node answers in whole seconds, so half a second is added; the moment of its
// answer is taken as the middle of the call.
func (d *clusterDoctor) skew(ctx context.Context, node string) (time.Duration, error) {
	path, err := proxmox.Path("nodes", node, "time")
	if err != nil {
		return 0, err
	}
	began := d.clock()
	raw, err := d.client.Raw(ctx, "GET", path, nil)
	if err != nil {
		return 0, err
	}
	var t struct {
		Time *pve.Int `json:"time"`
	}
	if err := json.Unmarshal(raw, &t); err != nil || t.Time == nil {
		return 0, fault.New(fault.BadAnswer, "node %s does not tell its time", clean.Line(node, 60))
	}
	middle := began.Add(d.clock().Sub(began) / 2)
	return time.Unix(int64(*t.Time), 0).Add(500 * time.Millisecond).Sub(middle), nil
}

// guests counts what can be seen. Nothing visible is not the same as nothing there.
func (d *clusterDoctor) guests(ctx context.Context) {
	rows, _, err := d.client.Resources(ctx, "vm")
	if err != nil {
		d.unknown("guests", err)
		return
	}
	n := 0
	for i := range rows {
		if rows[i].IsGuest() {
			n++
		}
	}
	if n == 0 {
		d.bad(CheckWarn, "guests", "if there are some: "+d.client.GrantLine("VM.Audit", "/"), "none is visible to %s", d.client.Identity())
		return
	}
	d.ok("guests", "%s visible", plural(n, "guest"))
}
