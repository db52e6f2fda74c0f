package tools

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// creating are the inputs that machines and containers share.
type creating struct {
	Node    string `json:"node" example:"pve1" help:"default: the one with the most memory free"`
	Storage string `json:"storage" example:"local-lvm" help:"of its disks; default: the one with the most room"`
	Pool    string `json:"pool" example:"lab" help:"put it into this pool"`
	VMID    int    `json:"vmid" min:"100" max:"999999999" example:"310" help:"default: the next free one"`
	Start   bool   `json:"start" help:"then start it"`
	WaitFor string `json:"wait_for" enum:"address" help:"start it and wait until its address is known"`
	Cluster string `json:"cluster" multi:"true" desc:"configured name"`
	Planning
}

func (c *creating) starts() bool { return c.Start || c.WaitFor != "" }

func (c *creating) common() *creating { return c }

// makes makes a Spec of a tool that makes a guest: a vmid that somebody else takes between plan and apply is chosen again, and what waits for
// an address asks for it.
func makes[In any](s Spec, request func(ctx context.Context, d Deps, in *In) (change.Request, error)) Spec {
	s = writes(s, request)
	once := s.run
	s.run = func(ctx context.Context, d Deps, in any) (Answer, error) {
		began := d.Now()
		c, ok := in.(interface{ common() *creating })
		if !ok {
			return nil, fault.New(fault.Internal, "the input of %s is none of a tool that makes guests", s.Name)
		}
		answer, err := once(ctx, d, in)
		for range 2 {
			if c.common().VMID != 0 || err != nil || !taken(answer) {
				break
			}
			answer, err = once(ctx, d, in)
		}
		out, ok := answer.(*planOut)
		if err != nil || !ok || out == nil || c.common().WaitFor == "" {
			return answer, err
		}
		if out.State != change.Done {
			out.later(d)
			return out, nil
		}
		return withAddress(ctx, d, out, c.common().wait(d)-d.Now().Sub(began))
	}
	return s
}

// taken says that a plan ended because its vmid was not free any more when it came to that: what was fetched before it stands.
func taken(answer Answer) bool {
	out, ok := answer.(*planOut)
	return ok && out != nil && out.State == change.Failed && slices.ContainsFunc(out.Steps, func(s stepOut) bool {
		return s.Action == "guest.create" && s.State == change.StepSkipped && strings.Contains(s.Error, "is taken meanwhile")
	})
}

// addressPause is how often a new guest is asked for its address.
const addressPause = 3 * time.Second

// addressLimit bounds the wait at a terminal: a guest that has no address after it mostly gets none.
const addressLimit = 3 * time.Minute

// made is the vmid of the guest that a plan makes.
func (o *planOut) made() (vmid string) {
	for _, s := range o.Steps {
		if s.Action == "guest.create" {
			vmid, _, _ = strings.Cut(s.Guest, " ")
		}
	}
	return vmid
}

// later says where the address is to be had when the plan goes on, or begins, after this call: whoever follows it does not wait for one.
func (o *planOut) later(d Deps) {
	if o.ID != "" && o.Next != "" && !o.dry {
		o.Next += "; once it is done " + call(d, "get_guest", o.made()) + " shows the address"
	}
}

// withAddress waits until the new guest tells its address.
func withAddress(ctx context.Context, d Deps, out *planOut, left time.Duration) (Answer, error) {
	vmid := out.made()
	for deadline := d.Now().Add(min(left, addressLimit)); ; {
		if ips, err := d.Inventory.AskAddresses(ctx, out.cluster, vmid); err == nil && len(ips) > 0 {
			out.Addresses = ips
			return out, nil
		}
		if d.Now().Add(addressPause).After(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "waiting for the address ended; the guest is made")
		case <-time.After(addressPause):
		}
	}
	out.Next = "it runs; its address is not known yet (a first start takes minutes): " + call(d, "get_guest", vmid) + " shows it"
	return out, nil
}

// disk is a disk as a caller asks for it: 32, 32G, or a property string such as tank:32,ssd=1.
type disk struct {
	storage string
	bytes   int64
	options []string
}

