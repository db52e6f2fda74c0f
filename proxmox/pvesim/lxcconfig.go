package pvesim

import (
	"fmt"
	"maps"
)

// ctConfigPrivs are those of which one is needed to change a container at all.
var ctConfigPrivs = []string{"VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options"}

// lxcConfigRoutes change containers. There is no POST of a container's configuration (07/012).
func lxcConfigRoutes() []route {
	base := "/nodes/{node}/lxc/{vmid}"
	disk := need("/vms/{vmid}", "VM.Config.Disk")
	return daemon(
		put(base+"/config", need("/vms/{vmid}", ctConfigPrivs...), setContainer),
		put(base+"/resize", disk, resizeContainer),
		post(base+"/move_volume", disk, moveContainerVolume))
}

// containerOn gives a container of a node, nil when there is none of that number there.
func (w *World) containerOn(n *Node, vmid int) *Guest {
	if g := w.Guest(vmid); g != nil && g.Type == typeLXC && g.Node == n.Name {
		return g
	}
	return nil
}

// container gives the container of the path, or says that it has no configuration file there.
func (c *call) container() (*Guest, error) {
	return c.w.guestAt(c.node, typeLXC, c.vmid())
}

// writable gives the container of the path when it may be changed now: nobody has its lock file, it has no lock, and
// its digest is the one that the request names (07/004, 07/096).
func (c *call) writable() (*Guest, error) {
	g, err := c.container()
	if err != nil {
		return nil, err
	}
	return g, firstError(c.free(g), g.lockedError(), g.unmodified(c.param("digest")))
}

// unmodified compares a digest with that of the configuration; an empty one is always right.
func (g *Guest) unmodified(digest string) error {
	if digest != "" && digest != g.Digest {
		return errModified()
	}
	return nil
}

// ctEdit is a request to change a container.
type ctEdit struct {
	set         map[string]string
	del, revert []string
}

// setContainer changes a container at once. What fails leaves the whole configuration as it was (07/072 and the list
// after it).
func setContainer(c *call) (any, error) {
	if len(c.params) == 0 || len(c.params) == 1 && c.given("digest") {
		return nil, fail("no options specified") // 07/005
	}
	edit := &ctEdit{set: c.textParams("delete", "revert", "digest"), del: splitList(listText(c.params["delete"])),
		revert: splitList(listText(c.params["revert"]))}
	if err := edit.check(); err != nil {
		return nil, err
	}
	g, err := c.writable()
	if err != nil {
		return nil, err
	}
	unprivileged := truth(g.Config["unprivileged"])
	if err := c.mayChangeContainer(&ctChange{vmid: g.VMID, old: g.Config, set: edit.set, del: edit.del, unprivileged: unprivileged}); err != nil {
		return nil, err
	}
	return nil, c.edit(g, edit)
}

// check refuses keys that are unknown or asked for in two ways (07/006, 04/014).
func (e *ctEdit) check() error {
	for _, key := range e.revert {
		if option(typeLXC, key) == nil || notAnOption(key) {
			return badParam("revert", "unknown option '"+key+"'")
		}
		if has(e.set, key) {
			return badParam("delete", "you can't use '-"+key+"' and '-revert "+key+"' at the same time")
		}
	}
	for _, key := range e.del {
		if has(e.set, key) {
			return badParam("delete", "you can't use '-"+key+"' and -delete "+key+"' at the same time")
		}
		if contains(e.revert, key) {
			return badParam("delete", "you can't use '-delete "+key+"' and '-revert "+key+"' at the same time")
		}
		if option(typeLXC, key) == nil || notAnOption(key) {
			return badParam("delete", "unknown option '"+key+"'")
		}
	}
	return nil
}

// notAnOption is whether a parameter of the method is no option of a container (04/016).
func notAnOption(key string) bool {
	return contains([]string{"delete", "revert", "digest", "node", "vmid"}, key)
}

// edit makes the changes on a copy of the container and takes them over when all of them worked.
func (c *call) edit(g *Guest, e *ctEdit) error {
	p := &ctChanges{w: c.w, n: c.node, g: g.draft(), selected: map[string]bool{}}
	for _, key := range e.revert {
		p.g.dropPending(key)
		p.g.keep(key)
	}
	if err := p.remove(e.del); err != nil {
		return err
	}
	set, err := c.containerOptions(g, e.set)
	if err != nil {
		return err
	}
	if p.g.system == "" && has(set, "ostype") {
		p.g.system = text(g.Config["ostype"])
	}
	for key, v := range set {
		p.selected[key] = true
		p.g.setPending(key, v)
	}
	p.g.cleanPending()
	if failed := p.apply(); len(failed) > 0 {
		p.undo()
		return badParams(failed)
	}
	p.accept(g)
	return c.w.containerNetworks(c.node, g)
}

// draft is a copy of a guest to try changes on.
func (g *Guest) draft() *Guest {
	d := *g
	return &d
}

// accept takes the configuration of a draft over. Options with an empty value are lost in the file.
func (w *World) accept(g, draft *Guest) {
	w.touch(g)
	g.Config, g.Pending, g.Deleted, g.system = filled(draft.Config), filled(draft.Pending), draft.Deleted, draft.system
	g.plugged = draft.plugged
	g.redigest()
}

func filled(config Object) Object {
	config = clone(config)
	maps.DeleteFunc(config, func(_ string, v any) bool { return text(v) == "" })
	return config
}

// remove makes keys wait for their removal; one that is not set is passed over (07/008).
func (p *ctChanges) remove(keys []string) error {
	for _, key := range keys {
		if !has(p.g.Config, key) && !has(p.g.Pending, key) {
			continue
		}
		p.selected[key] = true
		switch {
		case contains(mustHave, key):
			return fail("unable to delete required option '%s'", key) // 07/042
		case key == "unprivileged":
			return fail("unable to delete read-only option: '%s'", key)
		case isMount(key), isUnusedKey(key):
			if err := p.g.protected(fmt.Sprintf("can't remove CT %d drive '%s'", p.g.VMID, key)); err != nil {
				return err
			}
		}
		p.g.dropPending(key)
		p.g.addDeleted(key, false)
	}
	return nil
}
