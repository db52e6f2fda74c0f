package pvesim

import (
	"crypto/hmac"
	"fmt"
	"strconv"
	"strings"
	"time"
)

func consoleRoutes() []route {
	var list []route
	for _, kind := range []string{typeQEMU, typeLXC} {
		base := "/nodes/{node}/" + kind + "/{vmid}"
		may := need("/vms/{vmid}", "VM.Console")
		list = append(list, post(base+"/termproxy", may, of(kind, guestTerminal)), post(base+"/vncproxy", may, of(kind, guestScreen)))
	}
	shell := need("/nodes/{node}", "Sys.Console")
	list = daemon(append(list, post("/nodes/{node}/termproxy", shell, nodeTerminal), post("/nodes/{node}/vncshell", shell, nodeScreen))...)
	sockets := []route{
		get("/nodes/{node}/qemu/{vmid}/vncwebsocket", need("/vms/{vmid}", "VM.Console"), attach("/vms/{vmid}")),
		get("/nodes/{node}/lxc/{vmid}/vncwebsocket", need("/vms/{vmid}", "VM.Console"), attach("/vms/{vmid}")),
		get("/nodes/{node}/vncwebsocket", shell, attach("/nodes/{node}")),
	}
	for i := range sockets {
		sockets[i].changes = true // whoever connects first has the console
	}
	return append(list, sockets...)
}

// console is a proxy that waits at a port of a node for somebody to connect, or serves who has.
type console struct {
	sim    *Sim
	node   string
	port   int
	user   string // who asked for it
	path   string // what its tickets are for
	ticket string
	screen bool // VNC instead of a terminal
	vmid   int  // 0 is the node's own shell
	shell  bool // a container's shell in place of its login
	task   *Task
	taken  bool
}

const (
	firstPort, lastPort = 5900, 5999
	// consoleWait is how long a proxy waits for a connection.
	consoleWait = 10 * time.Second
	// consoleTicket is how long a ticket for a console is good.
	consoleTicket = 40 * time.Second
)

// errPorts is what the real one says when all ports are taken.
var errPorts = fail("unable to find free vnc port")

// openConsole takes a free port and starts the task of the proxy, which gives up when nobody comes.
func (c *call) openConsole(kind, id string, con *console) (Object, error) {
	con.sim, con.node, con.user = c.sim, c.node.Name, c.id.name()
	for con.port = firstPort; c.w.consoles[consoleKey{con.node, con.port}] != nil; con.port++ {
		if con.port == lastPort {
			return nil, errPorts
		}
	}
	if c.w.consoles == nil {
		c.w.consoles = map[consoleKey]*console{}
	}
	w, key := c.w, consoleKey{con.node, con.port}
	w.consoles[key] = con
	con.ticket = c.sim.consoleTicket(con.user, con.path, c.clock())
	upid := c.fork(kind, id, func(j *job) error {
		j.finally(func() { delete(w.consoles, key) })
		return j.after(consoleWait, func() error {
			if con.taken {
				return j.after(consoleLife, func() error { return nil })
			}
			return fail("connection timed out")
		})
	})
	con.task = c.node.task(upid)
	return Object{"user": con.user, "ticket": con.ticket, "port": strconv.Itoa(con.port), "upid": upid}, nil
}

// consoleLife bounds how long a session is kept that nobody ends.
const consoleLife = 24 * time.Hour

// consoleKey names a port of a node.
type consoleKey struct {
	node string
	port int
}

// consoleTicket is a ticket for one path that is good for seconds.
func (s *Sim) consoleTicket(user, path string, now time.Time) string {
	stamp := fmt.Sprintf("%08X", now.Unix())
	return "PVEVNC:" + stamp + "::" + s.sign("PVEVNC:"+user+":"+path+":"+stamp)
}

func (s *Sim) consoleTicketFits(ticket, user, path string, now time.Time) bool {
	plain, sig, _ := strings.Cut(ticket, "::")
	stamp, ok := strings.CutPrefix(plain, "PVEVNC:")
	n, err := strconv.ParseInt(stamp, 16, 64)
	age := now.Sub(time.Unix(n, 0))
	return ok && err == nil && age > -consoleTicket/2 && age < consoleTicket && hmac.Equal([]byte(sig), []byte(s.sign("PVEVNC:"+user+":"+path+":"+stamp)))
}

// guestTerminal is a serial line of a VM, which needs to have one, or the terminal of a container.
func guestTerminal(c *call, g *Guest) (any, error) {
	id := strconv.Itoa(g.VMID)
	if g.Type == typeQEMU {
		port := c.param("serial")
		if vga, _, _ := strings.Cut(text(g.Config["vga"]), ","); port == "" && strings.HasPrefix(vga, "serial") {
			port = vga
		}
		for _, key := range []string{"serial0", "serial1", "serial2", "serial3"} {
			if port == "" && has(g.Config, key) {
				port = key
			}
		}
		switch {
		case port == "":
			return nil, fail("unable to find a serial interface")
		case !has(g.Config, port):
			return nil, fail("serial interface '%s' is not configured", port)
		}
	}
	return c.openConsole("vncproxy", id, &console{vmid: g.VMID, path: "/vms/" + id, shell: g.Config["cmode"] == "shell"})
}

// guestScreen is VNC; the password of its protocol is the ticket, unless a short one is asked for.
func guestScreen(c *call, g *Guest) (any, error) {
	id := strconv.Itoa(g.VMID)
	o, err := c.openConsole("vncproxy", id, &console{vmid: g.VMID, path: "/vms/" + id, screen: true})
	return c.screenAnswer(o, err)
}

func (c *call) screenAnswer(o Object, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	o["cert"] = c.sim.CertificatePEM(c.node.Name)
	if truth(c.params["generate-password"]) {
		b := c.w.randomBytes()
		o["password"] = fmt.Sprintf("%x", b[:4])
	}
	return o, nil
}

func nodeTerminal(c *call) (any, error) {
	if err := c.shellCommand(); err != nil {
		return nil, err
	}
	return c.openConsole("vncshell", "", &console{path: "/nodes/" + c.node.Name})
}

func nodeScreen(c *call) (any, error) {
	if err := c.shellCommand(); err != nil {
		return nil, err
	}
	o, err := c.openConsole("vncshell", "", &console{path: "/nodes/" + c.node.Name, screen: true})
	return c.screenAnswer(o, err)
}

// shellCommand lets only root@pam upgrade a node or install Ceph.
func (c *call) shellCommand() error {
	if cmd := c.param("cmd"); cmd != "" && cmd != "login" && !c.isRoot() {
		return &apiError{status: 403, message: "user != root@pam\n"}
	}
	return nil
}

// attach connects a websocket to the proxy at a port. Without the header Upgrade it only says the port.
func attach(pattern string) handler {
	return func(c *call) (any, error) {
		path := c.expand(pattern)
		if !c.sim.consoleTicketFits(c.param("vncticket"), c.id.name(), path, c.clock()) {
			return nil, &apiError{status: 401, message: "permission denied - invalid PVEVNC ticket\n"}
		}
		port := int(integer(c.params["port"]))
		con := c.w.consoles[consoleKey{c.node.Name, port}]
		if con == nil || con.taken || con.path != path {
			con = nil
		}
		c.console, c.attaches = con, true
		return Object{"port": strconv.Itoa(port)}, nil
	}
}
