package tasks

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// lifecycle is what makes guests, copies and moves them, and what saves them.
func lifecycle() []Task {
	return slices.Concat(clones(), disks(), backups(), restores(), labels(), moves())
}

// address is an IPv4 address in an answer.
var address = regexp.MustCompile(`address: [0-9]+\.[0-9]+\.[0-9]+\.[0-9]+`)

// named is the guest of a name.
func named(w *pvesim.World, text string) (*pvesim.Guest, error) {
	for _, g := range w.Guests() {
		if name(g) == text {
			return g, nil
		}
	}
	return nil, fmt.Errorf("no guest is called %s", text)
}

// made wants a guest of a name to exist, and more of it.
func made(text string, more func(w *pvesim.World, g *pvesim.Guest) error) func(*pvesim.World, string, string) error {
	return func(w *pvesim.World, _, _ string) error {
		g, err := named(w, text)
		if err != nil || more == nil {
			return err
		}
		return more(w, g)
	}
}

// volumes are the ids of all volumes of a kind.
func volumes(w *pvesim.World, content string) []string {
	var out []string
	for _, n := range w.Nodes {
		for _, list := range n.Content {
			for _, v := range list {
				if v["content"] == content {
					out = append(out, fmt.Sprint(v["volid"]))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func clones() []Task {
	return []Task{
		{Name: "new machine", Say: "I need a Debian machine with docker on it, called docker3. Tell me its address.",
			Solution: []Call{call("create_vm", "name", "docker3", "image", "debian-13", "packages", []string{"docker.io"}, "wait_for", "address")},
			Check: all(made("docker3", func(_ *pvesim.World, g *pvesim.Guest) error {
				if g.Status() != "running" {
					return fmt.Errorf("it is %s", g.Status())
				}
				return nil
			}), func(_ *pvesim.World, _, said string) error {
				if !address.MatchString(said) {
					return errors.New("no address is told")
				}
				return nil
			})},
		{Name: "clone", Say: "Make me a machine called web2 from the Debian template, with 4 GiB of memory and a disk of 20 GiB, and start it.",
			Solution: []Call{call("clone_guest", "guest", "900", "name", "web2", "set", []string{"memory=4096"}, "grow", "20G", "start", true)},
			Check: made("web2", func(_ *pvesim.World, g *pvesim.Guest) error {
				if g.Status() != "running" || value(g, "memory") != "4096" || !strings.Contains(value(g, "scsi0"), "size=20G") {
					return fmt.Errorf("it is %s, memory %s, disk %s", g.Status(), value(g, "memory"), value(g, "scsi0"))
				}
				return nil
			})},
		{Name: "new container", Say: "A small Debian container for DNS, called dns2, please. Switch it on.",
			Solution: []Call{call("create_container", "name", "dns2", "template", "debian-13", "start", true)},
			Check: made("dns2", func(_ *pvesim.World, g *pvesim.Guest) error {
				if g.Type != "lxc" || g.Status() != "running" {
					return fmt.Errorf("it is a %s and %s", g.Type, g.Status())
				}
				return nil
			})},
		{Name: "two clones as one plan", Say: "I need two copies of the Debian template, worker-a and worker-b, tagged with the name of their job: batch. One step that I can take back.",
			Solution: []Call{call("plan_batch", "steps", []any{
				map[string]any{"tool": "clone_guest", "args": map[string]any{"guest": "900", "name": "worker-a"}},
				map[string]any{"tool": "clone_guest", "args": map[string]any{"guest": "900", "name": "worker-b"}},
				map[string]any{"tool": "update_guest", "args": map[string]any{"guest": "$1.vmid", "tags": []string{"batch"}}},
				map[string]any{"tool": "update_guest", "args": map[string]any{"guest": "$2.name", "tags": []string{"batch"}}}})},
			Check: func(w *pvesim.World, _, _ string) error {
				var errs []error
				for _, text := range []string{"worker-a", "worker-b"} {
					g, err := named(w, text)
					if err == nil && value(g, "tags") != "batch" {
						err = fmt.Errorf("%s has tags %q", text, value(g, "tags"))
					}
					errs = append(errs, err)
				}
				return errors.Join(errs...)
			}},
		{Name: "image", Say: "Fetch the Debian 13 cloud image, so that it is there when I need it.",
			Solution: []Call{call("download_image", "image", "debian-13")},
			Check: func(w *pvesim.World, _, _ string) error {
				if len(volumes(w, "import")) == 0 {
					return fmt.Errorf("no disk image is there")
				}
				return nil
			}},
	}
}

func disks() []Task {
	return []Task{
		{Name: "grow a disk", Say: "The system disk of test-debian is too small: 16 GiB more.",
			Before:   func(w *pvesim.World) string { return diskOf(w.Guest(208)) },
			Solution: []Call{call("get_guest", "guest", "test-debian"), call("manage_disk", "guest", "test-debian", "action", "grow", "disk", "scsi0", "size", "+16G"), apply()},
			Check: func(w *pvesim.World, was, _ string) error {
				if now := diskOf(w.Guest(208)); now == was {
					return fmt.Errorf("its disk is as it was: %s", now)
				}
				return nil
			}},
	}
}

// diskOf is the value of a guest's first disk.
func diskOf(g *pvesim.Guest) string {
	for _, key := range []string{"scsi0", "virtio0", "sata0", "ide0", "rootfs"} {
		if v := value(g, key); v != "" {
			return v
		}
	}
	return ""
}

func backups() []Task {
	return []Task{
		{Name: "back up", Say: "Back up minecraft before I install mods.",
			Before:   func(w *pvesim.World) string { return fmt.Sprint(len(volumes(w, "backup"))) },
			Solution: []Call{call("backup_guest", "guest", "minecraft", "notes", "before mods")},
			Check: func(w *pvesim.World, was, _ string) error {
				if now := volumes(w, "backup"); fmt.Sprint(len(now)) == was || !slices.ContainsFunc(now, func(v string) bool { return strings.Contains(v, "-207-") }) {
					return fmt.Errorf("minecraft has no new backup")
				}
				return nil
			}},
		{Name: "back up what is not", Say: "Back up everything that has no backup newer than a week.",
			Before:   func(w *pvesim.World) string { return strings.Join(unsaved(w, 7*day), " ") },
			Solution: []Call{call("backup_guest", "missing_since", "7d"), call("list_backups", "missing_since", "7d")},
			Check: func(w *pvesim.World, was, _ string) error {
				left := slices.DeleteFunc(unsaved(w, 7*day), func(n string) bool {
					g, err := named(w, n)
					return err == nil && value(g, "lock") != "" // what is locked cannot be backed up
				})
				if len(left) > 0 {
					return fmt.Errorf("without a backup of the week, of %s, are %v", was, left)
				}
				return nil
			}},
	}
}

func restores() []Task {
	return []Task{
		{Name: "backup every night", Say: "Nothing backs up minecraft and the runner by itself. See to it: every night at a quarter past three, onto the nas.",
			Solution: []Call{call("manage_backup_job", "action", "create", "job", "kids", "guests", []string{"207", "210"}, "schedule", "03:15", "storage", "nas-backup"), apply()},
			Check: func(w *pvesim.World, _, _ string) error {
				for _, j := range w.Cluster.Lists["backup_jobs"] {
					if j["schedule"] == "03:15" && strings.Contains(fmt.Sprint(j["vmid"]), "207") && strings.Contains(fmt.Sprint(j["vmid"]), "210") {
						return nil
					}
				}
				return errors.New("no job backs them up")
			}},
		{Name: "back to yesterday", Say: "The update broke caddy. Bring it back to what it was yesterday.",
			Solution: []Call{call("find_recovery", "guest", "caddy", "at", "yesterday"), call("restore_guest", "guest", "caddy", "action", "over", "at", "yesterday"), approved()},
			Break:    func(w *pvesim.World) { w.SetConfig(103, "memory", 16); w.SetConfig(103, "nameserver", "192.0.2.1") },
			Check:    all(has(103, "memory", "1024"), has(103, "nameserver", ""), is(103, "running"))},
		{Name: "what it says inside", Say: "Which host name does the file /etc/hostname name inside of the machine nas?",
			Prepare:  func(w *pvesim.World) { w.SetConfig(200, "tags", "ops") },
			Settings: "agent: {exec: {allow: [cat /etc/hostname], tag: ops}}\n",
			Solution: []Call{call("exec_guest", "guest", "nas", "command", []string{"cat", "/etc/hostname"}), apply()},
			Check: func(w *pvesim.World, _, said string) error {
				if name := w.Guest(200).Agent.HostName; w.Guest(200).Programs() != 1 || !strings.Contains(said, "| "+name) {
					return fmt.Errorf("it does not say %q", name)
				}
				return nil
			}},
		{Name: "beside", Say: "Give me yesterday's gitlab beside the one of today, so that I can compare. It must not talk to anybody.",
			Solution: []Call{call("restore_guest", "guest", "gitlab", "action", "beside", "at", "yesterday", "name", "gitlab-old")},
			Check: made("gitlab-old", func(_ *pvesim.World, g *pvesim.Guest) error {
				if !strings.Contains(value(g, "net0"), "link_down=1") || g.Status() != "stopped" {
					return fmt.Errorf("it is %s, its card %s", g.Status(), value(g, "net0"))
				}
				return nil
			})},
		{Name: "is it any good", Say: "Would the backup of docker1 really come up again? Prove it, and leave nothing behind.",
			Solution: []Call{call("verify_backup", "guest", "docker1"), call("get_plan", "plan", "$plan", "wait_s", 45)},
			Check: func(w *pvesim.World, _, said string) error {
				restored := false
				for _, n := range w.Nodes {
					restored = restored || slices.ContainsFunc(n.Tasks, func(t *pvesim.Task) bool { return t.Type == "qmrestore" && t.Exit == "OK" })
				}
				if !restored || !strings.Contains(said, "done") || len(w.Guests()) != 25 {
					return fmt.Errorf("restored: %v, %d guests are there", restored, len(w.Guests()))
				}
				return nil
			}},
		{Name: "old file", Say: "The ISO of the Windows drivers on pve1 is not needed any more.",
			Solution: []Call{call("list_volumes", "content", "iso"), call("delete_volume", "volume", "local:iso/virtio-win-0.1.285.iso", "node", "pve1"), approved()},
			Check: func(w *pvesim.World, _, _ string) error {
				if slices.Contains(volumes(w, "iso"), "local:iso/virtio-win-0.1.285.iso") {
					return fmt.Errorf("it is still there")
				}
				return nil
			}},
	}
}
