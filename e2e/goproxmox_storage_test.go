package e2e

import (
	"slices"
	"strings"
	"testing"

	goproxmox "github.com/luthermonson/go-proxmox"
)

// TestGoProxmoxCloudInit looks at a machine's cloud-init drive and at its figures. Feature is left out: go-proxmox 0.8.1 expects a
// boolean where there is 0 or 1 (08/063).
func TestGoProxmoxCloudInit(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	ctx := t.Context()
	node := got[*goproxmox.Node](t, "node")(s.goClient().Node(ctx, "pve1"))
	vm := got[*goproxmox.VirtualMachine](t, "machine")(node.VirtualMachine(ctx, 202))
	user := got[string](t, "cloud-init")(vm.CloudInitDump(ctx, "user"))
	if !strings.HasPrefix(user, "#cloud-config\nhostname: docker1\n") || !strings.Contains(user, "user: admin\n") {
		t.Errorf("user data: %s", user)
	}
	task, err := vm.Config(ctx, vmOptions("ciuser", "kim")...)
	ended(t, "change", task, err)
	pending := got[[]*goproxmox.VirtualMachineCloudInitPending](t, "pending")(vm.CloudInitPending(ctx))
	if !slices.ContainsFunc(pending, func(p *goproxmox.VirtualMachineCloudInitPending) bool {
		return p.Key == "ciuser" && p.Value == "admin" && p.Pending == "kim"
	}) {
		t.Errorf("the drive lags behind: %+v", pending)
	}
	done(t, "regenerate", vm.CloudInitRegenerate(ctx))
	for _, p := range got[[]*goproxmox.VirtualMachineCloudInitPending](t, "pending")(vm.CloudInitPending(ctx)) {
		if p.Pending != "" {
			t.Errorf("still lags behind: %+v", p)
		}
	}
	if index := got[[]*goproxmox.VirtualMachineDirIndexEntry](t, "index")(vm.DirIndex(ctx)); len(index) < 10 {
		t.Errorf("%d subdirectories", len(index))
	}
	if data := got[[]*goproxmox.RRDData](t, "figures")(vm.RRDData(ctx, goproxmox.TimeframeHour)); len(data) == 0 {
		t.Error("no figures")
	}
}

// TestGoProxmoxBackup backs a machine and a container up, reads what came of it, restores and prunes.
func TestGoProxmoxBackup(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	ctx := t.Context()
	node := got[*goproxmox.Node](t, "node")(s.goClient(login(demoUser, demoPassword)).Node(ctx, "pve1"))
	store := got[*goproxmox.Storage](t, "storage")(node.Storage(ctx, "nas-backup"))
	for _, id := range []uint64{208, 103} {
		task, err := node.Vzdump(ctx, &goproxmox.VirtualMachineBackupOptions{VMID: id, Storage: "nas-backup", Mode: "snapshot", Compress: "zstd", NotesTemplate: "{{guestname}} by go"})
		ended(t, "back up", task, err)
	}
	machine, container := newest(t, store, 208), newest(t, store, 103)
	if !strings.HasSuffix(machine.Volid, ".vma.zst") || machine.Notes != "test-debian by go" || !strings.HasSuffix(container.Volid, ".tar.zst") {
		t.Errorf("backups %+v %+v", machine, container)
	}
	if cfg := got[*goproxmox.VzdumpConfig](t, "configuration in the backup")(node.VzdumpExtractConfig(ctx, machine.Volid)); cfg.Memory != 2048 || cfg.SCSI0 == "" {
		t.Errorf("configuration in the backup: %+v", cfg)
	}
	task, err := node.NewVirtualMachine(ctx, newVM, vmOptions("archive", machine.Volid, "storage", "local-lvm", "unique", 1)...)
	ended(t, "restore machine", task, err)
	s.wantConfig(t, newVM, map[string]string{"name": "test-debian", "scsi0": "local-lvm:vm-5000-disk-0", "memory": "2048"})
	task, err = node.NewContainer(ctx, newCT, ctOptions("ostemplate", container.Volid, "restore", 1, "storage", "local-lvm")...)
	ended(t, "restore container", task, err)
	s.wantConfig(t, newCT, map[string]string{"hostname": "caddy", "rootfs": "local-lvm:vm-5001-disk-0"})
	if list := got[[]*goproxmox.PruneBackupItem](t, "what would be pruned")(store.PreviewPruneBackups(ctx, &goproxmox.StoragePruneBackupsOptions{PruneBackups: "keep-last=1", VMID: 208})); len(list) != 1 || list[0].Mark != "keep" {
		t.Errorf("what would be pruned: %+v", list)
	}
	task, err = store.DeleteContent(ctx, machine.Volid)
	ended(t, "delete backup", task, err)
}

