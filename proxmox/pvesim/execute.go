package pvesim

import (
	"errors"
	"strings"
)

func executeRoutes() []route {
	return daemon(post("/nodes/{node}/execute", func(c *call) error {
		if !c.isRoot() {
			return &apiError{status: 403, message: "Permission check failed (user != root@pam)\n"}
		}
		return nil
	}, execute))
}

// execute runs several methods of the node, each with its own outcome. Only root@pam may (11/137, 11/164).
func execute(c *call) (any, error) {
	var commands []Object
	if err := decodeJSON(strings.NewReader(c.param("commands")), &commands); err != nil {
		return nil, badParam("commands", "invalid format - "+err.Error()+"\n")
	}
	out := []Object{}
	for _, cmd := range commands {
		args, _ := cmd["args"].(Object)
		out = append(out, outcome(c.command(text(cmd["method"]), "/nodes/"+c.node.Name+"/"+text(cmd["path"]), clone(args))))
	}
	return out, nil
}

// command runs one method with its parameters checked. One that would have to wait for a lock file fails.
func (c *call) command(method, path string, params map[string]any) (any, error) {
	r, inner := c.innerCall(method, path, params)
	if r == nil {
		return nil, fail("no handler for '%s'", strings.TrimPrefix(path, "/"))
	}
	if err := r.verify(inner); err != nil {
		return nil, err
	}
	data, err := r.handle(inner)
	if busy, ok := errors.AsType[*busyError](err); ok {
		err = lockTimeout(busy.file)
	}
	return data, err
}

// inner runs a method of the API on behalf of a caller, without its checks: what one method of the real one does when it
// calls another.
func (c *call) inner(method, path string, params map[string]any) (any, error) {
	r, inner := c.innerCall(method, path, params)
	if r == nil {
		return nil, unimplemented(method, path)
	}
	return r.handle(inner)
}

// innerCall finds a method and makes a call of it for the same caller; the route is nil when there is no such method.
func (c *call) innerCall(method, path string, params map[string]any) (*route, *call) {
	r, vars := c.sim.routes.find(method, path)
	var accepts *object
	if r != nil {
		accepts = r.accepts
	}
	return r, &call{accepts: accepts, sim: c.sim, w: c.w, acl: c.sim.acl, id: c.id, node: c.w.Node(vars["node"]), vars: vars, params: params,
		now: c.w.Now(), entry: c.entry, path: path}
}

func outcome(data any, err error) Object {
	if err == nil {
		return Object{"status": 200, "data": data}
	}
	e, ok := err.(*apiError) //nolint:errorlint // handlers return it bare
	if !ok {
		return Object{"status": 500, "message": err.Error()}
	}
	o := Object{"status": e.status, "message": e.message}
	if e.errors != nil {
		o["errors"] = e.errors
	}
	return o
}
