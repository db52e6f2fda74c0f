package pvesim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What a backup takes beside the copying: a VM that is off has to be started for it (09/010: 3 s), one that runs does not.
const (
	dumpCold  = 3 * time.Second
	dumpLive  = time.Second
	dumpRate  = 500 * mib // bytes of used data per second
	stopPoll  = time.Second
	stopLimit = 10 * time.Minute // stopwait
)

// dumper is the work of a vzdump task: guest after guest.
type dumper struct {
	w       *World
	n       *Node
	job     *backupJob
	allowed []bool
	refused error
	failed  bool
}

func (d *dumper) work(j *job) error {
	if err := d.w.backupTarget(d.n, d.job.storage); err != nil {
		return err
	}
	j.log("INFO: starting new backup job: %s", d.job.command)
	if d.refused != nil {
		return d.refused
	}
	return d.next(j, 0)
}

// next backs up the i-th guest, and ends the job after the last.
func (d *dumper) next(j *job, i int) error {
	for i < len(d.job.vmids) && !d.allowed[i] {
		i++
	}
	if i < len(d.job.vmids) {
		return (&guestDump{dumper: d, j: j, i: i, vmid: d.job.vmids[i]}).begin()
	}
	if d.failed {
		j.log("INFO: Backup job finished with errors")
		return errJob
	}
	j.log("INFO: Backup job finished successfully")
	return nil
}

// guestDump is the backup of one guest within a job.
type guestDump struct {
	*dumper
	j          *job
	i, vmid    int
	mode       string
	began      time.Time
	wasRunning bool
	file       backupFile
	archive    *archive
}

func (b *guestDump) info(format string, args ...any) { b.j.log("INFO: "+format, args...) }

func (b *guestDump) stamp() string { return b.n.local(b.w.Now()).Format("2006-01-02 15:04:05") }

// fail ends this guest's backup and goes on with the next guest.
func (b *guestDump) fail(err error) error {
	b.failed = true
	b.j.log("ERROR: Backup of VM %d failed - %s", b.vmid, taskText(err))
	b.info("Failed at %s", b.stamp())
	return b.next(b.j, b.i+1)
}

func (b *guestDump) begin() error {
	g := b.w.Guest(b.vmid)
	if g == nil {
		return b.fail(fmt.Errorf("unable to find VM '%d'", b.vmid))
	}
	b.began, b.mode, b.wasRunning = b.w.Now(), b.job.mode, g.Live.Running
	if g.Type == typeLXC && b.w.DumpFS != "" {
		b.j.log(dumpFSLine+"%s' -using /var/tmp/vzdumptmp%d_%d for temporary files", b.w.DumpFS, b.j.task.PID, b.vmid)
	}
	b.info("Starting Backup of VM %d (%s)", b.vmid, g.Type)
	b.info("Backup started at %s", b.stamp())
	b.info("status = %s", g.Status())
	if err := g.lockedError(); err != nil {
		return b.fail(err)
	}
	if !b.wasRunning {
		b.mode = "stop"
	}
	b.w.setLock(g, "backup")
	b.j.onFail(b.unlock)
	b.describe(g)
	if b.mode == "stop" && b.wasRunning {
		b.info("stopping virtual guest")
		b.w.pressPower(g, g.agentAnswers())
		return b.awaitStop(b.w.Now().Add(b.w.scaled(stopLimit)))
	}
	return b.copying(g)
}

func (b *guestDump) unlock() {
	if g := b.w.Guest(b.vmid); g != nil && g.Config["lock"] == "backup" {
		b.w.setLock(g, "")
	}
}

// describe logs what is backed up: in mode snapshot before the mode, since it is only then sure that the volumes can be
// snapshot (09/090); otherwise after it.
func (b *guestDump) describe(g *Guest) {
	if b.mode == "snapshot" {
		b.volumes(g)
		if g.Type == typeQEMU || b.w.feature(g.Type, featureSnapshot, g.Config, "") {
			b.modeLines()
			return
		}
		b.info("mode failure - some volumes do not support snapshots")
		b.info("trying 'suspend' mode instead")
		b.mode = "suspend"
	}
	b.modeLines()
	b.volumes(g)
}

func (b *guestDump) volumes(g *Guest) {
	if g.Type == typeLXC {
		b.info("CT Name: %s", g.Name())
	} else {
		b.info("VM Name: %s", g.Name())
	}
	for _, key := range g.disks() {
		if line := dumpLine(b.n, g, key); line != "" {
			b.info("%s", line)
		}
	}
}

func (b *guestDump) modeLines() {
	b.info("backup mode: %s", b.mode)
	if limit := b.job.limit; limit != "" && limit != "0" {
		b.info("bandwidth limit: %s KiB/s", limit)
	}
	b.info("ionice priority: %s", b.job.priority)
}

