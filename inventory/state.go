package inventory

import (
	"encoding/json"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// nodeState is the stored state of a node (kind node). Status is online, offline or unknown; Silent says that the cluster counts
// it as online while it does not answer requests (faults.md F11, F13).
type nodeState struct {
	Status  string    `json:"status"`
	Silent  string    `json:"silent,omitempty"` // why, in Proxmox VE's words
	Stale   bool      `json:"stale,omitempty"`  // it answers, its statistics do not move (F16)
	Online  time.Time `json:"online_at,omitzero"`
	Since   time.Time `json:"since,omitzero"` // when the status above was first noticed
	IP      string    `json:"ip,omitempty"`
	CPU     *float64  `json:"cpu,omitempty"`
	MaxCPU  *float64  `json:"maxcpu,omitempty"`
	Mem     *int64    `json:"mem,omitempty"`
	MaxMem  *int64    `json:"maxmem,omitempty"`
	Disk    *int64    `json:"disk,omitempty"`
	MaxDisk *int64    `json:"maxdisk,omitempty"`
	Swap    *int64    `json:"swap,omitempty"`
	MaxSwap *int64    `json:"maxswap,omitempty"`
	Uptime  *int64    `json:"uptime,omitempty"`
	Load    []string  `json:"load,omitempty"`
	Version string    `json:"version,omitempty"`
	Kernel  string    `json:"kernel,omitempty"`
	CPUType string    `json:"cputype,omitempty"`
}

// storageState is the stored state of a storage as one node sees it (kind storage, id node/storage).
type storageState struct {
	Name    string `json:"name"`
	Node    string `json:"node"`
	Type    string `json:"type,omitempty"`
	Content string `json:"content,omitempty"`
	Shared  bool   `json:"shared,omitempty"`
	Status  string `json:"status,omitempty"`
	Used    *int64 `json:"used,omitempty"`
	Total   *int64 `json:"total,omitempty"`
}

// clusterState is the stored state of a cluster as a whole (kind cluster). Quorate is nil on a standalone node (F18) and while
// unknown. NoBackup is nil while the list was never read.
type clusterState struct {
	Name       string    `json:"name,omitempty"`
	Standalone bool      `json:"standalone,omitempty"`
	Quorate    *bool     `json:"quorate,omitempty"`
	Votes      int       `json:"votes,omitempty"`  // nodes that count
	Online     int       `json:"online,omitempty"` // of them online
	Version    string    `json:"version,omitempty"`
	Scope      string    `json:"scope,omitempty"`       // what this token cannot see, as a sentence; "" = everything
	OwnTasks   bool      `json:"own_tasks,omitempty"`   // tasks of others are not visible
	PartStores bool      `json:"part_stores,omitempty"` // not all storages are visible
	AllPools   bool      `json:"all_pools,omitempty"`   // all pools are visible
	NoBackup   []int     `json:"no_backup"`
	NoBackupAt time.Time `json:"no_backup_at,omitzero"`
	RowsAt     time.Time `json:"rows_at,omitzero"` // start of the last sync whose rows are stored
	FullAt     time.Time `json:"full_at,omitzero"` // start of the last full sync that ended
}

// clusterID is the id of a cluster's own object.
const clusterID = "cluster"

func decodeState[T any](raw json.RawMessage) T {
	var v T
	// A state of another version that cannot be read counts as never read; the next sync writes it anew.
	_ = json.Unmarshal(raw, &v)
	return v
}

func encodeState(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("{}")
	}
	return b
}

func optInt(v *pve.Int) *int64 {
	if v == nil {
		return nil
	}
	return pve.Ptr(int64(*v))
}

func optFloat(v *pve.Float) *float64 {
	if v == nil {
		return nil
	}
	return pve.Ptr(float64(*v))
}

func isTrue(v *pve.Bool) bool { return v != nil && bool(*v) }
