package pvesim

import (
	"fmt"
	"math/bits"
	"strconv"
	"time"
)

// copied goes on when all that is copied offline is there.
func (m *migration) copied() error {
	if !m.running {
		return m.j.after(migrationSettle, func() error {
			if err := m.finish(func(*Guest) {}); err != nil {
				return err
			}
			return m.done()
		})
	}
	m.stage, m.j.onSignal = stageRunning, errMigrationProblems
	m.log("starting VM %d on remote node '%s'", m.vmid, m.to.Name)
	return m.j.after(startTime, m.startOnTarget)
}

// startOnTarget starts QEMU there, in a task of its own as the command qm does.
func (m *migration) startOnTarget() error {
	g, err := m.source()
	if err != nil {
		return m.failed(taskText(err))
	}
	exit, lines := "OK", m.cannotStart(g)
	if len(lines) > 0 {
		exit = lines[len(lines)-1]
	}
	m.startup = m.w.Now()
	m.w.AddTaskAt(m.startup.Add(-startTime), startTime, m.to.Name, "qmstart", strconv.Itoa(m.vmid), rootUser, exit)
	for _, line := range lines {
		m.log("[%s] %s", m.to.Name, line)
	}
	if len(lines) > 0 {
		return m.failed("remote command failed with exit code 255")
	}
	if err := m.makeTargets(); err != nil {
		m.log("[%s] %s", m.to.Name, taskText(err))
		return m.failed("remote command failed with exit code 255")
	}
	m.log("start remote tunnel")
	m.log("ssh tunnel ver 1")
	return m.mirrors()
}

// cannotStart is what QEMU's start on the target says when it fails.
func (m *migration) cannotStart(g *Guest) []string {
	cores, sockets := max(1, integer(g.Config["cores"])), max(1, integer(g.Config["sockets"]))
	if limit := m.w.nodeCPUs(m.to.Name); cores*sockets > limit {
		return []string{fmt.Sprintf("MAX %d vcpus allowed per VM on this node", limit)}
	}
	for _, virtio := range []bool{true, false} {
		if err := m.w.bridgesExist(m.to, g, virtio); err != nil {
			return []string{taskText(err)}
		}
	}
	for _, key := range driveKeys(g.Config) {
		volid := driveVolume(text(g.Config[key]))
		store := (&usedVolume{volid: volid}).store()
		if store == "" || !sharedStorage(m.w.Storage(store)) {
			continue
		}
		if err := m.w.usable(m.to, store); err != nil {
			return []string{taskText(err)}
		}
		if m.to.volume(volid) == nil {
			return []string{fmt.Sprintf("volume '%s' does not exist", volid)}
		}
	}
	if vendor := cpuVendor(text(g.Config["cpu"])); vendor != "" && m.to.vendor() != "" && vendor != m.to.vendor() {
		return []string{"kvm: Host doesn't support requested features", "start failed: QEMU exited with code 1"}
	}
	return nil
}

// makeTargets makes the volumes that QEMU copies itself, in formats that their storages have.
func (m *migration) makeTargets() error {
	for _, v := range m.volumes {
		if !v.online {
			continue
		}
		row := m.from.volume(v.volid)
		if row == nil {
			return fail("volume '%s' does not exist", v.volid)
		}
		made, err := m.w.allocateImage(m.to, v.store, volumeSpec{vmid: m.vmid, kind: contentImages, format: m.w.formatOn(v.store, v.format), size: v.size},
			func(string, ...any) {})
		if err != nil {
			return err
		}
		v.made = made
		m.log("volume '%s' is '%s' on the target", v.volid, v.made)
	}
	return nil
}

// mirrors lets QEMU copy its disks, one after the other, and then the memory.
func (m *migration) mirrors() error {
	var online []*movingVolume
	for _, v := range m.volumes {
		if v.online {
			online = append(online, v)
		}
	}
	if len(online) == 0 {
		return m.memory(nil)
	}
	m.log("starting storage migration")
	return m.mirror(online, 0)
}

