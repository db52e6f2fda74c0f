package pvesim

import "time"

// agentWait is how long a call waits for a configured agent that does not answer (16/075: 3.03 s).
const agentWait = 3 * time.Second

func agentRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}/agent"
	list := []route{
		index(base, "name", "exec exec-status file-read file-write fsfreeze-freeze fsfreeze-status fsfreeze-thaw fstrim get-fsinfo "+
			"get-host-name get-memory-block-info get-memory-blocks get-osinfo get-time get-timezone get-users get-vcpus info "+
			"network-get-interfaces ping set-user-password shutdown suspend-disk suspend-hybrid suspend-ram"),
	}
	for name, result := range agentResults {
		list = append(list, get(base+"/"+name, nil, need("/vms/{vmid}", "VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"),
			of(typeQEMU, agentCall(result))))
	}
	return daemon(list...)
}

var agentResults = map[string]func(*call, *Guest) any{
	"network-get-interfaces": func(_ *call, g *Guest) any { return notNil(g.Interfaces) },
	"get-osinfo":             func(_ *call, g *Guest) any { return clone(g.Agent.OSInfo) },
	"get-host-name":          func(_ *call, g *Guest) any { return Object{"host-name": g.Agent.HostName} },
	"get-fsinfo":             func(_ *call, g *Guest) any { return notNil(g.Agent.FSInfo) },
	"get-time":               func(c *call, _ *Guest) any { return c.now.UnixNano() },
	"get-timezone":           func(*call, *Guest) any { return Object{"zone": "UTC", "offset": 0} },
	"get-users":              func(*call, *Guest) any { return []Object{} },
	"get-memory-blocks":      func(*call, *Guest) any { return []Object{} },
	"get-vcpus": func(c *call, g *Guest) any {
		list := []Object{}
		for i := range integer(g.cpus(c.w)) {
			list = append(list, Object{"logical-id": i, "online": true, "can-offline": i > 0})
		}
		return list
	},
}

func notNil(list []Object) []Object {
	if list == nil {
		return []Object{}
	}
	return list
}

// agentCall answers in data.result, or says which of three things is missing (facts 51).
func agentCall(result func(*call, *Guest) any) guestHandler {
	return func(c *call, g *Guest) (any, error) {
		switch {
		case !g.Live.Running:
			return nil, fail("VM %d is not running", g.VMID)
		case !g.agentEnabled():
			return nil, fail("No QEMU guest agent configured")
		case !g.Agent.Running:
			c.hold = agentWait
			return nil, fail("QEMU guest agent is not running")
		}
		return Object{"result": result(c, g)}, nil
	}
}
