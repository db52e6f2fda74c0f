package proxmox

import (
	"context"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Features are the differences between Proxmox VE 9 and 8 that this project meets, all in this one place. 9.2 is observed in the
// recordings; 8 comes from source and changelogs and is unverified.
type Features struct {
	Major int // 0 = unknown

	// The privilege that reads a guest's addresses through its agent, and the one that runs programs in it. PVE 9 split VM.Monitor
	// into VM.GuestAgent.* (security.md 6).
	AgentReadPrivilege string
	AgentExecPrivilege string

	// HARules: HA groups were replaced by rules; /cluster/ha/groups answers 500 (02/028).
	HARules bool

	// MetricsExport: GET /cluster/metrics/export gives all metrics in one call; since pve-manager 8.2.5 (faults.md 3.4, 17).
	MetricsExport bool

	// ResizeTask: PUT .../resize returns a task id (pve-api.md 35).
	ResizeTask bool
}

// FeaturesOf tells the features of a version. What cannot be told is taken as the older form.
func FeaturesOf(v pve.Version) Features {
	f := Features{Major: v.Major(), AgentReadPrivilege: "VM.Monitor", AgentExecPrivilege: "VM.Monitor"}
	if f.Major >= 9 {
		f.AgentReadPrivilege, f.AgentExecPrivilege = "VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"
		f.HARules, f.ResizeTask = true, true
	}
	f.MetricsExport = atLeast(v.Version, 8, 2, 5)
	return f
}

func atLeast(version string, want ...int) bool {
	rest := version
	for _, w := range want {
		n := 0
		i := 0
		for ; i < len(rest) && rest[i] >= '0' && rest[i] <= '9' && i < 6; i++ {
			n = n*10 + int(rest[i]-'0')
		}
		if n != w {
			return n > w
		}
		rest = rest[min(i+1, len(rest)):]
	}
	return true
}

// versionAge is how long a version is believed: an upgrade restarts the node's services, the hour bounds the surprise.
const versionAge = time.Hour

// Features reads the version, at most once an hour, and tells its features.
func (c *Client) Features(ctx context.Context) (Features, error) {
	c.mu.Lock()
	v, at := c.version, c.versionA
	c.mu.Unlock()
	if v.Version != "" && c.opts.now().Sub(at) < versionAge {
		return FeaturesOf(v), nil
	}
	v, err := c.Version(ctx)
	return FeaturesOf(v), err
}
