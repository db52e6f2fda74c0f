package code

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// How much of the differences a commit's message holds.
const (
	messageLines = 100
	maxSubject   = 100
	maxField     = 80
)

// message says what changed since the export before: object, field, who and when. known is false where none was committed yet.
func (j *job) message(ctx context.Context, known bool) (string, error) {
	if j.then == nil || !known {
		return fmt.Sprintf("Cluster %s as code: %d guests", clean.Line(j.cluster, maxField), j.out.Guests), nil
	}
	diffs := j.out.Differences
	read := firstRead(j.out.First)
	if len(diffs) == 0 {
		return cmp.Or(read, "Generated code brought up to date"), nil
	}
	seen, err := j.blame(ctx)
	if err != nil {
		return "", err
	}
	var lines []string
	objects := map[string]bool{}
	for i := range diffs {
		objects[diffs[i].ID] = true
		lines = append(lines, strings.TrimSpace(Words(&diffs[i])+seen.of(&diffs[i], j.s.opt.Zone)))
	}
	if read != "" {
		read = "\n\n" + read
	}
	if len(lines) == 1 && len(lines[0]) <= maxSubject {
		return lines[0] + read, nil
	}
	subject := fmt.Sprintf("%d changes of %d objects", len(diffs), len(objects))
	if len(objects) == 1 {
		subject = fmt.Sprintf("%s: %d changes", clean.Line(object(diffs[0].Kind, diffs[0].ID, diffs[0].Name), maxField), len(diffs))
	}
	if more := len(lines) - messageLines; more > 0 {
		lines = append(lines[:messageLines], fmt.Sprintf("and %d more", more))
	}
	return subject + "\n\n" + strings.Join(lines, "\n") + read, nil
}

// firstRead tells of objects that were there before, and that no export knew of: "First read: 3 firewall, 8 networks"; "" for none.
func firstRead(list []iac.Difference) string {
	if len(list) == 0 {
		return ""
	}
	return "First read: " + strings.Join(Areas(list), ", ")
}

// Areas counts objects by the part of the cluster that they belong to: "8 networks".
func Areas(list []iac.Difference) []string {
	n := map[string]int{}
	for i := range list {
		n[iac.Area(list[i].Kind)]++
	}
	var out []string
	for _, a := range slices.Sorted(maps.Keys(n)) {
		out = append(out, strconv.Itoa(n[a])+" "+a)
	}
	return out
}

// Words says a difference in a line: guest 104 jellyfin: memory 2048 -> 4096.
func Words(d *iac.Difference) string {
	name := clean.Line(object(d.Kind, d.ID, d.Name), maxField)
	switch {
	case d.Field == "" && d.Has:
		return name + ": new"
	case d.Field == "":
		return name + ": gone"
	}
	old, now := clean.Differ(d.Old, d.New, maxField)
	switch {
	case !d.Had:
		return fmt.Sprintf("%s: %s added: %s", name, d.Field, now)
	case !d.Has:
		return fmt.Sprintf("%s: %s removed, was %s", name, d.Field, old)
	}
	return fmt.Sprintf("%s: %s %s -> %s", name, d.Field, old, now)
}

// blame is what the store saw change, and the tasks that may have done it.
type blame struct {
	changes []store.Change
	tasks   []store.Task
}

// blameRows bounds what is looked through for one message.
const blameRows = 2000

func (j *job) blame(ctx context.Context) (b blame, err error) {
	if b.changes, err = j.st.Changes(ctx, store.HistoryFilter{Cluster: j.cluster, Limit: blameRows}); err != nil {
		return b, err
	}
	b.tasks, err = j.st.Tasks(ctx, store.TaskFilter{Cluster: j.cluster, Limit: blameRows})
	return b, err
}

// of says who and when, as far as that is known: " (root@pam, 2026-11-22 10:04)".
func (b *blame) of(d *iac.Difference, zone *time.Location) string {
	// What a configuration holds is kept as one change of the whole; node, status and pool are changes by themselves.
	i := slices.IndexFunc(b.changes, func(c store.Change) bool {
		return c.Kind == d.Kind && c.Ref.ID == d.ID && (c.Field == d.Field || c.Field == "config" && d.Field != "")
	})
	if i < 0 {
		return ""
	}
	c := &b.changes[i]
	when := c.At.In(zone).Format("2006-01-02 15:04")
	for k := range b.tasks {
		if t := &b.tasks[k]; d.Kind == store.KindGuest && t.ID == d.ID && !t.Start.After(c.At) && (c.NotBefore.IsZero() || !t.Start.Before(c.NotBefore)) {
			return fmt.Sprintf(" (%s, %s)", clean.Line(t.User, maxField), when)
		}
	}
	return fmt.Sprintf(" (seen %s)", when)
}
