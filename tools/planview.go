package tools

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
)

// Asks is the question to the client's user, "" where nobody is asked.
func (o *planOut) Asks() (plan, question string) { return o.ID, o.question }

// Outcome is the state that a command which was to change something ended with; "" when only a plan was asked for.
func (o *planOut) Outcome() string {
	if o.dry {
		return ""
	}
	return o.State
}

// View implements Answer.
func (o *planOut) View(d Deps) View {
	v := View{}
	head := o.Title + ": " + o.State
	if o.ID != "" {
		head = "plan " + o.ID + " " + head + " (" + o.Tier + ")"
	}
	v.Text(head)
	t := Table{Name: "steps", Main: true, Wrap: true, Columns: []string{"guest", "step", "state", "change", "observed"}}
	room := roomForSteps
	for _, s := range o.Steps[:min(len(o.Steps), planRows)] {
		row := []string{s.Guest, s.Action, s.State, diffText(s), observedText(s)}
		if len(o.Steps) > 2 || weight(row) > room {
			row[3] = clean.Line(row[3], shortDiff)
		}
		if room -= weight(row); room < 0 && len(t.Rows) > 0 {
			break
		}
		t.Rows = append(t.Rows, row)
	}
	v.Table(t)
	if more := len(o.Steps) - len(t.Rows); more > 0 {
		v.Text(worded(d, "and "+counted(more, "more step")+": get_plan with format json shows all"))
	}
	for _, s := range o.Steps {
		if s.Output != nil {
			s.Output.wrote(&v)
		}
	}
	for _, line := range [][2]string{{"lost for good", asManyAs(o.Lost, "; ", roomForLost)}, {"cannot be taken back, nor the rest with it", asManyAs(o.NoUndo, "; ", roomForBlast)}, {"left out", leftOutText(o.Skipped)}, {"note", o.Note}} {
		if line[1] != "" {
			v.Line("%s: %s", line[0], line[1])
		}
	}
	for _, b := range o.Blast {
		if o.ahead() || b[0] == unsaved {
			v.Line("%s: %s", b[0], b[1])
		}
	}
	if len(o.Addresses) > 0 {
		v.Line("address: %s", strings.Join(o.Addresses, ", "))
	}
	if o.Next != "" {
		v.Text(o.Next)
	}
	if o.Undo != "" {
		v.Line("%s: %s", map[bool]string{true: "to take back what was done", false: "to take it back"}[o.State == change.Failed], o.Undo)
	}
	return v
}

// ahead says that what was read when the plan was made is still what it meets: one that has begun changes just that.
func (o *planOut) ahead() bool {
	return slices.Contains([]string{change.Planned, change.Waiting, change.Approved, nothingToDo}, o.State)
}

// A review stays below 600 tokens (DESIGN §10): so many steps at most, and so much room, in the estimated tokens of weight, for its parts.
const (
	planRows     = 12
	roomForSteps = 300
	shortDiff    = 120 // letters of a change, where a plan has several steps
	roomForLost  = 90
	roomForBlast = 40 // for each line

	roomForLeftOut = 110 // for reasons
	roomForNames   = 90  // of the guests that share one
	shortReason    = 110 // letters
)

// asManyAs joins what has room, the first in any case (the beginning of it), and counts the rest.
func asManyAs(list []string, sep string, room int) string {
	var out []string
	for _, s := range list {
		if room -= weight([]string{s}); room < 0 {
			if len(out) > 0 {
				break
			}
			s = clean.Line(s, 60)
		}
		out = append(out, s)
	}
	text := strings.Join(out, sep)
	if more := len(list) - len(out); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// leftOutText names every guest that a plan leaves as it is, as far as there is room, those with the same reason together. Reasons that find no
// room are said to be missing: beside another's reason a bare name would seem to share it.
func leftOutText(list []string) string {
	if len(list) < 2 {
		return asManyAs(list, "", roomForLeftOut)
	}
	names, reasons := map[string][]string{}, []string(nil)
	for _, s := range list {
		name, why, _ := strings.Cut(s, ": ")
		if names[why] == nil {
			reasons = append(reasons, why)
		}
		names[why] = append(names[why], name)
	}
	room, out, bare := roomForLeftOut, []string(nil), []string(nil)
	for _, why := range reasons {
		short := clean.Line(why, shortReason)
		if w := weight([]string{short}); w <= room {
			room -= w
			out = append(out, asManyAs(names[why], ", ", roomForNames)+": "+short)
		} else {
			bare = append(bare, names[why]...)
		}
	}
	if len(bare) > 0 {
		out = append(out, asManyAs(bare, ", ", roomForNames)+": other reasons, which get_plan tells with format json")
	}
	return strconv.Itoa(len(list)) + ": " + strings.Join(out, "; ")
}

func diffText(s stepOut) string {
	var out []string
	for _, f := range s.Diff {
		switch {
		case f[1] == "":
			out = append(out, "+"+f[0]+" "+f[2])
		case f[2] == "":
			out = append(out, "-"+f[0]+" "+f[1])
		default:
			out = append(out, f[0]+" "+f[1]+" > "+f[2])
		}
	}
	return strings.Join(out, "; ")
}

func observedText(s stepOut) string {
	text := s.Seen
	if s.Error != "" {
		text = strings.TrimPrefix(s.Code+": "+s.Error, ": ")
	}
	if len(s.Pending) > 0 {
		text += " (after a restart: " + strings.Join(s.Pending, ", ") + ")"
	}
	return text
}
