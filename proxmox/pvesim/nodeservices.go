package pvesim

import "time"

func serviceRoutes() []route {
	audit, modify := need("/nodes/{node}", "Sys.Audit"), need("/nodes/{node}", "Sys.Modify")
	base := "/nodes/{node}/services"
	list := []route{get(base, audit, nodeInfo("services")), get(base+"/{service}/state", audit, serviceState)}
	for _, command := range []string{"start", "stop", "restart", "reload"} {
		list = append(list, post(base+"/{service}/"+command, modify, serviceCommand(command)))
	}
	return append(daemon(list...), index(base+"/{service}", "subdir", "state start stop restart reload"))
}

func (n *Node) service(name string) Object {
	list, _ := objects(n.Info["services"])
	return find(list, func(s Object) bool { return s["service"] == name })
}

// serviceState knows the services of the node; names beside them are refused by the table before (02/059).
func serviceState(c *call) (any, error) {
	if s := c.node.service(c.vars["service"]); s != nil {
		return s, nil
	}
	return Object{"service": c.vars["service"], "name": c.vars["service"], "state": "unknown"}, nil
}

// essentialServices answer the API themselves: they are not stopped.
var essentialServices = []string{"pve-cluster", "pvedaemon", "pveproxy"}

// serviceTime is how long systemctl needs.
const serviceTime = time.Second

// serviceCommand starts a task that runs systemctl.
func serviceCommand(command string) handler {
	return func(c *call) (any, error) {
		name := c.vars["service"]
		return c.fork("srv"+command, name, func(j *job) error {
			if command == "stop" && contains(essentialServices, name) {
				return fail("invalid service cmd '%s %s': refusing to stop essential service!", name, command)
			}
			return j.after(serviceTime, func() error {
				s := j.node.service(name)
				switch {
				case s == nil:
					return fail("command 'systemctl %s %s' failed: exit code 5", command, name)
				case command == "reload" && s["active-state"] != "active":
					return fail("command 'systemctl %s %s' failed: exit code 1", command, name)
				}
				j.w.setService(j.node, name, command != "stop")
				return nil
			})
		}), nil
	}
}

// setService notes that a service runs or not, and what follows: without pvestatd nobody sends statistics (F16).
func (w *World) setService(n *Node, name string, runs bool) {
	list, _ := objects(n.Info["services"])
	for i, s := range list {
		if s["service"] != name {
			continue
		}
		if runs {
			list[i] = merged(s, nil, Object{"state": "running", "active-state": "active"})
		} else {
			list[i] = merged(s, nil, Object{"state": "dead", "active-state": "inactive"})
		}
	}
	n.Info["services"] = anyList(list)
	switch name {
	case "pvestatd":
		if n.StatsSince = (time.Time{}); !runs {
			n.StatsSince = w.Now()
		}
	case "pvescheduler":
		w.planJobs()
	}
}
