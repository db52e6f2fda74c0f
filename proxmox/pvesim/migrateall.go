package pvesim

import (
	"fmt"
	"slices"
	"strings"
)

// mayMigrateAll wants VM.Migrate on everything, or on each guest that the request names.
func mayMigrateAll(c *call) error {
	if c.may("/", "VM.Migrate") {
		return nil
	}
	vms := c.list("vms")
	if len(vms) == 0 {
		return forbidden("/", "VM.Migrate")
	}
	for _, id := range vms {
		if path := "/vms/" + id; !c.may(path, "VM.Migrate") {
			return forbidden(path, "VM.Migrate")
		}
	}
	return nil
}

// migrateAll moves all guests of a node, or those that the request names (pve-manager, API2/Nodes.pm).
func migrateAll(c *call) (any, error) {
	to, err := c.migrationTarget()
	if err != nil {
		return nil, err
	}
	return c.fork("migrateall", "", c.bulkMigration(to)), nil
}

// bulkMigrate moves guests of any node, or all, to one node; those that are there are warned of.
func bulkMigrate(c *call) (any, error) {
	to, err := c.migrationTarget()
	if err != nil {
		return nil, err
	}
	return c.clusterFork("bulk-migrate", c.bulkMigration(to)), nil
}

func (c *call) bulkMigration(to *Node) func(*job) error {
	return func(j *job) error {
		b := &bulkMove{bulk: &bulk{c: c, j: j, list: c.bulkList(false), warn: c.node == nil}, to: to}
		return b.next(nil)
	}
}

// bulkMove is a task that starts migrations, as many at a time as there are workers.
type bulkMove struct {
	*bulk
	to    *Node
	begun int
}

func (b *bulkMove) next(busy []*bulkItem) error {
	busy = slices.DeleteFunc(busy, func(i *bulkItem) bool { return i.task == nil || !i.task.Running() })
	switch {
	case len(b.list) == 0 && len(busy) == 0:
		if b.begun == 0 {
			b.j.log("no guests matched, nothing to do..")
		}
		return nil
	case len(b.list) == 0 || len(busy) >= b.workers():
		return b.j.after(bulkPoll, func() error { return b.next(busy) })
	}
	item := b.list[0]
	b.list = b.list[1:]
	g := b.c.w.Guest(item.vmid)
	switch {
	case g == nil:
		return b.next(busy)
	case g.Node == b.to.Name:
		b.skip(item, "already on node '"+b.to.Name+"'")
		return b.next(busy)
	}
	if reasons := b.refused(g); reasons != "" {
		b.j.log("%s", reasons)
		return b.next(busy)
	}
	b.begun++
	return b.move(g, item, func() error { return b.next(append(busy, item)) })
}

// refused is why a VM is left where it is; containers are not looked at.
func (b *bulkMove) refused(g *Guest) string {
	if g.Type == typeLXC {
		b.j.log("Migrating CT %d", g.VMID)
		return ""
	}
	data, err := machinePreconditions(b.c, g)
	if err != nil {
		return fmt.Sprintf("Check VM %d: %s", g.VMID, taskText(err))
	}
	found, _ := data.(Object)
	reasons := ""
	if disks, _ := found["local_disks"].([]Object); g.Live.Running && len(disks) > 0 && !truth(b.c.params["with-local-disks"]) {
		var list []string
		for _, d := range disks {
			list = append(list, text(d["volid"]))
		}
		reasons += "\n  Has local disks: " + strings.Join(list, ", ")
	}
	if list := stringsIn(found["local_resources"]); len(list) > 0 {
		reasons += "\n  Has local resources: " + strings.Join(list, ", ")
	}
	if reasons != "" {
		return fmt.Sprintf("Check VM %d: skip VM %d - precondition check failed:%s", g.VMID, g.VMID, reasons)
	}
	b.j.log("Check VM %d: precondition check passed", g.VMID)
	b.j.log("Migrating VM %d", g.VMID)
	return ""
}

// move calls the method of the API, with the guest running on if it can.
func (b *bulkMove) move(g *Guest, item *bulkItem, then step) error {
	params := map[string]any{"target": b.to.Name, "online": bit(g.Live.Running)}
	if g.Type == typeLXC {
		params = map[string]any{"target": b.to.Name, "restart": bit(g.Live.Running)}
	} else if v, ok := b.c.params["with-local-disks"]; ok {
		params["with-local-disks"] = v
	}
	data, err := b.c.inner("POST", fmt.Sprintf("/nodes/%s/%s/%d/migrate", g.Node, g.Type, g.VMID), params)
	if err != nil {
		b.j.log("%s", taskText(err))
		return then()
	}
	item.task = b.c.w.Node(g.Node).task(text(data))
	return then()
}
