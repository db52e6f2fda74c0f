package change

import (
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Swap puts a guest that was restored beside another one in its place. The other one is shut down and kept under its vmid: renamed, its links
// down, off at boot. The restored one takes its name and the addresses of its network cards, its links go up, and it is started. Each step
// can be taken back.
type Swap struct{}

var _ Together = Swap{}

// oldSuffix is added to the name of the guest that is kept.
const oldSuffix = "-old"

// Name implements Action.
func (Swap) Name() string { return "guest.swap" }

// Title implements Action.
func (Swap) Title() string { return "swap for the restored one" }

// Needs implements Action.
func (Swap) Needs() Needs { return Needs{} }

// Steps implements Action: it takes two guests.
func (Swap) Steps(l *Live) ([]Step, error) {
	return nil, fault.New(fault.Invalid, "%s alone cannot be swapped: the guest that was restored beside it is needed", l.Label())
}

// Join implements Together: the guest that is kept first, the restored one behind it.
func (s Swap) Join(lives []*Live) ([]Step, []Skip, error) {
	if len(lives) != 2 || lives[0].VMID == lives[1].VMID {
		return nil, nil, fault.New(fault.Conflict, "two guests are needed: the one that is kept and the one that was restored")
	}
	old, restored := lives[0], lives[1]
	switch {
	case old.Type != restored.Type:
		return nil, nil, fault.New(fault.Conflict, "%s and %s are of different kinds", old.Label(), restored.Label())
	case old.Target.Template || restored.Target.Template:
		return nil, nil, fault.New(fault.Conflict, "a template cannot be swapped")
	}
	var steps []Step
	for _, part := range []struct {
		l *Live
		c Configure
	}{{old, s.aside(old)}, {restored, s.instead(old, restored)}} {
		if part.l.Target.Status != "stopped" {
			more, err := halt(part.l)
			if err != nil {
				return nil, nil, err
			}
			steps = append(steps, more...)
		}
		more, err := part.c.Steps(part.l)
		if err != nil {
			return nil, nil, err
		}
		steps = append(steps, later(more, steps)...)
	}
	off := *restored
	off.Target.Status = "stopped"
	more, err := Power{Verb: "start"}.Steps(&off)
	return Chained("swap", append(steps, more...)...), nil, err
}

// aside is the guest that is kept: another name, links down, not started with its node.
func (Swap) aside(l *Live) Configure {
	c := Configure{Set: map[string]string{}}
	if name := l.Config.Str(nameKey(l.Type)); name != "" && !strings.HasSuffix(name, oldSuffix) {
		c.Set[nameKey(l.Type)] = name[:min(len(name), 63-len(oldSuffix))] + oldSuffix
	}
	for _, n := range l.Config.NICs() {
		c.Set[n.Slot] = rewired(l.Type, l.Config.Str(n.Slot), n.MAC, true)
	}
	if l.Config.Bool("onboot") {
		c.Set["onboot"] = "0"
	}
	return c
}

// instead is the restored guest with the other one's name, addresses and start at boot.
func (Swap) instead(old, l *Live) Configure {
	c := Configure{Set: map[string]string{}}
	if name := old.Config.Str(nameKey(old.Type)); name != "" {
		c.Set[nameKey(l.Type)] = strings.TrimSuffix(name, oldSuffix)
	}
	macs := map[string]string{}
	for _, n := range old.Config.NICs() {
		macs[n.Slot] = n.MAC
	}
	for _, n := range l.Config.NICs() {
		mac := n.MAC
		if m := macs[n.Slot]; m != "" {
			mac = m
		}
		c.Set[n.Slot] = rewired(l.Type, l.Config.Str(n.Slot), mac, false)
	}
	if old.Config.Bool("onboot") {
		c.Set["onboot"] = "1"
	}
	return c
}
