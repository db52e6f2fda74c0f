package pvesim

import (
	"crypto/sha1" //nolint:gosec // PVE's digest is SHA-1
	"encoding/hex"
	"maps"
	"slices"
)

// A section is an entry of one of the cluster's configuration files (backup jobs, mappings, metric servers, ...). They
// stand in Cluster.Lists as the API shows them, and are replaced and never edited.

// section gives an entry of a list by the value of its key, nil when there is none.
func (c *Cluster) section(list, key, id string) Object {
	for _, o := range c.Lists[list] {
		if text(o[key]) == id {
			return o
		}
	}
	return nil
}

// putSection adds an entry or takes the place of the one with the same key.
func (c *Cluster) putSection(list, key string, o Object) {
	old := slices.Clone(c.Lists[list])
	for i, e := range old {
		if e[key] == o[key] {
			old[i] = o
			c.setSections(list, old)
			return
		}
	}
	c.setSections(list, append(old, o))
}

// dropSection takes an entry away and tells whether there was one.
func (c *Cluster) dropSection(list, key, id string) bool {
	left := slices.DeleteFunc(slices.Clone(c.Lists[list]), func(o Object) bool { return text(o[key]) == id })
	gone := len(left) < len(c.Lists[list])
	c.setSections(list, left)
	return gone
}

// setSections stores a list. Where entries show the digest of their file, all of them get the new one.
func (c *Cluster) setSections(list string, entries []Object) {
	if c.Lists == nil {
		c.Lists = map[string][]Object{}
	}
	if contains(digested, list) {
		sum := sectionSum(entries)
		for i, o := range entries {
			entries[i] = without(o)
			entries[i]["digest"] = sum
		}
	}
	c.Lists[list] = entries
}

// digested are the lists whose entries carry the digest of their file (15/108).
var digested = []string{"mapping_dir", "mapping_pci", "mapping_usb", "ha_resources", "ha_rules",
	"sdn_zones", "sdn_vnets", "sdn_subnets", "sdn_controllers", "sdn_ipams", "sdn_dns", "sdn_fabrics", "sdn_fabric_nodes"}

// sectionSum is the digest of a list of entries as they are.
func sectionSum(entries []Object) string {
	if len(entries) == 0 {
		return emptyDigest
	}
	h := sha1.New() //nolint:gosec // see above
	for _, o := range entries {
		_, _ = h.Write(encode(without(o, "digest"))) // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sectionDigest is the digest that a change of a list is checked against.
func (c *Cluster) sectionDigest(list string) string {
	if len(c.Lists[list]) > 0 {
		if d := text(c.Lists[list][0]["digest"]); d != "" {
			return d
		}
	}
	return sectionSum(c.Lists[list])
}

// unmodified fails when a request was made for another state than the present one.
func (c *call) unmodified(digest string) error {
	if given := c.param("digest"); given != "" && given != digest {
		return errModified()
	}
	return nil
}

// stored gives parameters of a request as configuration files hold them: numbers and booleans of the method's schema are
// numbers, all else is as it was sent.
func (c *call) stored(leaveOut ...string) Object {
	out := Object{}
	for name, v := range c.params {
		if contains(leaveOut, name) {
			continue
		}
		if t, ok := v.(string); ok {
			v = c.typed(name, t)
		}
		out[name] = v
	}
	return out
}

// typed gives a value the type that the schema of the request's method says.
func (c *call) typed(name, value string) any {
	if s := c.accepts.find(name); s != nil {
		return s.typed(value)
	}
	if v := c.accepts.variants; v != nil {
		if o := v.by[c.param(v.property)]; o != nil && o.find(name) != nil {
			return o.find(name).typed(value)
		}
	}
	return value
}

// merged is an entry with keys taken away and others set.
func merged(o Object, drop []string, set Object) Object {
	out := without(o, drop...)
	maps.Copy(out, set)
	return out
}
