package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/nocloud"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type createVMIn struct {
	Name        string   `json:"name" req:"true" example:"web" help:"of the new machine"`
	Image       string   `json:"image" example:"debian-13" desc:"as download_image, or volume"`
	ISO         string   `json:"iso" example:"local:iso/debian.iso" desc:"volume or URL"`
	Cores       int      `json:"cores" min:"1" max:"512" example:"2" help:"CPU cores, default 2"`
	Memory      int      `json:"memory_mib" min:"64" example:"2048" help:"memory in MiB, default 2048"`
	Disks       []string `json:"disks" lines:"true" example:"32G" desc:"GiB or STORAGE:GiB,options"`
	NICs        []string `json:"nics" lines:"true" example:"bridge=vmbr0,tag=20" help:"one property string a card, default one on the bridge with the way out"`
	UEFI        bool     `json:"uefi" help:"UEFI on a q35 machine"`
	TPM         bool     `json:"tpm" help:"a TPM 2.0"`
	User        string   `json:"user" example:"admin" help:"of cloud-init, default the image's own"`
	SSHKeys     []string `json:"ssh_keys" lines:"true" example:"ssh-ed25519 AAAA... me@home" help:"who may log in, default changes.ssh_keys of the configuration"`
	Packages    []string `json:"packages" example:"docker.io" help:"installed at the first start"`
	UserData    string   `json:"user_data" bytes:"16384" example:"#cloud-config" desc:"#cloud-config or script; no secrets"`
	IP          string   `json:"ip" example:"10.0.0.5/24,gw=10.0.0.1" desc:"dhcp or 10.0.0.5/24,gw=10.0.0.1"`
	Nameservers []string `json:"nameservers" example:"10.0.0.1" help:"with a static address"`
	Agent       *bool    `json:"agent" help:"install the guest agent, default true; false: Proxmox's own cloud-init drive where nothing else needs more"`
	Tags        []string `json:"tags" example:"web" help:"its tags"`
	creating
}

func createVM() Spec {
	return makes(Spec{
		Name: "create_vm", Title: "Create VM", Family: "change", Command: "vm create", Args: []string{"name"}, Tier: R1,
		Needs: []Need{needAllocate.orNothing(), needHardware.above(), needOptions, needCPU, needMemory, needDisks, needNICs, needCDs, needCloudInit, needBridges, needSpace,
			needTemplates, needReachOut, needGuests},
		Summary: "Create a VM from a cloud image, ISO or nothing; what is not given is chosen.",
		Examples: []Example{
			{CLI: "vm create web --image debian-13 --packages docker.io --wait-for address",
				Args: map[string]any{"name": "web", "image": "debian-13", "packages": []string{"docker.io"}, "wait_for": "address"}, Why: "a Debian machine with docker, and its address"},
			{CLI: "vm create win --uefi --tpm --disks 64 --dry-run", Args: map[string]any{"name": "win", "uefi": true, "tpm": true, "disks": []string{"64"}, "dry_run": true}, Why: "plan a machine to install by hand"},
		},
	}, func(ctx context.Context, d Deps, in *createVMIn) (change.Request, error) {
		b := &vmBuild{in: in, d: d}
		if err := b.read(); err != nil {
			return change.Request{}, err
		}
		if err := b.place(ctx); err != nil {
			return change.Request{}, err
		}
		c, err := b.create()
		return change.Request{Cluster: b.p.Cluster, Direct: c, Notes: append(slices.Clone(b.p.Notes), b.notes()...)}, err
	})
}

// vmBuild makes the parameters of a machine out of its inputs and its place.
type vmBuild struct {
	in          *createVMIn
	d           Deps
	image, iso  origin
	keys        []string
	disks       []disk
	ip, gateway string
	p           inventory.Place
}

// read checks what needs no look at the cluster.
func (b *vmBuild) read() (err error) {
	in := b.in
	if in.Image != "" && in.ISO != "" {
		return fault.BadField("iso", "a machine is made of an image or of an ISO", "one of both")
	}
	if in.Image != "" && !volumeID(in.Image) {
		if b.image, err = originOf("image", in.Image, "import", ""); err != nil {
			return err
		}
	}
	if in.ISO != "" && !volumeID(in.ISO) {
		if b.iso, err = originOf("iso", in.ISO, "iso", ""); err != nil {
			return err
		}
	}
	if in.Image == "" && (in.UserData != "" || len(in.Packages)+len(in.SSHKeys) > 0 || in.User != "" || in.IP != "") {
		return fault.BadField("image", "user, ssh_keys, packages, user_data and ip are for images with cloud-init", "debian-13")
	}
	if b.keys, err = keysOf(b.d, in.SSHKeys); err != nil {
		return err
	}
	if b.ip, b.gateway, err = addressOf(in.IP); err != nil {
		return err
	}
	if err := resolversOf(in.Nameservers); err != nil {
		return err
	}
	usual := "32G"
	if in.Image != "" {
		usual = "16G"
	}
	b.disks, err = disksOf(in.Disks, in.Storage, usual)
	return err
}

