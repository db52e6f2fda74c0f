package tools

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type jobIn struct {
	Action   string   `json:"action" req:"true" enum:"create,update,enable,disable,delete,run" example:"create"`
	Job      string   `json:"job" req:"true" example:"nightly" desc:"its id"`
	Schedule string   `json:"schedule" example:"02:30" desc:"02:30, sat 03:00, daily"`
	Storage  string   `json:"storage" example:"nas-backup"`
	Guests   []string `json:"guests" example:"all" desc:"vmids, or all, or pool:NAME"`
	Exclude  []string `json:"exclude" desc:"vmids, with all"`
	Mode     string   `json:"mode" enum:"snapshot,suspend,stop"`
	Keep     string   `json:"keep" example:"keep-daily=7,keep-weekly=4" desc:"retention, or a number" help:"how many backups stay, as keep-daily=7 or 7"`
	Comment  string   `json:"comment" help:"what the job is for"`
	Cluster  string   `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func manageBackupJob() Spec {
	return writes(Spec{
		Name: "manage_backup_job", Title: "Backup job", Family: "change", Command: "backup job", Args: []string{"action", "job"}, Tier: R1,
		Acts:    []Act{{"create", R2}, {"update", R2}, {"enable", R2}, {"disable", R2}, {"delete", R2}, {"run", R1}},
		Needs:   []Need{needJobs, needEditJobs, needBackup, needSpace},
		Summary: "Scheduled backups: make, change, switch, delete or run a job now.",
		Examples: []Example{
			{CLI: "backup job create lab --guests 207,208 --schedule 03:15 --storage nas-backup --dry-run",
				Args: map[string]any{"action": "create", "job": "lab", "guests": []string{"207", "208"}, "schedule": "03:15", "storage": "nas-backup", "dry_run": true}, Why: "plan nightly backups of two guests"},
			{CLI: "backup job run backup-nightly --dry-run", Args: map[string]any{"action": "run", "job": "backup-nightly", "dry_run": true}, Why: "what it would back up now"},
		},
	}, func(ctx context.Context, d Deps, in *jobIn) (change.Request, error) {
		return in.request(ctx, d)
	})
}

func (in *jobIn) request(ctx context.Context, d Deps) (change.Request, error) {
	id := strings.TrimSpace(in.Job)
	set, bad := in.settings()
	if bad != nil && (in.Action == "create" || in.Action == "update") {
		return change.Request{}, bad
	}
	was, err := d.Inventory.Job(ctx, inventory.JobQuery{ID: id, Set: set, ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}})
	switch missing := fault.CodeOf(err) == fault.NotFound && was.Cluster != ""; {
	case in.Action == "create" && err == nil:
		return change.Request{}, fault.New(fault.Conflict, "there is a backup job %s already", id).WithHint("update changes it")
	case err != nil && (!missing || in.Action != "create"):
		return change.Request{}, err
	}
	if in.Action == "run" {
		return in.run(&was)
	}
	j := change.Job{Cluster: was.Cluster, ID: id, Verb: in.Action, Was: was.Was}
	r := change.Request{Cluster: was.Cluster}
	switch in.Action {
	case "enable":
		j.Set = map[string]string{"enabled": "1"}
	case "disable":
		j.Set = map[string]string{"enabled": "0"}
	case "create", "update":
		j.Set, r.Notes = set, sharedNotes(was.Others)
	}
	r.Direct = j
	return r, nil
}

// sharedNotes tell what a job does together with others.
func sharedNotes(others []inventory.SharedGuests) []string {
	var out []string
	for _, o := range others {
		note := fmt.Sprintf("job %s (%s) backs up %d of its guests too", o.Job, o.Schedule, o.Guests)
		if o.Prunes {
			note += "; both prune on the same storage, so each removes what the other keeps (" + o.Keep + ")"
		}
		out = append(out, note)
	}
	return out
}

// keepRule is one rule of retention (schema: prune-backups).
var keepRule = lazy.Regexp(`^keep-(?:(?:last|hourly|daily|weekly|monthly|yearly)=\d+|all=[01])$`)

// keeping is a retention as the API takes it. A number alone is how many of the newest stay.
func keeping(text string) (string, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), " ", "")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return "keep-last=" + text, nil
	}
	for rule := range strings.SplitSeq(text, ",") {
		if text != "" && !keepRule().MatchString(rule) {
			return "", fault.BadField("keep", "rules such as keep-last=3, keep-daily=7, keep-weekly=4, or a number", "keep-daily=7,keep-weekly=4")
		}
	}
	return text, nil
}

// settings are what the inputs say, as the API takes it.
func (in *jobIn) settings() (map[string]string, error) {
	set := map[string]string{}
	keep, err := keeping(in.Keep)
	if err != nil {
		return nil, err
	}
	for k, v := range map[string]string{"schedule": in.Schedule, "storage": in.Storage, "mode": in.Mode, "prune-backups": keep, "comment": in.Comment,
		"exclude": strings.Join(in.Exclude, ",")} {
		if v = strings.TrimSpace(v); v != "" {
			set[k] = v
		}
	}
	whom := strings.TrimSpace(strings.Join(in.Guests, ","))
	switch pool, isPool := strings.CutPrefix(whom, "pool:"); {
	case isPool:
		set["pool"] = pool
	case whom == "all":
		set["all"] = "1"
	case whom != "":
		for g := range strings.SplitSeq(whom, ",") {
			if n, err := strconv.Atoi(strings.TrimSpace(g)); err != nil || n < 100 {
				return nil, fault.BadField("guests", fmt.Sprintf("vmids, or all, or pool:NAME; %.40q is none", strings.TrimSpace(g)), "104,105")
			}
		}
		set["vmid"] = strings.ReplaceAll(whom, " ", "")
	}
	if in.Action == "create" {
		for field, v := range map[string]string{"schedule": set["schedule"], "storage": set["storage"], "guests": whom} {
			if v == "" && !(field == "guests" && set["exclude"] != "") {
				return nil, fault.BadField(field, "it is needed for a new job", map[string]string{"schedule": "02:30", "storage": "nas-backup", "guests": "all"}[field])
			}
		}
		set["enabled"] = "1"
	}
	if len(set) == 0 {
		return nil, fault.BadField("schedule", "something to change is needed", "02:30")
	}
	return set, nil
}

// run backs up now what a job covers, with its settings; what it would prune stays.
func (in *jobIn) run(was *inventory.JobState) (change.Request, error) {
	c := was.Was
	if len(was.Guests) == 0 {
		return change.Request{}, fault.New(fault.Conflict, "job %s covers no guest that is known", in.Job)
	}
	if c.Str("storage") == "" {
		return change.Request{}, fault.New(fault.Conflict, "job %s names no storage", in.Job).WithHint("backup_guest backs up guests and chooses one")
	}
	a := change.BackupGuests{Everywhere: &change.BackupPlace{Storage: c.Str("storage"), Free: was.Free}, Mode: c.Str("mode"), Compress: compression(c),
		Notes: strings.NewReplacer(`\n`, "\n", `\\`, `\`).Replace(c.Str("notes-template")), Protected: c.Bool("protected")}
	return change.Request{Cluster: was.Cluster, Guests: was.Guests, Action: a,
		Notes: []string{fmt.Sprintf("as job %s, but nothing older is pruned", in.Job)}}, nil
}

// compression is what a job says; without a word it is none (schema: compress).
func compression(c pve.Config) string {
	switch v := c.Str("compress"); v {
	case "":
		return "0"
	case "1":
		return "lzo"
	default:
		return v
	}
}
