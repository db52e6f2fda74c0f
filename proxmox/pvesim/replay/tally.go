package replay

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// Count is how many of a kind of exchange there were and how many of them agree.
type Count struct{ Total, Agree int }

func (c *Count) add(agree bool) {
	c.Total++
	if agree {
		c.Agree++
	}
}

// Percent is the share that agrees, 100 for none at all.
func (c Count) Percent() float64 {
	if c.Total == 0 {
		return 100
	}
	return 100 * float64(c.Agree) / float64(c.Total)
}

func (c Count) String() string {
	return fmt.Sprintf("%d of %d (%.1f %%)", c.Agree, c.Total, c.Percent())
}

// Tally counts exchanges in several ways, because many of them are polls of one and the same path.
type Tally struct {
	// All counts each exchange, Writes those with another method than GET, Errors those with a recorded status from 400.
	All, Writes, Errors Count
	// kinds maps a distinct (method, path, status class) to whether all exchanges of it agree.
	kinds map[string]bool
}

func (t *Tally) add(x *exchange, agree bool) {
	t.All.add(agree)
	if x.Request.Method != http.MethodGet {
		t.Writes.add(agree)
	}
	if x.Response.Status >= http.StatusBadRequest {
		t.Errors.add(agree)
	}
	if t.kinds == nil {
		t.kinds = map[string]bool{}
	}
	kind := x.kind()
	before, seen := t.kinds[kind]
	t.kinds[kind] = agree && (before || !seen)
}

// merge adds the counts of another scenario.
func (t *Tally) merge(o Tally) {
	for _, p := range []struct{ to, from *Count }{{&t.All, &o.All}, {&t.Writes, &o.Writes}, {&t.Errors, &o.Errors}} {
		p.to.Total, p.to.Agree = p.to.Total+p.from.Total, p.to.Agree+p.from.Agree
	}
	if t.kinds == nil {
		t.kinds = map[string]bool{}
	}
	for kind, agree := range o.kinds {
		before, seen := t.kinds[kind]
		t.kinds[kind] = agree && (before || !seen)
	}
}

// Distinct counts the distinct (method, path pattern, status class); one agrees when all exchanges of it agree.
func (t Tally) Distinct() Count {
	var c Count
	for _, agree := range t.kinds {
		c.add(agree)
	}
	return c
}

func (t Tally) String() string {
	return fmt.Sprintf("exchanges %s, writes %s, errors %s, distinct (method, path, status class) %s", t.All, t.Writes, t.Errors, t.Distinct())
}

// kind is an exchange's method, the pattern of its path and its status class, as "GET /nodes/{node}/qemu 2xx".
func (x *exchange) kind() string {
	return fmt.Sprintf("%s %s %dxx", x.Request.Method, pattern(x.Request.Method, x.Request.Path), x.Response.Status/100)
}

// pattern is that of the simulator's route. A path that it does not know stands for itself, without what differs
// from guest to guest.
func pattern(method, path string) string {
	path, _, _ = strings.Cut(path, "?")
	if p, ok := pvesim.Pattern(method, path); ok {
		return p
	}
	segs := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, s := range segs {
		if strings.ContainsAny(s, "0123456789$:") {
			segs[i] = "{}"
		}
	}
	return "/" + strings.Join(slices.Clip(segs), "/")
}
