package change

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Here is what tells the machine that this program runs on from others: the DMI uuid, which Proxmox VE sets from smbios1, the addresses
// of its network devices, the id of the container, and its IP addresses, which the caller asks the system for. Empty parts are not known.
type Here struct {
	UUID      string
	MACs      []string // upper case
	Container int
	Addresses []string
}

var (
	// A container of Proxmox VE shows its id in the control group of its first process (lxc/105, lxc.payload.105), where that is not hidden,
	// and in the volume that its root lies on (vm-105-disk-0, subvol-105-disk-0; a device mapper doubles the dashes).
	groupOfContainer = lazy.Regexp(`/lxc(?:\.payload)?[/.](\d{3,9})(?:/|$)`)
	rootOfContainer  = lazy.Regexp(`(?:vm|subvol)--?(\d{3,9})--?disk`)
)

// LookAround finds out where this program runs, by the files below / of a Linux system; elsewhere it finds nothing.
func LookAround(root fs.FS) Here {
	h := Here{UUID: strings.ToLower(firstLineOf(root, "sys/class/dmi/id/product_uuid"))}
	devices, _ := fs.Glob(root, "sys/class/net/*/address") // only a malformed pattern fails
	for _, d := range devices {
		if mac := strings.ToUpper(firstLineOf(root, d)); mac != "" && mac != "00:00:00:00:00:00" && path.Base(path.Dir(d)) != "lo" {
			h.MACs = append(h.MACs, mac)
		}
	}
	groups, _ := fs.ReadFile(root, "proc/1/cgroup") // what cannot be read is not known
	id := groupOfContainer().FindStringSubmatch(firstLineOf(root, "proc/1/cpuset"))
	if id == nil {
		for line := range strings.Lines(string(groups)) {
			if id = groupOfContainer().FindStringSubmatch(strings.TrimSpace(line)); id != nil {
				break
			}
		}
	}
	if id == nil {
		id = rootOfContainer().FindStringSubmatch(rootDevice(root))
	}
	if id != nil {
		h.Container, _ = strconv.Atoi(id[1])
	}
	return h
}

func firstLineOf(root fs.FS, name string) string {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSpace(line)
}

// rootDevice is what is mounted at /.
func rootDevice(root fs.FS) string {
	raw, err := fs.ReadFile(root, "proc/self/mounts")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == "/" {
			return f[0]
		}
	}
	return ""
}

// Is says why a guest is the one that this program runs in, "" when it is not known to be.
func (h Here) Is(t Target) string {
	const so = "this server runs in it (%s)"
	switch {
	case h.UUID != "" && t.Type == pve.Qemu && t.Life == h.UUID:
		return fmt.Sprintf(so, "the machine's uuid is that of its smbios1")
	case h.Container != 0 && t.Type == pve.LXC && t.VMID == h.Container:
		return fmt.Sprintf(so, "by the id of the container")
	}
	if k := slices.IndexFunc(t.MACs, func(mac string) bool { return slices.Contains(h.MACs, mac) }); k >= 0 {
		return fmt.Sprintf(so, "its network device has the address "+t.MACs[k])
	}
	return ""
}
