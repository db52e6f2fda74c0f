package code

import (
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/iac/runner"
)

// Harm is how much an apply of one object could disturb.
type Harm int

// The harms, from the least on.
const (
	Disturbs Harm = iota // a guest is made or changed
	Destroys             // a guest or a disk is lost
	Beneath              // nodes, storages, networks, access: what guests stand on
)

// guests are the resources that are guests.
var guests = []string{"proxmox_virtual_environment_vm", "proxmox_virtual_environment_container", "proxmox_vm", "proxmox_container"}

// holdsData are the blocks of guests that volumes stand in.
var holdsData = []string{"disk", "mount_point", "efi_disk", "tpm_state"}

// harmless are attributes of such a block that only say how a volume is used.
var harmless = []string{"aio", "backup", "cache", "discard", "iothread", "replicate", "ssd", "speed", "acl", "mount_options", "quota", "read_only", "shared"}

// HarmOf is how much an apply of an object could disturb, and what is lost by it ("" where nothing is).
func HarmOf(o *runner.Object) (h Harm, lost string) {
	guest := slices.Contains(guests, o.Type)
	switch {
	case guest && (o.Action == "delete" || o.Action == "replace"):
		return Destroys, "guest " + strconv.Itoa(o.VMID) + " is destroyed with its disks"
	case guest && o.Action == "update":
		if f := losing(o.Fields); f != "" {
			return Destroys, "guest " + strconv.Itoa(o.VMID) + ": a volume may be lost (" + f + ")"
		}
		return Disturbs, ""
	case guest && o.Action == "create":
		return Disturbs, ""
	}
	return Beneath, ""
}

// losing is a field whose change may take a volume away; "" where there is none.
func losing(list []runner.Field) string {
	for _, f := range list {
		block, rest, _ := strings.Cut(f.Path, "[")
		if !slices.Contains(holdsData, block) {
			continue
		}
		_, attribute, _ := strings.Cut(rest, "].")
		attribute, _, _ = strings.Cut(attribute, "[")
		attribute, _, _ = strings.Cut(attribute, ".")
		if !slices.Contains(harmless, attribute) && !grows(attribute, f) {
			return f.Path
		}
	}
	return ""
}

// grows says that a disk only gets larger.
func grows(attribute string, f runner.Field) bool {
	was, err := strconv.Atoi(f.Live)
	now, err2 := strconv.Atoi(f.Code)
	return attribute == "size" && err == nil && err2 == nil && now > was
}
