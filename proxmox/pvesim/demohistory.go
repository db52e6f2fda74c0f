package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const day = 24 * time.Hour

// demoNight is how long ago the daily backup of the demo ran: whatever the time of day, it is over and not a day old.
const demoNight = 6 * time.Hour

// lastNight is when the daily backup ran last, at a full or half hour.
func (b *builder) lastNight() time.Time { return b.now.Add(-demoNight).Truncate(30 * time.Minute) }

// demoBackup is what a node does in the daily backup.
type demoBackup struct {
	node   string
	guests []int
	each   time.Duration
}

var demoNightly = []demoBackup{
	{"pve1", []int{101, 103, 104, 108, 200, 201, 202, 301, 900}, 140 * time.Second},
	{"pve2", []int{102, 105, 106, 107, 203, 204, 206, 302, 901}, 113 * time.Second},
}

// demoFailures are since how many days a guest's backup fails, and what vzdump says of it.
var demoFailures = sync.OnceValue(func() map[int]struct {
	days  int
	words []string
	why   string
} {
	return map[int]struct {
		days  int
		words []string
		why   string
	}{
		107: {16, nil, "CT is locked (mounted)"},
		206: {9, []string{"INFO: include disk 'scsi0' 'local-lvm:vm-206-disk-0' 100G", "INFO: backup mode: snapshot",
			"INFO:  6% (6.4 GiB of 100.0 GiB) in 51s, read: 128.5 MiB/s, write: 91.3 MiB/s", "ERROR: job failed with err -5 - Input/output error",
			"INFO: aborting backup job", "INFO: resuming VM again"}, "job failed with err -5 - Input/output error"},
	}
})

// demoBackups leaves minecraft, test-debian, runner and old-mailserver without any job.
func (b *builder) demoBackups() {
	last := b.lastNight()
	b.w.Cluster.Lists["backup_jobs"] = []Object{
		{"id": "backup-nightly", "type": "vzdump", "enabled": 1, "schedule": b.w.schedulerTime("pve1", last).Format("15:04"), "storage": "nas-backup",
			"mode": "snapshot", "compress": "zstd", "comment": "all that matters", "vmid": "101,102,103,104,105,106,107,108,200,201,202,203,204,206,301,302,303,900,901",
			"prune-backups": Object{"keep-daily": "7", "keep-weekly": "4"}, "mailnotification": "failure", "mailto": "root"},
		{"id": "backup-pve3", "type": "vzdump", "enabled": 1, "schedule": "sat 10:00", "storage": "nas-backup", "mode": "snapshot", "compress": "zstd",
			"vmid": "109,205", "comment": "when it is on"},
	}
	for _, n := range demoNightly {
		for i, id := range n.guests {
			since := demoFailures()[id].days
			for d := since; d < max(7, since+2); d++ {
				b.backup(b.w.Guest(id), last.Add(-time.Duration(d)*day+time.Duration(i)*n.each))
			}
		}
	}
	for i, id := range []int{109, 205, 303} { // when pve3 was on
		b.backup(b.w.Guest(id), last.Add(-15*day+time.Duration(i)*20*time.Minute))
	}
}

func (b *builder) backup(g *Guest, at time.Time) {
	kind, format := "qemu", "vma.zst"
	if g.Type == typeLXC {
		kind, format = "lxc", "tar.zst"
	}
	v := Object{"volid": fmt.Sprintf("nas-backup:backup/vzdump-%s-%d-%s.%s", kind, g.VMID, at.Format("2006_01_02-15_04_05"), format), "content": "backup",
		"format": format, "subtype": kind, "vmid": g.VMID, "ctime": at.Unix(), "size": g.maxDisk()/3 + int64(g.VMID), "notes": g.Name()}
	for _, n := range b.w.Nodes { // a shared storage shows the same on every node
		n.Content["nas-backup"] = append(n.Content["nas-backup"], v)
	}
}

// demoNights is how many of the daily backups the nodes remember.
const demoNights = 10

