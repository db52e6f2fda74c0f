package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// hiddenOptions are keys of a VM's configuration that are no parameters but can be deleted.
var hiddenOptions = []string{"meta", "parent", "runningcpu", "runningmachine", "snaptime", "vmstate"}

// requestParams are parameters of the configuration methods that are no options.
var requestParams = []string{"node", "vmid", "digest", "delete", "revert", "force", "skiplock", "background_delay",
	"import-working-storage", "skip_cloud_init"}

// isQEMUOption is whether a configuration of a VM can have the key (04/013, 04/016).
func isQEMUOption(key string) bool {
	if contains(requestParams, key) {
		return false
	}
	return contains(hiddenOptions, key) || option(typeQEMU, key) != nil
}

// qemuOptions checks what the schema cannot say about options other than drives and gives them as the configuration
// holds them: normalised, with what is made up (MAC addresses), typed as GET config shows them. creating is for a new
// VM, whose password stays as it was given (facts 50).
func (c *call) qemuOptions(_ *Guest, given map[string]any, creating bool) (Object, error) {
	out := Object{}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if given[key] == nil && key != "tags" { // no tags are an empty list
			if key != "description" {
				out[key] = nil // refused when it is written
			}
			continue
		}
		value, err := c.qemuOption(key, listText(given[key]), creating)
		if err != nil {
			return nil, err
		}
		if key == "description" && value == "" {
			if !creating {
				out[key] = "" // removes it: a file has no empty description
			}
			continue
		}
		out[key] = typedOption(key, value)
	}
	return out, nil
}

// typedOption is an option as reading the configuration file gives it: an empty value is one blank there (04/024).
func typedOption(key, value string) any {
	if value == "" {
		value = " "
	}
	return typed(typeQEMU, key, value)
}

// undefined refuses to write a value that was given as null (04/031).
func undefined(key string) error {
	return fail("unable to parse value of '%s' - got undefined value", key)
}

// qemuOption gives an option as the configuration holds it; most are kept as they were sent.
func (c *call) qemuOption(key, value string, creating bool) (string, error) {
	switch {
	case netShape().MatchString(key):
		return c.w.qemuNIC(key, value)
	case key == "cipassword" && !creating:
		return c.w.hashPassword(value), nil
	case key == "sshkeys":
		return value, checkKeys(unescape(value, false))
	case key == "tags":
		return c.w.uniqueTags(value), nil
	case key == "description":
		return strings.TrimRight(value, " \t\r\n\f"), nil
	case key == "cpuunits":
		return strconv.FormatInt(min(max(integer(value), minShares), maxShares), 10), nil
	case key == "vmgenid" && value == "1":
		return c.w.newUUID(), nil
	case key == "hookscript":
		return value, c.checkHookscript(value)
	case key == "vga":
		return value, checkClipboard(value)
	}
	return value, nil
}

// Bounds of CPU shares with cgroups version 2; the schema allows those of version 1.
const minShares, maxShares = 1, 10000

var netShape = lazy.Regexp(`^net\d+$`)

// qemuNIC writes a network device in the configuration's order, with a new address where none was given (04/053).
func (w *World) qemuNIC(key, value string) (string, error) {
	format := propertyOf(typeQEMU, key)
	nic, err := parseProperty(format, key, value)
	if err != nil {
		return "", badParam(key, "invalid format - "+err.Error())
	}
	if nic["macaddr"] == "" {
		nic["macaddr"] = w.newMAC()
	}
	return printProperty(format, nic), nil
}

// uniqueTags puts tags into the order and the case that the datacenter's option tag-style wants; each is kept once
// (04/018, 04/021).
func (w *World) uniqueTags(list string) string {
	style := w.clusterOption("tag-style")
	tags := splitList(list)
	if !truth(style["case-sensitive"]) {
		for i, t := range tags {
			tags[i] = strings.ToLower(t)
		}
	}
	var out []string
	for _, t := range tags {
		if !contains(out, t) {
			out = append(out, t)
		}
	}
	if text(style["ordering"]) != "config" {
		slices.Sort(out)
	}
	return strings.Join(out, ";")
}

// clusterOption gives a property string among the datacenter's options; worlds have them as text or taken apart.
func (w *World) clusterOption(name string) Object {
	switch v := w.Cluster.Options[name].(type) {
	case Object:
		return v
	case string:
		out := Object{}
		for part := range strings.SplitSeq(v, ",") {
			k, val, _ := strings.Cut(part, "=")
			out[k] = val
		}
		return out
	}
	return nil
}

// checkHookscript wants a script among the snippets of a storage.
func (c *call) checkHookscript(volid string) error {
	p, err := c.w.volumeOf(volid)
	switch {
	case err != nil:
		return badParam("hookscript", taskText(err)+"\n")
	case p.kind != "snippets":
		return badParam("hookscript", "'"+volid+"' is not in the snippets directory\n")
	case c.node.volume(volid) == nil:
		return badParam("hookscript", "script '"+volid+"' does not exist\n")
	}
	return nil
}

var clipboardTypes = lazy.Regexp(`^(?:std|cirrus|vmware|virtio|qxl)`)

// checkClipboard refuses a clipboard on displays that cannot have one.
func checkClipboard(value string) error {
	kind, _, named := strings.Cut(strings.Split(value, ",")[0], "=")
	if t := driveOption(value, "type"); named {
		kind = t
	}
	if driveOption(value, "clipboard") == "vnc" && kind != "" && !clipboardTypes().MatchString(kind) {
		return fail("vga type %s is not compatible with VNC clipboard", kind)
	}
	return nil
}

// checkBalloon compares the least memory with the most that the VM will have, where a request sets either.
func (g *Guest) checkBalloon(set Object) error {
	if !has(set, "memory") && !has(set, "balloon") {
		return nil
	}
	now := g.latest()
	maps.Copy(now, set)
	if balloon := integer(now["balloon"]); balloon > memoryOf(now) {
		return fail("balloon value too large (must be smaller than assigned memory)")
	}
	return nil
}

// latest is the configuration with its pending values, whatever waits for removal.
func (g *Guest) latest() Object {
	c := clone(g.Config)
	maps.Copy(c, g.Pending)
	return c
}

// memoryOf is the memory of a VM's configuration in MiB: a number, or a property string whose default key is current.
func memoryOf(config Object) int64 {
	value := text(config["memory"])
	if current := driveOption(value, "current"); current != "" {
		value = current
	}
	first, _, _ := strings.Cut(value, ",")
	if n := integer(first); n > 0 {
		return n
	}
	return defaultMemory
}