// dumpLine says of a volume whether it is saved.
func dumpLine(n *Node, g *Guest, key string) string {
	drive := text(g.Config[key])
	saved, mp := g.savedVolume(key), driveOption(drive, "mp")
	switch {
	case key == "rootfs":
		return "including mount point rootfs ('/') in backup"
	case g.Type == typeLXC && saved:
		return fmt.Sprintf("including mount point %s ('%s') in backup", key, mp)
	case g.Type == typeLXC && strings.HasPrefix(drive, "/"):
		return fmt.Sprintf("excluding bind mount point %s ('%s') from backup (not a volume)", key, mp)
	case g.Type == typeLXC:
		return fmt.Sprintf("excluding volume mount point %s ('%s') from backup (disabled)", key, mp)
	case saved:
		size := driveOption(drive, "size")
		if v := n.volume(driveVolume(drive)); v != nil && size == "" {
			size = text(v["size"])
		}
		return strings.TrimRight(fmt.Sprintf("include disk '%s' '%s' %s", key, driveVolume(drive), size), " ")
	case strings.Contains(driveVolume(drive), "cloudinit"):
		return ""
	}
	return fmt.Sprintf("exclude disk '%s' '%s' (backup=no)", key, driveVolume(drive))
}

// awaitStop waits for a guest that was asked to shut down; it holds the lock meanwhile (facts 82).
func (b *guestDump) awaitStop(until time.Time) error {
	g := b.w.Guest(b.vmid)
	switch {
	case g == nil:
		return b.fail(fmt.Errorf("unable to find VM '%d'", b.vmid))
	case !g.Live.Running:
		return b.copying(g)
	case !b.w.Now().Before(until):
		b.unlock()
		return b.fail(fmt.Errorf("command 'qm shutdown %d --skiplock --keepActive --timeout %d' failed: exit code 255", b.vmid, int(stopLimit.Seconds())))
	}
	return b.j.after(stopPoll, func() error { return b.awaitStop(until) })
}

// copying writes the archive, which takes as long as there is data in the volumes.
func (b *guestDump) copying(g *Guest) error {
	if len(g.Snapshots) > 0 && g.Type == typeQEMU {
		b.info("snapshots found (not included into backup)")
	}
	b.archive = b.w.pack(b.n, g, g.savedVolume)
	if g.Type == typeLXC {
		b.suspend(g)
	}
	b.file = b.w.backupName(b.n, b.job.storage, g, b.job.compress)
	b.info("creating vzdump archive '%s'", b.file.path)
	took := dumpLive
	if g.Type == typeQEMU {
		if took = b.machine(g); b.mode == "stop" && b.wasRunning {
			b.w.SetStatus(b.vmid, "running")
		}
	}
	used := b.used(g)
	return b.j.after(took+time.Duration(float64(used)/float64(dumpRate)*float64(time.Second)), func() error { return b.finish(used) })
}

// suspend logs how a container is held still: without snapshots of its storage it is copied twice, the second time while
// it is suspended (09/081).
func (b *guestDump) suspend(g *Guest) {
	switch b.mode {
	case "snapshot":
		b.info("create storage snapshot 'vzdump'")
	case "suspend":
		b.info("starting first sync /proc/%d/root/ to /var/tmp/vzdumptmp%d_%d", g.Live.PID, b.j.task.PID, b.vmid)
		b.info("first sync finished - transferred %.2fM bytes in 0s", float64(b.used(g))/float64(mib))
		b.info("suspending guest")
		b.info("starting final sync /proc/%d/root/ to /var/tmp/vzdumptmp%d_%d", g.Live.PID, b.j.task.PID, b.vmid)
		b.info("final sync finished - transferred 0 bytes in 0s")
		b.info("resuming guest")
		b.info("guest is online again after <1 seconds")
	}
}

// machine logs how a VM is copied, and gives the time that this takes beside the data.
func (b *guestDump) machine(g *Guest) time.Duration {
	took := dumpLive
	switch {
	case g.Template():
		b.info("starting template backup")
	case b.mode != "snapshot":
		b.info("starting kvm to execute backup task")
		took = dumpCold
	case g.agentAnswers():
		b.info("issuing guest-agent 'fs-freeze' command")
		b.info("issuing guest-agent 'fs-thaw' command")
	default:
		b.info("skipping guest filesystem freeze - disabled in VM options")
	}
	if b.mode == "stop" && b.wasRunning && g.cloudinitDrive() {
		b.j.log("generating cloud-init ISO")
	}
	if len(b.archive.disks) == 0 {
		b.info("backup contains no disks")
	}
	b.info("starting backup via QMP command")
	b.info("started backup task '%s'", b.w.newUUID())
	if b.wasRunning {
		b.info("resuming VM again" + b.pause())
	}
	return took
}

