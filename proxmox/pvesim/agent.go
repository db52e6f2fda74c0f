package pvesim

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// agentWait is how long a call waits for a configured agent that does not answer (16/075: 3.03 s).
const agentWait = 3 * time.Second

// Who may call what of the agent, beside those with VM.GuestAgent.Unrestricted (schema of the methods).
const (
	agentAudit  = "VM.GuestAgent.Audit"
	agentFiles  = "VM.GuestAgent.FileSystemMgmt"
	agentPower  = "VM.PowerMgmt"
	agentAll    = "VM.GuestAgent.Unrestricted"
	agentReads  = "VM.GuestAgent.FileRead"
	agentWrites = "VM.GuestAgent.FileWrite"
)

// agentCommand is a command of the agent without arguments.
type agentCommand struct {
	method string
	privs  []string
	result func(*call, *Guest) any
}

func agentRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}/agent"
	index := index(base, "name", "exec exec-status file-read file-write fsfreeze-freeze fsfreeze-status fsfreeze-thaw fstrim get-fsinfo "+
		"get-host-name get-memory-block-info get-memory-blocks get-osinfo get-time get-timezone get-users get-vcpus info "+
		"network-get-interfaces ping set-user-password shutdown suspend-disk suspend-hybrid suspend-ram")
	list := []route{post(base, need("/vms/{vmid}", agentAll), of(typeQEMU, anyAgentCommand))}
	for name, cmd := range agentCommands() {
		allowed := need("/vms/{vmid}", append(cmd.privs, agentAll)...)
		if cmd.method == "GET" {
			list = append(list, get(base+"/"+name, allowed, of(typeQEMU, agentCall(cmd.result))))
		} else {
			list = append(list, post(base+"/"+name, allowed, of(typeQEMU, agentCall(cmd.result))))
		}
	}
	return append(daemon(append(list, agentExecRoutes(base)...)...), index)
}

// agentCommands are the commands without arguments, by name.
func agentCommands() map[string]agentCommand {
	read := func(f func(*call, *Guest) any) agentCommand { return agentCommand{"GET", []string{agentAudit}, f} }
	files := func(f func(*call, *Guest) any) agentCommand { return agentCommand{"POST", []string{agentFiles}, f} }
	suspend := agentCommand{"POST", []string{agentPower}, func(c *call, g *Guest) any { c.w.pause(g, true); return Object{} }}
	return map[string]agentCommand{
		"ping":                   {"POST", []string{agentAudit}, func(*call, *Guest) any { return Object{} }},
		"info":                   read(agentInfo),
		"network-get-interfaces": read(func(_ *call, g *Guest) any { return g.agentInterfaces() }),
		"get-osinfo":             read(func(_ *call, g *Guest) any { return clone(g.Agent.OSInfo) }),
		"get-host-name":          read(func(_ *call, g *Guest) any { return Object{"host-name": g.Agent.HostName} }),
		"get-fsinfo":             read(func(_ *call, g *Guest) any { return notNil(g.Agent.FSInfo) }),
		"get-time":               read(func(c *call, _ *Guest) any { return c.now.UnixNano() }),
		"get-timezone":           read(func(*call, *Guest) any { return Object{"zone": "UTC", "offset": 0} }),
		"get-users":              read(agentUsers),
		"get-memory-blocks":      read(func(*call, *Guest) any { return []Object{} }),
		"get-memory-block-info":  read(func(*call, *Guest) any { return Object{"size": 128 * mib} }),
		"get-vcpus":              read(agentCPUs),
		"fsfreeze-freeze":        files(func(_ *call, g *Guest) any { return g.freeze(true) }),
		"fsfreeze-thaw":          files(func(_ *call, g *Guest) any { return g.freeze(false) }),
		"fsfreeze-status": {"POST", []string{agentAudit, agentFiles}, func(_ *call, g *Guest) any {
			return map[bool]string{true: "frozen", false: "thawed"}[g.inside().frozen]
		}},
		"fstrim": files(func(*call, *Guest) any {
			return Object{"paths": []Object{{"path": "/", "minimum": 0, "trimmed": 0}}}
		}),
		"shutdown":     {"POST", []string{agentPower}, func(c *call, g *Guest) any { c.w.pressPower(g, true); return nil }},
		"suspend-disk": suspend, "suspend-hybrid": suspend, "suspend-ram": suspend,
	}
}

