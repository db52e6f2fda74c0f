package pvesim

import (
	"net"
	"strconv"
	"strings"
	"time"
)

func lxcRoutes() []route {
	base := "/nodes/{node}/lxc/{vmid}"
	return append(daemon(
		get(base+"/interfaces", need("/vms/{vmid}", "VM.Audit"), of(typeLXC, containerInterfaces))),
		index(base, "subdir", "config pending status vncproxy termproxy vncwebsocket spiceproxy migrate clone rrd rrddata firewall "+
			"snapshot resize interfaces"),
		index(base+"/status", "subdir", "current start stop shutdown reboot migrate"))
}

// networkTime is how long after its start a container has set up its network.
const networkTime = 2 * time.Second

// containerInterfaces is null for a stopped container (06/037). Without a recorded answer it follows from the
// configuration: the loopback device and each network device, with its static address, or one that is leased to it, when that is set up: by the node
// for a device that was plugged in (07/082), else by what runs inside. In the containers of the recordings nothing does
// (06/036).
func containerInterfaces(c *call, g *Guest) (any, error) {
	if !g.Live.Running {
		return nil, nil
	}
	if g.Interfaces != nil {
		return g.Interfaces, nil
	}
	list := []Object{containerInterface("lo", "00:00:00:00:00:00", "")}
	inside := !c.w.recorded && c.now.Sub(g.Live.Since) >= networkTime
	for i := range 32 {
		key := "net" + strconv.Itoa(i)
		nic := text(g.Config[key])
		if nic == "" {
			continue
		}
		ip := ""
		if inside || g.plugged[key] == g.Live.PID {
			ip = driveOption(nic, "ip")
		}
		if ip == "dhcp" && driveOption(nic, "link_down") != "1" {
			ip = g.lease(i)
		}
		list = append(list, containerInterface(driveOption(nic, "name"), strings.ToLower(driveOption(nic, "hwaddr")), ip))
	}
	return list, nil
}

func containerInterface(name, mac, cidr string) Object {
	o := Object{"name": name, "hwaddr": mac, "hardware-address": mac, "ip-addresses": []Object{}}
	if ip, network, err := net.ParseCIDR(cidr); err == nil {
		ones, _ := network.Mask.Size()
		o["inet"] = cidr
		o["ip-addresses"] = []Object{{"ip-address": ip.String(), "ip-address-type": "inet", "prefix": strconv.Itoa(ones)}}
	}
	return o
}
