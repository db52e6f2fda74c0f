package tools

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type accessIn struct {
	Common // fresh changes nothing: rights are always asked now
}

type accessOut struct {
	Envelope
	Clusters []accessOf `json:"clusters"`
	src      inventory.AccessList
}

type accessOf struct {
	Cluster   string    `json:"cluster"`
	Identity  string    `json:"identity"`
	User      string    `json:"user"`
	Token     string    `json:"token,omitempty"`
	Realm     string    `json:"realm"`
	Separated *bool     `json:"privilege_separation,omitempty"`
	Expires   string    `json:"expires,omitempty"` // never, or when
	Unknown   string    `json:"unknown,omitempty"` // why expiry and separation are not known
	ReadOnly  bool      `json:"sends_only_get"`
	Level     string    `json:"allowed_up_to"`
	Granted   []string  `json:"allowed_only,omitempty"` // where grants are for parts of the cluster: each of them
	Rights    []holding `json:"rights"`
	Surplus   []string  `json:"beyond_reading,omitempty"`
	Tools     int       `json:"tools"`
	Full      int       `json:"tools_answering_in_full"`
	Lacks     []Lack    `json:"missing"`
}

func checkAccess() Spec {
	return define(Spec{
		Name: "check_access", Title: "Access", Family: "access", Command: "access check", Needs: []Need{needLogin},
		Summary: "What this login may do: rights by path, which tools fail or are partial for want of which right, and the line that grants it.",
		Examples: []Example{
			{CLI: "access check", Args: map[string]any{}, Why: "rights, and what is missing"},
		},
	}, func(ctx context.Context, d Deps, in *accessIn) (*accessOut, error) {
		l, err := d.Inventory.Access(ctx, in.read())
		if err != nil {
			return nil, err
		}
		out := &accessOut{Envelope: envelope(d, l.Meta), Clusters: []accessOf{}, src: l}
		level, err := d.level(ctx)
		if err != nil { // rights can be told all the same
			f := fault.Of(err)
			level, out.Warnings = R0, append(out.Warnings, inventory.Warning{Code: string(f.Code), Text: strings.TrimSuffix("nothing is changed now: "+f.Error()+"; "+f.Hint, "; ")})
		}
		for _, a := range l.Clusters {
			o := accessIs(d, a, level)
			if d.Granted != nil && level > R0 {
				if o.Granted, err = d.Granted(ctx, a.Cluster); err != nil {
					return nil, err
				}
			}
			out.Clusters = append(out.Clusters, o)
		}
		return out, nil
	})
}

// level is the highest tier that the caller may use now.
func (d Deps) level(ctx context.Context) (Tier, error) {
	if d.Level == nil {
		return R0, nil
	}
	return d.Level(ctx)
}

func accessIs(d Deps, a inventory.Access, level Tier) accessOf {
	specs := ListedTo(Caller{Level: level, Exec: d.Exec})
	user, token, _ := strings.Cut(a.Identity, "!")
	o := accessOf{Cluster: a.Cluster, Identity: a.Identity, User: user, Token: token, Realm: user[strings.LastIndexByte(user, '@')+1:],
		Separated: a.Separated, Unknown: a.Hidden, ReadOnly: a.ReadOnly, Rights: holdings(a.Rights), Surplus: Surplus(a.Rights, specs),
		Level: level.String(), Lacks: Lacks(a, specs), Tools: len(specs)}
	if a.Expires != nil {
		o.Expires = stamp(d, *a.Expires)
	}
	mute, partial := Short(o.Lacks)
	o.Full = o.Tools - len(mute) - len(partial)
	return o
}

// View implements Answer.
func (o *accessOut) View(d Deps) View {
	v := View{Warnings: o.Warnings}
	for k, c := range o.Clusters {
		if len(o.Clusters) > 1 {
			v.Line("[%s]", cell(c.Cluster, 40))
		}
		v.Line("%s: %s", cell(c.Identity, 120), loginText(c, o.src.Clusters[k]))
		v.Text(changesText(d, c))
		accessRights(&v, c)
		accessLacks(&v, c, o.src.Clusters[k])
	}
	return v
}

func loginText(c accessOf, a inventory.Access) string {
	kind := "user of realm " + cell(c.Realm, 60)
	if c.Token != "" {
		kind = "token of " + cell(c.User, 100) + ", realm " + cell(c.Realm, 60)
	}
	if a.Hidden != "" {
		if c.Token == "" {
			return kind + "; expiry unknown: " + cell(a.Hidden, 200)
		}
		return kind + "; expiry and privilege separation unknown: " + cell(a.Hidden, 200)
	}
	switch {
	case a.Separated == nil:
	case *a.Separated:
		kind += "; privilege separation on: only what both token and user were given"
	default:
		kind += "; privilege separation off: the user's rights"
	}
	return kind + "; expires " + cmp.Or(c.Expires, "unknown")
}

