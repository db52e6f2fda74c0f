package app

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// The guests of the lifecycle story.
const (
	storyTemplate = "900"
	storyCopy     = "web2"
	storyBeside   = "gitlab-old"
	storyMoved    = "vpn"
	storyNew      = "docker3"
)

// storyPace makes the simulated tasks ten times as fast: nobody wants to watch backups.
const storyPace = 0.1

// lifecycle tells what an agent does with guests from their making to their saving, in words that a person would say.
func (s *story) lifecycle(ctx context.Context) {
	s.line("What a homelab's owner does with a mouse, done by an agent. Each call below is a real one over MCP on a simulated\n" +
		"homelab, whose tasks run ten times as fast; your files are not touched. Answers are shortened.")
	s.sim.Update(func(w *pvesim.World) { w.Pace = storyPace })
	s.allow(ctx)
	s.title("\"A Debian machine with docker, called docker3, and its address\"")
	s.call(ctx, "create_vm", map[string]any{"name": storyNew, "image": "debian-13", "packages": []string{"docker.io"}, "wait_for": "address"})
	s.title("\"A copy of the Debian template called web2: 4 GiB, a disk of 20 GiB, running\"")
	s.call(ctx, "clone_guest", map[string]any{"guest": storyTemplate, "name": storyCopy, "set": []string{"memory=4096"}, "grow": "20G", "start": true})
	s.title("\"Its disk is too small: 12 GiB more\"")
	s.applied(ctx, "manage_disk", map[string]any{"guest": storyCopy, "action": "grow", "disk": "scsi0", "size": "+12G"})
	s.title("\"Back up everything that has no backup newer than a week\"")
	s.call(ctx, "backup_guest", map[string]any{"missing_since": "7d"})
	s.call(ctx, "list_backups", map[string]any{"missing_since": "7d"})
	s.title("\"Yesterday's gitlab beside the one of today, and it must not talk to anybody\"")
	s.call(ctx, "restore_guest", map[string]any{"guest": "gitlab", "action": "beside", "at": "yesterday", "name": storyBeside})
	s.title("\"Move vpn over to pve1\"")
	s.applied(ctx, "migrate_guest", map[string]any{"guest": "vpn", "target": "pve1"})
	s.title("\"I want to open up pve2 on Saturday: what would have to move? Do nothing yet\"")
	s.call(ctx, "drain_node", map[string]any{"node": "pve2", "dry_run": true})
	s.title("\"A snapshot of web2, then 6 GiB of memory, as one thing that I can take back\"")
	batch := s.applied(ctx, "plan_batch", map[string]any{"steps": []any{
		map[string]any{"tool": "snapshot_guest", "args": map[string]any{"guest": storyCopy, "action": "create", "snapshot": "before-6g"}},
		map[string]any{"tool": "update_guest", "args": map[string]any{"guest": "$1.vmid", "memory_mib": 6144, "description": "$1.name, enlarged"}},
	}})
	s.title("\"Take that back\"")
	s.applied(ctx, "undo_change", map[string]any{"plan": batch})
	s.title("What Proxmox VE says now, asked past this program's store")
	s.world(ctx)
	s.title("Every step is in the audit")
	s.audit(ctx)
}

// applied is a call whose plan is applied by a second one where it is disruptive. It returns the plan's id.
func (s *story) applied(ctx context.Context, tool string, args map[string]any) string {
	text := s.call(ctx, tool, args)
	id := planID.FindString(text)
	if s.err == nil && strings.Contains(text, "apply_plan "+id) {
		s.call(ctx, "apply_plan", map[string]any{"plan": id})
	}
	return id
}

// world asks the simulated cluster for what the story made.
func (s *story) world(ctx context.Context) {
	if s.err != nil {
		return
	}
	raw, err := s.other.Raw(ctx, "GET", "/cluster/resources", nil)
	if err != nil {
		s.err = err
		return
	}
	var list []struct {
		Type, Name, Node, Status string
		VMID                     int
		MaxMem, MaxDisk          int64
	}
	if s.err = json.Unmarshal(raw, &list); s.err != nil {
		return
	}
	for _, r := range list {
		if slices.Contains([]string{storyNew, storyCopy, storyBeside, storyMoved}, r.Name) {
			s.line("  %-10s %-6s %s  %s, memory %d MiB, disk %d GiB", fmt.Sprint(r.VMID), r.Name, r.Node, r.Status, r.MaxMem>>20, r.MaxDisk>>30)
		}
	}
	raw, err = s.other.Raw(ctx, "GET", "/nodes/pve1/storage/nas-backup/content", proxmox.Params{}.Str("content", "backup"))
	if err != nil {
		s.err = err
		return
	}
	var volumes []struct{ VMID int }
	if s.err = json.Unmarshal(raw, &volumes); s.err == nil {
		s.line("  %d backups on nas-backup", len(volumes))
	}
}
