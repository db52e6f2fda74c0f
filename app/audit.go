package app

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// withAudit opens the store alone.
func (a *App) withAudit(ctx context.Context, g cli.Globals, f func(*store.DB) error) error {
	db, err := a.openDB(ctx, g)
	if err != nil {
		return err
	}
	err = f(db)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

// auditRow is a row as it is exported: all that its hash is made of, so that the chain can be checked without this program.
type auditRow struct {
	Seq       int64     `json:"seq"`
	At        time.Time `json:"at"`
	Principal string    `json:"principal,omitempty"`
	Door      string    `json:"door,omitempty"`
	Event     string    `json:"event"`
	Plan      string    `json:"plan,omitempty"`
	Step      int       `json:"step,omitempty"`
	Cluster   string    `json:"cluster,omitempty"`
	Object    string    `json:"object,omitempty"`
	Tool      string    `json:"tool,omitempty"`
	Tier      int       `json:"tier,omitempty"`
	Outcome   string    `json:"outcome,omitempty"`
	Detail    string    `json:"detail,omitempty"`
	Prev      string    `json:"prev"`
	Hash      string    `json:"hash"`
}

func exported(r *store.AuditRow) auditRow {
	return auditRow{Seq: r.Seq, At: r.At, Principal: r.Principal, Door: r.Door, Event: r.Event, Plan: r.Plan, Step: r.Step, Cluster: r.Cluster, Object: r.Object,
		Tool: r.Tool, Tier: r.Tier, Outcome: r.Outcome, Detail: r.Detail, Prev: r.Prev, Hash: r.Hash}
}

func (a *App) auditFilter(o cli.AuditOptions, zone *time.Location) (store.AuditFilter, error) {
	d := tools.Deps{Now: a.Clock, Zone: zone}
	since, until, err := tools.Between(d, o.Since, o.Until)
	return store.AuditFilter{Since: since, Until: until, Principal: o.Principal, Object: o.Guest, Plan: o.Plan, Events: o.Events, Limit: o.Limit}, err
}

// AuditList implements cli.Auditor.
func (a *App) AuditList(ctx context.Context, g cli.Globals, o cli.AuditOptions) (cli.Report, error) {
	var r cli.Report
	err := a.withAudit(ctx, g, func(db *store.DB) error {
		zone := a.zone(g)
		f, err := a.auditFilter(o, zone)
		if err != nil {
			return err
		}
		rows, err := db.Audit(ctx, f)
		if err != nil {
			return err
		}
		t := tools.Table{Name: "audit", Main: true, Columns: []string{"seq", "at", "by", "door", "event", "plan", "guest", "outcome", "detail"}}
		value := make([]auditRow, len(rows))
		for k := range rows {
			x := &rows[k]
			value[k] = exported(x)
			t.Rows = append(t.Rows, []string{strconv.FormatInt(x.Seq, 10), x.At.In(zone).Format(time.RFC3339), clean.Line(x.Principal, 40), x.Door, x.Event, x.Plan,
				x.Object, x.Outcome, clean.Line(x.Detail, 160)})
		}
		v := tools.View{}
		if len(rows) == 0 {
			v.Line("The audit has no such row.")
		}
		v.Table(t)
		r = cli.Report{Value: value, View: v}
		return nil
	})
	return r, err
}

// zone is that of the configuration, the machine's where there is none.
func (a *App) zone(g cli.Globals) *time.Location {
	cfg, err := a.settings(g)
	if err != nil {
		return time.Local
	}
	return cfg.Location()
}

// exportPage is how many rows are in memory at a time.
const exportPage = 1000

// AuditExport implements cli.Auditor: a JSON object a line, oldest first.
func (a *App) AuditExport(ctx context.Context, g cli.Globals, o cli.AuditOptions, out io.Writer) error {
	return a.withAudit(ctx, g, func(db *store.DB) error {
		f, err := a.auditFilter(o, a.zone(g))
		if err != nil {
			return err
		}
		f.Forward, f.Limit = true, exportPage
		buf := bufio.NewWriter(out)
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		for {
			rows, err := db.Audit(ctx, f)
			if err != nil {
				return err
			}
			for k := range rows {
				if err := enc.Encode(exported(&rows[k])); err != nil {
					return err
				}
				f.After = rows[k].Seq
			}
			if len(rows) < exportPage {
				return buf.Flush()
			}
		}
	})
}

// AuditVerify implements cli.Auditor. head is "SEQUENCE:HASH" as it was noted elsewhere, "" = none.
func (a *App) AuditVerify(ctx context.Context, g cli.Globals, head string) (cli.Report, error) {
	ctx, cancel := deadline(ctx, dbLimit)
	defer cancel()
	known, err := headOf(head)
	if err != nil {
		return cli.Report{}, err
	}
	var r cli.Report
	err = a.withAudit(ctx, g, func(db *store.DB) error {
		rep, err := db.VerifyAudit(ctx, known)
		if err != nil {
			return err
		}
		v := tools.View{}
		if rep.OK() {
			v.Line("sound: %d rows follow each other unchanged", rep.Rows)
			v.Line("head %d:%s (note it elsewhere; audit verify --head compares)", rep.Head.Seq, rep.Head.Hash)
			if rep.Noted == 0 && rep.Rows > 0 {
				v.Line("its end is noted in no second place: rows cut off the end together with the store's own note would not show")
			}
		} else {
			v.Line("TAMPERED OR DAMAGED: %s", rep.Problem)
			v.Line("%d rows before it are as they were written", rep.Rows)
		}
		r = cli.Report{Value: rep, View: v, Failed: !rep.OK()}
		return nil
	})
	return r, err
}

func headOf(text string) (*store.AuditHead, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no head is a head that is not asked for
	}
	seq, hash, ok := strings.Cut(text, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil || n < 1 || len(hash) != 64 {
		return nil, fault.BadField("head", "must be SEQUENCE:HASH as audit verify prints it", "120:9f86d0...")
	}
	return &store.AuditHead{Seq: n, Hash: hash}, nil
}
