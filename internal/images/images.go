// Package images is the reviewed table of operating systems that a guest can be made of by name: official addresses, and for builds that
// never change their official checksums.
package images

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// Image is a disk image, an ISO or a container template at an address. Sum is "" where nothing is known but that TLS proves the host: then
// that host is what is trusted.
type Image struct {
	Name     string // debian-13, debian-13:latest, or the file's name
	URL      string
	Filename string // as a storage takes it: the ending tells Proxmox VE the format
	Sum      string // hexadecimal
	Algo     string // sha256, sha512
	User     string // whom its cloud-init makes, "" = unknown
	CPU      string // the least CPU type that it starts on, "" = any (x86-64-v2-AES is given)
	UEFI     bool   // it starts with UEFI only
}

// entry is a row of the table: a build that stays as it is, and the address that always has the newest.
type entry struct {
	name, user, cpu string
	uefi            bool
	build, sum      string
	latest          string // "" = there is none
}

// table was reviewed on 2026-11-22. Checksums are those that the projects publish beside their builds, as collected for Lima's templates
// (templates/_images of lima-vm/lima, 2026-08). A wrong or outdated row cannot do harm: a node refuses a file of another sum.
var table = []entry{
	{name: "debian-13", user: "debian", build: "https://cloud.debian.org/images/cloud/trixie/20260712-2537/debian-13-genericcloud-amd64-20260712-2537.qcow2",
		sum:    "7ae53e9dbee282bfc16f289dec483dde3a8598769c38a267948310f7a2a52c662620198603bc52c142627efba379863d16079698a10b34102d55bcedd40e8d32",
		latest: "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2"},
	{name: "debian-12", user: "debian", build: "https://cloud.debian.org/images/cloud/bookworm/20260712-2537/debian-12-genericcloud-amd64-20260712-2537.qcow2",
		sum:    "6c2607f1846ee86040830c87d0b723f0967da3e884ea4673d9db4aa8eee13a4b7c663524bfa42082c16fc6919f3aa1bf425c004d07ff06c53a319ad0c42647bb",
		latest: "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2"},
	{name: "ubuntu-26.04", user: "ubuntu", build: "https://cloud-images.ubuntu.com/releases/resolute/release-20260720/ubuntu-26.04-server-cloudimg-amd64.img",
		sum:    "117816726abbdefc5ef3e38902e81a76f1c76c3610e709999d0885f9d5d9b477",
		latest: "https://cloud-images.ubuntu.com/releases/resolute/release/ubuntu-26.04-server-cloudimg-amd64.img"},
	{name: "ubuntu-24.04", user: "ubuntu", build: "https://cloud-images.ubuntu.com/releases/noble/release-20260705/ubuntu-24.04-server-cloudimg-amd64.img",
		sum:    "ffe6203da54deeb6db5d2a98a83f9ec8e55f149d3f7ba622e1abe5fa966ee3d6",
		latest: "https://cloud-images.ubuntu.com/releases/noble/release/ubuntu-24.04-server-cloudimg-amd64.img"},
	{name: "ubuntu-22.04", user: "ubuntu", build: "https://cloud-images.ubuntu.com/releases/jammy/release-20260705/ubuntu-22.04-server-cloudimg-amd64.img",
		sum:    "ec3cdc1bf496078f645ccc8ac823e17609658753477ebc4e5fb730729ac5b434",
		latest: "https://cloud-images.ubuntu.com/releases/jammy/release/ubuntu-22.04-server-cloudimg-amd64.img"},
	{name: "alma-10", user: "almalinux", cpu: v3, build: "https://repo.almalinux.org/almalinux/10.2/cloud/x86_64/images/AlmaLinux-10-GenericCloud-10.2-20260526.0.x86_64.qcow2",
		sum:    "47f2218668dd4776be140dd92fa3bea700be1766e2c7d88bdfd6a4b50f477b4d",
		latest: "https://repo.almalinux.org/almalinux/10/cloud/x86_64/images/AlmaLinux-10-GenericCloud-latest.x86_64.qcow2"},
	{name: "alma-9", user: "almalinux", build: "https://repo.almalinux.org/almalinux/9.8/cloud/x86_64/images/AlmaLinux-9-GenericCloud-9.8-20260526.x86_64.qcow2",
		sum:    "c397eed7023e92c841155831b1f47e26300e5bef0f0256c129322307c897a251",
		latest: "https://repo.almalinux.org/almalinux/9/cloud/x86_64/images/AlmaLinux-9-GenericCloud-latest.x86_64.qcow2"},
	{name: "rocky-10", user: "rocky", cpu: v3, build: "https://dl.rockylinux.org/pub/rocky/10.2/images/x86_64/Rocky-10-GenericCloud-Base-10.2-20260525.0.x86_64.qcow2",
		sum:    "9fc9e9ff16888bb68ac39b0392e25c9c92684d50c85f1cce6ab549363bbc4b48",
		latest: "https://dl.rockylinux.org/pub/rocky/10/images/x86_64/Rocky-10-GenericCloud-Base.latest.x86_64.qcow2"},
	{name: "rocky-9", user: "rocky", build: "https://dl.rockylinux.org/pub/rocky/9.8/images/x86_64/Rocky-9-GenericCloud-Base-9.8-20260525.0.x86_64.qcow2",
		sum:    "92c206cc6f790c61583247eefe87890f8828420662c17cacf247cec78ab4eec8",
		latest: "https://dl.rockylinux.org/pub/rocky/9/images/x86_64/Rocky-9-GenericCloud.latest.x86_64.qcow2"},
	{name: "fedora-44", user: "fedora", build: "https://download.fedoraproject.org/pub/fedora/linux/releases/44/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-44-1.7.x86_64.qcow2",
		sum: "28680fe5b371a5a82ebf43a31926e086a168e59949d03969c5093e7071f90b7f"},
	{name: "fedora-43", user: "fedora", build: "https://download.fedoraproject.org/pub/fedora/linux/releases/43/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2",
		sum: "846574c8a97cd2d8dc1f231062d73107cc85cbbbda56335e264a46e3a6c8ab2f"},
	{name: "alpine-3.23", user: "alpine", uefi: true, build: "https://dl-cdn.alpinelinux.org/alpine/v3.23/releases/cloud/nocloud_alpine-3.23.4-x86_64-uefi-cloudinit-r0.qcow2",
		sum: "849196e26640b33fb1f106d46cebdf341c715f7f49363564eacece8097464b6af7041618e94c4eb1a006394663252a86c0fb3158fee5d0ffb094899730679a71"},
}

