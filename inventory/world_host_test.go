package inventory

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// host is what a world says of its nodes and storages beside cluster/resources.
type host struct {
	jobs     []pve.Config
	content  map[string][]pve.VolumeRow   // node/storage
	archives map[string]pve.Config        // volume id
	files    map[string]map[string]string // volume id, path
	snapcfg  map[string]pve.Config        // snapshot name
	disks    []pve.DiskRow
	zfs      []pve.ZFSRow
	thin     []pve.ThinPoolRow
	services []pve.ServiceRow
	updates  []pve.UpdateRow
	certs    []pve.CertificateRow
	network  map[string]pve.NodeNetwork // node
	zones    []pve.ZoneRow
	vnets    []pve.VnetRow
	smart    map[string]pve.SMART // by device
	ahead    time.Duration        // of the node's clock

	templates []pve.Appliance // that nodes list
}

// ask is one read of the world: it counts, may be refused, and copies what f gives.
func ask[T any](ctx context.Context, w *world, call, node string, vmid int, f func() T) (T, error) {
	var none T
	done, err := w.enter(ctx, call, node, vmid)
	if err != nil {
		return none, err
	}
	defer done()
	return f(), nil
}

func (w *world) BackupJobs(ctx context.Context) ([]pve.Config, error) {
	return ask(ctx, w, "jobs", "", 0, func() []pve.Config { return slices.Clone(w.host.jobs) })
}

func (w *world) StorageContent(ctx context.Context, node, storage, content string) ([]pve.VolumeRow, error) {
	return ask(ctx, w, "content "+storage, node, 0, func() []pve.VolumeRow {
		return slices.DeleteFunc(slices.Clone(w.host.content[node+"/"+storage]), func(v pve.VolumeRow) bool {
			return content != "" && string(v.Content) != content
		})
	})
}

func (w *world) SnapshotConfig(ctx context.Context, node string, _ pve.GuestType, vmid int, snapshot string) (pve.Config, error) {
	return ask(ctx, w, "snapconfig", node, vmid, func() pve.Config { return w.host.snapcfg[snapshot] })
}

func (w *world) ArchiveConfig(ctx context.Context, node, volid string) (pve.Config, error) {
	return ask(ctx, w, "archive "+volid, node, 0, func() pve.Config { return w.host.archives[volid] })
}

// BackupFiles lists what is below a path of w.host.files, as folders and files.
func (w *world) BackupFiles(ctx context.Context, node, _, volid, path string) ([]pve.BackupFileRow, error) {
	return ask(ctx, w, "files "+path, node, 0, func() (rows []pve.BackupFileRow) {
		seen := map[string]bool{}
		for file, content := range w.host.files[volid] {
			rest, ok := strings.CutPrefix("/"+file, strings.TrimSuffix(path, "/")+"/")
			name, _, deeper := strings.Cut(rest, "/")
			if !ok || seen[name] {
				continue
			}
			seen[name] = true
			row := pve.BackupFileRow{Text: pve.Text(name), Type: "d"}
			switch size := pve.Int(len(content)); {
			case !deeper && content == "link":
				row.Type = "l"
			case !deeper:
				row.Type, row.Size = "f", &size
			case strings.HasSuffix(name, ".fidx"):
				row.Type = "v"
			}
			rows = append(rows, row)
		}
		return rows
	})
}

func (w *world) BackupFile(ctx context.Context, node, _, volid, path string) ([]byte, error) {
	return ask(ctx, w, "file "+path, node, 0, func() []byte { return []byte(w.host.files[volid][strings.TrimPrefix(path, "/")]) })
}

func (w *world) ZFSPools(ctx context.Context, node string) ([]pve.ZFSRow, error) {
	return ask(ctx, w, "zfs", node, 0, func() []pve.ZFSRow { return slices.Clone(w.hostOf(node).zfs) })
}

func (w *world) ThinPools(ctx context.Context, node string) ([]pve.ThinPoolRow, error) {
	return ask(ctx, w, "thin", node, 0, func() []pve.ThinPoolRow { return slices.Clone(w.hostOf(node).thin) })
}

func (w *world) NodeServices(ctx context.Context, node string) ([]pve.ServiceRow, error) {
	return ask(ctx, w, "services", node, 0, func() []pve.ServiceRow { return slices.Clone(w.host.services) })
}

func (w *world) NodeUpdates(ctx context.Context, node string) ([]pve.UpdateRow, error) {
	return ask(ctx, w, "updates", node, 0, func() []pve.UpdateRow { return slices.Clone(w.hostOf(node).updates) })
}

func (w *world) NodeCertificates(ctx context.Context, node string) ([]pve.CertificateRow, error) {
	return ask(ctx, w, "certificates", node, 0, func() []pve.CertificateRow { return slices.Clone(w.hostOf(node).certs) })
}

func (w *world) NodeNetwork(ctx context.Context, node string) (pve.NodeNetwork, error) {
	return ask(ctx, w, "network", node, 0, func() pve.NodeNetwork { return w.host.network[node] })
}

func (w *world) SDNZones(ctx context.Context) ([]pve.ZoneRow, error) {
	return ask(ctx, w, "zones", "", 0, func() []pve.ZoneRow { return slices.Clone(w.host.zones) })
}

func (w *world) SDNVnets(ctx context.Context) ([]pve.VnetRow, error) {
	return ask(ctx, w, "vnets", "", 0, func() []pve.VnetRow { return slices.Clone(w.host.vnets) })
}

func (w *world) NextID(ctx context.Context) (int, error) {
	return ask(ctx, w, "nextid", "", 0, func() int {
		id := 100
		for w.guests[id] != nil {
			id++
		}
		return id
	})
}

func (w *world) Appliances(ctx context.Context, node string) ([]pve.Appliance, error) {
	return ask(ctx, w, "aplinfo", node, 0, func() []pve.Appliance { return slices.Clone(w.host.templates) })
}
