package pve

import (
	"encoding/json"
	"strings"
	"unicode"
)

// GuestType is the kind of a guest as the API spells it.
type GuestType string

// The two kinds of guests.
const (
	Qemu GuestType = "qemu" // virtual machine
	LXC  GuestType = "lxc"  // container
)

// Short is the word for the type in answers and queries: vm or ct.
func (t GuestType) Short() string {
	if t == LXC {
		return "ct"
	}
	return "vm"
}

// Resource is one row of GET /cluster/resources (recording 02/004). Fields that the API left out are nil or "".
// Sizes are bytes, CPU is the fraction 0..1 of the whole guest or node, Uptime seconds.
type Resource struct {
	ID         string `json:"id"`
	Type       string `json:"type"` // qemu, lxc, node, storage, pool, network, sdn
	Node       Text   `json:"node"`
	VMID       Int    `json:"vmid"`
	Name       Text   `json:"name"`
	Status     Text   `json:"status"`
	Lock       Text   `json:"lock"`
	Tags       Text   `json:"tags"`
	Pool       Text   `json:"pool"`
	HAState    Text   `json:"hastate"`
	Template   *Bool  `json:"template"`
	CPU        *Float `json:"cpu"`
	MaxCPU     *Float `json:"maxcpu"`
	Mem        *Int   `json:"mem"`
	MaxMem     *Int   `json:"maxmem"`
	Disk       *Int   `json:"disk"`
	MaxDisk    *Int   `json:"maxdisk"`
	Uptime     *Int   `json:"uptime"`
	NetIn      *Int   `json:"netin"`
	NetOut     *Int   `json:"netout"`
	Storage    Text   `json:"storage"`
	Content    Text   `json:"content"`
	PluginType Text   `json:"plugintype"`
	Shared     *Bool  `json:"shared"`
	Level      Text   `json:"level"`
}

// IsGuest tells VMs and containers from the other rows.
func (r *Resource) IsGuest() bool { return r.Type == string(Qemu) || r.Type == string(LXC) }

// ClusterMember is one row of GET /cluster/status (recording 02/003): the cluster itself (Type "cluster", absent on a standalone
// node) or a node.
type ClusterMember struct {
	Type    string `json:"type"`
	ID      string `json:"id"`
	Name    Text   `json:"name"`
	IP      Text   `json:"ip"`
	NodeID  *Int   `json:"nodeid"`
	Online  *Bool  `json:"online"`
	Local   *Bool  `json:"local"`
	Quorate *Bool  `json:"quorate"`
	Nodes   *Int   `json:"nodes"`
	Version *Int   `json:"version"`
	Level   Text   `json:"level"`
}

// Version is GET /version (recording 02/001).
type Version struct {
	Version string `json:"version"`
	Release string `json:"release"`
	RepoID  string `json:"repoid"`
}

