package tools

import (
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// Need is a right that calls behind a tool take, and what is missing without it. A tool's needs stand in its Spec; check_access and
// doctor both judge a login by them. Sources: the permissions in the schema of the API, and the recordings 11/034 to 11/060, which show
// that most lists shrink where a right is missing and do not refuse.
type Need struct {
	Privileges []string // any of them does; the first is the one to ask for
	Path       string   // it has to hold on all that lies below
	Exact      bool     // on Path itself, whatever holds below
	Or         string   // or on this path itself
	Part       string   // what the answer lacks without it
	Fails      bool     // a tool has no answer at all where none of its needs with this mark holds anywhere
	Above      bool     // it has none without this one, even where another such need is met
	Extra      bool     // no part of reading everything: it is told where rights are asked for, and proposed by nothing else
	Unasked    bool     // not worth asking for in Proxmox VE 8, whose privilege for it does more than read
}

// The rights that reading takes.
var (
	// Lists of guests, their configuration, status and snapshots (02/004; 11/045, 11/047; schema: /nodes/{node}/qemu/{vmid}/config).
	needGuests = Need{Privileges: []string{"VM.Audit"}, Path: "/vms", Part: "guests"}
	// Figures over time are those of one object (schema: rrddata).
	needGuestFigures   = Need{Privileges: []string{"VM.Audit"}, Path: "/vms", Part: "figures of guests"}
	needNodeFigures    = Need{Privileges: []string{"Sys.Audit"}, Path: "/nodes", Part: "figures of nodes"}
	needStorageFigures = Need{Privileges: []string{"Datastore.Audit", "Datastore.AllocateSpace"}, Path: "/storage", Part: "figures of storages"}
	// What all guests of a node do now (schema: /cluster/metrics/export).
	needTraffic = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "disk and network load of neighbours"}
	// Power of guests (11/008).
	needPower = Need{Privileges: []string{"VM.PowerMgmt"}, Path: "/vms", Part: "guests"}
	// Configuration of guests: each key has its privilege (pve-api.md 76; security.md 6).
	needOptions   = Need{Privileges: []string{"VM.Config.Options"}, Path: "/vms", Part: "names, notes, tags, start at boot"}
	needCPU       = Need{Privileges: []string{"VM.Config.CPU"}, Path: "/vms", Part: "CPU settings"}
	needMemory    = Need{Privileges: []string{"VM.Config.Memory"}, Path: "/vms", Part: "memory settings"}
	needDisks     = Need{Privileges: []string{"VM.Config.Disk"}, Path: "/vms", Part: "disk settings"}
	needNICs      = Need{Privileges: []string{"VM.Config.Network"}, Path: "/vms", Part: "network settings"}
	needHardware  = Need{Privileges: []string{"VM.Config.HWType"}, Path: "/vms", Part: "hardware settings"}
	needCDs       = Need{Privileges: []string{"VM.Config.CDROM"}, Path: "/vms", Part: "CD drives"}
	needCloudInit = Need{Privileges: []string{"VM.Config.Cloudinit"}, Path: "/vms", Part: "cloud-init settings"}
	// A card is put on a bridge or virtual network by who may use that (security.md 6).
	needBridges = Need{Privileges: []string{"SDN.Use"}, Path: "/sdn/zones", Part: "bridges and virtual networks"}
	// Membership of pools (schema: /pools).
	needPoolMembers = Need{Privileges: []string{"Pool.Allocate"}, Path: "/pool", Part: "membership of pools"}
	// Snapshots (schema: /nodes/{node}/qemu/{vmid}/snapshot).
	needSnapshots = Need{Privileges: []string{"VM.Snapshot"}, Path: "/vms", Part: "snapshots"}
	needRollback  = Need{Privileges: []string{"VM.Snapshot.Rollback", "VM.Snapshot"}, Path: "/vms", Part: "roll-backs"}
	// Cloning (11/012; schema: /nodes/{node}/qemu/{vmid}/clone), and room for the disks that it makes.
	needClone = Need{Privileges: []string{"VM.Clone"}, Path: "/vms", Part: "clones"}
	// Moving guests, and waking nodes (schema: /nodes/{node}/qemu/{vmid}/migrate, /nodes/{node}/wakeonlan).
	needMigrate = Need{Privileges: []string{"VM.Migrate"}, Path: "/vms", Part: "moves of guests"}
	needWake    = Need{Privileges: []string{"Sys.PowerMgmt"}, Path: "/nodes", Part: "power of nodes"}
	// Destroying guests; never part of the role that is proposed for reading (security.md 6).
	needAllocate = Need{Privileges: []string{"VM.Allocate"}, Path: "/vms", Part: "guests"}
	// Backups (09/036; schema: /nodes/{node}/vzdump).
	// Looking into backups on a server (pve-storage, check_volume_access): more than reading is worth by itself.
	needOwnBackups  = Need{Privileges: []string{"VM.Backup"}, Path: "/vms", Part: "files in backups", Extra: true}
	needBackupStore = Need{Privileges: []string{"Datastore.AllocateSpace"}, Path: "/storage", Part: "files in backups", Extra: true}
	needBackup      = Need{Privileges: []string{"VM.Backup"}, Path: "/vms", Part: "backups of guests"}
	needSpace       = Need{Privileges: []string{"Datastore.AllocateSpace"}, Path: "/storage", Part: "room on storages"}
	// Files on storages (schema: download-url, upload), and that a node fetches them (schema: or Sys.Audit with Sys.Modify on /).
	needTemplates = Need{Privileges: []string{"Datastore.AllocateTemplate"}, Path: "/storage", Part: "images and templates"}
	needReachOut  = Need{Privileges: []string{"Sys.AccessNetwork", "Sys.Modify"}, Path: "/nodes", Part: "downloads by nodes"}
	// Removing volumes (13/075; schema: DELETE /nodes/{node}/storage/{storage}/content/{volume}).
	needDropVolumes = Need{Privileges: []string{"Datastore.Allocate"}, Path: "/storage", Part: "volumes other than backups"}
	// Backup jobs (schema: /cluster/backup).
	needEditJobs = Need{Privileges: []string{"Sys.Modify"}, Path: "/", Exact: true, Part: "changes of backup jobs"}
	// Ending the tasks of others (pve-api.md 71).
	needEndTasks = Need{Privileges: []string{"Sys.Modify"}, Path: "/nodes", Part: "tasks of others"}
	// What a VM's agent tells (16/057, 16/060). In Proxmox VE 8 VM.Monitor is the privilege for it, and runs programs as well.
	needAgent = Need{Privileges: []string{"VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted", "VM.Monitor"}, Path: "/vms", Part: "addresses that agents tell", Unasked: true}
	// Running programs in a VM (16/058; schema: /nodes/{node}/qemu/{vmid}/agent/exec).
	needRun = Need{Privileges: []string{"VM.GuestAgent.Unrestricted", "VM.Monitor"}, Path: "/vms", Part: "programs in guests"}
	// /cluster/status and the guests that no job backs up are refused (11/041; schema).
	needCluster = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "cluster name and quorum"}
	needJobs    = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "backup coverage"}
	// Disks, pools of disks and what the HA manager says are refused (schema: /nodes/{node}/disks/zfs, /cluster/ha/status/current). What waits for an
	// update takes Sys.Modify, which is not worth asking for to read: check_health names it.
	needHosts = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "disks, pools and HA"}
	// Nodes are listed without figures (pve-api.md 23), their status is refused (11/043).
	needNodes = Need{Privileges: []string{"Sys.Audit"}, Path: "/nodes", Part: "node figures"}
	// Other people's tasks are left out of lists (11/042, 11/051); their status and log are refused (pve-api.md 71). Running ones are in
	// /cluster/tasks alone.
	needRunning = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "running tasks of others"}
	needTasks   = Need{Privileges: []string{"Sys.Audit"}, Path: "/nodes", Part: "tasks of others"}
	// A task that is in no list cannot be named: /cluster/tasks has the last 25 of each node, for Sys.Audit on / (faults.md 3.4).
	needTask = Need{Privileges: []string{"Sys.Audit"}, Path: "/nodes", Or: "/", Part: "tasks of others", Fails: true}
	needLog  = Need{Privileges: []string{"Sys.Audit"}, Path: "/nodes", Part: "state and log of tasks of others"}
	// A node's journal is refused (schema: /nodes/{node}/journal); PVEAuditor does not have the privilege.
	needJournal = Need{Privileges: []string{"Sys.Syslog"}, Path: "/nodes", Part: "journals of nodes", Fails: true, Extra: true}
	// Storages are left out of lists (11/049, 11/052).
	needStorages = Need{Privileges: []string{"Datastore.Audit", "Datastore.AllocateSpace"}, Path: "/storage", Part: "storages"}
	// The node's address is in /cluster/status alone.
	needMembers = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "node addresses"}
	// Pools are left out of lists (11/053; schema: /pools).
	needPools = Need{Privileges: []string{"Pool.Audit"}, Path: "/pool", Part: "pools"}
	// Disks, ZFS and thin pools (schema: /nodes/{node}/disks/zfs, lvmthin).
	needPoolsOfDisks = Need{Privileges: []string{"Sys.Audit"}, Path: "/", Exact: true, Part: "ZFS and thin pools"}
	// Interfaces and virtual networks are left out of lists (02/037; schema: /cluster/sdn/zones, /cluster/sdn/vnets).
	needInterfaces = Need{Privileges: []string{"Sys.Audit"}, Path: "/nodes", Part: "interfaces of nodes"}
	needVnets      = Need{Privileges: []string{"SDN.Audit"}, Path: "/sdn/zones", Part: "virtual networks"}
	// A token may not read its own user's entry (schema: /access/users/{userid}, userid-group).
	needLogin = Need{Privileges: []string{"Sys.Audit", "User.Modify"}, Path: "/access/groups", Exact: true, Part: "expiry and privilege separation"}
)

