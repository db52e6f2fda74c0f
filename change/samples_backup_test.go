package change

import (
	"fmt"
	"slices"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// nas is the demo's storage for backups.
const nas = "nas-backup"

// hasBackups says how many backups of a guest the storage has.
func hasBackups(w *pvesim.World, vmid int) int {
	n := 0
	for _, v := range w.Node(home).Content[nas] {
		if v["content"] == "backup" && fmt.Sprint(v["vmid"]) == fmt.Sprint(vmid) {
			n++
		}
	}
	return n
}

func backedUp(w *pvesim.World, was *then) bool { return hasBackups(w, was.vmid) == 1 }

// backupSamples are the actions about backups.
func backupSamples() []sample {
	to := map[string]BackupPlace{home: {Storage: nas}}
	return []sample{
		{name: "backup", of: likeRunning, action: BackupGuests{Places: to, Notes: "before\nthe upgrade"}, worked: backedUp, undo: true, apart: true},
		{name: "backup of a container", of: likeContainer, action: BackupGuests{Places: to, Mode: "stop"}, worked: backedUp, undo: true, apart: true},
		{name: "protected backup", of: likeStopped, action: BackupGuests{Places: to, Protected: true}, worked: backedUp},
		{name: "image deleted", of: likeStopped, prep: anImage, worked: func(w *pvesim.World, was *then) bool { return !imageThere(w, was.vmid) },
			direct: func(_ *pvesim.World, vmid int) Direct {
				return DeleteVolume{Cluster: "home", Node: home, VolID: imageOf(vmid), Kind: "iso"}
			}},
	}
}

func imageOf(vmid int) string { return fmt.Sprintf("%s:iso/of-%d.iso", nas, vmid) }

func anImage(w *pvesim.World, vmid int) {
	for _, n := range w.Nodes {
		n.Content[nas] = append(slices.Clone(n.Content[nas]), pvesim.Object{"volid": imageOf(vmid), "content": "iso", "format": "iso", "size": 1 << 20, "ctime": 1})
	}
}

func imageThere(w *pvesim.World, vmid int) bool {
	return slices.ContainsFunc(w.Node(home).Content[nas], func(v pvesim.Object) bool { return v["volid"] == imageOf(vmid) })
}
