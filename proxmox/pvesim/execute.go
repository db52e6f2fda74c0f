package pvesim

import "strings"

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
		data, err := c.inner(text(cmd["method"]), "/nodes/"+c.node.Name+"/"+text(cmd["path"]), clone(args))
		out = append(out, outcome(data, err))
	}
	return out, nil
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
