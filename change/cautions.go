package change

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// cautionedGuests is how many guests are warned about one by one.
const cautionedGuests = 3

// Cautions implements cautious.
func (c Configure) Cautions(kept []*Live) []string {
	var out []string
	for _, l := range kept {
		for _, note := range []string{roomy(l, c.Set["memory"]), c.cold(l)} {
			if note != "" {
				out = append(out, note)
			}
		}
	}
	if more := len(out) - cautionedGuests; more > 1 {
		out = append(out[:cautionedGuests], fmt.Sprintf("and %d more warnings of the kind", more))
	}
	return out
}

// Moment implements momentary.
func (c Configure) Moment(kept []*Live) []string {
	var out []string
	for _, l := range kept {
		if note := c.starved(l); note != "" && len(out) < cautionedGuests {
			out = append(out, note)
		}
	}
	return out
}

// starved says that a guest uses more memory than it is to have.
func (c Configure) starved(l *Live) string {
	mib, err := strconv.ParseInt(strings.TrimPrefix(c.Set["memory"], "current="), 10, 64)
	if err != nil || l.Target.Status != "running" || l.Status.Mem == nil || int64(*l.Status.Mem) <= mib<<20 {
		return ""
	}
	return fmt.Sprintf("%s used %dM of memory when this was planned, more than the %dM it is to have", l.Label(), int64(*l.Status.Mem)>>20, mib)
}

// coldKeys are keys of a VM that wait for its restart whatever its hotplug says (GET .../pending tells after the change, pve-api.md 41).
const coldKeys = " cores sockets cpu numa bios machine vga scsihw ostype kvm acpi "

// cold says what of the change a running VM takes on only when it is started anew.
func (c Configure) cold(l *Live) string {
	if l.Type != pve.Qemu || l.Target.Status == "stopped" {
		return ""
	}
	var wait []string
	for _, k := range slices.SortedFunc(maps.Keys(c.Set), pve.CompareKeys) {
		cold := strings.Contains(coldKeys, " "+k+" ") || k == "memory" && !strings.Contains(l.Config.Str("hotplug"), "memory") ||
			k == "vcpus" && !strings.Contains(l.Config.Str("hotplug"), "cpu")
		if cold && l.Config.Str(k) != c.Set[k] {
			wait = append(wait, k)
		}
	}
	if len(wait) == 0 {
		return ""
	}
	return fmt.Sprintf("while %s runs only a restart brings %s into effect", l.Label(), strings.Join(wait, ", "))
}