// Lack is a right that a login misses, with the tools that miss it.
type Lack struct {
	Privilege string   `json:"privilege"`
	Path      string   `json:"path"`
	HeldOn    []string `json:"held_on,omitempty"` // the only places where it holds
	Fails     []string `json:"fails,omitempty"`   // tools that cannot answer
	Partial   []string `json:"partial,omitempty"` // tools whose answers lack Parts
	Parts     []string `json:"lacking"`
	Fix       string   `json:"fix,omitempty"` // the line that grants it, to be run as root on a node; none where it is not worth it
	Note      string   `json:"note,omitempty"`
	Extra     bool     `json:"-"` // as Need.Extra
}

// Lacks judges what a login may do by the needs of tools: one Lack per right, in the order in which tools need them.
func Lacks(a inventory.Access, specs []Spec) []Lack {
	var out []Lack
	for _, s := range specs {
		mute := s.mute(a.Rights)
		for _, n := range s.Needs {
			if n.met(a.Rights) {
				continue
			}
			priv := n.Privileges[0]
			k := slices.IndexFunc(out, func(l Lack) bool { return l.Privilege == priv && l.Path == n.Path })
			if k < 0 {
				k = len(out)
				out = append(out, n.lack(a))
			}
			out[k].add(s.Name, n, mute && n.Fails)
		}
	}
	return out
}