// agent says that the guest agent is installed; seeded that this or more is told by an image of our own: Proxmox's drive has no packages.
func (b *vmBuild) agent() bool { return b.in.Agent == nil || *b.in.Agent }
func (b *vmBuild) seeded() bool {
	return b.in.Image != "" && (b.agent() || len(b.in.Packages) > 0 || b.in.UserData != "")
}

func (b *vmBuild) uefi() bool { return b.in.UEFI || b.image.UEFI }

// place chooses where it goes, and what is to be fetched.
func (b *vmBuild) place(ctx context.Context) (err error) {
	in := b.in
	q := inventory.PlaceQuery{Guest: in.Name, Node: in.Node, Storage: cmp.Or(in.Storage, b.disks[0].storage), VMID: in.VMID, Taken: b.d.Taken, Disks: "images", Room: sum(b.disks),
		Memory: int64(b.memory()) << 20, Net: true, Seed: b.seeded(), ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}}
	if len(in.NICs) > 0 {
		q.Bridge = bridgeOf(in.NICs[0])
	}
	switch {
	case b.image.URL != "":
		b.image.into(&q)
	case b.iso.URL != "":
		b.iso.into(&q)
	}
	if v, ok := pve.ParseVolume(in.Image + in.ISO); ok && volumeID(in.Image+in.ISO) {
		_, q.Name, _ = strings.Cut(v.Name, "/")
		q.File, q.FileStorage = map[bool]string{true: "import", false: "iso"}[in.Image != ""], v.Storage
	}
	if b.p, err = b.d.Inventory.PlaceFor(ctx, q); err != nil {
		return err
	}
	if !b.p.There && q.File != "" && b.image.URL == "" && b.iso.URL == "" {
		return fault.New(fault.NotFound, "%s is not there on %s", in.Image+in.ISO, b.p.Node).WithNext("list_volumes")
	}
	for k := range b.disks {
		b.disks[k].storage = cmp.Or(b.disks[k].storage, b.p.Storage)
	}
	return nil
}

func (b *vmBuild) memory() int { return cmp.Or(b.in.Memory, 2048) }

// create puts all of it into the request.
func (b *vmBuild) create() (change.Create, error) {
	in := b.in
	c := change.Create{Cluster: b.p.Cluster, Node: b.p.Node, Label: in.Name, Pool: in.Pool, Type: pve.Qemu, VMID: b.p.VMID, Tags: in.Tags, Start: in.starts(), Why: b.p.Why}
	ps := params{}
	ps.put("name", in.Name) // what reviewers look for comes first
	ps.number("cores", cmp.Or(in.Cores, 2))
	ps.number("memory", b.memory())
	mac := b.cards(&ps)
	b.hardware(&ps, &c)
	ps.put("tags", tagsOf(in.Tags))
	ps.put("cpu", cmp.Or(b.image.CPU, "x86-64-v2-AES"))
	ps.put("ostype", b.system())
	ps.put("scsihw", "virtio-scsi-single")
	ps.put("agent", "1")
	if in.Image != "" {
		if err := b.cloudInit(&ps, &c, mac); err != nil {
			return c, err
		}
	}
	c.Params = ps
	if b.p.File != "" && !b.p.There {
		o := b.image
		if b.iso.URL != "" {
			o = b.iso
		}
		f := o.fetch(&b.p, nil)
		c.Fetch = &f
	}
	return c, nil
}

func (b *vmBuild) system() string {
	if strings.Contains(strings.ToLower(b.in.ISO), "win") {
		return "win11"
	}
	return "l26"
}

