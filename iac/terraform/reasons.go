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
	"cipassword":    "a secret; Proxmox VE shows a mask only",
	"numa":          "the provider reads nodes of a topology with cpus and hostnodes alone",
	"startup.order": "a bare number, which the provider does not read; order=NUMBER it does",
	"serial":        "the provider reads serial0 to serial3",
}

func reason(key string) string {
	for _, k := range []string{key, strings.TrimRight(key, "0123456789")} {
		if r, ok := reasons[k]; ok {
			return r
		}
	}
	return general
}
