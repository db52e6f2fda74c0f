package change

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// intoPools refuses steps that put a guest into a pool which neither exists nor is made by a step before: Proxmox VE would refuse it only when
// the plan is applied (15/014). The list has the pools that this token may see; where it sees none nothing is refused.
func (e *Engine) intoPools(ctx context.Context, steps, before []Step) error {
	for k := range steps {
		s := &steps[k]
		name := s.Call.param("pool")
		if s.Want.Pool != nil {
			name = *s.Want.Pool
		}
		made := func(b Step) bool { return b.Target.Kind == "pool" && b.Target.Object == name && !b.Want.Gone }
		if name == "" || s.Noop != "" || slices.ContainsFunc(before, made) || slices.ContainsFunc(steps[:k], made) {
			continue
		}
		c, err := e.opt.Cluster(s.Target.Cluster)
		if err != nil {
			return err
		}
		names, err := poolNames(ctx, c)
		if err != nil {
			return err
		}
		if len(names) == 0 || slices.Contains(names, name) {
			continue
		}
		rule := "there is no pool " + quoted(name)
		if like := near.Word(name, names); like != "" {
			rule += "; did you mean " + like + "?"
		}
		return fault.BadField("pool", rule+"; there are: "+strings.Join(names[:min(len(names), 12)], ", "), names[0]).WithHint("manage_pool create makes one")
	}
	return nil
}

// poolNames are the pools that this token may see, sorted; none where it may see none.
func poolNames(ctx context.Context, c Cluster) ([]string, error) {
	raw, err := c.Raw(ctx, "GET", "/pools", nil)
	if fault.CodeOf(err) == fault.Forbidden {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var rows []poolRow
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the list of pools cannot be read")
	}
	var names []string
	for _, r := range rows {
		names = append(names, cleanLine(string(r.PoolID)))
	}
	slices.Sort(names)
	return names, nil
}
