package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type createCTIn struct {
	Name       string   `json:"name" req:"true" example:"pihole" help:"its host name"`
	Template   string   `json:"template" req:"true" example:"debian-13" desc:"debian-13, a volume or oci://HOST/NAME:TAG"`
	Cores      int      `json:"cores" min:"1" max:"512" example:"2" help:"CPU cores, default 1"`
	Memory     int      `json:"memory_mib" min:"16" example:"1024" help:"memory in MiB, default 512"`
	Disk       string   `json:"disk" example:"8G" help:"of its root file system, default 8G"`
	Mounts     []string `json:"mounts" lines:"true" example:"local-lvm:20,mp=/data" desc:"GiB,mp=/data" help:"new volumes, as local-lvm:20,mp=/data"`
	NIC        string   `json:"nic" example:"bridge=vmbr0,tag=20" help:"options of its network card, default the bridge with the way out"`
	IP         string   `json:"ip" example:"10.0.0.5/24,gw=10.0.0.1" desc:"dhcp or CIDR,gw=IP"`
	Features   string   `json:"features" example:"nesting=1,keyctl=1" help:"default nesting=1"`
	Privileged bool     `json:"privileged" help:"root in it is root of the node; default unprivileged"`
	SSHKeys    []string `json:"ssh_keys" lines:"true" example:"ssh-ed25519 AAAA... me@home" help:"of root, default changes.ssh_keys of the configuration"`
	Password   string   `json:"password" example:"secret:ct-root" desc:"secret:NAME" help:"of root, as secret:NAME"`
	Tags       []string `json:"tags" example:"web" help:"its tags"`
	creating
}

func createContainer() Spec {
	return makes(Spec{
		Name: "create_container", Title: "Create container", Family: "change", Command: "container create", Args: []string{"name", "template"}, Tier: R1,
		Needs:   []Need{needAllocate.orNothing(), needOptions, needCPU, needMemory, needDisks, needNICs, needBridges, needSpace, needTemplates, needGuests},
		Summary: "Create a container; its template is downloaded if missing.",
		Examples: []Example{
			{CLI: "container create dns2 debian-13", Args: map[string]any{"name": "dns2", "template": "debian-13"}, Why: "a Debian container"},
			{CLI: "container create files alpine --mounts local-lvm:20,mp=/data --dry-run",
				Args: map[string]any{"name": "files", "template": "alpine", "mounts": []string{"local-lvm:20,mp=/data"}, "dry_run": true}, Why: "plan one with a disk for data"},
		},
	}, func(ctx context.Context, d Deps, in *createCTIn) (change.Request, error) {
		b := &ctBuild{in: in, d: d}
		if err := b.read(); err != nil {
			return change.Request{}, err
		}
		if err := b.place(ctx); err != nil {
			return change.Request{}, err
		}
		return change.Request{Cluster: b.p.Cluster, Direct: b.create(), Notes: append(slices.Clone(b.p.Notes), b.notes()...)}, nil
	})
}

// notes are what the one who asked should know of the new container.
func (b *ctBuild) notes() []string {
	if len(b.keys) == 0 && b.in.Password == "" {
		return []string{noKey}
	}
	return nil
}

// ctBuild makes the parameters of a container out of its inputs and its place.
type ctBuild struct {
	in          *createCTIn
	d           Deps
	from        origin
	keys        []string
	root        disk
	mounts      []disk
	ip, gateway string
	p           inventory.Place
}

