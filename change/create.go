package change

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Create makes a guest out of values that were chosen beforehand: where, its vmid, and the parameters of the request as Proxmox VE takes them.
// What it is made of is fetched first; a machine's seed image, its disks' sizes and its start come after.
type Create struct {
	Cluster, Node, Label, Pool string
	Type                       pve.GuestType
	VMID                       int
	Tags                       []string
	Params                     []Param // beside vmid and pool, in order
	Fetch                      *Fetch
	Seed                       *Seed
	Grow                       []Grow
	Start                      bool
	Why                        []string // reasons of what was chosen, for the review
}

// Seed is a seed image for cloud-init, with the drive that it is put into.
type Seed struct {
	Storage, Slot string
	Content       []byte
	Says          string // what it holds, for the review
}

// Grow is a disk that is imported smaller than it has to be.
type Grow struct{ Slot, Size string }

// Name implements Direct.
func (c Create) Name() string { return "guest.create" }

// Title implements Direct.
func (c Create) Title() string {
	kind := "VM"
	if c.Type == pve.LXC {
		kind = "container"
	}
	return fmt.Sprintf("create %s %d %s on %s%s", kind, c.VMID, c.Label, c.Node, reasons(c.Why))
}

// Steps implements Direct.
func (c Create) Steps(*Found) ([]Step, error) {
	if c.Label != "" && (len(c.Label) > 63 || !guestName().MatchString(c.Label)) {
		return nil, fault.BadField("name", "letters, digits and hyphens, at most 63", "web2")
	}
	if c.VMID < 100 || !plainName().MatchString(c.Node) {
		return nil, fault.BadField("vmid", "a number from 100 and a node are needed", "310")
	}
	var out []Step
	if c.Fetch != nil {
		s, err := c.Fetch.step()
		if err != nil {
			return nil, err
		}
		s.Undo, s.Stays = nil, "it serves the next guest"
		out = append(out, s)
	}
	first := c.create()
	out = append(out, first)
	rest, err := c.after(first.made)
	for k := range rest { // what the plan itself made is taken back with it
		rest[k].Tier = Reversible
	}
	return Chained("create "+strconv.Itoa(c.VMID), append(out, rest...)...), err
}

// create is the request itself (recordings 03/007, 06/002).
func (c Create) create() Step {
	l := c.made()
	s := Step{Action: c.Name(), Tier: Reversible, Target: l.Target, Makes: true, made: l, Task: l.taskType("create"), Want: Want{Status: "stopped"}}
	params := []Param{{"vmid", strconv.Itoa(c.VMID)}}
	params = append(params, c.Params...)
	if c.Pool != "" {
		params = append(params, Param{"pool", c.Pool})
	}
	s.Call = Call{Method: "POST", Path: "/nodes/" + c.Node + "/" + string(c.Type), Params: params}
	for _, p := range c.Params {
		shown := p.Value
		if p.Key == "sshkeys" || p.Key == "ssh-public-keys" {
			shown = strconv.Itoa(1+strings.Count(strings.TrimSpace(strings.ReplaceAll(p.Value, "%0A", "\n")), "\n")) + " given"
		}
		s.Diff = append(s.Diff, Diff{Field: p.Key, New: shown})
	}
	return s
}

// made is the guest as later steps find it.
func (c Create) made() *Live {
	cfg := pve.Config{}
	for _, p := range c.Params {
		cfg[p.Key] = p.Value
	}
	t := Target{New: true, Cluster: c.Cluster, Type: c.Type, VMID: c.VMID, Node: c.Node, Name: c.Label, Pool: c.Pool, Tags: c.Tags, Status: "stopped"}
	return &Live{Target: t, Found: Found{Target: t}, Config: cfg}
}

// after are the steps on the new guest.
func (c Create) after(made *Live) ([]Step, error) {
	var out []Step
	if c.Seed != nil {
		steps, err := c.seed(made)
		if err != nil {
			return nil, err
		}
		out = append(out, steps...)
	}
	for _, g := range c.Grow {
		size, ok := pve.ReadSize(g.Size)
		if !ok || size <= 0 {
			return nil, fault.BadField("disks", "the whole size of a disk", "16G")
		}
		s := Disk{Verb: "grow"}.resize(made, g.Slot, size)
		s.Diff = []Diff{{Field: g.Slot + " size", New: exactSize(size)}}
		out = append(out, s)
	}
	if c.Start {
		steps, err := Power{Verb: "start"}.Steps(made)
		if err != nil {
			return nil, err
		}
		out = append(out, steps...)
	}
	return out, nil
}

// seed uploads the image and puts it into its drive. Its name is that of its content, so that the same is made only once; it goes with
// the guest (seedOf).
func (c Create) seed(made *Live) ([]Step, error) {
	if !storageName().MatchString(c.Seed.Storage) {
		return nil, fault.BadField("storage", "a storage for ISO images is needed", "local")
	}
	file := seedPrefix(c.VMID) + pve.Hash(c.Seed.Content)[:8] + ".iso"
	volid := c.Seed.Storage + ":iso/" + file
	up := Step{Action: "seed.upload", Target: VolumeTarget(c.Cluster, c.Node, volid, &made.Found), Task: "imgcopy", Stays: "it goes with the guest",
		Call: Call{Method: "POST", Path: "/nodes/" + c.Node + "/storage/" + c.Seed.Storage + "/upload", Params: []Param{{"content", "iso"}},
			Upload: &Upload{Filename: file, Content: c.Seed.Content}}}
	up.Diff = []Diff{{Field: "it holds", New: cmp.Or(c.Seed.Says, "user-data")}}
	attach, err := Configure{Set: map[string]string{c.Seed.Slot: volid + ",media=cdrom"}}.Steps(made)
	return append([]Step{up}, attach...), err
}
