package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// choiceRig is backupWorld with storages for disks and what the backups hold.
func choiceRig(t *testing.T) (*rig, time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w := backupWorld(now)
	for _, n := range []string{"pve1", "pve2", "pve3"} {
		w.extra = append(w.extra, storageRow(n, "ssd", "dir", "images,rootdir", false))
	}
	w.host.archives = map[string]pve.Config{}
	for _, rows := range w.host.content {
		for _, v := range rows {
			w.host.archives[string(v.VolID)] = pve.Config{"scsi0": "ssd:vm-1-disk-0,size=8G", "name": "saved"}
			if strings.Contains(string(v.VolID), "-lxc-") {
				w.host.archives[string(v.VolID)] = pve.Config{"rootfs": "gone:subvol-999-disk-0,size=8G"}
			}
		}
	}
	r := newRig(t, w)
	r.sync()
	return r, now
}

// TestRestoreChoice: which backup, on which node, to which id and storage, and why.
func TestRestoreChoice(t *testing.T) {
	r, now := choiceRig(t)
	day := 24 * time.Hour
	young, old := string(dump("nas", 100, "qemu", now.Add(-day)).VolID), string(dump("nas", 100, "qemu", now.Add(-9*day)).VolID)
	goodOf101, gone := string(dump("nas", 101, "qemu", now.Add(-20*day)).VolID), string(dump("nas", 999, "lxc", now.Add(-day)).VolID)
	for _, c := range []struct {
		name    string
		ask     RestoreAsk
		volume  string
		vmid    int
		node    string // "" = any
		storage string
		why     string
	}{
		{"the newest", RestoreAsk{Guest: "100"}, young, 106, "pve1", "", "vmid 106: free"},
		{"as of a time", RestoreAsk{Guest: "100", At: now.Add(-2 * day)}, old, 106, "pve1", "", ""},
		{"one that is named", RestoreAsk{Backup: old}, old, 106, "pve1", "", ""},
		{"one that failed its verification is not the newest", RestoreAsk{Guest: "101"}, goodOf101, 106, "pve2", "", ""},
		{"over it", RestoreAsk{Guest: "100", Over: true}, young, 100, "pve1", "", ""},
		{"an id of one's own", RestoreAsk{Guest: "100", VMID: 4711}, young, 4711, "pve1", "", ""},
		{"ids that the plan gave already", RestoreAsk{Guest: "100", Taken: []int{106, 107}}, young, 108, "pve1", "", "vmid 108: free"},
		{"a storage that is named", RestoreAsk{Guest: "100", Storage: "ssd"}, young, 106, "pve1", "ssd", ""},
		{"a guest that is gone comes back under its id, on a storage that is there", RestoreAsk{Guest: "999"}, gone, 999, "", "ssd", "vmid 999: its own, which is free"},
		{"a copy of it does not", RestoreAsk{Guest: "999", Copy: true}, gone, 106, "", "ssd", "gone, where a disk was, is not there"},
		{"only one node has the backup", RestoreAsk{Guest: "105"}, string(dump("usb", 105, "qemu", now.Add(-2*day)).VolID), 106, "pve2", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := r.RestoreChoice(context.Background(), c.ask)
			if err != nil {
				t.Fatal(err)
			}
			if got.Volume != c.volume || got.VMID != c.vmid || c.node != "" && got.Node != c.node || got.Storage != c.storage || got.Config == nil || !strings.Contains(strings.Join(got.Why, "; "), c.why) {
				t.Errorf("%s to %d on %s, storage %q (%v), want %s to %d on %s, storage %q (%s)", got.Volume, got.VMID, got.Node, got.Storage, got.Why, c.volume, c.vmid, c.node, c.storage, c.why)
			}
			if over := got.Place.Storage != ""; over != c.ask.Over {
				t.Errorf("a place for what it is now: %+v", got.Place)
			}
		})
	}
}

