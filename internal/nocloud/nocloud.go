// Package nocloud makes seed images for cloud-init's data source NoCloud: a small CD with the label cidata and the files user-data,
// meta-data and network-config.
package nocloud

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
)

// Guest is what a new machine is told at its first start.
type Guest struct {
	Name     string
	User     string // "" = the image's own
	Keys     []string
	Packages []string
	Agent    bool   // qemu-guest-agent is installed and started
	UserData string // the caller's own: #cloud-config or a script
	MAC      string // of its first network card
	IP       string // dhcp, or address/bits
	Gateway  string
	DNS      []string
}

// Seed is the image and the instance id that it bears: the same for the same data.
func (g Guest) Seed() ([]byte, error) {
	user, err := g.userData()
	if err != nil {
		return nil, err
	}
	network := g.network()
	sum := sha256.Sum256([]byte(user + "\x00" + network + "\x00" + g.Name + "\x00" + g.MAC))
	meta := "instance-id: iid-" + hex.EncodeToString(sum[:8]) + "\nlocal-hostname: " + quote(g.Name) + "\n"
	return Image("cidata", []File{{"user-data", []byte(user)}, {"meta-data", []byte(meta)}, {"network-config", []byte(network)}})
}

// quote is a YAML scalar: JSON's form is one.
func quote(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return `""`
	}
	return string(raw)
}

// startAgent begins the agent where systemd or OpenRC is; on Debian nothing else starts it before the next boot.
const startAgent = "if command -v systemctl >/dev/null; then systemctl enable --now qemu-guest-agent; else rc-update add qemu-guest-agent default; rc-service qemu-guest-agent start; fi"

// config is our own part of the user data.
func (g Guest) config(merge bool) string {
	var b strings.Builder
	line := func(key string, v any) { fmt.Fprintf(&b, "%s: %s\n", key, quote(v)) }
	b.WriteString("#cloud-config\n")
	if merge { // what the caller says wins; lists are joined (cloud-init: merging user data sections)
		b.WriteString("merge_how: [{name: list, settings: [append]}, {name: dict, settings: [no_replace, recurse_list]}]\n")
	}
	line("hostname", g.Name)
	line("manage_etc_hosts", true)
	if g.User != "" {
		line("user", g.User)
	}
	if len(g.Keys) > 0 {
		line("ssh_authorized_keys", g.Keys)
	}
	packages := g.Packages
	if g.Agent {
		packages = append([]string{"qemu-guest-agent"}, packages...)
	}
	if len(packages) > 0 {
		line("package_update", true)
		line("packages", packages)
	}
	if g.Agent {
		line("runcmd", []string{startAgent})
	}
	return b.String()
}

func (g Guest) userData() (string, error) {
	if strings.TrimSpace(g.UserData) == "" {
		return g.config(false), nil
	}
	kind := ""
	for begin, k := range map[string]string{"#cloud-config": "text/cloud-config", "#!": "text/x-shellscript"} {
		if strings.HasPrefix(g.UserData, begin) {
			kind = k
		}
	}
	if kind == "" {
		return "", fault.BadField("user_data", "begins with #cloud-config or #!", "#cloud-config\nruncmd: [[touch, /tmp/made]]")
	}
	var body bytes.Buffer
	sum := sha256.Sum256([]byte(g.UserData))
	w := multipart.NewWriter(&body)
	if err := w.SetBoundary("part-" + hex.EncodeToString(sum[:12])); err != nil {
		return "", err
	}
	for _, p := range [][2]string{{kind, g.UserData}, {"text/cloud-config", g.config(true)}} {
		part, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {p[0] + `; charset="utf-8"`}, "Content-Transfer-Encoding": {"8bit"}})
		if err != nil {
			return "", err
		}
		if _, err := part.Write([]byte(p[1])); err != nil {
			return "", err
		}
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return "Content-Type: multipart/mixed; boundary=\"" + w.Boundary() + "\"\nMIME-Version: 1.0\n\n" + body.String(), nil
}

// network is the form of Proxmox VE's own drive (version 1, by the card's address), which all of cloud-init's renderers know.
func (g Guest) network() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nconfig:\n  - type: physical\n    name: eth0\n    mac_address: %s\n    subnets:\n", quote(strings.ToLower(g.MAC)))
	if g.IP == "" || g.IP == "dhcp" {
		b.WriteString("      - type: dhcp4\n")
	} else {
		kind := "static"
		if strings.Contains(g.IP, ":") {
			kind = "static6"
		}
		fmt.Fprintf(&b, "      - type: %s\n        address: %s\n", kind, quote(g.IP))
		if g.Gateway != "" {
			fmt.Fprintf(&b, "        gateway: %s\n", quote(g.Gateway))
		}
	}
	if len(g.DNS) > 0 {
		fmt.Fprintf(&b, "  - type: nameserver\n    address: %s\n", quote(g.DNS))
	}
	return b.String()
}
