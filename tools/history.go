package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type historyIn struct {
	Object string `json:"object" req:"true" example:"104"`
	At     string `json:"at" example:"yesterday" desc:"time: the config then"`
	Diff   bool   `json:"diff_now" desc:"compare with now"`
	Cursor string `json:"cursor"`
	Common
}

type historyOut struct {
	Envelope
	Cluster    string      `json:"cluster,omitempty"` // this and ID are of one object, not of the list of a kind
	Kind       string      `json:"kind"`
	ID         string      `json:"id,omitempty"`
	Name       string      `json:"name,omitempty"`
	GoneAt     string      `json:"gone_at,omitempty"`
	Total      int         `json:"total"`
	Columns    []string    `json:"columns,omitempty"`
	Rows       [][]any     `json:"rows,omitempty"`
	NextCursor string      `json:"next_cursor,omitempty"`
	Config     *configAsOf `json:"config_as_of,omitempty"`
	src        inventory.ObjectHistory
	diff       bool // the comparison with now was asked for
}

// configAsOf is a configuration of the past. Diff is null where it was not asked for and empty where nothing differs.
type configAsOf struct {
	At      string            `json:"at"`
	Version string            `json:"version"`
	Seen    string            `json:"seen"`
	Until   string            `json:"seen_until,omitempty"`
	Changed string            `json:"found_changed,omitempty"`
	Config  map[string]string `json:"config"`
	Diff    []keyDiff         `json:"diff,omitempty"`
}

type keyDiff struct {
	Key  string `json:"key"`
	What string `json:"what"`
	Then string `json:"then,omitempty"`
	Now  string `json:"now,omitempty"`
}

var versionColumns = []string{"version", "seen", "not_before", "keys", "task", "user", "plan", "principal"}

// recordedColumns are those of the list of a kind; object is what get_history takes.
var recordedColumns = []string{"cluster", "object", "since", "gone_at"}

// objectWord is the word by which users call a kind.
func objectWord(kind string) string { return strings.TrimSuffix(kind, "_config") }