func (b *builder) demoTasks() {
	for d := range demoNights {
		for _, n := range demoNightly {
			at, exit := b.lastNight().Add(-time.Duration(d)*day), "OK"
			if slices.ContainsFunc(n.guests, func(id int) bool { return demoFailures()[id].days > d }) {
				exit = "job errors"
			}
			b.w.AddTaskAt(at, time.Duration(len(n.guests))*n.each, n.node, "vzdump", "", rootUser, exit, b.backupLog(n, d, at)...)
		}
	}
	b.w.AddTaskAt(b.now.Add(-26*time.Hour), 3*time.Second, "pve2", "qmstart", "204", rootUser, "start failed: QEMU exited with code 1",
		"kvm: -drive file=/dev/pve/vm-204-disk-0,if=none,id=drive-scsi0,format=raw: Could not open '/dev/pve/vm-204-disk-0': No such file or directory")
	b.w.AddTaskAt(b.now.Add(-3*day), 4*time.Second, "pve1", "vzstart", "108", "root@pam!demo", "OK")
	b.w.AddTaskAt(b.now.Add(-2*day), 6*time.Second, "pve2", "qmstart", "207", rootUser, "OK")
	b.w.AddTaskAt(b.now.Add(-9*day), 2*time.Second, "pve2", "qmsnapshot", "206", rootUser, "OK", "snapshotting 'drive-scsi0' (local-lvm:vm-206-disk-0)")
	b.w.AddTaskAt(b.now.Add(-5*day), 8*time.Second, "pve1", "qmclone", "900", rootUser, "OK", "create linked clone of drive scsi0 (local-lvm:base-900-disk-0)")
	b.w.AddTaskAt(b.now.Add(-3*time.Minute), 40*time.Second, "pve2", "aptupdate", "", rootUser, "WARNINGS: 1", "starting apt-get update",
		"WARN: The enterprise repository needs a subscription")
}

// backupLog is what vzdump wrote on a node so many days ago.
func (b *builder) backupLog(n demoBackup, days int, at time.Time) []string {
	var ids []string
	for _, id := range n.guests {
		ids = append(ids, strconv.Itoa(id))
	}
	log, failed := []string{"INFO: starting new backup job: vzdump " + strings.Join(ids, " ") + " --mode snapshot --storage nas-backup --compress zstd"}, false
	for i, id := range n.guests {
		g := b.w.Guest(id)
		begin := at.Add(time.Duration(i) * n.each)
		stamp := func(t time.Time) string { return b.w.schedulerTime(n.node, t).Format("2006-01-02 15:04:05") }
		word := strings.ToUpper(g.haKind())
		log = append(log, fmt.Sprintf("INFO: Starting Backup of VM %d (%s)", id, g.Type), "INFO: Backup started at "+stamp(begin))
		if f := demoFailures()[id]; f.days > days {
			failed = true
			log = append(append(log, f.words...), fmt.Sprintf("ERROR: Backup of VM %d failed - %s", id, f.why), "INFO: Failed at "+stamp(begin.Add(n.each/2)))
			continue
		}
		took := n.each - 10*time.Second
		log = append(log, "INFO: status = "+g.Status(), "INFO: "+word+" Name: "+g.Name(),
			fmt.Sprintf("INFO: Finished Backup of VM %d (%s)", id, time.Time{}.Add(took).Format("15:04:05")), "INFO: Backup finished at "+stamp(begin.Add(took)))
	}
	if failed {
		return append(log, "INFO: Backup job finished with errors")
	}
	return append(log, "INFO: Backup job finished successfully")
}

// demoReplication copies grafana to pve1 every quarter of an hour; influxdb is to go to pve3, which has been off for long.
func (b *builder) demoReplication() {
	lately := b.now.Add(-4 * time.Minute)
	for _, r := range []struct {
		vmid   int
		target string
		state  replicaState
	}{
		{105, "pve1", replicaState{lastTry: lately, lastSync: lately, duration: 4 * time.Second}},
		{106, "pve3", replicaState{lastTry: lately, lastSync: b.now.Add(-15 * day), fails: 37}},
	} {
		id := fmt.Sprintf("%d-0", r.vmid)
		b.w.Cluster.putSection(replications, "id", Object{"id": id, "type": "local", "guest": r.vmid, "jobnum": 0, "source": "pve2", "target": r.target, "schedule": "*/15"})
		source, target := b.w.Node("pve2"), b.w.Node(r.target)
		volid := driveVolume(text(b.w.Guest(r.vmid).Config["rootfs"]))
		b.w.copyReplica(source, target, volid)
		if r.state.fails > 0 {
			_, err := b.w.readyToReplicate(b.w.Guest(r.vmid), source, &Node{Name: target.Name, IP: target.IP})
			r.state.failure = taskText(err)
		}
		*b.w.replica(id) = r.state
		for _, n := range b.w.Nodes {
			n.noteRun(id, jobRun{at: lately})
		}
	}
}