// hardware is firmware, disks and what it starts from.
func (b *vmBuild) hardware(ps *params, c *change.Create) {
	if b.uefi() {
		keys := "1"
		if strings.HasPrefix(b.image.Name, "alpine") { // its loader is not signed
			keys = "0"
		}
		ps.put("bios", "ovmf")
		ps.put("machine", "q35")
		ps.put("efidisk0", b.disks[0].storage+":1,efitype=4m,pre-enrolled-keys="+keys)
	}
	if b.in.TPM {
		ps.put("tpmstate0", b.disks[0].storage+":1,version=v2.0")
	}
	for k := range b.disks {
		slot, from := fmt.Sprintf("scsi%d", k), ""
		if k == 0 && b.in.Image != "" {
			from = b.p.File
			c.Grow = append(c.Grow, change.Grow{Slot: slot, Size: fmt.Sprintf("%dG", b.disks[k].bytes>>30)})
		}
		ps.put(slot, b.disks[k].value(from))
	}
	boot := "order=scsi0"
	if b.in.ISO != "" {
		ps.put("ide2", b.p.File+",media=cdrom")
		boot += ";ide2"
	}
	ps.put("boot", boot)
}

// cards are the network cards, each with an address of its own; it gives that of the first.
func (b *vmBuild) cards(ps *params) (first string) {
	nics := b.in.NICs
	if len(nics) == 0 {
		nics = []string{"bridge=" + b.p.Bridge}
	}
	for k, nic := range nics {
		mac := macOf(&b.p, b.in.Name, k)
		if bridge := bridgeOf(nic); bridge == nic {
			nic = "bridge=" + nic
		} else if bridge == "" {
			nic += ",bridge=" + b.p.Bridge
		}
		model, rest, _ := strings.Cut(nic, ",")
		switch name, own, given := strings.Cut(model, "="); {
		case slices.Contains(models, name) && given:
			mac = own
		case slices.Contains(models, name):
			nic = strings.TrimSuffix(name+"="+mac+","+rest, ",")
		default:
			nic = "virtio=" + mac + "," + nic
		}
		ps.put(fmt.Sprintf("net%d", k), nic)
		if k == 0 {
			first = mac
		}
	}
	return first
}

// cloudInit tells the machine who it is: by Proxmox's own drive where that can say it, else by a seed image.
func (b *vmBuild) cloudInit(ps *params, c *change.Create, mac string) error {
	in := b.in
	ps.put("serial0", "socket") // cloud images write to it
	drive := "ide2"
	if b.uefi() {
		drive = "scsi30" // q35 has IDE drives on SATA, for which kernels of clouds have no driver
	}
	if b.seeded() {
		seed, err := nocloud.Guest{Name: in.Name, User: in.User, Keys: b.keys, Packages: in.Packages, Agent: b.agent(), UserData: in.UserData, MAC: mac,
			IP: b.ip, Gateway: b.gateway, DNS: in.Nameservers}.Seed()
		c.Seed = &change.Seed{Storage: b.p.ISO, Slot: drive, Content: seed, Says: b.says()}
		return err
	}
	ps.put(drive, b.disks[0].storage+":cloudinit")
	ps.put("ciuser", in.User)
	ps.put("sshkeys", escaped(strings.Join(b.keys, "\n")))
	ipconfig, family := "ip="+b.ip, "gw"
	if strings.Contains(b.ip, ":") {
		ipconfig, family = "ip6="+b.ip, "gw6"
	}
	if b.gateway != "" {
		ipconfig += "," + family + "=" + b.gateway
	}
	ps.put("ipconfig0", ipconfig)
	ps.put("nameserver", strings.Join(in.Nameservers, " "))
	return nil
}

// noKey is a guest that nobody can log in to from elsewhere.
const noKey = "no ssh key: nobody can log in over the network; give ssh_keys, or the owner sets changes.ssh_keys"

// notes are what the one who asked should know of the first start.
func (b *vmBuild) notes() []string {
	var out []string
	if b.in.Image == "" {
		return nil
	}
	if len(b.keys) == 0 && b.in.UserData == "" { // user data may hold keys of its own
		out = append(out, noKey)
	}
	if len(b.in.Packages) > 0 || b.in.UserData != "" {
		out = append(out, "packages and user data are cloud-init's work inside the guest after its first start; Proxmox VE does not tell whether it succeeded")
	}
	return out
}

// says is what the seed holds, for the review.
func (b *vmBuild) says() string {
	parts := []string{"ip " + b.ip}
	if n := len(b.keys); n > 0 {
		parts = append(parts, counted(n, "ssh key"))
	} else {
		parts = append(parts, "no ssh key")
	}
	if b.agent() {
		parts = append(parts, "guest agent")
	}
	if len(b.in.Packages) > 0 {
		parts = append(parts, "packages "+strings.Join(b.in.Packages, " "))
	}
	if n := len(b.in.UserData); n > 0 {
		parts = append(parts, fmt.Sprintf("user data of %d bytes", n))
	}
	if user := cmp.Or(b.in.User, b.image.User); user != "" {
		parts = append(parts, "log in as "+user)
	}
	return strings.Join(parts, ", ")
}