func getHistory() Spec {
	return define(Spec{
		Name: "get_history", Title: "History", Family: "history", Command: "history show", Args: []string{"object"},
		Needs:   []Need{needGuests.orNothing(), needStorages.orNothing(), needPools.orNothing(), needTasks},
		Summary: "Config versions of a guest, storage or pool; its config at a time.",
		Examples: []Example{
			{CLI: "history show 104", Args: map[string]any{"object": "104"}, Why: "versions, newest first"},
			{CLI: "history show 104 --at now --diff-now", Args: map[string]any{"object": "104", "at": "now", "diff_now": true}, Why: "the config then and what differs now"},
		},
	}, func(ctx context.Context, d Deps, in *historyIn) (*historyOut, error) {
		at, err := wanted(d, "at", in.At)
		if err != nil {
			return nil, err
		}
		if in.Diff && at.IsZero() {
			return nil, fault.BadField("diff_now", "it goes with at", "at=yesterday, diff_now=true")
		}
		h, err := d.Inventory.ObjectHistory(ctx, inventory.HistoryQuery{Object: strings.TrimSpace(in.Object), At: at, Diff: in.Diff,
			Cursor: in.Cursor, ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		out := historyOf(d, h)
		out.diff = in.Diff
		return out, nil
	})
}

func historyOf(d Deps, h inventory.ObjectHistory) *historyOut {
	out := &historyOut{Envelope: envelope(d, h.Meta), Cluster: h.Cluster, Kind: h.Kind, ID: h.ID, Name: h.Name, GoneAt: stampOrNone(d, h.GoneAt),
		Total: h.Total, NextCursor: h.NextCursor, src: h}
	if a := h.AsOf; a != nil {
		out.Config = &configAsOf{At: stamp(d, a.At), Version: version(&a.Version), Seen: stamp(d, a.Version.SeenAt), Until: stampOrNone(d, a.Until),
			Changed: stampOrNone(d, a.Changed), Config: map[string]string{}}
		for _, kv := range a.Keys {
			out.Config.Config[kv.Key] = kv.Value
		}
		for _, x := range a.Diff {
			out.Config.Diff = append(out.Config.Diff, keyDiff{x.Key, x.What, x.Old, x.New})
		}
		return out
	}
	if h.ID == "" {
		out.Columns, out.Rows = recordedColumns, [][]any{}
		for _, r := range h.Objects {
			out.Rows = append(out.Rows, []any{r.Cluster, objectWord(h.Kind) + " " + r.ID, stamp(d, r.Since), orNull(stampOrNone(d, r.GoneAt))})
		}
		return out
	}
	out.Columns, out.Rows = versionColumns, [][]any{}
	for k := range h.Rows {
		v := &h.Rows[k]
		out.Rows = append(out.Rows, []any{version(v), stamp(d, v.SeenAt), orNull(stampOrNone(d, v.NotBefore)), v.Keys, orNull(v.By.Task), orNull(v.By.User), orNull(v.By.Plan), orNull(v.By.Principal)})
	}
	return out
}

// stampOrNone is stamp, "" for the zero time.
func stampOrNone(d Deps, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(d, t)
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// version is the number of a version, with that of the life where an id was given again.
func version(v *inventory.ObjectVersion) string {
	if v.Life > 1 {
		return fmt.Sprintf("%d.%d", v.Life, v.Seq)
	}
	return fmt.Sprint(v.Seq)
}

// View implements Answer.
func (o *historyOut) View(d Deps) View {
	h := o.src
	v := View{Warnings: h.Warnings}
	if h.ID == "" {
		recordedView(d, &v, h)
		return v
	}
	object := h.Kind + " " + h.ID
	if h.Kind == "guest" {
		object = strings.TrimSpace("guest " + h.ID + " " + cell(h.Name, 60))
	}
	object = strings.Replace(object, "storage_config", "storage", 1)
	if !h.GoneAt.IsZero() {
		object += ", gone since " + shortStamp(d, h.GoneAt)
	}
	if h.AsOf != nil {
		configView(d, &v, object, h, o.diff)
		return v
	}
	v.Line("%s: %s, %s", object, counted(h.Total, "version"), asOf(d, h.Meta))
	t := Table{Name: "versions", Main: true, Columns: []string{"version", "seen", "changed", "by"}}
	for k := range h.Rows {
		r := &h.Rows[k]
		changed := strings.Join(r.Keys, ",")
		if r.Keys == nil {
			changed = "(first seen)"
		}
		by := byText(&r.By)
		if r.Keys == nil && r.NotBefore.IsZero() && by == "unknown" {
			by = "" // what the first look found was there before
		}
		t.Rows = append(t.Rows, []string{version(r), seenText(d, r.SeenAt, r.NotBefore), cell(changed, 200), by})
	}
	v.Table(t)
	if h.Kind == "pool" {
		v.Line("which guests came and went: find_changes object=%s", cell(h.ID, 60))
	}
	if h.NextCursor != "" {
		v.Line("more: cursor %s", h.NextCursor)
	}
	return v
}

func recordedView(d Deps, v *View, h inventory.ObjectHistory) {
	word := objectWord(h.Kind)
	v.Line("%s recorded of kind %s, %s; get_history with one, and at, shows its config", counted(h.Total, "object"), word, asOf(d, h.Meta))
	t := Table{Name: "recorded", Main: true, Columns: []string{"object", "since", "gone"}}
	for _, r := range h.Objects {
		row := []string{word + " " + cell(r.ID, 300), shortStamp(d, r.Since), ""}
		if !r.GoneAt.IsZero() {
			row[2] = shortStamp(d, r.GoneAt)
		}
		if d.Several {
			row = append([]string{r.Cluster}, row...)
		}
		t.Rows = append(t.Rows, row)
	}
	if d.Several {
		t.Columns = append([]string{"cluster"}, t.Columns...)
	}
	v.Table(t)
	if h.NextCursor != "" {
		v.Line("more: cursor %s", h.NextCursor)
	}
}

// seenText is when something was seen, as the time from the look before where that is longer than ticks are apart.
func seenText(d Deps, at, notBefore time.Time) string {
	if gap := at.Sub(notBefore); notBefore.IsZero() || gap <= 2*time.Minute {
		return shortStamp(d, at)
	}
	from, to := notBefore.In(zone(d)), at.In(zone(d))
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format("2006-01-02 15:04") + " to " + to.Format("15:04Z07:00")
	}
	return from.Format("2006-01-02 15:04") + " to " + to.Format("2006-01-02 15:04Z07:00")
}

// asOfValue is how much of a value a configuration of the past shows in text.
const asOfValue = 200

func configView(d Deps, v *View, object string, h inventory.ObjectHistory, diff bool) {
	a := h.AsOf
	head := fmt.Sprintf("%s at %s: version %s of %d, seen %s", object, shortStamp(d, a.At), version(&a.Version), h.Total, shortStamp(d, a.Version.SeenAt))
	switch {
	case !a.Changed.IsZero():
		head += fmt.Sprintf("; it changed between %s and %s, so the next version may have been there already", shortStamp(d, a.Until), shortStamp(d, a.Changed))
	case !a.Until.IsZero():
		head += " to " + shortStamp(d, a.Until)
	}
	v.Line("%s; %s", head, asOf(d, h.Meta))
	if diff && len(a.Diff) == 0 {
		v.Line("no difference: the configuration of now is the same")
		return
	}
	t := Table{Name: "config", Main: true, Columns: []string{"key", "value"}}
	for _, kv := range a.Keys {
		t.Rows = append(t.Rows, []string{kv.Key, cell(kv.Value, asOfValue)})
	}
	v.Table(t)
	differs := Table{Name: "now different"}
	for _, x := range a.Diff {
		differs.Rows = append(differs.Rows, []string{differenceText(x.What, x.Key, x.Old, x.New)})
	}
	v.Table(differs)
}
