package pvesim

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// spicePort is where the proxy for SPICE listens on each node.
const spicePort = 3128

func spiceRoutes() []route {
	may := need("/vms/{vmid}", "VM.Console")
	return daemon(
		post("/nodes/{node}/qemu/{vmid}/spiceproxy", may, of(typeQEMU, machineSpice)),
		post("/nodes/{node}/lxc/{vmid}/spiceproxy", may, of(typeLXC, containerSpice)),
		post("/nodes/{node}/spiceshell", need("/nodes/{node}", "Sys.Console"), nodeSpice))
}

// machineSpice is the screen of a VM that runs with a display for SPICE (source: qemu-server, spice_port).
func machineSpice(c *call, g *Guest) (any, error) {
	vga, _, _ := strings.Cut(strings.TrimPrefix(text(g.Config["vga"]), "type="), ",")
	switch {
	case !g.Live.Running:
		return nil, fail("VM %d not running", g.VMID)
	case !strings.HasPrefix(vga, "qxl") && vga != "virtio" && vga != "virtio-gl":
		return nil, fail("no spice port")
	}
	return c.spiceViewer(fmt.Sprintf("VM %d - %s", g.VMID, g.Name()), lastSpicePort-g.VMID%spicePorts, "/vms/"+strconv.Itoa(g.VMID)), nil
}

// The ports on which machines listen for SPICE.
const lastSpicePort, spicePorts = 61999, 1000

func containerSpice(c *call, g *Guest) (any, error) {
	id := strconv.Itoa(g.VMID)
	return c.spiceConsole("spiceproxy", id, "CT "+id, &console{vmid: g.VMID, path: "/vms/" + id, screen: true})
}

func nodeSpice(c *call) (any, error) {
	if err := c.shellCommand(); err != nil {
		return nil, err
	}
	return c.spiceConsole("spiceshell", "", "Shell on '"+c.node.Name+"'", &console{path: "/nodes/" + c.node.Name, screen: true})
}

// spiceConsole starts the terminal that a viewer shows.
func (c *call) spiceConsole(kind, id, title string, con *console) (any, error) {
	o, err := c.openConsole(kind, id, con)
	if err != nil {
		return nil, err
	}
	return c.spiceViewer(title, int(integer(o["port"])), con.path), nil
}

// spiceViewer is what the program remote-viewer takes (source: pve-access-control, remote_viewer_config). Nobody answers at the
// proxy: no screen is simulated.
func (c *call) spiceViewer(title string, port int, path string) Object {
	ticket := c.sim.sign("spice:" + c.id.name() + ":" + path + ":" + strconv.FormatInt(c.now.Unix(), 16))
	host := cmp.Or(c.param("proxy"), c.node.IP, c.node.Name)
	return Object{"type": "spice", "title": title, "secure-attention": "Ctrl+Alt+Ins", "toggle-fullscreen": "Shift+F11", "release-cursor": "Ctrl+Alt+R",
		"delete-this-file": 1, "host": fmt.Sprintf("pvespiceproxy:%x:%s:%s:%d::%s", c.now.Unix(), path, strings.ToLower(c.node.Name), port, ticket),
		"proxy": fmt.Sprintf("http://%s:%d", host, spicePort), "tls-port": port, "password": sha1Hex(ticket),
		"host-subject": "OU=PVE Cluster Node,O=Proxmox Virtual Environment,CN=" + c.node.Name,
		"ca":           strings.ReplaceAll(c.sim.CertificatePEM(c.node.Name), "\n", `\n`)}
}
