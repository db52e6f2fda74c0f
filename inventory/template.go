package inventory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// template finds a container template on the list that the node keeps of Proxmox's own (GET /nodes/{node}/aplinfo), by its file's name or
// by system: debian-13, alpine. The newest of several.
func (s *placing) template(ctx context.Context) error {
	node := s.p.Node
	list, at, err := recall(ctx, s.c, asking{key: "templates " + node, keep: s.c.inv.opt.Freshness},
		func(ctx context.Context, src Source) ([]pve.Appliance, error) { return src.Appliances(ctx, node) })
	if at.IsZero() {
		return err
	}
	text := strings.ToLower(strings.TrimSpace(s.q.Template))
	for from, to := range map[string]string{"alma": "almalinux", "rocky": "rockylinux", "arch": "archlinux"} {
		if rest, ok := strings.CutPrefix(text, from); ok && (rest == "" || rest[0] == '-') {
			text = to + rest
		}
	}
	var best *pve.Appliance
	for k := range list {
		if a := &list[k]; rankOf(a, text) > 0 && (best == nil || better(a, best, text)) {
			best = a
		}
	}
	if best == nil {
		return unknownTemplate(node, text, list)
	}
	s.p.FileName = string(best.Template)
	return nil
}

// rankOf says how well a template fits a name, 0 = not.
func rankOf(a *pve.Appliance, text string) int {
	system := a.Section == "system"
	switch {
	case strings.EqualFold(string(a.Template), text):
		return 4
	case system && (string(a.Package) == text || string(a.OS) == text):
		return 3
	case system && strings.HasPrefix(string(a.Package), text+"-"):
		return 2
	case string(a.Package) == text:
		return 1
	}
	return 0
}

func better(a, b *pve.Appliance, text string) bool {
	return cmp.Or(cmp.Compare(rankOf(a, text), rankOf(b, text)), natural(string(a.Package), string(b.Package)), natural(string(a.Version), string(b.Version)),
		strings.Compare(string(b.Template), string(a.Template))) > 0
}

// natural compares names in which numbers count as numbers: debian-9 is before debian-13.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := chunk(a), chunk(b)
		a, b = a[len(x):], b[len(y):]
		p, q := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		c := strings.Compare(x, y)
		if isDigit(x[0]) && isDigit(y[0]) {
			c = cmp.Or(cmp.Compare(len(p), len(q)), strings.Compare(p, q))
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// chunk is the run of digits, or of what is none, that a text begins with.
func chunk(s string) string {
	k := strings.IndexFunc(s[1:], func(r rune) bool { return (r >= '0' && r <= '9') != isDigit(s[0]) })
	if k < 0 {
		return s
	}
	return s[:k+1]
}

func unknownTemplate(node, text string, list []pve.Appliance) error {
	var systems []string
	for k := range list {
		if list[k].Section == "system" {
			systems = append(systems, clean.Line(string(list[k].OS), maxTag), clean.Line(string(list[k].Package), maxTag))
		}
	}
	slices.Sort(systems)
	systems = slices.Compact(systems)
	e := fault.New(fault.NotFound, "node %s lists no container template %q", node, clean.Line(text, maxName))
	switch n := near.Words(text, systems, 3); {
	case len(list) == 0:
		return e.WithHint("its list is empty; its owner runs there: pveam update")
	case len(n) > 0:
		return e.WithHint("did you mean %s?", strings.Join(n, " or "))
	default:
		return e.WithHint("it lists %s", shortList(systems, 20))
	}
}