// changesText says what this server itself would do with the rights: what its owner allows, and what the client would send.
func changesText(d Deps, c accessOf) string {
	text := "changes: none, this server only reads"
	switch {
	case c.Level != R0.String():
		text = "changes: allowed up to " + c.Level
		if len(c.Granted) > 0 {
			text += ", only " + cell(strings.Join(c.Granted, "; "), 400)
		}
	case !c.ReadOnly:
		text += "; " + change.OwnerRuns(d.Program, "allow reversible")
	}
	if c.ReadOnly {
		text += "; nothing but GET is sent to this cluster (read_only in the configuration)"
	}
	return text
}

// holdingsShown bounds the paths of one row; a pool of hundreds has one for each guest.
const holdingsShown = 6

func accessRights(v *View, c accessOf) {
	t := Table{Name: "rights", Main: true, Columns: []string{"path", "privileges"}}
	for _, h := range c.Rights {
		paths := strings.Join(h.Paths[:min(holdingsShown, len(h.Paths))], " ")
		if n := len(h.Paths) - holdingsShown; n > 0 {
			paths += fmt.Sprintf(" and %d more", n)
		}
		privs := strings.Join(slices.Concat(h.Roles, h.Privileges), " ")
		if h.Here {
			privs += " (not below)"
		}
		t.Rows = append(t.Rows, []string{cell(paths, 400), cell(privs, 2000)})
	}
	if len(t.Rows) == 0 {
		v.Line("no right at all%s", separatedNote(c))
		return
	}
	v.Table(t)
	if n := len(c.Surplus); n > 0 {
		named := gravest(c.Surplus)[:min(surplusShown, n)]
		rest := ""
		if n > len(named) {
			rest = fmt.Sprintf(" and %d more", n-len(named))
		}
		v.Line("%d of these do more than read and no tool here uses them: %s%s; a login without them is safer", n, cell(strings.Join(named, " "), 400), rest)
	}
}

// surplusShown bounds the privileges that a text names; the JSON has all.
const surplusShown = 6

// gravest puts first what a stolen login would be used for: to give itself more, to run programs on nodes and in guests, to destroy (facts:
// security.md 6). The rest follows in its order.
func gravest(privileges []string) []string {
	order := []string{"Permissions.Modify", "User.Modify", "Realm.Allocate", "Realm.AllocateUser", "Sys.Console", "Sys.Modify", "VM.GuestAgent.Unrestricted", "VM.Monitor",
		"VM.Console", "VM.Allocate", "Datastore.Allocate", "Sys.PowerMgmt", "Group.Allocate", "Pool.Allocate", "Mapping.Modify", "SDN.Allocate", "Sys.Incoming", "Sys.AccessNetwork"}
	rank := func(p string) int {
		if k := slices.Index(order, p); k >= 0 {
			return k
		}
		return len(order)
	}
	return slices.SortedStableFunc(slices.Values(privileges), func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
}

func separatedNote(c accessOf) string {
	if c.Token != "" {
		return ": a token with privilege separation sees nothing until it is given a role itself, even root's"
	}
	return ""
}

// fixes are the lines that mend what is missing: all of it at once where there is nothing yet.
func (c accessOf) fixes(a inventory.Access) []string {
	if len(c.Rights) == 0 {
		return FixLines([]Lack{{Fix: a.Grant("VM.Audit", "/")}})
	}
	return FixLines(c.Lacks)
}

func accessLacks(v *View, c accessOf, a inventory.Access) {
	v.Line("%d of %d tools answer in full", c.Full, c.Tools)
	t := Table{Name: "missing", Columns: []string{"right", "on", "without it"}}
	for _, l := range c.Lacks {
		var effect []string
		if len(l.Fails) > 0 {
			effect = append(effect, "fails: "+strings.Join(l.Fails, " "))
		}
		if len(l.Partial) > 0 {
			effect = append(effect, "partial: "+strings.Join(l.Partial, " ")+" (lacking "+strings.Join(l.Parts, ", ")+")")
		}
		on := l.Path
		if len(l.HeldOn) > 0 {
			on += ", held only on " + cell(strings.Join(l.HeldOn[:min(holdingsShown, len(l.HeldOn))], " "), 300)
		}
		t.Rows = append(t.Rows, []string{l.Privilege, on, strings.Join(effect, "; ")})
	}
	v.Table(t)
	if fixes := c.fixes(a); len(fixes) > 0 {
		v.Line("to mend it, as root on a node:\n%s", strings.Join(fixes, "\n"))
	}
	for _, l := range c.Lacks {
		if l.Note != "" {
			v.Line("%s: %s", l.Privilege, l.Note)
		}
	}
}

// grantPrefix begins the lines of Access.Grant that give a role.
const grantPrefix = "pveum acl modify "

// FixLines are the commands that mend all lacks, each once, to be run as root on a node. A role that is given on / reaches all below.
func FixLines(lacks []Lack) []string {
	var out []string
	whole := map[string]bool{} // what is given on /
	for _, l := range lacks {
		for line := range strings.SplitSeq(l.Fix, "; ") {
			if line != "" && !slices.Contains(out, line) {
				out = append(out, line)
			}
			if what, ok := strings.CutPrefix(line, grantPrefix+"/ "); ok {
				whole[what] = true
			}
		}
	}
	return slices.DeleteFunc(out, func(line string) bool {
		at, what, _ := strings.Cut(strings.TrimPrefix(line, grantPrefix), " ")
		return at != "/" && whole[what]
	})
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
