package pvesim

import (
	"maps"
	"strings"
)

func clusterOptionRoutes() []route {
	return daemon(put("/cluster/options", need("/", "Sys.Modify"), setClusterOptions))
}

// optionObjects are the options of the datacenter that are shown taken apart (15/115).
var optionObjects = []string{"crs", "ha", "migration", "next-id", "notify", "replication", "tag-style", "u2f", "user-tag-access", "webauthn"}

// setClusterOptions changes options; deleting one that is not set or unknown is no error (15/122).
func setClusterOptions(c *call) (any, error) {
	set := c.stored("delete")
	for key, v := range set {
		set[key] = c.clusterOption(key, v)
	}
	o := clone(c.w.Cluster.Options)
	maps.Copy(o, set)
	c.w.Cluster.Options = without(o, c.list("delete")...)
	return nil, nil
}

// clusterOption is an option as the API shows it.
func (c *call) clusterOption(key string, v any) any {
	switch {
	case key == "description":
		return commentText(text(v))
	case key == "registered-tags":
		return tagList(text(v))
	case !contains(optionObjects, key):
		return v
	}
	of := c.accepts.find(key).object()
	p, err := parseProperty(of, key, text(v))
	if err != nil {
		return v
	}
	o := objectOf(of, p)
	if allowed := text(o["user-allow-list"]); allowed != "" {
		o["user-allow-list"] = tagList(allowed)
	}
	return o
}

func tagList(s string) []any {
	list := []any{}
	for tag := range strings.SplitSeq(s, ";") {
		list = append(list, tag)
	}
	return list
}
