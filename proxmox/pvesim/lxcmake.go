package pvesim

import (
	"maps"
	"path"
	"strconv"
	"strings"
	"time"
)

// How long the parts of a create take: making the volumes, unpacking a template of a few MiB (06/002 to 06/005: less than
// half a second together), and after its start was asked for until the task ends.
const (
	formatTime  = 100 * time.Millisecond
	unpackTime  = 150 * time.Millisecond
	ctStartWait = ctStartTime + 2*forkTime
)

// ctMaker is the work of a vzcreate task.
type ctMaker struct {
	w       *World
	n       *Node
	r       *lxcRequest
	g       *Guest // what was reserved
	options Object
	by      string
}

func (m *ctMaker) work(j *job) error {
	j.onFail(func() {
		if m.there() == nil {
			m.w.forgetGuest(m.r.vmid)
		}
	})
	return j.lock(m.g, func() error { return m.volumes(j) })
}

// there fails when somebody removed the container while it was made.
func (m *ctMaker) there() error {
	if m.w.Guest(m.r.vmid) == m.g {
		return nil
	}
	return m.failed(noConfig(m.n.Name, typeLXC, m.r.vmid))
}

// failed words an error of the task; nothing of the container is left then (06/010).
func (m *ctMaker) failed(err error) error { return fail("%s%s", m.r.verb(), taskText(err)) }

// volumes makes what the mount points ask for; without any there is a root volume of the default size (06/018).
func (m *ctMaker) volumes(j *job) error {
	if err := m.there(); err != nil {
		return err
	}
	j.onSignal = m.failed(errInterrupted)
	mounts := m.r.mounts
	if len(mounts) == 0 {
		mounts = map[string]string{"rootfs": m.r.storage + ":" + defaultRoot}
	}
	values, undo, err := m.w.placeMounts(m.n, m.r.vmid, mounts, j.log)
	if err != nil {
		return m.failed(err)
	}
	j.onFail(undo)
	return j.after(formatTime, func() error { return m.unpack(j, values) })
}

// unpackRatio is how much larger a compressed template is when it is unpacked: the one of the recordings has 878876
// bytes and 2027520 as an archive (06/004). tarRecord is what archives are padded to.
const (
	unpackRatio = 2.307
	tarRecord   = 10240
)

func (m *ctMaker) unpack(j *job, values Object) error {
	file, row, err := m.template()
	if err != nil {
		return m.failed(err)
	}
	j.log("extracting archive '%s'", file)
	bytes := (int64(float64(integer(row["size"]))*unpackRatio) + tarRecord/2) / tarRecord * tarRecord
	j.log("Total bytes read: %d (%.1fMiB, %.1fMiB/s)", bytes, float64(bytes)/mib, float64(bytes)/mib/unpackTime.Seconds())
	if m.options["arch"] == nil {
		m.options["arch"] = archOf(file)
		j.log("Detected container architecture: %s", m.options["arch"])
	}
	m.detect(j, file)
	return j.after(unpackTime, func() error { return m.commit(j, values) })
}

// template finds the archive's file.
func (m *ctMaker) template() (string, Object, error) {
	store, _, ok := strings.Cut(m.r.archive, ":")
	if !ok {
		return "", nil, fail("can't find file '%s'", m.r.archive)
	}
	if err := m.w.usable(m.n, store); err != nil {
		return "", nil, err
	}
	row := m.n.volume(m.r.archive)
	if row == nil {
		return "", nil, fail("volume '%s' does not exist", m.r.archive) // 06/010
	}
	return m.w.pathOf(m.r.archive), row, nil
}

// detect sets the type of the system to the one that the template holds, whatever was asked for (06/021).
func (m *ctMaker) detect(j *job, file string) {
	asked := text(m.options["ostype"])
	if asked == "unmanaged" {
		return
	}
	found := systemOf(file)
	if found == "" {
		found = asked
	}
	if found == "" && path.Ext(file) == ".tar" { // an image of a registry, whose system the name does not tell
		found = "unmanaged"
	}
	if found == "" {
		found = "debian"
	}
	if asked != "" && asked != found {
		j.log("got unexpected ostype (%s != %s)", found, asked)
	}
	m.options["ostype"] = found
}

// archOf reads the architecture from a template's name: debian-12-standard_12.7-1_amd64.tar.zst.
func archOf(file string) string {
	for _, arch := range []string{"arm64", "armhf", "i386", "riscv64", "riscv32"} {
		if strings.Contains(path.Base(file), "_"+arch+".") {
			return arch
		}
	}
	return "amd64"
}

// systemOf reads the distribution from a template's name, "" when it says none. Rebuilds of the same distribution are
// one type.
func systemOf(file string) string {
	name := strings.ToLower(path.Base(file))
	for _, id := range []string{"debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine", "gentoo", "nixos"} {
		if strings.HasPrefix(name, id) {
			return id
		}
	}
	for _, id := range []string{"rockylinux", "almalinux", "oraclelinux"} {
		if strings.HasPrefix(name, id) {
			return "centos"
		}
	}
	return ""
}

// commit writes the configuration with its defaults, which also gives up the lock, and starts the container where that
// was asked for.
func (m *ctMaker) commit(j *job, values Object) error {
	if err := m.there(); err != nil {
		return err
	}
	g := m.g
	config := Object{"hostname": "CT" + strconv.Itoa(m.r.vmid), "memory": defaultMemory, "swap": defaultMemory}
	maps.Copy(config, filled(m.options))
	maps.Copy(config, values)
	if m.r.unprivileged {
		config["unprivileged"] = 1
	}
	g.Pool = m.r.pool
	m.w.storeConfig(g, config)
	m.w.settleIn(g)
	j.undo, j.onSignal = nil, nil
	if m.r.ha {
		m.w.manage(g, m.r.start)
	}
	j.unlock(g)
	if !m.r.start {
		return nil
	}
	s := &ctStart{w: m.w, n: m.n, vmid: m.r.vmid}
	m.w.fork(m.n, "vzstart", strconv.Itoa(m.r.vmid), m.by, s.work)
	return j.after(ctStartWait, func() error { return nil })
}
