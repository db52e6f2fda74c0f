package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// CheckState is how a check ended.
type CheckState string

// The states, from good to bad. What could not be found out is a warning, never ok.
const (
	CheckOK   CheckState = "ok"
	CheckWarn CheckState = "warn"
	CheckFail CheckState = "fail"
)

// Check is one thing that was looked at. Fix is what to do about it, a line to paste where there is one; beside ok, what
// would be better.
type Check struct {
	Cluster string     `json:"cluster,omitempty"`
	Name    string     `json:"check"`
	State   CheckState `json:"state"`
	Result  string     `json:"result"`
	Fix     string     `json:"fix,omitempty"`
}

// DoctorReport is the result of all checks, in the order in which one rests on the other.
type DoctorReport struct {
	Checks []Check `json:"checks"`
}

// DoctorOptions is the world that Doctor looks at.
type DoctorOptions struct {
	Config    config.LoadOptions
	StatePath string           // --state, "" = that of the configuration
	Clock     func() time.Time // nil: time.Now
}

// clusterLimit bounds the checks of one cluster: dead endpoints, a refused login (3 s) and silent nodes included.
const clusterLimit = 45 * time.Second

// Doctor checks configuration, connection, rights and store, and says for each fault how to mend it. It only reads at Proxmox VE; opening
// the store brings its schema up to date, as any command does. The error is that of ctx alone; everything else is in the report.
func Doctor(ctx context.Context, o DoctorOptions) (DoctorReport, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	var r DoctorReport
	cfg := r.configuration(ctx, o)
	if cfg != nil {
		r.Checks = append(r.Checks, checkClusters(ctx, cfg.Clusters, o.Clock)...)
	}
	r.ownPrompts(o.Config)
	if at := stateOf(cfg, o); at.Path != "" {
		c := checkStore(ctx, at, o)
		r.Checks = append(r.Checks, c)
		if cfg != nil && c.State != CheckFail {
			r.Checks = append(r.Checks, checkHTTP(ctx, cfg, at, o.Clock)...)
		}
	}
	return r, ctx.Err()
}

// checkClusters looks at all of them at once; the checks keep the order of the configuration.
func checkClusters(ctx context.Context, clusters []config.Cluster, clock func() time.Time) []Check {
	ctx, cancel := context.WithTimeout(ctx, clusterLimit)
	defer cancel()
	found, passports := make([][]Check, len(clusters)), make([]*proxmox.Passport, len(clusters))
	var wg sync.WaitGroup
	for k, c := range clusters {
		wg.Go(func() { found[k], passports[k] = checkCluster(ctx, c, clock) })
	}
	wg.Wait()
	for k := range clusters {
		found[k] = append(found[k], twinChecks(clusters, passports, k)...)
	}
	return slices.Concat(found...)
}

// twinChecks says which clusters before the k-th one it is by what both tell of themselves.
func twinChecks(clusters []config.Cluster, passports []*proxmox.Passport, k int) []Check {
	for j := range k {
		if passports[j] == nil || passports[k] == nil || passports[j].Differs(*passports[k]) != "" {
			continue
		}
		return []Check{{Cluster: clusters[k].Name, Name: "duplicate", State: CheckWarn,
			Result: fmt.Sprintf("tells the name, nodes and certificates of %s: the same cluster given twice", clusters[j].Name),
			Fix:    fmt.Sprintf("remove %s and add its endpoints to %s; until then guests show once where its nodes' keys prove it", clusters[k].Name, clusters[j].Name)}}
	}
	return nil
}

// Worst is the worst state of all checks.
func (r DoctorReport) Worst() CheckState {
	worst := CheckOK
	for _, c := range r.Checks {
		if c.State == CheckFail || (c.State == CheckWarn && worst == CheckOK) {
			worst = c.State
		}
	}
	return worst
}

func (r *DoctorReport) add(c Check) { r.Checks = append(r.Checks, c) }

// configuration loads the settings; nil when that failed.
func (r *DoctorReport) configuration(ctx context.Context, o DoctorOptions) *config.Config {
	cfg, notes, err := config.Load(ctx, o.Config)
	if err != nil {
		r.badConfiguration(err)
		return nil
	}
	r.add(Check{Name: "configuration", State: CheckOK, Result: configResult(cfg)})
	for _, n := range notes {
		r.add(Check{Name: "configuration", State: CheckWarn, Result: string(n)})
	}
	return cfg
}

// badConfiguration has a line per problem, so that each is read and mended by itself.
func (r *DoctorReport) badConfiguration(err error) {
	if list, ok := errors.AsType[config.Problems](err); ok {
		for _, p := range list {
			r.add(Check{Name: "configuration", State: CheckFail, Result: p.String(), Fix: "correct that line"})
		}
		return
	}
	r.add(failed(Check{Name: "configuration"}, err))
}

func configResult(cfg *config.Config) string {
	from := "environment"
	if cfg.Path != "" && !slices.ContainsFunc(cfg.Clusters, func(c config.Cluster) bool { return c.FromEnv }) {
		from = cfg.Path
		if info, err := os.Stat(cfg.Path); err == nil {
			from += fmt.Sprintf(" (mode %04o)", info.Mode().Perm())
		}
	}
	names := make([]string, len(cfg.Clusters))
	for i, c := range cfg.Clusters {
		names[i] = c.Name
	}
	return fmt.Sprintf("%s: %s %s", from, plural(len(names), "cluster"), strings.Join(names, ", "))
}

// failed makes c the report of an error: what went wrong and what to do.
func failed(c Check, err error) Check {
	e := fault.Of(err)
	c.State, c.Result, c.Fix = CheckFail, e.Error(), e.Hint
	return c
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// View is the report for people: a table, then what to do, each on a line of its own that can be copied.
func (r DoctorReport) View() tools.View {
	v := tools.View{}
	t := tools.Table{Name: "checks", Main: true, Wrap: true, Columns: []string{"state", "check", "result"}}
	for _, c := range r.Checks {
		t.Rows = append(t.Rows, []string{string(c.State), c.title(), clean.Line(c.Result, maxResult)})
	}
	v.Table(t)
	for _, c := range r.Checks {
		switch {
		case c.Fix == "":
		case c.State == CheckOK:
			v.Line("%s: %s", c.title(), c.Fix)
		default:
			v.Line("%s %s: fix: %s", c.State, c.title(), c.Fix)
		}
	}
	return v
}

// maxResult is beyond any result that is no mistake; a report is never cut for the width of a terminal.
const maxResult = 2000

func (c Check) title() string {
	if c.Cluster == "" {
		return c.Name
	}
	return c.Cluster + " " + c.Name
}
