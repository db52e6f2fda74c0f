package e2e

import (
	"strings"
	"testing"

	goproxmox "github.com/luthermonson/go-proxmox"
)

func vmOptions(kv ...any) []goproxmox.VirtualMachineOption {
	var out []goproxmox.VirtualMachineOption
	for i := 0; i < len(kv); i += 2 {
		out = append(out, goproxmox.VirtualMachineOption{Name: kv[i].(string), Value: kv[i+1]})
	}
	return out
}

func ctOptions(kv ...any) []goproxmox.ContainerOption {
	var out []goproxmox.ContainerOption
	for _, o := range vmOptions(kv...) {
		out = append(out, goproxmox.ContainerOption(o))
	}
	return out
}

// ids of the guests that the tests make.
const (
	newVM     = 5000
	newCT     = 5001
	fullCopy  = 5002
	linkCopy  = 5003
	noSuchVM  = 5999
	busyGuest = 201
)

// TestGoProxmoxMachine creates a machine, changes it, takes it through snapshots, clones and a template, and deletes all.
func TestGoProxmoxMachine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(*simulated) *goproxmox.Client{
		"ticket": func(s *simulated) *goproxmox.Client { return s.goClient(login(demoUser, demoPassword)) },
		"token":  func(s *simulated) *goproxmox.Client { return s.goClient() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSimulated(t)
			node := got[*goproxmox.Node](t, "node")(c(s).Node(t.Context(), "pve1"))
			createMachine(t, s, node)
			vm := got[*goproxmox.VirtualMachine](t, "machine")(node.VirtualMachine(t.Context(), newVM))
			changeMachine(t, s, vm)
			runMachine(t, vm)
			snapshotMachine(t, s, vm)
			copyMachine(t, s, node, vm)
			task, err := vm.Delete(t.Context(), &goproxmox.VirtualMachineDeleteOptions{Purge: true, DestroyUnreferencedDisks: true})
			ended(t, "delete", task, err)
			s.gone(t, newVM, fullCopy, linkCopy)
		})
	}
}

func createMachine(t *testing.T, s *simulated, node *goproxmox.Node) {
	t.Helper()
	task, err := node.NewVirtualMachine(t.Context(), newVM, vmOptions("name", "from-go", "cores", 2, "memory", 1024, "ostype", "l26",
		"scsihw", "virtio-scsi-single", "scsi0", "local-lvm:8,ssd=1,discard=on", "scsi1", "tank:4", "ide2", "local-lvm:cloudinit",
		"net0", "virtio,bridge=vmbr0,firewall=1", "boot", "order=scsi0", "ciuser", "admin", "ipconfig0", "ip=dhcp", "tags", "zoo;go",
		"description", "made by a test", "agent", "enabled=0")...)
	ended(t, "create", task, err)
	s.wantConfig(t, newVM, map[string]string{"name": "from-go", "scsi0": "local-lvm:vm-5000-disk-0,discard=on,size=8G,ssd=1", "scsi1": "tank:vm-5000-disk-0,size=4G",
		"ide2": "local-lvm:vm-5000-cloudinit,media=cdrom", "net0": "virtio=BC:24:11:", "memory": "1024", "vmgenid": "-", "smbios1": "uuid=", "unused0": ""})
	if _, err := node.NewVirtualMachine(t.Context(), busyGuest); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("a machine of an id in use: %v", err)
	}
	if _, err := node.NewVirtualMachine(t.Context(), noSuchVM, vmOptions("cores", 0, "colour", "red")...); err == nil ||
		!strings.Contains(err.Error(), "400 Parameter verification failed") || !strings.Contains(err.Error(), "colour") || !strings.Contains(err.Error(), "cores") {
		t.Errorf("wrong parameters: %v", err)
	}
}

func changeMachine(t *testing.T, s *simulated, vm *goproxmox.VirtualMachine) {
	t.Helper()
	ctx := t.Context()
	task, err := vm.Config(ctx, vmOptions("cores", 3, "delete", "description", "scsi2", "tank:1")...)
	ended(t, "change", task, err)
	done(t, "change in place", vm.ConfigSync(ctx, vmOptions("name", "still-from-go")...))
	task, err = vm.AddTag(ctx, "alpha")
	ended(t, "tag", task, err)
	task, err = vm.ResizeDisk(ctx, "scsi0", "+2G")
	ended(t, "resize", task, err)
	task, err = vm.UnlinkDisk(ctx, "scsi2", true)
	if err != nil {
		t.Errorf("unlink: %v %v", task, err)
	}
	done(t, "read again", vm.Ping(ctx))
	if cfg := vm.VirtualMachineConfig; *cfg.Cores != 3 || cfg.Name != "still-from-go" || cfg.Description != "" || !strings.Contains(cfg.SCSIs["scsi0"], "size=10G") {
		t.Errorf("changed machine: %+v", cfg)
	}
	s.wantConfig(t, newVM, map[string]string{"scsi2": "", "tags": "alpha"})
	if v := s.volumes(newVM); len(v) != 3 {
		t.Errorf("volumes %v, want three", v)
	}
}

