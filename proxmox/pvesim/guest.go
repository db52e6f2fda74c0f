package pvesim

import (
	"crypto/sha1" //nolint:gosec // PVE's digest is SHA-1
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Guest types, as the API spells them.
const (
	typeQEMU = "qemu"
	typeLXC  = "lxc"
)

// Guest is a virtual machine (Type qemu) or a container (Type lxc).
type Guest struct {
	VMID int
	Type string
	Node string
	Pool string
	// Config holds the values in effect, without digest; Pending those that wait for a restart, Deleted the keys that
	// wait for removal. cipassword is stored as it was given and masked by the API.
	Config  Object
	Pending Object
	Deleted []string
	// Digest is the API's digest of the configuration file.
	Digest string
	// Snapshots are in list order, without the pseudo entry current.
	Snapshots []*Snapshot
	Firewall  *Firewall
	Live      Live
	// Surge is what it does beyond its everyday load, nil without.
	Surge *Surge
	// Agent is what answers agent calls of a running VM that has the agent configured.
	Agent Agent
	// Behaviour is how what runs inside acts; AddGuest gives a guest without one that of the world.
	Behaviour Behaviour
	// Interfaces is the answer of agent/network-get-interfaces (its result) or of lxc/{vmid}/interfaces.
	Interfaces []Object

	prev      *shown
	last      *Guest // as its node showed it before it went off; nil while the node is on
	changedAt time.Time
	forced    []string       // of Deleted: drives whose volume is to be erased as well
	lost      map[string]int // disks that a QEMU (its PID) gave up although their removal failed
	cloud     *cloudState    // nil when the cloud-init drive says what the configuration says
	// reboot is set while a guest shuts down to be started again.
	reboot bool
	inner  *inside // see Guest.inside
	// system is the ostype of what a container's root volume holds, where its configuration says another one.
	system string
	// plugged are a container's network devices that the node has set up itself while the process of that id ran.
	plugged map[string]int
}

// Live is the running state of a guest. Byte counts are since its start.
type Live struct {
	Running bool
	// Paused is true for a VM whose qmpstatus is paused while its status stays running (facts 48).
	Paused bool
	Since  time.Time
	PID    int
	// CPU is the load as a fraction 0..1 of all its cores.
	CPU                      float64
	Mem, MemHost, Swap, Disk int64
	// DiskSize is what a running container sees as the size of its root file system, 0 = that of the volume.
	DiskSize                           int64
	NetIn, NetOut, DiskRead, DiskWrite int64
	// at is when these figures were true; zero is when the world was taken or the guest started, whatever is later.
	at time.Time
	// cpuWait and ioWait are the shares of time in percent in which the guest waits for processors and for disks.
	cpuWait, ioWait float64
	// seen is when these figures were true, where the node has gone off since.
	seen time.Time
}

// Surge is what a guest does or suffers since some time beyond its everyday load. It ends when the guest is started anew.
type Surge struct {
	Since time.Time
	// CPU is added to the load (0..1).
	CPU float64
	// NetIn, NetOut, DiskRead and DiskWrite are bytes per second.
	NetIn, NetOut, DiskRead, DiskWrite int64
	// IOWait is the share of time in percent in which it waits for its disks.
	IOWait float64
	// Cause is the guest whose surge makes this one: it ends with that. 0 is none.
	Cause int
}

// Agent is the state of a QEMU guest agent.
type Agent struct {
	// Running is whether anything answers; a configured agent that is not running makes calls fail after Wait
	// (3 s on the real one, 16/075).
	Running bool
	// OSInfo, HostName, FSInfo are results of the get-osinfo, get-host-name and get-fsinfo calls; nil = an empty one.
	OSInfo   Object
	HostName string
	FSInfo   []Object
}

// Snapshot is one snapshot; its Config is the answer of GET snapshot/{name}/config and holds cipassword in clear.
type Snapshot struct {
	Name, Description, Parent string
	Time                      time.Time
	VMState                   bool
	Config                    Object
}

// shown is what the statistics say about a guest until they are sent again: the guest as it was, or that it is not known.
type shown struct {
	known bool
	guest Guest
}

// Name is the guest's name in lists: name or hostname of its config, else "VM 100" or "CT100" as the API has it.
func (g *Guest) Name() string {
	if g.Type == typeLXC {
		if n := text(g.Config["hostname"]); n != "" {
			return n
		}
		return "CT" + strconv.Itoa(g.VMID)
	}
	if n := text(g.Config["name"]); n != "" {
		return n
	}
	return "VM " + strconv.Itoa(g.VMID)
}

// Status is stopped or running.
func (g *Guest) Status() string {
	if g.Live.Running {
		return "running"
	}
	return "stopped"
}

// merged is the configuration as GET config shows it by default: pending values in place of those in effect
// (facts 41), with the digest.
func (g *Guest) merged() Object {
	c := clone(g.Config)
	maps.Copy(c, g.Pending)
	for _, k := range g.Deleted {
		if v := text(c[k]); v != "" && v != "0" { // a value that Perl takes for false stays (source)
			delete(c, k)
		}
	}
	return c
}

// Template is whether the guest is a template.
func (g *Guest) Template() bool { return truth(g.Config["template"]) }

// file renders the configuration file, whose SHA-1 is the digest.
func (g *Guest) file() string {
	var b strings.Builder
	writeSection(&b, g.Config)
	if len(g.Pending) > 0 || len(g.Deleted) > 0 {
		b.WriteString("\n[PENDING]\n")
		if len(g.Deleted) > 0 {
			b.WriteString("delete: " + strings.Join(g.deletions(), ",") + "\n")
		}
		writeSection(&b, g.Pending)
	}
	if g.cloud != nil {
		b.WriteString("\n[special:cloudinit]\n")
		writeSection(&b, g.cloud.section())
	}
	byName := slices.SortedFunc(slices.Values(g.Snapshots), func(a, b *Snapshot) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range byName {
		b.WriteString("\n[" + s.Name + "]\n")
		writeSection(&b, s.Config)
	}
	return b.String()
}

// deletions are the keys that wait for removal as the file has them: with ! where the volume goes too.
func (g *Guest) deletions() []string {
	list := slices.Clone(g.Deleted)
	for i, key := range list {
		if slices.Contains(g.forced, key) {
			list[i] = "!" + key
		}
	}
	return list
}

func writeSection(b *strings.Builder, o Object) {
	if d := text(o["description"]); d != "" {
		for line := range strings.SplitSeq(strings.TrimSuffix(d, "\n"), "\n") {
			b.WriteString("#" + escapeComment(line) + "\n")
		}
	}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if k != "description" && k != "digest" {
			b.WriteString(k + ": " + text(o[k]) + "\n")
		}
	}
}

// escapeComment percent-encodes what a comment line of a configuration file cannot hold.
func escapeComment(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c == '%' || c == ':' || c < 0x20 || c >= 0x7f {
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (g *Guest) redigest() { g.Digest = sha1Hex(g.file()) }

func sha1Hex(s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}