// read checks what needs no look at the cluster.
func (b *ctBuild) read() (err error) {
	in := b.in
	if !volumeID(in.Template) {
		if b.from, err = originOf("template", in.Template, "vztmpl", ""); err != nil {
			return err
		}
	}
	if in.Password != "" && !strings.HasPrefix(in.Password, "secret:") {
		return fault.BadField("password", "a secret is named, never given", "secret:ct-root").WithHint("its owner sets it on a terminal: proxmox-mcp secret set NAME")
	}
	for _, m := range in.Mounts {
		if !strings.Contains(m, ",mp=/") {
			return fault.BadField("mounts", "a new volume and where it is mounted", "local-lvm:20,mp=/data")
		}
	}
	if b.keys, err = keysOf(b.d, in.SSHKeys); err != nil {
		return err
	}
	if b.ip, b.gateway, err = addressOf(in.IP); err != nil {
		return err
	}
	if b.mounts, err = disksOf(in.Mounts, in.Storage, ""); err != nil {
		return err
	}
	roots, err := disksOf([]string{cmp.Or(in.Disk, "8G")}, in.Storage, "")
	if err != nil {
		return fault.BadField("disk", "a size in whole GiB, or STORAGE:SIZE", "8G")
	}
	b.root = roots[0]
	return nil
}

// place chooses where it goes, and what is to be fetched.
func (b *ctBuild) place(ctx context.Context) (err error) {
	in := b.in
	q := inventory.PlaceQuery{Guest: in.Name, Node: in.Node, Storage: cmp.Or(in.Storage, b.root.storage), VMID: in.VMID, Taken: b.d.Taken, Disks: "rootdir", Room: b.root.bytes + sum(b.mounts),
		Memory: int64(b.memory()) << 20, Net: true, Bridge: bridgeOf(in.NIC), ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}}
	if v, ok := pve.ParseVolume(in.Template); ok && volumeID(in.Template) {
		q.File, q.FileStorage = "vztmpl", v.Storage
		_, q.Name, _ = strings.Cut(v.Name, "/")
	} else {
		b.from.into(&q)
	}
	if b.p, err = b.d.Inventory.PlaceFor(ctx, q); err != nil {
		return err
	}
	if !b.p.There && b.from.content == "" {
		return fault.New(fault.NotFound, "%s is not there on %s", in.Template, b.p.Node).WithNext("list_volumes")
	}
	return b.from.possible(b.p.Version)
}

func (b *ctBuild) memory() int { return cmp.Or(b.in.Memory, 512) }

// create puts all of it into the request.
func (b *ctBuild) create() change.Create {
	in := b.in
	c := change.Create{Cluster: b.p.Cluster, Node: b.p.Node, Label: in.Name, Pool: in.Pool, Type: pve.LXC, VMID: b.p.VMID, Tags: in.Tags, Start: in.starts(), Why: b.p.Why}
	ps := params{}
	ps.put("hostname", in.Name)
	ps.number("cores", cmp.Or(in.Cores, 1))
	ps.number("memory", b.memory())
	b.root.storage = cmp.Or(b.root.storage, b.p.Storage)
	ps.put("rootfs", b.root.value(""))
	for k := range b.mounts {
		b.mounts[k].storage = cmp.Or(b.mounts[k].storage, b.p.Storage)
		ps.put(fmt.Sprintf("mp%d", k), b.mounts[k].value(""))
	}
	ps.put("net0", b.card())
	ps.put("ostemplate", b.p.File)
	ps.put("features", cmp.Or(in.Features, "nesting=1"))
	ps.put("unprivileged", map[bool]string{true: "0", false: "1"}[in.Privileged])
	ps.put("tags", tagsOf(in.Tags))
	ps.put("ssh-public-keys", strings.Join(b.keys, "\n"))
	ps.put("password", in.Password)
	c.Params = ps
	if !b.p.There {
		f := b.from.fetch(&b.p, nil)
		c.Fetch = &f
	}
	return c
}

// card is its network card.
func (b *ctBuild) card() string {
	parts := []string{"name=eth0", "bridge=" + b.p.Bridge, "hwaddr=" + macOf(&b.p, b.in.Name, 0)}
	for p := range strings.SplitSeq(b.in.NIC, ",") {
		if strings.Contains(p, "=") && !strings.HasPrefix(p, "bridge=") {
			parts = append(parts, p)
		}
	}
	key, gate := "ip=", "gw="
	if strings.Contains(b.ip, ":") {
		key, gate = "ip6=", "gw6="
	}
	parts = append(parts, key+b.ip)
	if b.gateway != "" {
		parts = append(parts, gate+b.gateway)
	}
	return strings.Join(parts, ",")
}