func runMachine(t *testing.T, vm *goproxmox.VirtualMachine) {
	t.Helper()
	ctx := t.Context()
	steps := []struct {
		name  string
		do    func() (*goproxmox.Task, error)
		holds func() bool
	}{
		{"start", func() (*goproxmox.Task, error) { return vm.Start(ctx) }, vm.IsRunning},
		{"pause", func() (*goproxmox.Task, error) { return vm.Pause(ctx) }, vm.IsPaused},
		{"resume", func() (*goproxmox.Task, error) { return vm.Resume(ctx) }, vm.IsRunning},
		{"reset", func() (*goproxmox.Task, error) { return vm.Reset(ctx) }, vm.IsRunning},
		{"stop", func() (*goproxmox.Task, error) { return vm.Stop(ctx) }, vm.IsStopped},
	}
	for _, s := range steps {
		task, err := s.do()
		ended(t, s.name, task, err)
		done(t, "status after "+s.name, vm.Ping(ctx))
		if !s.holds() {
			t.Errorf("after %s: %s, %s", s.name, vm.Status, vm.QMPStatus)
		}
	}
}

func snapshotMachine(t *testing.T, s *simulated, vm *goproxmox.VirtualMachine) {
	t.Helper()
	ctx := t.Context()
	task, err := vm.NewSnapshot(ctx, "before")
	ended(t, "snapshot", task, err)
	done(t, "describe", vm.Snapshot("before").UpdateConfig(ctx, &goproxmox.VirtualMachineSnapshotUpdateOptions{Description: "all well"}))
	task, err = vm.Config(ctx, vmOptions("memory", 4096)...)
	ended(t, "change", task, err)
	list := got[[]*goproxmox.VirtualMachineSnapshot](t, "snapshots")(vm.Snapshots(ctx))
	if len(list) != 2 || list[0].Name != "before" || list[0].Description != "all well" || list[1].Name != "current" || list[1].Parent != "before" {
		t.Errorf("snapshots %+v", list)
	}
	if cfg := got[map[string]any](t, "snapshot's configuration")(vm.Snapshot("before").Config(ctx)); cfg["memory"] != "1024" {
		t.Errorf("memory in the snapshot: %v", cfg["memory"])
	}
	task, err = vm.Snapshot("before").Rollback(ctx)
	ended(t, "roll back", task, err)
	s.wantConfig(t, newVM, map[string]string{"memory": "1024"})
	task, err = vm.Snapshot("before").Delete(ctx)
	ended(t, "delete snapshot", task, err)
	if list := got[[]*goproxmox.VirtualMachineSnapshot](t, "snapshots")(vm.Snapshots(ctx)); len(list) != 1 {
		t.Errorf("%d snapshots are left, want current alone", len(list))
	}
}

func copyMachine(t *testing.T, s *simulated, node *goproxmox.Node, vm *goproxmox.VirtualMachine) {
	t.Helper()
	ctx := t.Context()
	id, task, err := vm.Clone(ctx, &goproxmox.VirtualMachineCloneOptions{NewID: fullCopy, Name: "copy", Full: true, Storage: "local-lvm"})
	ended(t, "clone", task, err)
	s.wantConfig(t, id, map[string]string{"name": "copy", "scsi0": "local-lvm:vm-5002-disk-", "scsi1": "local-lvm:vm-5002-disk-", "ide2": "vm-5002-cloudinit"})
	clone := got[*goproxmox.VirtualMachine](t, "clone")(node.VirtualMachine(ctx, id))
	task, err = clone.MoveDisk(ctx, "scsi1", &goproxmox.VirtualMachineMoveDiskOptions{Storage: "tank", Delete: true})
	ended(t, "move disk", task, err)
	s.wantConfig(t, id, map[string]string{"scsi1": "tank:vm-5002-disk-0", "unused0": ""})
	task, err = clone.ConvertToTemplate(ctx)
	ended(t, "make a template", task, err)
	s.wantConfig(t, id, map[string]string{"template": "1", "scsi0": "base-5002-disk-"})
	linked, task, err := clone.Clone(ctx, &goproxmox.VirtualMachineCloneOptions{NewID: linkCopy, Name: "linked"})
	ended(t, "linked clone", task, err)
	// Thin LVM does not name what a volume was made from, ZFS does.
	s.wantConfig(t, linked, map[string]string{"scsi0": "local-lvm:vm-5003-disk-0", "scsi1": "tank:base-5002-disk-0/vm-5003-disk-0"})
	second := got[*goproxmox.VirtualMachine](t, "linked clone")(node.VirtualMachine(ctx, linked))
	for _, m := range []*goproxmox.VirtualMachine{second, clone} {
		task, err = m.Delete(ctx, nil)
		ended(t, "delete a clone", task, err)
	}
}

