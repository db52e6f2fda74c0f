package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// mustHave are options that a container cannot be without.
var mustHave = []string{"memory", "rootfs", "ostype"}

// containerOption puts the value of an option into the form that the configuration has, or says why it cannot be.
func (c *call) containerOption(g *Guest, key, value string) (any, error) {
	switch {
	case isMount(key):
		return value, c.checkMount(g, key, value)
	case isNIC(key):
		return c.w.containerNIC(key, value)
	case devShape().MatchString(key):
		return value, c.checkDevice(key, value)
	}
	switch key {
	case "unprivileged":
		return nil, fail("unable to modify read-only option: '%s'", key) // 07/020
	case "hookscript":
		return value, c.checkContainerHook(value)
	case "nameserver", "searchdomain":
		value = strings.Join(splitList(value), " ")
	case "tags":
		value = c.w.uniqueTags(value)
	case "description":
		value = commentText(value)
	case "cpuunits":
		value = text(min(integer(value), maxShares))
	}
	return typed(typeLXC, key, value), nil
}

// commentText is a description as it is read back from the comment lines of a configuration file: each line has its
// end, and empty lines at the end are lost (07/011).
func commentText(s string) string {
	if s = strings.TrimRight(s, "\n"); s == "" {
		return ""
	}
	return s + "\n"
}

// checkMount refuses changes of mount points of protected containers, and storages that take no containers (07/025,
// 07/026).
func (c *call) checkMount(g *Guest, key, value string) error {
	if err := g.protected(fmt.Sprintf("can't update CT %d drive '%s'", g.VMID, key)); err != nil {
		return err
	}
	m, err := parseMountPoint(key, value)
	if err != nil || m.kind() != mountVolume {
		return err
	}
	def := c.w.Storage(m.store())
	if def == nil {
		return fail("storage '%s' does not exist", m.store())
	}
	if !contains(splitList(text(def["content"])), contentRootDir) {
		return fail("storage '%s' does not allow content type 'rootdir' (Container)", m.store())
	}
	return nil
}

// containerNIC writes a network device in the configuration's order; one without an address gets a new one (07/040).
func (w *World) containerNIC(key, value string) (any, error) {
	format := propertyOf(typeLXC, key)
	nic, err := parseProperty(format, key, value)
	if err != nil {
		return nil, badParam(key, "invalid format - "+err.Error())
	}
	if nic["hwaddr"] == "" {
		nic["hwaddr"] = w.newMAC()
	}
	nic["type"] = "veth"
	return printProperty(format, nic), nil
}

// checkDevice wants the path of a device of the node.
func (c *call) checkDevice(key, value string) error {
	device, err := parseProperty(propertyOf(typeLXC, key), key, value)
	if err != nil {
		return badParam(key, "invalid format - "+err.Error())
	}
	if device["path"] == "" {
		return fail("Path is not defined for passthrough device %s", key)
	}
	if !c.hasDevice(device["path"]) {
		return fail("Device %s does not exist", device["path"])
	}
	return nil
}

// commonDevices are on every node.
var commonDevices = lazy.Regexp(`^/dev/(?:null|zero|full|random|urandom|tty|console|fuse|net/tun|loop\d+|ttyS[0-3])$`)

// hasDevice is whether a node has a device. Of a recorded node the disks and the devices of every node are known; other
// nodes have what is asked for.
func (c *call) hasDevice(path string) bool {
	if !c.w.recorded || commonDevices().MatchString(path) {
		return true
	}
	disks, _ := objects(c.node.Info["disks"])
	return slices.ContainsFunc(disks, func(o Object) bool { return o["devpath"] == path })
}

// checkContainerHook wants a script among the snippets of a storage.
func (c *call) checkContainerHook(volid string) error {
	p, err := c.w.volumeOf(volid)
	switch {
	case err != nil:
		return err
	case p.kind != "snippets":
		return fail("'%s' is not in the snippets directory", volid)
	case c.node.volume(volid) == nil:
		return fail("script '%s' does not exist", volid)
	}
	return nil
}

// containerOptions puts all options of a request into the configuration's form; keys are looked at in text order, and
// the first that cannot be ends it.
func (c *call) containerOptions(g *Guest, set map[string]string) (Object, error) {
	out := Object{}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		v, err := c.containerOption(g, key, set[key])
		if err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}

// containerNetworks checks what the network devices need of the node. The configuration for the container's start is
// written after each change and before each start, so a change that is saved can still fail here (07/039, 06/030).
func (w *World) containerNetworks(n *Node, g *Guest) error {
	if g.Template() {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(g.Config)) {
		if !isNIC(key) {
			continue
		}
		if bridge := driveOption(text(g.Config[key]), "bridge"); bridge != "" && !w.hasBridge(n, bridge) {
			return fail("bridge '%s' does not exist", bridge)
		}
	}
	return nil
}

// textParams gives the parameters of a request as texts, lists joined by commas, without those that are named.
func (c *call) textParams(but ...string) map[string]string {
	out := map[string]string{}
	for k, v := range c.params {
		if !contains(but, k) {
			out[k] = listText(v)
		}
	}
	return out
}
