package pvesim

import (
	"cmp"
	"strconv"
	"strings"
)

// copyVolume copies a volume to another name or node, in a task. It is for root@pam alone, who may read and write all storages
// (source: pve-storage, Content.pm; the schema names no permission).
func copyVolume(c *call) (any, error) {
	if !c.isRoot() {
		return nil, &apiError{status: 403, message: "Permission check failed (user != root@pam)\n"}
	}
	volid, p, err := c.namedVolume()
	if err != nil {
		return nil, err
	}
	target, to := c.param("target"), c.w.Node(cmp.Or(c.param("target_node"), c.node.Name))
	if to == nil {
		return nil, badParam("target_node", "no such cluster node '"+c.param("target_node")+"'")
	}
	if !strings.Contains(target, ":") {
		target = volumeID(c.vars["storage"], target)
	}
	t, err := c.w.volumeOf(target)
	if err != nil {
		return nil, err
	}
	store, _, _ := strings.Cut(target, ":")
	switch {
	case c.w.usable(to, store) != nil:
		return nil, c.w.usable(to, store)
	case t.kind != p.kind:
		return nil, fail("cannot copy '%s' content to '%s'", p.kind, t.kind)
	case !contains(splitList(text(c.w.Storage(store)["content"])), p.kind):
		return nil, fail("storage '%s' does not support '%s' content", store, p.kind)
	}
	return c.fork("imgcopy", "", func(j *job) error {
		row := j.node.volume(volid)
		switch {
		case row == nil:
			return fail("volume '%s' does not exist", volid)
		case to.volume(target) != nil:
			return fail("volume '%s' already exists", target)
		}
		j.log("copy '%s' to '%s' on node '%s'", volid, target, to.Name)
		return j.after(copyTime(integer(row["size"])), func() error {
			twin := merged(row, []string{"vmid", "parent"}, Object{"volid": target, "ctime": j.w.Now().Unix()})
			if t.vmid != 0 {
				twin["vmid"] = t.vmid
			}
			for _, n := range j.w.storageNodes(to, store) {
				n.Content[store] = append(append([]Object{}, n.Content[store]...), twin)
			}
			j.log("copied %s bytes", strconv.FormatInt(integer(row["size"]), 10))
			return nil
		})
	}), nil
}