// anyAgentCommand takes the command's name as a parameter (16/017 to 16/019).
func anyAgentCommand(c *call, g *Guest) (any, error) {
	cmd, ok := agentCommands()[c.param("command")]
	if !ok {
		return nil, badParam("command", "no such command")
	}
	return agentCall(cmd.result)(c, g)
}

// agentCall answers in data.result, or says which of three things is missing (facts 51).
func agentCall(result func(*call, *Guest) any) guestHandler {
	return func(c *call, g *Guest) (any, error) {
		if err := c.agentReady(g); err != nil {
			return nil, err
		}
		return Object{"result": result(c, g)}, nil
	}
}

func (c *call) agentReady(g *Guest) error {
	switch {
	case !g.agentEnabled(): // before the look whether it runs (16/003)
		return fail("No QEMU guest agent configured")
	case !g.Live.Running:
		return fail("VM %d is not running", g.VMID)
	case !g.Agent.Running:
		c.hold = agentWait
		return fail("QEMU guest agent is not running")
	}
	return nil
}

func notNil(list []Object) []Object {
	if list == nil {
		return []Object{}
	}
	return list
}

// agentKnows are the commands that the agent says it has (16/009).
var agentKnows = sync.OnceValue(func() []string {
	return strings.Fields("ping exec exec-status file-open file-read file-write file-close get-osinfo network-get-interfaces " +
		"fsfreeze-freeze fsfreeze-thaw fsfreeze-status shutdown set-user-password")
})

func agentInfo(*call, *Guest) any {
	list := []Object{}
	for _, name := range agentKnows() {
		list = append(list, Object{"name": "guest-" + name, "enabled": true, "success-response": true})
	}
	return Object{"version": "7.2.0", "supported_commands": list}
}

// agentUsers is the one who logged in at the console when the guest had come up.
func agentUsers(c *call, g *Guest) any {
	if g.Agent.OSInfo == nil {
		return []Object{}
	}
	return []Object{{"user": "root", "login-time": float64(min(c.now.UnixMilli(), g.Live.Since.UnixMilli())) / 1e3}}
}

func agentCPUs(c *call, g *Guest) any {
	list := []Object{}
	for i := range integer(g.cpus(c.w)) {
		list = append(list, Object{"logical-id": i, "online": true, "can-offline": i > 0})
	}
	return list
}

// agentInterfaces are the network interfaces that the guest reports: what the world says, or what its configuration makes
// of it: the static addresses that cloud-init sets, else one that somebody leased to it.
func (g *Guest) agentInterfaces() []Object {
	if g.Interfaces != nil {
		return g.Interfaces
	}
	list := []Object{{"name": "lo", "hardware-address": "00:00:00:00:00:00",
		"ip-addresses": []Object{{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}}}}
	for i := range 32 {
		nic := text(g.Config["net"+strconv.Itoa(i)])
		if nic == "" {
			continue
		}
		addresses := []Object{}
		if driveOption(nic, "link_down") != "1" {
			addresses = append(addresses, g.address(i))
		}
		list = append(list, Object{"name": "eth" + strconv.Itoa(i), "hardware-address": strings.ToLower(nicMAC(nic)), "ip-addresses": addresses})
	}
	return list
}

// address is the address of the i-th interface: the one that is configured, or one of the network for tests
// (198.18.0.0/15) that depends on the vmid.
func (g *Guest) address(i int) Object {
	if ip, network, err := net.ParseCIDR(driveOption(text(g.Config["ipconfig"+strconv.Itoa(i)]), "ip")); err == nil {
		ones, _ := network.Mask.Size()
		return Object{"ip-address": ip.String(), "ip-address-type": "ipv4", "prefix": ones}
	}
	ip, _, _ := strings.Cut(g.lease(i), "/")
	return Object{"ip-address": ip, "ip-address-type": "ipv4", "prefix": 15}
}

// lease is the address that somebody leases to the i-th interface.
func (g *Guest) lease(i int) string {
	host := 2 + g.VMID*4 + i
	return net.IPv4(198, byte(18+host>>16&1), byte(host>>8), byte(host)).String() + "/15" //nolint:gosec // the low bytes are what is wanted
}
