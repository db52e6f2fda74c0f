package change

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
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
		{name: "restored", of: likeStopped, made: true, undo: true, hidden: true, worked: restored("running", false), direct: func(w *pvesim.World, vmid int) Direct {
			r := restoring(w, likeStopped, vmid)
			r.Start = true
			return r
		}},
		{name: "restored beside", of: likeStopped, made: true, undo: true, hidden: true, worked: restored("stopped", true), direct: func(w *pvesim.World, vmid int) Direct {
			r := restoring(w, likeStopped, vmid)
			r.Apart = true
			return r
		}},
		{name: "container restored beside", of: likeContainer, made: true, undo: true, hidden: true, worked: restored("stopped", true), direct: func(w *pvesim.World, vmid int) Direct {
			r := restoring(w, likeContainer, vmid)
			r.Apart = true
			return r
		}},
		{name: "restored over", of: likeStopped, hidden: true, worked: putBack("stopped", 0), over: func(w *pvesim.World) Action {
			return RestoreOver{Saved: savedOf(w, likeStopped), Storage: "local-lvm", Discard: true}
		}},
		{name: "restored over a running one", of: likeRunning, hidden: true, worked: putBack("running", 1), over: func(w *pvesim.World) Action {
			return RestoreOver{Saved: savedOf(w, likeStopped), Storage: "local-lvm", Place: BackupPlace{Storage: nas}}
		}},
		{name: "job", of: likeStopped, away: true, undo: true, apart: true, worked: jobIs("schedule", "sat 03:00"), direct: func(_ *pvesim.World, vmid int) Direct {
			return Job{Cluster: "home", Verb: "create", ID: jobOf(vmid), Set: map[string]string{"schedule": "sat 03:00", "storage": nas, "vmid": fmt.Sprint(vmid),
				"mode": "snapshot", "prune-backups": "keep-last=2,keep-daily=1", "enabled": "1"}}
		}},
		{name: "job changed", of: likeStopped, away: true, prep: aJob, undo: true, apart: true, worked: jobIs("schedule", "daily"), direct: func(w *pvesim.World, vmid int) Direct {
			return Job{Cluster: "home", Verb: "update", ID: jobOf(vmid), Was: theJob(w, vmid), Set: map[string]string{"schedule": "daily", "notes-template": "x", "all": "1", "exclude": "204"}, Delete: []string{"prune-backups"}}
		}},
		{name: "job disabled", of: likeStopped, away: true, prep: aJob, undo: true, apart: true, worked: jobIs("enabled", "0"), direct: func(w *pvesim.World, vmid int) Direct {
			return Job{Cluster: "home", Verb: "disable", ID: jobOf(vmid), Was: theJob(w, vmid), Set: map[string]string{"enabled": "0"}}
		}},
		{name: "job deleted", of: likeStopped, away: true, prep: aJob, undo: true, apart: true, worked: jobIs("schedule", ""), direct: func(w *pvesim.World, vmid int) Direct {
			return Job{Cluster: "home", Verb: "delete", ID: jobOf(vmid), Was: theJob(w, vmid)}
		}},
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

// restoring is a restore of a guest of the demo, of which there is a backup, as the guest that a sample makes.
func restoring(w *pvesim.World, of, vmid int) Restore {
	g := w.Guest(of)
	r := Restore{Saved: savedOf(w, of), NewID: madeOf(vmid), NewName: "restored", Storage: "local-lvm"}
	r.Type = pve.GuestType(g.Type)
	return r
}

func savedOf(w *pvesim.World, of int) Saved {
	g := w.Guest(of)
	s := Saved{Cluster: "home", Node: home, Type: pve.GuestType(g.Type), VMID: of, At: time.Unix(1795000000, 0), Config: pve.Config{}}
	for k, v := range g.Config {
		s.Config[k] = fmt.Sprint(v)
	}
	for _, v := range w.Node(home).Content[nas] {
		if v["content"] == "backup" && fmt.Sprint(v["vmid"]) == fmt.Sprint(of) {
			s.VolID = fmt.Sprint(v["volid"])
		}
	}
	return s
}

// restored says that the guest was made, with links down and other addresses where it is to be apart.
func restored(status string, apart bool) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(madeOf(was.vmid))
		if g == nil || g.Status() != status || g.Config["lock"] != nil {
			return false
		}
		was0, card := fmt.Sprint(was.guest.Config["net0"]), fmt.Sprint(g.Config["net0"])
		return strings.Contains(card, "link_down=1") == apart && !strings.Contains(card, mac.FindString(was0))
	}
}

var mac = regexp.MustCompile(`([0-9A-F]{2}:){5}[0-9A-F]{2}`)

// putBack says that a guest became the one of the backup, and how many backups were made of it before.
func putBack(status string, kept int) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool {
		g := w.Guest(was.vmid)
		return g != nil && g.Status() == status && g.Config["smbios1"] == w.Guest(likeStopped).Config["smbios1"] && hasBackups(w, was.vmid) == kept
	}
}

func jobOf(vmid int) string { return fmt.Sprintf("job-%d", vmid) }

const jobList = "backup_jobs"

func aJob(w *pvesim.World, vmid int) {
	w.Cluster.Lists[jobList] = append(slices.Clone(w.Cluster.Lists[jobList]), pvesim.Object{"id": jobOf(vmid), "type": "vzdump", "schedule": "sat 03:00", "storage": nas,
		"vmid": fmt.Sprint(vmid), "mode": "snapshot", "enabled": 1, "prune-backups": map[string]any{"keep-last": "2"}})
}

// theJob is a job as it would be read, nil without one.
func theJob(w *pvesim.World, vmid int) pve.Config {
	for _, j := range w.Cluster.Lists[jobList] {
		if j["id"] == jobOf(vmid) {
			raw, _ := json.Marshal(j)
			c, _ := pve.DecodeConfig(raw)
			return c
		}
	}
	return nil
}

func jobIs(key, value string) func(*pvesim.World, *then) bool {
	return func(w *pvesim.World, was *then) bool { return jobValue(theJob(w, was.vmid)[key]) == value }
}
