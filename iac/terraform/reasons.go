package terraform

import "strings"

// internalKey says which keys are bookkeeping of Proxmox VE that nobody configures (rule B24).
func internalKey(key string) bool {
	switch key {
	case "meta", "vmgenid", "parent", "vmstate", "runningmachine", "runningcpu", "running-nets-host-mtu", "snaptime", "snapstate", "pending":
		return true
	}
	return strings.HasPrefix(key, "unused")
}

// general is the reason for all keys that no reason below names.
const general = "the provider has no attribute for it"

// reasons are those of keys, and parts of them, that users ask about.
var reasons = map[string]string{
	"cipassword": "a secret; Proxmox VE shows a mask only",
}

func reason(key string) string {
	if r, ok := reasons[key]; ok {
		return r
	}
	return general
}
