package change

import (
	"fmt"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// proofSamples prove a backup, and put a restored guest in the place of another.
func proofSamples() []sample {
	prove := func(of int) func(*pvesim.World, int) Direct {
		return func(w *pvesim.World, vmid int) Direct {
			return Verify{Saved: savedOf(w, of), NewID: madeOf(vmid), Storage: "local-lvm"}
		}
	}
	return []sample{
		{name: "backup proved", of: likeStopped, made: true, hidden: true, worked: proved("qmrestore", "qmstart", "qmdestroy"), direct: prove(likeStopped)},
		{name: "container's backup proved", of: likeContainer, made: true, hidden: true, worked: proved("vzrestore", "vzstart", "vzdestroy"), direct: prove(likeContainer)},
		{name: "swapped", of: likeRunning, pair: true, prep: beside, action: Swap{}, worked: swapped("name"), undo: true},
		{name: "container swapped", of: likeContainer, pair: true, prep: beside, action: Swap{}, worked: swapped("hostname"), undo: true},
	}
}

// proved says that a guest was made, run and removed again.
func proved(tasks ...string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		for _, kind := range tasks {
			if tasksOfGuest(w, madeOf(was.vmid), kind) == 0 {
				return false
			}
		}
		return w.Guest(madeOf(was.vmid)) == nil
	}
}

// beside makes another guest like the sample's, off and with a card of its own, as restore_guest leaves one.
func beside(w *pvesim.World, vmid int) {
	g, key := w.Guest(vmid), "name"
	if g.Type != "qemu" {
		key = "hostname"
	}
	of := map[string]int{"name": likeRunning, "hostname": likeContainer}[key]
	twin(w, of, madeOf(vmid))
	card := fmt.Sprint(g.Config["net0"])
	card = strings.TrimSuffix(strings.Replace(card, mac.FindString(card), "BC:24:11:00:00:99", 1), ",type=veth") + ",link_down=1"
	if key == "hostname" { // as Proxmox VE sorts it
		card += ",type=veth"
	}
	w.SetConfig(madeOf(vmid), "net0", card)
	w.SetConfig(madeOf(vmid), key, "restored")
	w.SetConfig(vmid, "onboot", 1)
	w.SetStatus(madeOf(vmid), "stopped")
}

// swapped says that the restored guest runs under the name of the other one, which is off.
func swapped(key string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		old, now := w.Guest(was.vmid), w.Guest(madeOf(was.vmid))
		return old != nil && now != nil && old.Status() == "stopped" && now.Status() == "running" && valueOf(now, key) == valueOf(was.guest, key) &&
			valueOf(old, key) == valueOf(was.guest, key)+oldSuffix && !strings.Contains(valueOf(now, "net0"), "link_down")
	}
}
