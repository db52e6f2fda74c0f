package pvesim

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

var volumeShape = lazy.Regexp(`^(?i:[a-z][a-z0-9\-_.]*[a-z0-9]):(?s:.+)$`)

// formatVolume is storage:name, whatever the name.
func formatVolume(s string) error {
	if volumeShape().MatchString(s) {
		return nil
	}
	return lineError("unable to parse volume ID '" + s + "'")
}

func formatVolumeOrPath(s string) error {
	if strings.HasPrefix(s, "/") {
		return nil
	}
	return formatVolume(s)
}

// formatDrivePath is what a drive of a VM may hold: also no medium, or the CD drive of the node (05/027, 05/029).
func formatDrivePath(s string) error {
	if s == "none" || s == "cdrom" {
		return nil
	}
	return formatVolumeOrPath(s)
}

// climbs is whether a path has . or .. among its parts.
func climbs(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if part == "." || part == ".." {
			return strings.Contains(path, "/")
		}
	}
	return false
}

func formatMountPath(s string) error {
	if climbs(s) {
		return lineError(s + " contains illegal character sequences")
	}
	return nil
}

func formatDevice(s string) error {
	if climbs(s) || !strings.HasPrefix(s, "/dev/") {
		return lineError(s + " is not a valid device path")
	}
	return nil
}

// formatTimezone knows areas and not places: an unknown place is taken.
func formatTimezone(s string) error {
	area, place, ok := strings.Cut(s, "/")
	if s == "host" || s == "UTC" || ok && place != "" && contains(timezoneAreas, area) {
		return nil
	}
	return lineError("invalid time zone '" + s + "'")
}

var timezoneAreas = strings.Fields("Africa America Antarctica Arctic Asia Atlantic Australia Europe Indian Pacific")

// formatStartup is order=1,up=2,down=3, in any order, or only a number (04/074).
func formatStartup(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			key, value = "order", key
		}
		if strings.TrimSpace(part) != "" && (!contains([]string{"order", "up", "down"}, key) || !digitsOnly(value)) {
			return lineError("unable to parse startup options")
		}
	}
	return nil
}

func digitsOnly(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// formatHotplug is 0, 1 or a list of what can be plugged into a running VM.
func formatHotplug(s string) error {
	if s == "0" || s == "1" {
		return nil
	}
	for _, feature := range splitWords(s) {
		if !contains([]string{"network", "disk", "cpu", "memory", "usb", "cloudinit"}, feature) {
			return lineError("unable to parse hotplug option")
		}
	}
	return nil
}

// formatCPUSet is a list of numbers and ranges such as 0,2-3.
func formatCPUSet(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(low)
		b := a
		if isRange && err == nil {
			b, err = strconv.Atoi(high)
		}
		if err != nil || !digitsOnly(low) || b < a {
			return lineError("unable to parse cpuset option")
		}
	}
	return nil
}

func formatPhysBits(s string) error {
	if s == "host" {
		return nil
	}
	if n, err := strconv.Atoi(s); !digitsOnly(s) || err != nil || n < 8 || n > 64 {
		return lineError("value must be an integer between 8 and 64 or 'host'")
	}
	return nil
}

// validators check property strings as a whole, by the name of the format.
var validators = sync.OnceValue(func() map[string]func(props) error {
	return map[string]func(props) error{"pve-vm-cpu-conf": validateCPU, "prune-backups": validatePrune}
})

// cpuFlags are those that a VM may set.
var cpuFlags = sync.OnceValue(func() []string {
	return strings.Fields("nested-virt md-clear pcid spec-ctrl ssbd ibpb virt-ssbd amd-ssbd amd-no-ssb pdpe1gb hv-tlbflush hv-evmcs aes")
})

// validateCPU refuses a CPU type that is not built in (04/038) and flags that a VM may not set by itself.
func validateCPU(p props) error {
	kind, ok := p["cputype"]
	if !ok {
		return lineError("CPU is missing cputype")
	}
	if !strings.HasPrefix(kind, "custom-") && !contains(cpuTypes(), kind) {
		return lineError("Built-in cputype '" + kind + "' is not defined (missing 'custom-' prefix?)")
	}
	for flag := range strings.SplitSeq(p["flags"], ";") {
		if flag != "" && !contains(cpuFlags(), flag[1:]) {
			return lineError("VM-specific CPU flags must be a subset of: " + strings.Join(cpuFlags(), ", "))
		}
	}
	return nil
}

func cpuTypes() []string {
	return slices.Concat(tables().enums["cpu-type"], tables().enums["cpu-abstract"])
}

func validatePrune(p props) error {
	if p["keep-all"] == "1" && len(p) > 1 {
		for key, value := range p {
			if key != "keep-all" && value != "0" {
				return lineError("keep-all cannot be set together with other options.")
			}
		}
	}
	return nil
}
