package change

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// volumesOf lists what a storage holds of a kind of content ("" = all), as a node sees it.
func volumesOf(ctx context.Context, c Cluster, node, storage, content string) ([]pve.VolumeRow, error) {
	var params proxmox.Params
	if content != "" {
		params = params.Str("content", content)
	}
	path, err := proxmox.Path("nodes", node, "storage", storage, "content")
	if err != nil {
		return nil, err
	}
	raw, err := c.Raw(ctx, "GET", path, params)
	if err != nil {
		return nil, err
	}
	var rows []pve.VolumeRow
	if err := json.Unmarshal(raw, &rows); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "the volumes of storage %s cannot be read", storage)
	}
	return rows, nil
}

// backupsSeen looks for a new backup of each guest of the step. The moment from which one counts is that of the task, by the clock of its
// node, which dates the backups as well; without a known task nothing is proven, because somebody else's backup looks the same.
func backupsSeen(ctx context.Context, _ *Engine, c Cluster, s *Step, js store.PlanStep) (seen, error) {
	since := js.Sent.Add(-skewAllowance).Truncate(time.Second)
	u, uerr := pve.ParseUPID(js.UPID)
	if uerr == nil {
		since = u.Start
	}
	rows, err := volumesOf(ctx, c, s.Target.Node, s.Want.Backups, "backup")
	if err != nil {
		return seen{}, err
	}
	o := seen{target: s.Target, undo: []Call{}}
	var made, without []string
	for _, t := range s.Also {
		v := newestBackup(rows, t.VMID, since)
		if v == nil {
			without = append(without, cleanLine(t.Label()))
			continue
		}
		made = append(made, backupWords(t, v))
		if path, err := proxmox.Path("nodes", s.Target.Node, "storage", s.Want.Backups, "content", pve.Volume{Storage: s.Want.Backups, Name: volumeName(v)}); err == nil {
			o.undo = append(o.undo, Call{Method: "DELETE", Path: path})
		}
	}
	o.ok = len(without) == 0
	o.proof = o.ok && uerr == nil
	o.text = strings.Join(made, "; ")
	if len(without) > 0 {
		o.text = strings.TrimPrefix(o.text+"; no new backup of "+strings.Join(without, ", "), "; ")
	}
	return o, nil
}

// backupWords is a backup as it is told: "104: nas:backup/vzdump-... (2 GiB)".
func backupWords(t Target, v *pve.VolumeRow) string {
	text := t.ID() + ": " + cleanVolume(string(v.VolID))
	if v.Size != nil {
		text += " (" + sizeText(int64(*v.Size)) + ")"
	}
	return text
}

// maxVolid is how much of a volume id is shown: a backup's is about 70 characters long.
const maxVolid = 160

func cleanVolume(volid string) string { return clean.Line(volid, maxVolid) }

// newestBackup is a guest's newest backup that was begun at or after since; nil without one. That of another kind of guest under the same
// number is none (facts: the volume's subtype; older versions have it in the name alone).
func newestBackup(rows []pve.VolumeRow, vmid int, since time.Time) *pve.VolumeRow {
	var found *pve.VolumeRow
	for k := range rows {
		v := &rows[k]
		if v.VMID == nil || int(*v.VMID) != vmid || v.CTime == nil || time.Unix(int64(*v.CTime), 0).Before(since) {
			continue
		}
		if found == nil || *v.CTime > *found.CTime {
			found = v
		}
	}
	return found
}

func volumeName(v *pve.VolumeRow) string {
	_, name, _ := strings.Cut(string(v.VolID), ":")
	return name
}

// backupsGone removes the backups that were observed, and no others.
func backupsGone(s *Step, r Result) []Step {
	var out []Step
	for _, call := range r.Undo {
		volid, ok := volumeIn(call.Path)
		if !ok {
			continue
		}
		var owner *Found
		if k := slices.IndexFunc(s.Also, func(t Target) bool { return ofGuest(volid, t.VMID) }); k >= 0 {
			owner = &Found{Target: s.Also[k]}
		}
		u := deleteVolume(s.Action+".undo", VolumeTarget(s.Target.Cluster, s.Target.Node, volid, owner), call)
		u.Tier = max(s.Tier, Disruptive) // made by the plan that is undone, but it may be the only one
		u.Lost = []string{"backup " + cleanVolume(volid)}
		out = append(out, u)
	}
	return out
}

// deleteVolume is the step that removes a volume. The task is named after owner and storage (09/040, 13/025).
func deleteVolume(action string, t Target, call Call) Step {
	storage, _, _ := strings.Cut(t.Object, ":")
	s := Step{Action: action, Tier: Destructive, Target: t, Call: call, Task: "imgdel", TaskID: storage, NoUndo: "a removed volume cannot be brought back",
		Diff: []Diff{{"volume", t.Object, ""}}}
	if t.VMID != 0 {
		s.TaskID = strconv.Itoa(t.VMID) + "@" + storage
	}
	s.Want.Gone = true
	return s
}

// volumeIn is the volume id that a path below a storage's content names.
func volumeIn(path string) (volid string, ok bool) {
	_, text, ok := strings.Cut(path, "/content/")
	if !ok {
		return "", false
	}
	volid, err := url.PathUnescape(text)
	return volid, err == nil
}

// ofGuest says whether a backup's name is that of a guest (09/012).
func ofGuest(volid string, vmid int) bool {
	return strings.Contains(volid, fmt.Sprintf("-%d-", vmid)) || strings.Contains(volid, fmt.Sprintf("/%d/", vmid))
}

// sizeText is a size for people, in the unit that fits.
func sizeText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
