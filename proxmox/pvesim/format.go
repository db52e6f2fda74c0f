package pvesim

import (
	"fmt"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// A format is a named check of a text. Its error is what the API says after "invalid format - ".
type format func(string) error

// namedFormats are the checks that schemas name. A name with -list behind it is such a check for each part of a list, one
// with -opt lets an empty value pass. Property strings are no formats but objects of the tables.
var namedFormats = sync.OnceValue(func() map[string]format {
	return map[string]format{
		"pve-configid":                        naming(`(?i:[a-z][a-z0-9_-]+)`, "invalid configuration ID '%s'"),
		"pve-node":                            shaped(`[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?`, "value does not look like a valid node name"),
		"pve-vmid":                            shaped(`[1-9][0-9]{2,8}`, "value does not look like a valid VM ID"),
		"pve-storage-id":                      storageID,
		"pve-acme-plugin-id":                  storageID,
		"mac-addr":                            shaped(`(?i:[a-f0-9][02468ace](:[a-f0-9]{2}){5})`, "value does not look like a valid unicast MAC address"),
		"mac-prefix":                          shaped(`(?i:[a-f0-9][02468ace](:[a-f0-9]{2}){0,2}:?)`, "value is not a valid unicast MAC address prefix"),
		"dns-name":                            shaped(`(([a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?)\.)*([A-Za-z0-9]([A-Za-z0-9\-]*[A-Za-z0-9])?)`, "value does not look like a valid DNS name"),
		"email":                               shaped(mailShape, "value does not look like a valid email address"),
		"email-or-username":                   shaped(mailShape+`|[\w\+\-\~]+(\.[\w\+\-\~]+)*`, "value does not look like a valid email address or user name"),
		"pve-iface":                           naming(`(?i:[a-z][a-z0-9_]{1,20}([:\.]\d+)?)`, "invalid network interface name '%s'"),
		"pve-bridge-id":                       bridgeID,
		"bridge-pair":                         pair(bridgeID),
		"storage-pair":                        pair(storageID),
		"pve-tag":                             shaped(`(?i:[a-z0-9_][a-z0-9_\-\+\.]*)`, "invalid characters in tag"),
		"urlencoded":                          naming(`[-%a-zA-Z0-9_.!~*'()]*`, "invalid urlencoded string: %s"),
		"disk-size":                           naming(`\d+(\.\d+)?[KMGT]?`, "value does not look like a valid disk size: %s"),
		"graphite-path":                       shaped(`[a-zA-Z0-9.\-_]+`, "value does not look like a valid graphite path"),
		"pve-storage-vgname":                  naming(`(?i:[a-z0-9][a-z0-9\-_.]*[a-z0-9])`, "lvm name '%s' contains illegal characters"),
		"pem-string":                          shaped(pemShape, "value is not a valid PEM-formatted string"),
		"pem-certificate-chain":               shaped(pemShape, "value is not a valid PEM-formatted certificate chain"),
		"string":                              anything,
		"pve-volume-id":                       formatVolume,
		"pve-volume-id-or-qm-path":            formatDrivePath,
		"pve-volume-id-or-absolute-path":      formatVolumeOrPath,
		"pve-storage-path":                    storagePath,
		"pve-storage-path-in-property-string": storagePath,
		"pve-storage-options":                 naming(`\S+`, "invalid options '%s'"),
		"pve-storage-content":                 choice("invalid content type '%s'", contentTypes),
		"pve-calendar-event":                  formatEvent,
		"pve-task-status-type":                choice("invalid status '%s'", strings.Fields("ok error warning unknown")),
		"pve-startup-order":                   formatStartup,
		"pve-hotplug-features":                formatHotplug,
		"pve-cpuset":                          formatCPUSet,
		"pve-qm-bootdisk":                     naming(`(ide[0-3]|sata[0-5]|scsi([0-9]|[12][0-9]|30)|virtio([0-9]|1[0-5])|efidisk0|tpmstate0)`, "invalid boot disk '%s'"),
		"pve-qm-bootdev":                      naming(`(ide[0-3]|sata[0-5]|scsi([0-9]|[12][0-9]|30)|virtio([0-9]|1[0-5])|net\d+|hostpci\d+|usb\d+)`, "invalid boot device '%s'"),
		"pve-phys-bits":                       formatPhysBits,
		"pve-lxc-mp-string":                   formatMountPath,
		"pve-lxc-dev-string":                  formatDevice,
		"pve-ct-timezone":                     formatTimezone,
		"pve-day-of-week":                     naming(`mon|tue|wed|thu|fri|sat|sun`, "invalid day '%s'"),
		"pve-userid":                          formatUserID,
		"pve-realm":                           shaped(realmShape, "value does not look like a valid realm"),
		"pve-groupid":                         naming(`[A-Za-z0-9\.\-_]+`, "group name '%s' contains invalid characters"),
		"pve-roleid":                          naming(`[A-Za-z0-9\.\-_]+`, "role name '%s' contains invalid characters"),
		"pve-poolid":                          formatPool,
		"pve-priv":                            formatPrivilege,
		"pve-tokenid":                         naming(`[^\s:/]+@`+realmShape+`![A-Za-z][A-Za-z0-9\.\-_]+`, "value '%s' does not look like a valid token ID"),
		"pve-replication-job-id":              shaped(`[1-9][0-9]{2,8}-\d{1,9}`, "value does not look like a valid replication job id"),
		"pve-ha-resource-id":                  shaped(`[a-z]+:\S+`, "value does not look like a valid ha resource id"),
		"pve-ha-resource-or-vm-id":            shaped(`[a-z]+:\S+|\d+`, "value does not look like a valid ha resource id"),
		"pve-ha-node":                         shaped(`[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?(:\d+)?`, "value does not look like a valid ha group node"),
		"ldap-simple-attr":                    naming(`[a-zA-Z0-9\-]+`, "value '%s' does not look like a simple ldap attribute name"),
	}
})

const (
	mailShape  = `[\w\+\-\~]+(\.[\w\+\-\~]+)*@[a-zA-Z0-9\-]+(\.[a-zA-Z0-9\-]+)*`
	realmShape = `[A-Za-z][A-Za-z0-9\.\-_]+`
	pemShape   = `(?s:\s*-----BEGIN .*-----END .*-----\s*)`
)

var (
	storageID = naming(`(?i:[a-z][a-z0-9\-\_\.]*[a-z0-9])`, "storage ID '%s' contains illegal characters")
	bridgeID  = naming(`[-_.\w\d]+`, "invalid bridge ID '%s'")
)

// shaped is a format that an expression says in full; the text is told when it does not fit.
func shaped(expr, message string) format {
	re := lazy.Regexp(`^(?:` + expr + `)\n?$`)
	return func(s string) error {
		if re().MatchString(s) {
			return nil
		}
		return lineError(message)
	}
}

// naming is shaped with the value in the text.
func naming(expr, message string) format {
	fits := shaped(expr, "")
	return func(s string) error {
		if fits(s) == nil {
			return nil
		}
		return lineError(strings.Replace(message, "%s", s, 1))
	}
}

// choice is a format with few values.
func choice(message string, values []string) format {
	return func(s string) error {
		if contains(values, s) {
			return nil
		}
		return lineError(strings.Replace(message, "%s", s, 1))
	}
}

// eachOf is a format for each part of a list.
func eachOf(f format) format {
	return func(s string) error {
		for _, part := range splitWords(s) {
			if err := f(part); err != nil {
				return err
			}
		}
		return nil
	}
}

func anything(string) error { return nil }

// checkFormat checks a text against a format by name: a property string of the tables or one of the functions. A format
// that nobody knows takes everything.
func checkFormat(name, s, path string) error {
	if o := propertyFormat(name); o != nil {
		_, err := parseObject(o, s, path)
		return err
	}
	if f := netFormats()[name]; f != nil {
		return f(s)
	}
	if f := namedFormats()[name]; f != nil {
		return f(s)
	}
	if base, ok := strings.CutSuffix(name, "-opt"); ok {
		if s == "" || s == "0" {
			return nil
		}
		return checkFormat(base, s, path)
	}
	base, ok := strings.CutSuffix(name, "-list")
	if !ok {
		return nil
	}
	return eachOf(func(part string) error { return checkFormat(strings.TrimSuffix(base, "-a"), part, path) })(s)
}

// splitWords splits a list at commas, semicolons and blanks, or at zero bytes when there are any (facts 28).
func splitWords(s string) []string {
	if strings.Contains(s, "\x00") {
		return strings.FieldsFunc(s, func(r rune) bool { return r == 0 })
	}
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) })
}