func (m *migration) mirror(online []*movingVolume, i int) error {
	if i == len(online) {
		m.log("switching mirror jobs to actively synced mode")
		for _, v := range online {
			m.j.log("drive-%s: switching to actively synced mode", v.key)
			m.j.log("drive-%s: successfully switched to actively synced mode", v.key)
		}
		return m.memory(online)
	}
	v := online[i]
	m.log("%s: start migration to nbd:unix:/run/qemu-server/%d_nbd.migrate:exportname=drive-%s", v.key, m.vmid, v.key)
	m.j.log("drive mirror is starting for drive-%s", v.key)
	m.j.log("drive-%s: transferred 0.0 B of %s (0.00%%) in 0s", v.key, humanSize(v.size))
	return m.progress(v.size, func(done int64, elapsed time.Duration) {
		share, ready := float64(done)/float64(max(1, v.size))*100, ""
		if elapsed >= m.movingTime(v.size)-time.Millisecond {
			share, ready, done = 100, ", ready", v.size
		}
		m.j.log("drive-%s: transferred %s of %s (%.2f%%) in %s%s", v.key, humanSize(done), humanSize(v.size), share, shortDuration(elapsed), ready)
	}, func() error {
		m.j.log("all 'mirror' jobs are ready")
		return m.mirror(online, i+1)
	})
}

// shortDuration writes a time as 1m 5s.
func shortDuration(d time.Duration) string {
	s := int(d / time.Second)
	if s < 60 {
		return fmt.Sprintf("%ds", s)
	}
	return fmt.Sprintf("%dm %ds", s/60, s%60)
}

// memory sends the state of the machine, and lets the target go on with it.
func (m *migration) memory(online []*movingVolume) error {
	g, err := m.source()
	if err != nil {
		return m.failed(taskText(err))
	}
	total := g.maxMem()
	socket := fmt.Sprintf("unix:/run/qemu-server/%d.migrate", m.vmid)
	downtime := 100.0
	if d := number(g.Config["migrate_downtime"]); d > 0 {
		downtime = d * 1000
	}
	m.log("starting online/live migration on %s", socket)
	m.log("set migration capabilities")
	m.log("migration downtime limit: %.0f ms", downtime)
	m.log("migration cachesize: %s", humanSize(int64(1)<<bits.Len64(uint64(max(1, total/10-1)))))
	m.log("set migration parameters")
	m.log("start migrate command to %s", socket)
	began := m.w.Now()
	return m.progress(total, func(done int64, _ time.Duration) {
		if done < total*9/10 {
			m.log("migration active, transferred %s of %s VM-state, %s/s", humanSize(done), humanSize(total), humanSize(m.speed(total, began)))
		}
	}, func() error { return m.switched(online, total, began) })
}

// speed is how fast the memory went so far.
func (m *migration) speed(total int64, began time.Time) int64 {
	if took := m.movingTime(total); took > 0 && m.w.Now().After(began) {
		return int64(float64(total) / took.Seconds())
	}
	return networkSpeed
}

// switchedTime is for how long a VM stands still while it changes nodes, in milliseconds.
const switchedTime = 47

// switched ends the work of the source's QEMU. A processor of another make, passed through as it is, cannot take over the
// state of the old one.
func (m *migration) switched(online []*movingVolume, total int64, began time.Time) error {
	g, err := m.source()
	if err != nil {
		return m.failed(taskText(err))
	}
	if !g.Live.Running {
		return m.failed("VM " + strconv.Itoa(m.vmid) + " not running")
	}
	if passesCPU(text(g.Config["cpu"])) && m.from.vendor() != m.to.vendor() {
		m.log("migration status error: failed")
		return m.failed("aborting")
	}
	m.log("average migration speed: %s/s - downtime %d ms", humanSize(m.speed(total, began)), switchedTime)
	m.log("migration status: completed")
	if len(online) > 0 {
		m.j.log("all 'mirror' jobs are ready")
	}
	for _, v := range online {
		m.j.log("drive-%s: Completing block job...", v.key)
		m.j.log("drive-%s: Completed successfully.", v.key)
		m.j.log("drive-%s: mirror-job finished", v.key)
		v.there = true
	}
	return m.j.after(migrationSettle, func() error {
		if len(online) > 0 {
			m.log("stopping NBD storage migration server on target.")
		}
		if err := m.finish(m.newProcess); err != nil {
			return err
		}
		return m.done()
	})
}

// newProcess is what a VM shows that went on in another QEMU: its uptime and its counters begin anew (F53).
func (m *migration) newProcess(g *Guest) {
	g.Live = m.w.live(g, m.w.Now())
	g.Live.PID, g.Live.Since, g.Live.at = m.w.nextPID(), m.startup, m.w.Now()
	g.Live.NetIn, g.Live.NetOut, g.Live.DiskRead, g.Live.DiskWrite = 0, 0, 0, 0
}