// pause is how long a VM was away.
func (b *guestDump) pause() string {
	if b.mode != "stop" {
		return ""
	}
	return fmt.Sprintf(" after %d seconds", int(b.w.Now().Sub(b.began).Seconds()))
}

// cloudinitDrive is whether one of the drives is made by cloud-init.
func (g *Guest) cloudinitDrive() bool {
	for key, v := range g.Config {
		if isDisk(key) && strings.Contains(driveVolume(text(v)), "cloudinit") {
			return true
		}
	}
	return false
}

// used is the data in the volumes that are saved.
func (b *guestDump) used(g *Guest) int64 {
	var sum int64
	for _, d := range b.archive.disks {
		if v := b.n.volume(driveVolume(text(g.Config[d.key]))); v != nil {
			sum += dataIn(v)
		}
	}
	return sum
}

// What an empty qcow2 image uses for its tables: something, and so much per GiB (worlds of the recordings: 57344 bytes
// for 256M, 180224 for 1G, 344064 for 2G).
const (
	qcowBase = 16384
	qcowGiB  = 163840
)

// dataIn is what of a volume is in use beside the tables of its format.
func dataIn(v Object) int64 {
	used := integer(v["used"])
	if v["format"] == "qcow2" {
		used -= qcowBase + integer(v["size"])*qcowGiB/gib
	}
	return max(0, used)
}

func (b *guestDump) finish(used int64) error {
	g := b.w.Guest(b.vmid)
	if g == nil {
		return b.fail(fmt.Errorf("unable to find VM '%d'", b.vmid))
	}
	size := b.archive.compressed(b.job.compress, used)
	if g.Type == typeLXC {
		b.info("Total bytes written: %d (%.1fMiB, %dMiB/s)", used, float64(used)/float64(mib), dumpRate/mib)
		switch {
		case b.mode == "snapshot" && b.wasRunning:
			b.info("cleanup temporary 'vzdump' snapshot")
		case b.mode == "stop" && b.wasRunning: // source
			b.info("restarting vm")
			b.w.SetStatus(b.vmid, "running")
			b.info("guest is online again after %d seconds", int(b.w.Now().Sub(b.began).Seconds()))
		}
	} else {
		b.info("transferred %s in %s", bytesText(used), secondsText(used))
		if !b.wasRunning && !g.Template() {
			b.info("stopping kvm after backup task")
		}
	}
	b.info("archive file size: %s", bytesText(size))
	b.w.storeBackup(b.n, b.file, b.archive, size, b.marks(g))
	b.prune()
	b.unlock()
	took := b.w.Now().Sub(b.began).Round(time.Second)
	b.info("Finished Backup of VM %d (%s)", b.vmid, clockText(took))
	b.info("Backup finished at %s", b.stamp())
	return b.next(b.j, b.i+1)
}

// marks are notes and protection, with their log lines.
func (b *guestDump) marks(g *Guest) Object {
	more := Object{}
	if b.job.notes != "" {
		b.info("adding notes to backup")
		more["notes"] = strings.NewReplacer("{{guestname}}", g.Name(), "{{vmid}}", strconv.Itoa(g.VMID), "{{node}}", b.n.Name,
			"{{cluster}}", b.w.Cluster.Name, `\n`, "\n", `\\`, `\`).Replace(b.job.notes)
	}
	if b.job.protect {
		b.info("marking backup as protected")
		more["protected"] = 1
	}
	return more
}

// prune removes older backups of the guest by the rules of the request or of the storage, unless all are kept.
func (b *guestDump) prune() {
	rules := parseRetention(text(b.w.Storage(b.job.storage)["prune-backups"]))
	if b.job.keep != "" {
		rules = parseRetention(b.job.keep)
	}
	if !b.job.remove || rules.keepsAll() {
		return
	}
	b.info("prune older backups with retention: %s", rules)
	n := 0
	for _, e := range b.w.pruneMarks(b.n, b.job.storage, rules, b.vmid, b.archive.kind) {
		if e.mark == markRemove {
			b.info("removing backup '%s'", e.volid)
			b.w.dropVolume(b.n, e.volid)
			n++
		}
	}
	b.info("pruned %d backup(s)", n)
}

// secondsText is how long data takes.
func secondsText(n int64) string {
	if n < dumpRate {
		return "<1 seconds"
	}
	return fmt.Sprintf("%d seconds (%d MB/s)", n/dumpRate, dumpRate/mib)
}

// bytesText is a size as logs of backups have it, and clockText a duration.
func bytesText(n int64) string {
	switch {
	case n >= gib:
		return fmt.Sprintf("%.2fGB", float64(n)/float64(gib))
	case n >= mib:
		return fmt.Sprintf("%dMB", n/mib)
	}
	return fmt.Sprintf("%dKB", n>>10)
}

func clockText(d time.Duration) string {
	s := int(d.Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
