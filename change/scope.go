package change

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Scope is a part of what there is: every part that is given has to fit. The zero Scope is everything.
type Scope struct {
	Cluster string   `json:"cluster,omitempty"`
	Node    string   `json:"node,omitempty"`
	Pool    string   `json:"pool,omitempty"`
	Tag     string   `json:"tag,omitempty"`
	VMIDs   [][2]int `json:"vmids,omitempty"` // ranges, both ends included
}

// Fits says whether an object is in the scope.
func (s Scope) Fits(t Target) bool {
	in := func(want, is string) bool { return want == "" || want == is }
	return in(s.Cluster, t.Cluster) && in(s.Node, t.Node) && in(s.Pool, t.Pool) && (s.Tag == "" || slices.ContainsFunc(t.Tags, s.isTag)) &&
		(len(s.VMIDs) == 0 || slices.ContainsFunc(s.VMIDs, func(r [2]int) bool { return r[0] <= t.VMID && t.VMID <= r[1] }))
}

// isTag compares without regard to case, as Proxmox VE does by default (schema: tag-style, case-sensitive 0).
func (s Scope) isTag(tag string) bool { return strings.EqualFold(tag, s.Tag) }

// everything says that the scope names nothing.
func (s Scope) everything() bool {
	return s.Cluster == "" && s.Node == "" && s.Pool == "" && s.Tag == "" && len(s.VMIDs) == 0
}

// String is the scope as it is written: "pool lab, vmid 100-199", "everything".
func (s Scope) String() string {
	var parts []string
	for _, p := range [][2]string{{"cluster", s.Cluster}, {"node", s.Node}, {"pool", s.Pool}, {"tag", s.Tag}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	for _, r := range s.VMIDs {
		if r[0] == r[1] {
			parts = append(parts, "vmid "+strconv.Itoa(r[0]))
			continue
		}
		parts = append(parts, fmt.Sprintf("vmid %d-%d", r[0], r[1]))
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}

// ParseVMIDs reads "105", "100-199" or "105,200-210".
func ParseVMIDs(text string) ([][2]int, error) {
	out, ok := pve.ParseVMIDs(text)
	if !ok {
		return nil, fault.BadField("vmid", "numbers from 100 or ranges of them", "105,200-210")
	}
	return out, nil
}