// pair is a:b where both are of a format, or one value for all.
func pair(f format) format {
	return func(s string) error {
		for part := range strings.SplitSeq(s, ":") {
			if err := f(part); err != nil {
				return err
			}
		}
		return nil
	}
}

// formatEvent is a schedule. The parser's message ends in a line end of its own (02/041).
func formatEvent(s string) error {
	if err := formatSchedule(s); err != nil {
		return lineError(err.Error())
	}
	return nil
}

// Lengths of a user's name with realm.
const minUser, maxUser = 3, 64

var userID = naming(`[^\s:/]+@`+realmShape, "value '%s' does not look like a valid user name")

func formatUserID(s string) error {
	switch n := len([]rune(s)); {
	case n < minUser:
		return lineError("user name '" + s + "' is too short")
	case n > maxUser:
		return lineError(fmt.Sprintf("user name '%s' is too long (%d > %d)", s, n, maxUser))
	}
	return userID(s)
}

var poolID = naming(`[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+){0,2}`, "pool name '%s' contains invalid characters")

// formatPool is a pool's name: up to three, parted by slashes.
func formatPool(s string) error {
	if strings.Count(strings.TrimRight(s, "/"), "/") > 2 {
		return lineError("pool name '" + s + "' nested too deeply (max levels = 3)")
	}
	return poolID(s)
}

var storagePath = shaped(`/[^;()]+.*`, "value does not look like a valid path")

// formatPrivilege knows the privileges that roles may have (12/044).
func formatPrivilege(s string) error {
	group, name, _ := strings.Cut(s, ".")
	if contains(strings.Fields(privilegeGroups()[group]), name) {
		return nil
	}
	return lineError("invalid privilege '" + s + "'")
}