// newest is the latest backup of a guest.
func newest(t *testing.T, store *goproxmox.Storage, vmid uint64) *goproxmox.StorageContent {
	t.Helper()
	var found *goproxmox.StorageContent
	for _, v := range got[[]*goproxmox.StorageContent](t, "content")(store.GetContent(t.Context())) {
		if v.VMID == vmid && (found == nil || v.Ctime >= found.Ctime) {
			found = v
		}
	}
	if found == nil {
		t.Fatalf("no backup of %d", vmid)
	}
	return found
}

// TestGoProxmoxContent uploads an image, allocates a volume, reads a task's log and stops a task.
func TestGoProxmoxContent(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	ctx := t.Context()
	node := got[*goproxmox.Node](t, "node")(s.goClient().Node(ctx, "pve1"))
	local := got[*goproxmox.Storage](t, "storage")(node.Storage(ctx, "local"))
	task, err := local.UploadString("iso", "tiny.iso", strings.Repeat("not an image ", 1000))
	ended(t, "upload", task, err)
	iso := got[*goproxmox.ISO](t, "image")(local.ISO(ctx, "tiny.iso"))
	if iso.VolID != "local:iso/tiny.iso" || iso.Size != 13000 {
		t.Errorf("image %+v", iso)
	}
	task, err = iso.Delete(ctx)
	ended(t, "delete image", task, err)

	lvm := got[*goproxmox.Storage](t, "storage")(node.Storage(ctx, "local-lvm"))
	volid := got[string](t, "allocate")(lvm.AllocContent(ctx, &goproxmox.StorageContentAllocOptions{Filename: "vm-208-disk-7", Size: "1G", VMID: 208}))
	if volid != "local-lvm:vm-208-disk-7" {
		t.Errorf("allocated %s", volid)
	}
	task, err = lvm.DeleteContent(ctx, volid)
	ended(t, "delete volume", task, err)

	vm := got[*goproxmox.VirtualMachine](t, "machine")(node.VirtualMachine(ctx, 208))
	_, task, err = vm.Clone(ctx, &goproxmox.VirtualMachineCloneOptions{NewID: fullCopy, Full: true})
	done(t, "clone", err)
	done(t, "stop the task", task.Stop(ctx))
	if err := task.WaitFor(ctx, 10); err != nil || task.IsSuccessful || task.ExitStatus == "" {
		t.Errorf("stopped task: %v %+v", err, task)
	}
	if log := got[goproxmox.Log](t, "log")(task.Log(ctx, 0, 50)); len(log) == 0 {
		t.Error("no log")
	}
	s.gone(t, fullCopy)
}

// TestGoProxmoxContainerExtras moves a container's volume, looks at its addresses and makes it a template.
func TestGoProxmoxContainerExtras(t *testing.T) {
	t.Parallel()
	s := startSimulated(t)
	ctx := t.Context()
	node := got[*goproxmox.Node](t, "node")(s.goClient().Node(ctx, "pve1"))
	ct := got[*goproxmox.Container](t, "container")(node.Container(ctx, 103))
	if ifs := got[goproxmox.ContainerInterfaces](t, "interfaces")(ct.Interfaces(ctx)); !slices.ContainsFunc(ifs, func(i *goproxmox.ContainerInterface) bool { return i.Inet == "192.168.1.30/24" }) {
		t.Errorf("interfaces %+v", ifs)
	}
	if _, err := ct.AddTag(ctx, "moved"); err != nil {
		t.Errorf("tag: %v", err)
	}
	task, err := ct.Reboot(ctx)
	ended(t, "reboot", task, err)
	task, err = ct.Stop(ctx)
	ended(t, "stop", task, err)
	// The options are those of machines; only their key for the disk is another.
	if _, err := ct.MoveVolume(ctx, &goproxmox.VirtualMachineMoveDiskOptions{Disk: "rootfs", Storage: "tank", Delete: true}); err == nil ||
		!strings.Contains(err.Error(), "volume") {
		t.Errorf("go-proxmox calls the volume disk, which containers do not know: %v", err)
	}
	done(t, "make a template", ct.Template(ctx))
	s.eventually(t, 103, "rootfs", "local-lvm:base-103-disk-0") // a task that the answer does not name
	s.wantConfig(t, 103, map[string]string{"template": "1", "tags": "infra;moved;web"})
	task, err = ct.Start(ctx)
	if err == nil {
		err = task.WaitFor(ctx, 10)
		if err != nil || task.IsSuccessful {
			t.Errorf("a template was started: %v", err)
		}
	}
}