// Major is the first number of the release, 0 when it cannot be told.
func (v Version) Major() int {
	n := 0
	for _, c := range strings.SplitN(v.Version, ".", 2)[0] {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// NodeStatus is the part of GET /nodes/{node}/status (recording 02/045) that answers use; Raw keeps all of it.
type NodeStatus struct {
	Uptime     *Int     `json:"uptime"`
	PVEVersion Text     `json:"pveversion"`
	KVersion   Text     `json:"kversion"`
	LoadAvg    []Text   `json:"loadavg"`
	CPU        *Float   `json:"cpu"`
	Wait       *Float   `json:"wait"`
	CPUInfo    *CPUInfo `json:"cpuinfo"`
	Memory     *Usage   `json:"memory"`
	Swap       *Usage   `json:"swap"`
	RootFS     *Usage   `json:"rootfs"`
}

// CPUInfo describes the processors of a node.
type CPUInfo struct {
	CPUs    *Int `json:"cpus"`
	Cores   *Int `json:"cores"`
	Sockets *Int `json:"sockets"`
	Model   Text `json:"model"`
}

// Usage is a total and what of it is used, in bytes.
type Usage struct {
	Total *Int `json:"total"`
	Used  *Int `json:"used"`
	Free  *Int `json:"free"`
	Avail *Int `json:"avail"`
}

// StorageDef is a row of GET /storage (recording 02/102): the definition, without usage. Disable is absent when enabled.
type StorageDef struct {
	Storage Text            `json:"storage"`
	Type    Text            `json:"type"`
	Content Text            `json:"content"`
	Nodes   Text            `json:"nodes"`
	Shared  *Bool           `json:"shared"`
	Disable *Bool           `json:"disable"`
	Raw     json.RawMessage `json:"-"`
}

// StorageStatus is a row of GET /nodes/{node}/storage (recording 02/084): usage of one storage as one node sees it, in bytes.
type StorageStatus struct {
	Storage Text  `json:"storage"`
	Type    Text  `json:"type"`
	Content Text  `json:"content"`
	Active  *Bool `json:"active"`
	Enabled *Bool `json:"enabled"`
	Shared  *Bool `json:"shared"`
	Total   *Int  `json:"total"`
	Used    *Int  `json:"used"`
	Avail   *Int  `json:"avail"`
}

// TaskRow is a row of GET /cluster/tasks or /nodes/{node}/tasks (recordings 02/014, 10). Status is the exit text ("OK", an error)
// or empty while the task runs; times are Unix seconds (facts: pve-api.md 33).
type TaskRow struct {
	UPID      string `json:"upid"`
	Node      Text   `json:"node"`
	Type      Text   `json:"type"`
	ID        Text   `json:"id"`
	User      Text   `json:"user"`
	TokenID   Text   `json:"tokenid"`
	StartTime Int    `json:"starttime"`
	EndTime   *Int   `json:"endtime"`
	Status    Text   `json:"status"`
}

// TaskStatus is GET /nodes/{node}/tasks/{upid}/status: Status is running or stopped, ExitStatus set when stopped
// (facts: pve-api.md 32-33).
type TaskStatus struct {
	UPID       string `json:"upid"`
	Node       Text   `json:"node"`
	Type       Text   `json:"type"`
	ID         Text   `json:"id"`
	User       Text   `json:"user"`
	TokenID    Text   `json:"tokenid"`
	Status     Text   `json:"status"`
	ExitStatus Text   `json:"exitstatus"`
	StartTime  Int    `json:"starttime"`
}

// Running says that the task has not ended yet.
func (s *TaskStatus) Running() bool { return s.Status != "stopped" }

// Snapshot is a row of GET .../snapshot; the list ends with the pseudo entry "current" (facts: pve-api.md 46).
type Snapshot struct {
	Name        Text  `json:"name"`
	Description Text  `json:"description"`
	Parent      Text  `json:"parent"`
	SnapTime    *Int  `json:"snaptime"`
	VMState     *Bool `json:"vmstate"`
	Running     *Bool `json:"running"`
}

// GuestStatus is the part of GET .../status/current that answers use. Status stays "running" while a VM is paused:
// QMPStatus tells (facts: pve-api.md 48).
type GuestStatus struct {
	Status    Text   `json:"status"`
	QMPStatus Text   `json:"qmpstatus"`
	Name      Text   `json:"name"`
	Lock      Text   `json:"lock"`
	Tags      Text   `json:"tags"`
	CPU       *Float `json:"cpu"`
	CPUs      *Float `json:"cpus"`
	Mem       *Int   `json:"mem"`
	MaxMem    *Int   `json:"maxmem"`
	Disk      *Int   `json:"disk"`
	MaxDisk   *Int   `json:"maxdisk"`
	Uptime    *Int   `json:"uptime"`
	NetIn     *Int   `json:"netin"`
	NetOut    *Int   `json:"netout"`
	Template  *Bool  `json:"template"`
	Agent     *Bool  `json:"agent"`
}

// PoolRow is a row of GET /pools.
type PoolRow struct {
	PoolID  Text `json:"poolid"`
	Comment Text `json:"comment"`
}

// NotBackedUp is a row of GET /cluster/backup-info/not-backed-up (recording 02/023): a guest that no backup job covers.
type NotBackedUp struct {
	VMID Int  `json:"vmid"`
	Name Text `json:"name"`
	Type Text `json:"type"`
}

// Interface is a network interface that a guest reported, with its addresses in CIDR or plain form.
type Interface struct {
	Name      string   `json:"name"`
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses"`
}

// SplitTags splits a tag list on the separators that Proxmox VE takes: ';', ',' and white space (faults.md 3.6).
// A list of blanks alone is empty (facts: pve-api.md 57).
func SplitTags(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == ',' || unicode.IsSpace(r) })
}