func disksOf(list []string, storage, usual string) ([]disk, error) {
	if len(list) == 0 && usual != "" {
		list = []string{usual}
	}
	var out []disk
	for _, text := range list {
		parts := strings.Split(strings.TrimSpace(text), ",")
		d := disk{storage: storage, options: parts[1:]}
		at, size, ok := strings.Cut(parts[0], ":")
		if !ok {
			at, size = "", parts[0]
		}
		d.storage = cmp.Or(at, storage)
		if strings.Trim(size, "0123456789") == "" && size != "" {
			size += "G"
		}
		n, ok := pve.ReadSize(size)
		if !ok || n <= 0 || n%(1<<30) != 0 || slices.ContainsFunc(parts, func(p string) bool { return strings.TrimSpace(p) == "" }) {
			return nil, fault.BadField("disks", "sizes in whole GiB, or STORAGE:SIZE with options", "32G, tank:100,ssd=1")
		}
		d.bytes = n
		out = append(out, d)
	}
	return out, nil
}

func sum(disks []disk) (n int64) {
	for _, d := range disks {
		n += d.bytes
	}
	return n
}

// value is the disk's property string, new and empty, or imported.
func (d *disk) value(from string) string {
	first := d.storage + ":" + strconv.FormatInt(d.bytes>>30, 10)
	if from != "" {
		first = d.storage + ":0,import-from=" + from
	}
	return strings.Join(append([]string{first}, d.options...), ",")
}

// macOf is an address for a card: the same for the same guest, below the prefix of Proxmox.
func macOf(p *inventory.Place, name string, k int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s\x00%d", p.Cluster, p.VMID, name, k))
	return fmt.Sprintf("BC:24:11:%02X:%02X:%02X", sum[0], sum[1], sum[2])
}

// bridgeOf is the bridge that a card's property string names, "" = none.
func bridgeOf(nic string) string {
	for p := range strings.SplitSeq(nic, ",") {
		if bridge, ok := strings.CutPrefix(p, "bridge="); ok {
			return bridge
		}
	}
	if !strings.ContainsAny(nic, "=,") && !slices.Contains(models, nic) {
		return nic
	}
	return ""
}

// models are the network cards that have no option of their own in a property string (schema: net0).
var models = []string{"virtio", "e1000", "e1000e", "vmxnet3", "rtl8139"}

// keysOf are the keys of who may log in, each checked.
func keysOf(d Deps, given []string) ([]string, error) {
	if len(given) == 0 {
		return d.SSHKeys, nil
	}
	for _, k := range given {
		if !pve.PublicKey(k) {
			return nil, fault.BadField("ssh_keys", "public keys as in authorized_keys", "ssh-ed25519 AAAA... me@home")
		}
	}
	return given, nil
}

// escaped is a value that Proxmox VE unescapes itself (pve-api.md 29): a blank is %20 and no +.
func escaped(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// addressOf reads dhcp or 10.0.0.5/24,gw=10.0.0.1.
func addressOf(text string) (ip, gateway string, err error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), "ip=")
	if text == "" || text == "dhcp" {
		return "dhcp", "", nil
	}
	ip, gateway, _ = strings.Cut(text, ",gw=")
	prefix, perr := netip.ParsePrefix(ip)
	gw, gerr := netip.ParseAddr(gateway)
	if perr != nil || gateway != "" && (gerr != nil || gw.Is4() != prefix.Addr().Is4()) {
		return "", "", fault.BadField("ip", "dhcp, or an address with its bits and the gateway", "10.0.0.5/24,gw=10.0.0.1")
	}
	return ip, gateway, nil
}

// resolversOf checks addresses of name servers.
func resolversOf(list []string) error {
	for _, s := range list {
		if _, err := netip.ParseAddr(s); err != nil {
			return fault.BadField("nameservers", "addresses", "10.0.0.1")
		}
	}
	return nil
}

func tagsOf(list []string) string { return strings.Join(list, ";") }

// params gathers parameters in order; empty values are left out.
type params []change.Param

func (p *params) put(key, value string) {
	if value != "" {
		*p = append(*p, change.Param{Key: key, Value: value})
	}
}

func (p *params) number(key string, n int) {
	if n > 0 {
		p.put(key, strconv.Itoa(n))
	}
}

// volumeID says whether a volume id is what a caller means by an image.
func volumeID(text string) bool {
	v, ok := pve.ParseVolume(text)
	return ok && v.Storage != "" && strings.Contains(text, ":") && strings.Contains(text, "/") && !strings.Contains(text, "://")
}
