package tools

import (
	"cmp"
	"context"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/images"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type downloadIn struct {
	Image    string `json:"image" req:"true" example:"debian-13" desc:"debian-13, alma-10...; NAME:latest, https URL, oci://HOST/NAME:TAG"`
	Content  string `json:"content" enum:"import,iso,vztmpl" help:"what for: VM disk, CD, container template"`
	Storage  string `json:"storage" example:"local" help:"where it goes; default: the one with the most room"`
	Node     string `json:"node" example:"pve1" help:"that fetches it; default: the one with the most memory free"`
	Checksum string `json:"checksum" example:"sha256:9fc9..." desc:"sha256:..." help:"of the file, as sha256:HEX"`
	Cluster  string `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func downloadImage() Spec {
	return writes(Spec{
		Name: "download_image", Title: "Download image", Family: "change", Command: "image download", Args: []string{"image"}, Tier: R1,
		Needs:   []Need{needTemplates.orNothing(), needReachOut, needStorages},
		Summary: "Download an image, ISO or container template to a storage.",
		Examples: []Example{
			{CLI: "image download debian-13", Args: map[string]any{"image": "debian-13"}, Why: "a disk image to make machines of"},
			{CLI: "image download alpine --content vztmpl --dry-run", Args: map[string]any{"image": "alpine", "content": "vztmpl", "dry_run": true}, Why: "plan a container template"},
		},
	}, func(ctx context.Context, d Deps, in *downloadIn) (change.Request, error) {
		o, err := originOf("image", in.Image, in.Content, in.Checksum)
		if err != nil {
			return change.Request{}, err
		}
		q := inventory.PlaceQuery{Node: in.Node, ReadOptions: inventory.ReadOptions{Cluster: in.Cluster}}
		o.into(&q)
		q.FileStorage = in.Storage
		p, err := d.Inventory.PlaceFor(ctx, q)
		if err != nil {
			return change.Request{}, err
		}
		if err := o.possible(p.Version); err != nil {
			return change.Request{}, err
		}
		if p.There {
			return change.Request{}, fault.New(fault.Conflict, "%s is there already", p.File).WithHint("nothing has to be downloaded").WithNext("list_volumes")
		}
		return change.Request{Cluster: p.Cluster, Direct: o.fetch(&p, p.Why)}, nil
	})
}

// origin is where a file comes from.
type origin struct {
	images.Image
	content   string
	template  string // of Proxmox's list
	reference string // in a registry
}

// ociReference is an image with its tag (schema: oci-registry-pull).
var ociReference = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9.:-]*(/[a-z0-9]+([._-]+[a-z0-9]+)*)+:\w[\w.-]{0,127}$`)

// originOf reads what a caller calls an image. Without a content the name tells it.
func originOf(field, text, content, checksum string) (origin, error) {
	text = strings.TrimSpace(text)
	o := origin{content: cmp.Or(content, contentOf(text))}
	if ref, ok := strings.CutPrefix(text, "oci://"); ok {
		if !ociReference().MatchString(ref) || o.content != "vztmpl" {
			return o, fault.BadField(field, "an image of a registry has its host, name and tag, and is for containers", "oci://docker.io/library/nginx:1.29")
		}
		o.reference, o.Filename = ref, strings.NewReplacer("/", "-", ":", "_").Replace(ref[strings.IndexByte(ref, '/')+1:])+".tar"
		return o, nil
	}
	if o.content == "vztmpl" && !strings.Contains(text, "://") {
		o.template = text
		return o, nil
	}
	var err error
	if o.Image, err = images.Find(field, text, o.content); err != nil || checksum == "" {
		return o, err
	}
	algo, sum, _ := strings.Cut(strings.ToLower(strings.TrimSpace(checksum)), ":")
	if n := map[string]int{"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}[algo]; n == 0 || len(sum) != n || strings.Trim(sum, "0123456789abcdef") != "" {
		return o, fault.BadField("checksum", "an algorithm and its sum in hexadecimal", "sha256:9fc9e9ff...")
	}
	if o.Sum != "" && (o.Algo != algo || o.Sum != sum) {
		return o, fault.BadField("checksum", text+" has a checksum of its own", "leave it out")
	}
	o.Algo, o.Sum = algo, sum
	return o, nil
}

// contentOf is what the end of a name says.
func contentOf(text string) string {
	path, _, _ := strings.Cut(text, "?")
	switch {
	case strings.HasPrefix(text, "oci://"), strings.Contains(path, ".tar."):
		return "vztmpl"
	case strings.HasSuffix(path, ".iso"):
		return "iso"
	}
	return "import"
}

// into asks for a place of the file.
func (o *origin) into(q *inventory.PlaceQuery) {
	q.File, q.Name, q.Template = o.content, o.Filename, o.template
}

// ociSince is the version that pulls images of registries: Proxmox VE 9.1.
const ociSince = "9.1"

// possible refuses what the node's version cannot do. A version that is not known is left to Proxmox VE.
func (o *origin) possible(version string) error {
	if o.reference == "" || version == "" || !older(version, ociSince) {
		return nil
	}
	return fault.New(fault.Unsupported, "images of registries need Proxmox VE %s; this node has %s", ociSince, version).WithHint("take a container template, such as debian-13")
}

// older compares the first two numbers of versions such as 9.2.11.
func older(version, than string) bool {
	a, b := strings.Split(version+".0", "."), strings.Split(than, ".")
	for k := range b {
		x, errX := strconv.Atoi(a[k])
		y, errY := strconv.Atoi(b[k])
		if errX != nil || errY != nil || x != y {
			return errX == nil && errY == nil && x < y
		}
	}
	return false
}

// fetch is the download to a place.
func (o *origin) fetch(p *inventory.Place, why []string) change.Fetch {
	return change.Fetch{Cluster: p.Cluster, Node: p.Node, Storage: p.FileStorage, Content: o.content, Filename: p.FileName, URL: o.URL, Sum: o.Sum, Algo: o.Algo,
		Listed: o.template != "", Reference: o.reference, Why: why}
}