// Short names the tools that have no answer with these lacks, and those whose answers lack parts, each once and sorted. Both check_access
// and setup count by it.
func Short(lacks []Lack) (mute, partial []string) {
	for _, l := range lacks {
		mute, partial = append(mute, l.Fails...), append(partial, l.Partial...)
	}
	slices.Sort(mute)
	slices.Sort(partial)
	mute, partial = slices.Compact(mute), slices.Compact(partial)
	return mute, slices.DeleteFunc(partial, func(t string) bool { return slices.Contains(mute, t) })
}

// met says that the need's right holds everywhere.
func (n Need) met(r inventory.Rights) bool {
	if n.Exact {
		return r.On(n.Path, n.Privileges...)
	}
	if n.Or != "" && r.On(n.Or, n.Privileges...) {
		return true
	}
	return r.Everywhere(n.Path, n.Privileges...)
}

// orNothing is the need of a tool that has no answer without it.
func (n Need) orNothing() Need { n.Fails = true; return n }

// above is the need of a tool that has no answer without it, whatever else it is given.
func (n Need) above() Need { n.Fails, n.Above = true, true; return n }

// mute says that a tool has no answer at all.
func (s Spec) mute(r inventory.Rights) bool {
	marked := false
	for _, n := range s.Needs {
		has := n.met(r) || len(r.Under(n.Path, n.Privileges...)) > 0
		if n.Above && !has {
			return true
		}
		if n.Fails && !n.Above && has {
			return false
		}
		marked = marked || n.Fails && !n.Above
	}
	return marked
}

