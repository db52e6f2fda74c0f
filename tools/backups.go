package tools

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type backupsIn struct {
	Guest        string `json:"guest" example:"104" desc:"vmid or name: each backup of it"`
	MissingSince string `json:"missing_since" example:"7d" desc:"guests without one newer than 7d, 2026-11-20"`
	Storage      string `json:"storage" example:"nas-backup"`
	Cursor       string `json:"cursor"`
	Common
}

type backupsOut struct {
	Envelope
	MissingSince string      `json:"missing_since,omitempty"`
	Total        int         `json:"total"`
	Unsure       int         `json:"unsure"`
	Templates    int         `json:"templates"`
	Excluded     int         `json:"excluded"`
	Guests       int         `json:"guests"`
	Columns      []string    `json:"columns"`
	Rows         [][]any     `json:"rows"`
	Backups      []backupOut `json:"backups,omitempty"`
	Jobs         []jobOut    `json:"jobs"` // null when they could not be read
	NextCursor   string      `json:"next_cursor,omitempty"`
	one          bool
	src          inventory.BackupPage
	proven       map[string]time.Time // by cluster and volume: when a backup was last restored and seen to run
}

type backupOut struct {
	Volume    string `json:"volume"`
	Storage   string `json:"storage"`
	Node      string `json:"node,omitempty"`
	At        string `json:"at,omitempty"`
	Size      *int64 `json:"size_bytes,omitempty"`
	Verified  string `json:"verified,omitempty"`
	Proven    string `json:"proven,omitempty"` // when verify_backup last saw it run
	Protected bool   `json:"protected"`
	Encrypted bool   `json:"encrypted"`
	Notes     string `json:"notes,omitempty"`
}

type jobOut struct {
	Cluster  string `json:"cluster"`
	ID       string `json:"id"`
	Enabled  bool   `json:"enabled"`
	Schedule string `json:"schedule,omitempty"`
	NextRun  string `json:"next_run,omitempty"`
	Storage  string `json:"storage,omitempty"`
	Covers   string `json:"covers"`
	Keep     string `json:"keep,omitempty"`
	Comment  string `json:"comment,omitempty"`
}

var backupColumns = []string{"vmid", "name", "type", "node", "newest", "backups", "bytes", "verified", "proven", "protected", "jobs", "next_run", "note", "cluster"}