// TestRestoreChoiceRefused: what cannot be restored, with what to do instead.
func TestRestoreChoiceRefused(t *testing.T) {
	r, now := choiceRig(t)
	for name, c := range map[string]struct {
		ask  RestoreAsk
		code fault.Code
		says string
	}{
		"no backup":            {RestoreAsk{Guest: "102"}, fault.NotFound, "no backup of guest 102"},
		"none that old":        {RestoreAsk{Guest: "100", At: now.Add(-30 * 24 * time.Hour)}, fault.NotFound, "no good backup from before"},
		"nobody's":             {RestoreAsk{Guest: "4711"}, fault.NotFound, ""},
		"a name of no backup":  {RestoreAsk{Backup: "nas:iso/debian.iso"}, fault.Invalid, "volume id of a backup"},
		"a backup not there":   {RestoreAsk{Backup: "nas:backup/vzdump-qemu-100-2020_01_01-00_00_00.vma.zst"}, fault.NotFound, "is not seen"},
		"an id that is taken":  {RestoreAsk{Guest: "100", VMID: 101}, fault.Invalid, "101 is taken"},
		"a storage of backups": {RestoreAsk{Guest: "100", Storage: "nas"}, fault.Invalid, "takes no disks"},
	} {
		if _, err := r.RestoreChoice(context.Background(), c.ask); fault.CodeOf(err) != c.code || !strings.Contains(fault.Of(err).Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDeletable: a volume is deleted where nobody refers to it, through a node that has it; each reason against it is told.
func TestDeletable(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w := backupWorld(now)
	for _, n := range []string{"pve1", "pve2", "pve3"} {
		w.extra = append(w.extra, storageRow(n, "ssd", "dir", "images,rootdir,iso", false))
	}
	iso := func(id string) pve.VolumeRow {
		return pve.VolumeRow{VolID: pve.Text(id), Content: "iso", Format: "iso"}
	}
	kept := dump("usb", 105, "qemu", now.Add(-50*24*time.Hour))
	kept.Protected = pve.Ptr(pve.Bool(true))
	w.host.content["pve2/usb"] = append(w.host.content["pve2/usb"], kept)
	w.host.content["pve1/ssd"] = []pve.VolumeRow{iso("ssd:iso/old.iso"), iso("ssd:iso/in-use.iso"), iso("ssd:iso/both.iso"), image("ssd:vm-777-disk-0", 777, 1), image("ssd:vm-100-disk-1", 100, 1)}
	w.host.content["pve2/ssd"] = []pve.VolumeRow{iso("ssd:iso/both.iso")}
	w.guests[100].config["ide2"] = "ssd:iso/in-use.iso,media=cdrom"
	w.guests[100].config["scsi1"] = "ssd:vm-100-disk-1,size=1G"
	r := newRig(t, w)
	r.sync()
	for _, c := range []struct {
		volume, node string
		through      string
		code         fault.Code
		says         string
	}{
		{"ssd:iso/old.iso", "", "pve1", "", ""},
		{"ssd:iso/both.iso", "pve2", "pve2", "", ""},
		{"ssd:vm-777-disk-0", "", "pve1", "", ""},
		{string(dump("usb", 105, "qemu", now.Add(-2*24*time.Hour)).VolID), "", "pve2", "", ""},
		{"ssd:iso/both.iso", "", "", fault.Ambiguous, "is on pve1, pve2"},
		{"ssd:iso/in-use.iso", "", "", fault.Conflict, "is used by 100"},
		{"ssd:vm-100-disk-1", "", "", fault.Conflict, "is used by 100"},
		{string(kept.VolID), "", "", fault.Conflict, "is protected"},
		{"ssd:iso/nosuch.iso", "", "", fault.NotFound, "is not seen"},
		{"/etc/passwd", "", "", fault.Invalid, "volume id"},
	} {
		got, err := r.Deletable(context.Background(), DeleteAsk{Volume: c.volume, Node: c.node})
		if (err != nil) != (c.code != "") || err != nil && (fault.CodeOf(err) != c.code || !strings.Contains(fault.Of(err).Error(), c.says)) || err == nil && got.Node != c.through {
			t.Errorf("%s: through %q, %v", c.volume, got.Node, err)
		}
	}
	if got, err := r.Deletable(context.Background(), DeleteAsk{Volume: string(dump("nas", 100, "qemu", now.Add(-9*24*time.Hour)).VolID)}); err != nil || got.Node == "" {
		t.Errorf("on a shared storage: through %q, %v", got.Node, err)
	}
}

// TestJob: a job as it is, whom it covers were it on, and which other jobs would back up the same guests, and remove what this one keeps.
func TestJob(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w := backupWorld(now)
	w.host.jobs[0]["prune-backups"] = "keep-last=3"
	r := newRig(t, w)
	r.sync()
	off, err := r.Job(context.Background(), JobQuery{ID: "off", Set: map[string]string{"storage": "nas", "prune-backups": "keep-last=1"}})
	if err != nil || off.Cluster != "lab" || off.Was.Str("vmid") != "102" || strings.Join(off.Guests, ",") != "102" || len(off.Others) != 0 {
		t.Errorf("%+v, %v", off, err)
	}
	wider, err := r.Job(context.Background(), JobQuery{ID: "off", Set: map[string]string{"enabled": "1", "vmid": "100,101,102", "storage": "nas", "prune-backups": "keep-last=1"}})
	if err != nil || len(wider.Others) != 1 || wider.Others[0].Job != "nightly" || wider.Others[0].Guests != 2 || !wider.Others[0].Prunes {
		t.Errorf("%+v, %v", wider, err)
	}
	all, err := r.Job(context.Background(), JobQuery{ID: "nightly"})
	if err != nil || strings.Join(all.Guests, ",") != "100,101,103,104,105" || all.Free == nil || len(all.Others) != 0 { // the other one is off
		t.Errorf("%+v, %v", all, err)
	}
	if _, err := r.Job(context.Background(), JobQuery{ID: "nosuch"}); fault.CodeOf(err) != fault.NotFound || !strings.Contains(fault.Of(err).Hint, "nightly, off") {
		t.Errorf("%v", err)
	}
}