// TestGoProxmoxContainer takes a container through the same.
func TestGoProxmoxContainer(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	ctx := t.Context()
	node := got[*goproxmox.Node](t, "node")(s.goClient().Node(ctx, "pve1"))
	task, err := node.NewContainer(ctx, newCT, ctOptions("ostemplate", demoTemplate, "hostname", "from-go", "rootfs", "local-lvm:4", "mp0", "tank:2,mp=/srv,backup=1",
		"memory", 256, "swap", 0, "cores", 1, "unprivileged", 1, "features", "nesting=1", "net0", "name=eth0,bridge=vmbr0,ip=dhcp", "password", "not a secret", "tags", "go")...)
	ended(t, "create", task, err)
	s.wantConfig(t, newCT, map[string]string{"hostname": "from-go", "rootfs": "local-lvm:vm-5001-disk-0,size=4G", "mp0": "tank:subvol-5001-disk-0,mp=/srv,backup=1,size=2G",
		"net0": "hwaddr=BC:24:11:", "features": "nesting=1", "ostype": "debian", "password": ""})
	ct := got[*goproxmox.Container](t, "container")(node.Container(ctx, newCT))
	changeContainer(t, s, ct)
	copyContainer(t, s, node, ct)
	task, err = ct.Delete(ctx, &goproxmox.ContainerDeleteOptions{Force: true, Purge: true})
	ended(t, "delete", task, err)
	s.gone(t, newCT, fullCopy)
}

func changeContainer(t *testing.T, s *simulated, ct *goproxmox.Container) {
	t.Helper()
	ctx := t.Context()
	if _, err := ct.Config(ctx, ctOptions("memory", 512, "delete", "tags", "description", "changed")...); err != nil {
		t.Fatalf("change: %v", err)
	}
	task, err := ct.Resize(ctx, "rootfs", "6G")
	ended(t, "resize", task, err)
	task, err = ct.Start(ctx)
	ended(t, "start", task, err)
	done(t, "status", ct.Ping(ctx))
	if ct.Status != "running" || ct.MaxMem != 512<<20 {
		t.Errorf("running container: %+v", ct)
	}
	task, err = ct.NewSnapshot(ctx, "before")
	ended(t, "snapshot", task, err)
	if list := got[[]*goproxmox.ContainerSnapshot](t, "snapshots")(ct.Snapshots(ctx)); len(list) != 2 || list[0].Name != "before" {
		t.Errorf("snapshots %+v", list)
	}
	task, err = ct.Shutdown(ctx, true, 10)
	ended(t, "shut down", task, err)
	task, err = ct.Snapshot("before").Rollback(ctx, false)
	ended(t, "roll back", task, err)
	task, err = ct.Snapshot("before").Delete(ctx)
	ended(t, "delete snapshot", task, err)
	s.wantConfig(t, newCT, map[string]string{"rootfs": "size=6G", "tags": "", "description": "changed", "memory": "512"})
}

func copyContainer(t *testing.T, s *simulated, node *goproxmox.Node, ct *goproxmox.Container) {
	t.Helper()
	ctx := t.Context()
	id, task, err := ct.Clone(ctx, &goproxmox.ContainerCloneOptions{NewID: fullCopy, Hostname: "copy", Full: true})
	ended(t, "clone", task, err)
	s.wantConfig(t, id, map[string]string{"hostname": "copy", "rootfs": "vm-5002-disk-", "mp0": "subvol-5002-disk-0"})
	clone := got[*goproxmox.Container](t, "clone")(node.Container(ctx, id))
	task, err = clone.Start(ctx)
	ended(t, "start clone", task, err)
	if _, err := clone.Delete(ctx, nil); err == nil {
		t.Error("a running container was deleted")
	}
	task, err = clone.Stop(ctx)
	ended(t, "stop clone", task, err)
	task, err = clone.Delete(ctx, nil)
	ended(t, "delete clone", task, err)
}