func (n Need) lack(a inventory.Access) Lack {
	l := Lack{Privilege: n.Privileges[0], Path: n.Path, Extra: n.Extra}
	if !n.Exact {
		l.HeldOn = a.Rights.Under(n.Path, n.Privileges...)
	}
	if n.Unasked && a.Major == 8 {
		l.Privilege = n.Privileges[len(n.Privileges)-1]
		l.Note = "in Proxmox VE 8 this right also runs programs in guests: better left away"
		return l
	}
	l.Fix = a.Grant(l.Privilege, l.Path)
	return l
}

func (l *Lack) add(tool string, n Need, fails bool) {
	l.Extra = l.Extra && n.Extra
	to := &l.Partial
	if fails {
		to = &l.Fails
	}
	if slices.Contains(l.Fails, tool) {
		return
	}
	if !slices.Contains(*to, tool) {
		*to = append(*to, tool)
	}
	if !slices.Contains(l.Parts, n.Part) {
		l.Parts = append(l.Parts, n.Part)
	}
}

// Surplus lists the privileges of a login that do more than read and that none of the tools uses, sorted.
func Surplus(r inventory.Rights, specs []Spec) []string {
	var out []string
	for _, privs := range r {
		for p := range privs {
			if !readsOnly(p) && !slices.Contains(out, p) && !used(p, specs) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out
}

func used(priv string, specs []Spec) bool {
	return slices.ContainsFunc(specs, func(s Spec) bool {
		return slices.ContainsFunc(s.Needs, func(n Need) bool { return n.Privileges[0] == priv && !n.Extra })
	})
}

// readsOnly knows the privileges that change nothing: *.Audit, and the cluster log.
func readsOnly(priv string) bool { return strings.HasSuffix(priv, ".Audit") || priv == "Sys.Syslog" }

// holding is the same set of privileges on some paths.
type holding struct {
	Paths      []string `json:"paths"`
	Roles      []string `json:"roles,omitempty"`      // built-in roles that lie wholly within it
	Privileges []string `json:"privileges,omitempty"` // what is beyond those
	Here       bool     `json:"here_only,omitempty"`  // it does not go on below
}

// holdings are rights by path, without the paths that merely inherit, and named by built-in roles: six privileges are one word.
func holdings(r inventory.Rights) []holding {
	var out []holding
	keys := []string{}
	for _, path := range sortedKeys(r) {
		if inherits(r, path) {
			continue
		}
		h := holding{Paths: []string{path}, Here: true}
		privs := sortedKeys(r[path])
		for _, p := range privs {
			h.Here = h.Here && !r[path][p]
		}
		key := strings.Join(privs, " ")
		if h.Here {
			key += " here"
		}
		if k := slices.Index(keys, key); k >= 0 {
			out[k].Paths = append(out[k].Paths, path)
			continue
		}
		h.Roles, h.Privileges = pve.RolesCovering(privs)
		keys, out = append(keys, key), append(out, h)
	}
	return out
}

// inherits says that a path has what goes on from the nearest listed path above, and nothing else.
func inherits(r inventory.Rights, path string) bool {
	for up := path; up != "/"; {
		up = "/" + strings.Trim(up[:strings.LastIndexByte(up, '/')], "/")
		above, listed := r[up]
		if !listed {
			continue
		}
		passed := 0
		for p, on := range above {
			if on {
				passed++
			}
			if _, has := r[path][p]; on != has {
				return false
			}
		}
		return passed == len(r[path])
	}
	return false
}