func listBackups() Spec {
	return define(Spec{
		Name: "list_backups", Title: "Backups", Family: "storage", Command: "backup list", Args: []string{"guest"},
		Summary: "Backups per guest: newest, count, size, verified, protected; its jobs and next run. missing_since: who lacks a recent backup.",
		Needs:   []Need{needStorages, needGuests, needJobs},
		Examples: []Example{
			{CLI: "backup list", Args: map[string]any{}, Why: "all guests, the worst covered first"},
			{CLI: "backup list --missing-since 7d", Args: map[string]any{"missing_since": "7d"}, Why: "guests without a backup newer than a week"},
			{CLI: "backup list 104", Args: map[string]any{"guest": "104"}, Why: "each backup of one guest"},
		},
	}, func(ctx context.Context, d Deps, in *backupsIn) (*backupsOut, error) {
		since, err := when(d, "missing_since", in.MissingSince)
		if err != nil {
			return nil, err
		}
		p, err := d.Inventory.Backups(ctx, inventory.BackupQuery{Guest: strings.TrimSpace(in.Guest), Storage: in.Storage, MissingSince: since,
			Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		proven, err := provenIn(ctx, d, &p)
		if err != nil {
			return nil, err
		}
		return backupsOf(d, p, in.Guest != "", proven), nil
	})
}

// provenIn are the backups of a page's clusters that were seen to restore, by provenKey.
func provenIn(ctx context.Context, d Deps, p *inventory.BackupPage) (map[string]time.Time, error) {
	out, asked := map[string]time.Time{}, map[string]bool{}
	for k := range p.Guests {
		cluster := p.Guests[k].Cluster
		if d.Changes == nil || asked[cluster] {
			continue
		}
		asked[cluster] = true
		list, err := d.Changes.Proven(ctx, cluster)
		if err != nil {
			return nil, err
		}
		for volume, at := range list {
			out[provenKey(cluster, volume)] = at
		}
	}
	return out, nil
}

func provenKey(cluster, volume string) string { return cluster + " " + volume }

// lastProof is when a backup of a guest was last seen to restore, the zero time for never.
func (o *backupsOut) lastProof(g *inventory.GuestBackups) (at time.Time) {
	for k := range g.Backups {
		if t := o.proven[provenKey(g.Cluster, g.Backups[k].Volume)]; t.After(at) {
			at = t
		}
	}
	return at
}

func backupsOf(d Deps, p inventory.BackupPage, one bool, proven map[string]time.Time) *backupsOut {
	out := &backupsOut{Envelope: envelope(d, p.Meta), Total: p.Total, Unsure: p.Unsure, Templates: p.Templates, Excluded: p.Excluded, Guests: p.All,
		Columns: backupColumns, Rows: [][]any{}, NextCursor: p.NextCursor, src: p, one: one, proven: proven}
	if !p.MissingSince.IsZero() {
		out.MissingSince = stamp(d, p.MissingSince)
	}
	for k := range p.Guests {
		g := &p.Guests[k]
		n, bytes, verified, protected := tally(g.Backups)
		out.Rows = append(out.Rows, []any{g.VMID, word(g.Name), word(g.Type.Short()), word(g.Node), moment(d, g.Newest()), n, bytes, verified, moment(d, out.lastProof(g)), protected,
			g.Jobs, moment(d, g.NextRun), word(backupNote(&p, g)), g.Cluster})
		if one {
			out.Backups = append(out.Backups, out.backupsList(d, g)...)
		}
	}
	if p.JobsKnown {
		out.Jobs = []jobOut{}
		for k := range p.Jobs {
			out.Jobs = append(out.Jobs, jobOf(d, &p.Jobs[k]))
		}
	}
	return out
}

func (o *backupsOut) backupsList(d Deps, g *inventory.GuestBackups) []backupOut {
	var out []backupOut
	for k := range g.Backups {
		b := &g.Backups[k]
		row := backupOut{Volume: b.Volume, Storage: b.Storage, Node: b.Node, Size: b.Size, Verified: b.Verified, Protected: b.Protected, Encrypted: b.Encrypted, Notes: b.Notes}
		if !b.At.IsZero() {
			row.At = stamp(d, b.At)
		}
		if at := o.proven[provenKey(g.Cluster, b.Volume)]; !at.IsZero() {
			row.Proven = stamp(d, at)
		}
		out = append(out, row)
	}
	return out
}

func jobOf(d Deps, j *inventory.BackupJob) jobOut {
	out := jobOut{Cluster: j.Cluster, ID: j.ID, Enabled: j.Enabled, Schedule: j.Schedule, Storage: j.Storage, Covers: jobCovers(j), Keep: j.Keep, Comment: j.Comment}
	if !j.NextRun.IsZero() {
		out.NextRun = stamp(d, j.NextRun)
	}
	return out
}

// jobCovers is what a job backs up, in words; a long list of guests is counted.
func jobCovers(j *inventory.BackupJob) string {
	s := ""
	switch {
	case j.VMIDs != nil:
		s = counted(len(j.VMIDs), "guest")
	case j.Pool != "":
		s = "pool " + j.Pool
	case j.All:
		s = "all"
	}
	if len(j.Exclude) > 0 {
		s += " but " + numbers(j.Exclude, 8)
	}
	if j.Node != "" {
		s += " on " + j.Node
	}
	return s
}

func numbers(list []int, limit int) string {
	var out []string
	for k, n := range list {
		if k == limit {
			out = append(out, "+"+strconv.Itoa(len(list)-limit))
			break
		}
		out = append(out, strconv.Itoa(n))
	}
	return strings.Join(out, " ")
}

// tally counts backups. bytes is nil when no size is known, verified those that passed.
func tally(list []inventory.Backup) (n int, bytes *int64, verified, protected int) {
	for k := range list {
		b := &list[k]
		if b.Size != nil {
			if bytes == nil {
				bytes = new(int64)
			}
			*bytes += *b.Size
		}
		if b.Verified == "ok" {
			verified++
		}
		if b.Protected {
			protected++
		}
	}
	return len(list), bytes, verified, protected
}

// backupNote says what is special about a guest's coverage.
func backupNote(p *inventory.BackupPage, g *inventory.GuestBackups) string {
	var out []string
	if g.Template {
		out = append(out, "template")
	}
	if g.Gone {
		out = append(out, "no such guest")
	}
	if g.Unsure {
		out = append(out, "there may be more than is seen")
	}
	if slices.ContainsFunc(g.Backups, func(b inventory.Backup) bool { return b.Verified == "failed" }) {
		out = append(out, "a verification failed")
	}
	switch {
	case g.Gone || !p.JobsKnown || len(g.Jobs) > 0:
	case len(g.Excluded) > 0:
		out = append(out, "excluded by job "+strings.Join(g.Excluded, ", "))
	default:
		out = append(out, "no job")
	}
	return strings.Join(out, "; ")
}

// View implements Answer.
func (o *backupsOut) View(d Deps) View {
	p := &o.src
	v := View{Warnings: p.Warnings}
	if p.MissingSince.IsZero() {
		v.Line("%s, %s", counted(p.Total, "guest"), asOf(d, p.Meta))
	} else {
		v.Line("%d of %s without a backup since %s%s, %s", p.Total, counted(p.All, "guest"), shortStamp(d, p.MissingSince), o.among(), asOf(d, p.Meta))
	}
	v.Table(o.guestTable(d))
	if o.one {
		v.Table(o.backupTable(d))
	}
	v.Table(o.jobTable(d))
	if p.NextCursor != "" {
		v.Line("more: cursor %s", p.NextCursor)
	}
	return v
}

// proofNote adds to a note when one of the guest's backups was last seen to restore.
func (o *backupsOut) proofNote(d Deps, g *inventory.GuestBackups, note string) string {
	at := o.lastProof(g)
	if at.IsZero() {
		return note
	}
	return strings.TrimPrefix(note+"; proven to restore "+ago(d, at)+" ago", "; ")
}

// among says which of those that lack a backup lack it perhaps, or on purpose.
func (o *backupsOut) among() string {
	if s := nonzero(o.Unsure, "not sure", o.Templates, "templates", o.Excluded, "excluded by a job"); s != "" {
		return " (" + s + ")"
	}
	return ""
}

func (o *backupsOut) guestTable(d Deps) Table {
	var at []string
	t := Table{Name: "guests", Main: !o.one, Columns: []string{"vmid", "name", "newest", "backups", "size", "jobs", "next run", "note"}}
	for k := range o.src.Guests {
		g := &o.src.Guests[k]
		at = append(at, g.Cluster)
		n, bytes, _, protected := tally(g.Backups)
		count := strconv.Itoa(n)
		if protected > 0 {
			count += " (" + strconv.Itoa(protected) + " protected)"
		}
		newest := ago(d, g.Newest())
		switch {
		case newest == "" && g.Unsure:
			newest = "unknown"
		case newest == "":
			newest = "never"
		}
		t.Rows = append(t.Rows, []string{strconv.Itoa(g.VMID), cell(g.Name, 63), newest, count, sizeOf(bytes), cell(strings.Join(g.Jobs, ","), 60), ahead(d, g.NextRun),
			o.proofNote(d, g, backupNote(&o.src, g))})
	}
	return t.in(d, at)
}

func (o *backupsOut) backupTable(d Deps) Table {
	t := Table{Name: "backups", Main: true, Columns: []string{"age", "volume", "size", "flags", "notes"}}
	for k := range o.src.Guests {
		for i := range o.src.Guests[k].Backups {
			b := &o.src.Guests[k].Backups[i]
			var flags []string
			if b.Verified != "" {
				flags = append(flags, "verified "+b.Verified)
			}
			if at := o.proven[provenKey(o.src.Guests[k].Cluster, b.Volume)]; !at.IsZero() {
				flags = append(flags, "proven to restore "+ago(d, at)+" ago")
			}
			if b.Protected {
				flags = append(flags, "protected")
			}
			if b.Encrypted {
				flags = append(flags, "encrypted")
			}
			t.Rows = append(t.Rows, []string{ago(d, b.At), cell(b.Volume, 200), sizeOf(b.Size), strings.Join(flags, ","), cell(b.Notes, 60)})
		}
	}
	// The newest tell; all are in the JSON.
	t.Rows = t.Rows[:min(len(t.Rows), 50)]
	return t
}

func (o *backupsOut) jobTable(d Deps) Table {
	var at []string
	t := Table{Name: "jobs", Columns: []string{"job", "schedule", "next run", "storage", "covers", "keep"}}
	for k := range o.src.Jobs {
		j := &o.src.Jobs[k]
		if o.one && !o.concerns(j.ID) {
			continue
		}
		at = append(at, j.Cluster)
		next := ahead(d, j.NextRun)
		if !j.Enabled {
			next = "off"
		}
		t.Rows = append(t.Rows, []string{cell(j.ID, 60), cell(j.Schedule, 40), next, cell(j.Storage, 60), cell(jobCovers(j), 80), cell(j.Keep, 60)})
	}
	return t.in(d, at)
}

// concerns says that a job covers or excludes one of the guests that are shown.
func (o *backupsOut) concerns(job string) bool {
	return slices.ContainsFunc(o.src.Guests, func(g inventory.GuestBackups) bool {
		return slices.Contains(g.Jobs, job) || slices.Contains(g.Excluded, job)
	})
}

// ahead is how far in the future t is; "" for the zero time.
func ahead(d Deps, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if by := t.Sub(d.Now()); by > 0 {
		return "in " + span(by)
	}
	return ago(d, t) + " ago"
}

// word is a text for JSON, null where it is empty: absent is not an empty text.
func word(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// moment is a time for JSON, null for the zero time.
func moment(d Deps, t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(d, t)
}
