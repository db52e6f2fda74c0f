package tools

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type recoveryIn struct {
	Guest  string `json:"guest" req:"true" example:"104" desc:"also one that is gone"`
	At     string `json:"at" example:"yesterday" desc:"wanted state; default now"`
	Cursor string `json:"cursor"`
	Common
}

type recoveryOut struct {
	Envelope
	Cluster    string          `json:"cluster,omitempty"`
	VMID       int             `json:"vmid"`
	Name       string          `json:"name,omitempty"`
	GoneAt     string          `json:"gone_at,omitempty"`
	At         string          `json:"at"`
	Total      int             `json:"total"`
	Points     []recoveryPoint `json:"points"`
	NextCursor string          `json:"next_cursor,omitempty"`
	src        inventory.Recovery
}

// recoveryPoint is a way back. LostS is how long before the wanted time it was made, negative for one that is newer. Changed is null
// where the configuration of then is not recorded.
type recoveryPoint struct {
	Kind    string   `json:"kind"`
	ID      string   `json:"id"`
	At      string   `json:"at,omitempty"`
	LostS   *int     `json:"lost_s,omitempty"`
	AgeS    *int     `json:"age_s,omitempty"`
	Changed []string `json:"config_changed_since"`
	Missing []string `json:"disks_not_in_it,omitempty"`
	Doubt   string   `json:"doubt,omitempty"`
	Proven  string   `json:"proven,omitempty"` // when verify_backup last saw it run
	Restore string   `json:"restore"`
}

