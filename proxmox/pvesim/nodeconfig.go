package pvesim

import (
	"crypto/sha1" //nolint:gosec // PVE's digest is SHA-1
	"encoding/hex"
	"maps"
	"strings"
	"time"
)

func nodeConfigRoutes() []route {
	audit, modify := need("/nodes/{node}", "Sys.Audit"), need("/nodes/{node}", "Sys.Modify")
	base := "/nodes/{node}"
	return append(daemon(
		put(base+"/config", need("/", "Sys.Modify"), setNodeConfig),
		put(base+"/dns", modify, setDNS),
		put(base+"/time", modify, setTimezone),
		post(base+"/hosts", modify, setHosts)),
		get(base+"/config", audit, nodeConfig),
		get(base+"/dns", audit, nodeInfo("dns")),
		get(base+"/hosts", audit, nodeInfo("hosts")))
}

// nodeInfo answers with a part of the node as it is stored.
func nodeInfo(key string) handler {
	return func(c *call) (any, error) { return c.node.Info[key], nil }
}

// nodeConfig is the node's configuration, or one property of it.
func nodeConfig(c *call) (any, error) {
	o, _ := c.node.Info["config"].(Object)
	name := c.param("property")
	if name == "" {
		return o, nil
	}
	out := Object{"digest": o["digest"]}
	if v, ok := o[name]; ok {
		out[name] = v
	}
	return out, nil
}

// setNodeConfig changes options of the node; its description gets a line end (15/127).
func setNodeConfig(c *call) (any, error) {
	old, _ := c.node.Info["config"].(Object)
	if err := c.unmodified(text(old["digest"])); err != nil {
		return nil, err
	}
	o := clone(old)
	maps.Copy(o, c.stored("digest", "delete"))
	if has(o, "description") {
		o["description"] = commentText(text(o["description"]))
	}
	o = without(o, append(c.list("delete"), "digest")...)
	if o["description"] == "" {
		delete(o, "description")
	}
	o["digest"] = sectionSum([]Object{o})
	c.node.Info["config"] = o
	return nil, nil
}

// setDNS replaces the search domain and all servers.
func setDNS(c *call) (any, error) {
	o := Object{}
	for _, key := range []string{"search", "dns1", "dns2", "dns3"} {
		if v := c.param(key); v != "" {
			o[key] = v
		}
	}
	c.node.Info["dns"] = o
	return nil, nil
}

// setTimezone takes the zones that there are (15/132).
func setTimezone(c *call) (any, error) {
	zone := c.param("timezone")
	if _, err := time.LoadLocation(zone); err != nil || zone == "" || zone == "Local" {
		return nil, badParam("timezone", "No such timezone")
	}
	old, _ := c.node.Info["time"].(Object)
	c.node.Info["time"] = merged(old, nil, Object{"timezone": zone})
	return nil, nil
}

func setHosts(c *call) (any, error) {
	old, _ := c.node.Info["hosts"].(Object)
	if err := c.unmodified(text(old["digest"])); err != nil {
		return nil, err
	}
	data := c.param("data")
	c.node.Info["hosts"] = Object{"data": data, "digest": textSum(data)}
	return nil, nil
}

// textSum is the digest of a file.
func textSum(s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// nodeTime is the node's clock; localtime is what a clock on its wall shows, as seconds since 1970.
func nodeTime(c *call) (any, error) {
	stored, _ := c.node.Info["time"].(Object)
	now := c.now.Add(c.sim.faults.skew(c.node.Name))
	zone := text(stored["timezone"])
	if zone == "" {
		zone = "Etc/UTC"
	}
	_, offset := c.node.local(now).Zone()
	return Object{"timezone": zone, "time": now.Unix(), "localtime": now.Unix() + int64(offset)}, nil
}

// wakeOnLAN is sent by the node that was asked, so the one to wake may be off. It comes on when its configuration names
// the address of its network card.
func wakeOnLAN(c *call) (any, error) {
	name := c.vars["node"]
	n := c.w.Node(name)
	switch {
	case name == c.entry || name == "localhost":
		return nil, fail("'%s' is local node, cannot wake my self!", c.entry)
	case n == nil:
		return nil, fail("no such cluster node '%s'", name)
	}
	config, _ := n.Info["config"].(Object)
	mac := text(config["wakeonlan"])
	if p, err := parseProperty(propertyFormat("config-wakeonlan"), "wakeonlan", mac); err == nil {
		mac = p["mac"]
	}
	if mac == "" {
		return nil, fail("No wake on LAN MAC address defined for '%s'!", name)
	}
	if !n.Online {
		c.w.schedule(c.w.scaled(bootTime), func() { c.w.SetNodeOnline(name, true) })
	}
	return strings.ToUpper(mac), nil
}