// v3 is what RHEL 10 and its kin are built for: they do not start on less.
const v3 = "x86-64-v3"

// short are the names of the newest release of each.
var short = map[string]string{"debian": "debian-13", "ubuntu": "ubuntu-26.04", "alma": "alma-10", "rocky": "rocky-10", "fedora": "fedora-44", "alpine": "alpine-3.23"}

// Latest is what a name of the table ends with where the newest build is wanted, without a checksum.
const Latest = ":latest"

// Names are the names of the table.
func Names() []string {
	out := make([]string, len(table))
	for k := range table {
		out[k] = table[k].name
	}
	return out
}

// Hosts are the hosts of the table: what may be downloaded from unless the owner says otherwise.
func Hosts() []string {
	var out []string
	for k := range table {
		if u, err := url.Parse(table[k].build); err == nil {
			out = append(out, u.Hostname())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Find gives the image of a name or address. Errors name field, rule and example; content (import, iso, vztmpl) decides the file's name.
func Find(field, text, content string) (Image, error) {
	text = strings.TrimSpace(text)
	if strings.Contains(text, "://") {
		return atURL(field, text, content)
	}
	name, newest := strings.CutSuffix(strings.ToLower(text), Latest)
	if long := short[name]; long != "" {
		name = long
	}
	k := slices.IndexFunc(table, func(e entry) bool { return e.name == name })
	switch {
	case k < 0:
		return Image{}, unknown(field, name)
	case content != "import":
		return Image{}, fault.BadField(field, text+" is a disk image", "import")
	case newest && table[k].latest == "":
		return Image{}, fault.BadField(field, name+" has no address of a newest build", name)
	}
	return table[k].image(newest), nil
}

func unknown(field, name string) error {
	hint := strings.Join(Names(), ", ")
	if n := near.Word(name, Names()); n != "" {
		hint = "did you mean " + n + "? Known: " + hint
	}
	return fault.BadField(field, "a name of the table ("+hint+") or an https address", "debian-13")
}

func (e *entry) image(newest bool) Image {
	i := Image{Name: e.name, URL: e.build, Sum: e.sum, User: e.user, CPU: e.cpu, UEFI: e.uefi}
	if newest {
		i.Name, i.URL, i.Sum = e.name+Latest, e.latest, ""
	}
	if i.Sum != "" {
		i.Algo = map[int]string{64: "sha256", 128: "sha512"}[len(i.Sum)]
	}
	i.Filename = fileName(i.URL, "import")
	return i
}

func atURL(field, text, content string) (Image, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return Image{}, fault.BadField(field, "an https address without a user", "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2")
	}
	name := fileName(text, content)
	ends := map[string][]string{"import": {".qcow2", ".raw", ".vmdk", ".ova"}, "iso": {".iso", ".img"}, "vztmpl": {".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"}}[content]
	if !slices.ContainsFunc(ends, func(e string) bool { return strings.HasSuffix(name, e) && len(name) > len(e) }) {
		return Image{}, fault.BadField(field, "as "+content+" its file ends with "+strings.Join(ends, ", "), "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2")
	}
	return Image{Name: name, URL: text, Filename: name}, nil
}

// fileName is the last part of an address as a storage names it. Ubuntu's cloud images end with .img and are qcow2, which the content import
// takes by that ending only; the file of an address that is always the newest is told from a dated one.
func fileName(address, content string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.-+", r) {
			return r
		}
		return '_'
	}, path.Base(u.Path))
	dir := path.Base(path.Dir(u.Path))
	if base, ok := strings.CutSuffix(name, ".img"); ok && content == "import" {
		if date, ok := strings.CutPrefix(dir, "release-"); ok {
			base += "-" + date
		}
		return base + ".qcow2"
	}
	return name
}

// Allowed says whether an address is one of a list of hosts: a plain name stands for https on it; "http://host" for what is not encrypted.
func Allowed(address string, hosts []string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	for _, h := range hosts {
		if strings.EqualFold(h, u.Host) && u.Scheme == "https" || strings.EqualFold(h, u.Scheme+"://"+u.Host) {
			return true
		}
	}
	return false
}