func findRecovery() Spec {
	return define(Spec{
		Name: "find_recovery", Title: "Recovery", Family: "history", Command: "recovery list", Args: []string{"guest"},
		Needs:   []Need{needGuests.orNothing(), needStorages},
		Summary: "Ways to bring a guest back: snapshots, backups, configs, ranked, with losses and restore command.",
		Examples: []Example{
			{CLI: "recovery list 104", Args: map[string]any{"guest": "104"}, Why: "the newest ways back"},
			{CLI: "recovery list 104 --at yesterday", Args: map[string]any{"guest": "104", "at": "yesterday"}, Why: "as it was then"},
		},
	}, func(ctx context.Context, d Deps, in *recoveryIn) (*recoveryOut, error) {
		at, err := wanted(d, "at", in.At)
		if err != nil {
			return nil, err
		}
		r, err := d.Inventory.Recovery(ctx, inventory.RecoveryQuery{Guest: strings.TrimSpace(in.Guest), At: at, Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		out := recoveryOf(d, r)
		return out, out.prove(ctx, d)
	})
}

func recoveryOf(d Deps, r inventory.Recovery) *recoveryOut {
	out := &recoveryOut{Envelope: envelope(d, r.Meta), Cluster: r.Cluster, VMID: r.VMID, Name: r.Name, GoneAt: stampOrNone(d, r.GoneAt), At: stamp(d, r.At), Total: r.Total,
		Points: []recoveryPoint{}, NextCursor: r.NextCursor, src: r}
	for k := range r.Rows {
		p := &r.Rows[k]
		row := recoveryPoint{Kind: p.Kind, ID: p.ID, At: stampOrNone(d, p.At), Missing: p.Missing, Doubt: p.Doubt, Restore: restoreCall(d, &r, p)}
		if !p.At.IsZero() {
			row.LostS, row.AgeS = pve.Ptr(int(r.At.Sub(p.At)/time.Second)), pve.Ptr(int(d.Now().Sub(p.At)/time.Second))
		}
		if p.KeysKnown {
			row.Changed = append([]string{}, p.Keys...)
		}
		out.Points = append(out.Points, row)
	}
	return out
}

// prove adds which backups were seen to restore.
func (o *recoveryOut) prove(ctx context.Context, d Deps) error {
	if d.Changes == nil {
		return nil
	}
	list, err := d.Changes.Proven(ctx, o.Cluster)
	for k := range o.Points {
		if at := list[o.src.Rows[k].ID]; !at.IsZero() && o.Points[k].Kind == inventory.PointBackup {
			o.Points[k].Proven = stamp(d, at)
			o.src.Rows[k].Proven = at
		}
	}
	return err
}

// plainWord is what a shell takes as it is.
var plainWord = lazy.Regexp(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord quotes a word for a person's shell: names come from Proxmox VE and may hold anything.
func shellWord(s string) string {
	if plainWord().MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// restoreCall is the call that restores a point, as the caller's door takes it. "" where the type of the guest is not known.
func restoreCall(d Deps, r *inventory.Recovery, p *inventory.RecoveryPoint) string {
	id, action := strconv.Itoa(r.VMID), "new"
	if r.Known && r.GoneAt.IsZero() {
		action = "over"
	}
	cli := d.Who.Door == "cli"
	switch {
	case p.Kind == inventory.PointConfig && cli:
		return "proxmox-mcp history show " + id + " --at " + stamp(d, p.At)
	case p.Kind == inventory.PointConfig:
		return fmt.Sprintf("get_history object=%s at=%s", id, stamp(d, p.At))
	case p.Kind == inventory.PointSnapshot && cli:
		return "proxmox-mcp guest snapshot " + id + " rollback " + shellWord(p.ID)
	case p.Kind == inventory.PointSnapshot:
		return "snapshot_guest guest=" + id + " action=rollback snapshot=" + shellWord(p.ID)
	case r.Type == "":
		return ""
	case cli:
		return "proxmox-mcp guest restore " + id + " " + action + " --backup " + shellWord(p.ID)
	}
	return "restore_guest guest=" + id + " action=" + action + " backup=" + shellWord(p.ID)
}

// View implements Answer.
func (o *recoveryOut) View(d Deps) View {
	r := o.src
	v := View{Warnings: r.Warnings}
	object := strings.TrimSpace(fmt.Sprintf("guest %d %s", r.VMID, cell(r.Name, 60)))
	switch {
	case !r.GoneAt.IsZero():
		object += ", gone since " + shortStamp(d, r.GoneAt)
	case !r.Known:
		object += ", not known but for its backups"
	}
	v.Line("%s: %s back to %s, %s", object, counted(r.Total, "way"), shortStamp(d, r.At), asOf(d, r.Meta))
	t := Table{Name: "points", Main: true, Columns: []string{"kind", "id", "made", "age", "lost", "config changed since", "restore"}}
	for k := range r.Rows {
		p, made := &r.Rows[k], "unknown"
		lost := []string{}
		if !p.At.IsZero() {
			made = shortStamp(d, p.At)
			lost = append(lost, lostTime(r.At.Sub(p.At)))
		}
		if len(p.Missing) > 0 {
			by := ""
			if p.ByNow {
				by = " by today's config"
			}
			lost = append(lost, "not in it"+by+": "+strings.Join(p.Missing, ","))
		}
		if p.Doubt != "" {
			lost = append(lost, p.Doubt)
		}
		if !p.Proven.IsZero() {
			lost = append(lost, "proven to restore "+ago(d, p.Proven)+" ago")
		}
		if p.Kind == inventory.PointConfig {
			lost = append(lost, "holds no data")
		}
		changed := "unknown"
		if p.KeysKnown {
			changed = cell(strings.Join(p.Keys, ","), valueText)
			if changed == "" {
				changed = "nothing"
			}
		}
		t.Rows = append(t.Rows, []string{p.Kind, cell(p.ID, 120), made, ago(d, p.At), strings.Join(lost, "; "), changed, o.Points[k].Restore})
	}
	v.Table(t)
	if r.Total > 0 && r.Known && r.GoneAt.IsZero() {
		v.Line("over takes the guest's place, after a backup of what it is now; with beside in its place a copy is made that no network reaches")
	}
	if r.NextCursor != "" {
		v.Line("more: cursor %s", r.NextCursor)
	}
	return v
}

// lostTime is what lies between a point and the wanted time.
func lostTime(t time.Duration) string {
	if t < 0 {
		return span(-t) + " newer than wanted"
	}
	return span(t)
}
