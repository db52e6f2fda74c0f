package pvesim

import (
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"
)

func agentExecRoutes(base string) []route {
	vm := "/vms/{vmid}"
	status := get(base+"/exec-status", need(vm, agentAll), of(typeQEMU, agentExecStatus))
	read := get(base+"/file-read",
		need(vm, agentReads, agentAll), of(typeQEMU, agentFileRead))
	status.changes, read.changes = true, true
	return []route{
		status, read,
		post(base+"/exec", need(vm, agentAll), of(typeQEMU, agentExec)),
		post(base+"/file-write", need(vm, agentWrites, agentAll), of(typeQEMU, agentFileWrite)),
		post(base+"/set-user-password", need(vm, agentAll), of(typeQEMU, agentCall(func(*call, *Guest) any { return Object{} }))),
	}
}

// qgaTimeout is how long a command waits for its answer (16/028: 5.03 s).
const qgaTimeout = 5 * time.Second

// latin is text as the API shows bytes of the guest: each byte is a character (facts 31).
func latin(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteRune(rune(s[i]))
	}
	return b.String()
}

// narrow is text as the API sends it to the guest where it encodes it: each character is one byte (16/026).
func narrow(s string) (string, error) {
	var b strings.Builder
	for _, r := range s {
		if r > 0xff {
			return "", fail("Wide character in subroutine entry")
		}
		b.WriteByte(byte(r))
	}
	return b.String(), nil
}

// agentExec starts a program. One string is one argument (16/034). Arguments whose bytes are two or more than their
// characters are cut on their way: the agent waits for the rest (facts 31).
func agentExec(c *call, g *Guest) (any, error) {
	args := stringList(c.params["command"])
	if err := c.agentReady(g); err != nil {
		return nil, err
	}
	input, err := narrow(c.param("input-data"))
	if err != nil {
		return nil, err
	}
	if all := strings.Join(args, ""); len(all)-utf8.RuneCountInString(all) > 1 {
		c.hold = qgaTimeout
		return nil, fail("VM %d qga command 'guest-exec' failed - got timeout", g.VMID)
	}
	in := g.inside()
	p, err := in.execute(args, input, c.now)
	if err != nil {
		return nil, fail("%s", latin(err.Error()))
	}
	in.last++
	in.runs[in.last] = p
	return Object{"pid": in.last}, nil
}

func stringList(v any) []string {
	list, ok := v.([]any)
	if !ok {
		return []string{text(v)}
	}
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = text(e)
	}
	return out
}

// agentExecStatus tells what became of a program; what has ended is told once (16/023).
func agentExecStatus(c *call, g *Guest) (any, error) {
	if err := c.agentReady(g); err != nil {
		return nil, err
	}
	in, pid := g.inside(), int(integer(c.params["pid"]))
	p := in.runs[pid]
	if p == nil {
		return nil, fail("Agent error: Invalid parameter 'pid'")
	}
	if c.now.Before(p.ends) {
		return Object{"exited": 0}, nil
	}
	delete(in.runs, pid)
	out := Object{"exited": 1, "exitcode": p.code}
	if p.out != "" {
		out["out-data"] = latin(p.out)
	}
	if p.err != "" {
		out["err-data"] = latin(p.err)
	}
	return out, nil
}

func agentFileRead(c *call, g *Guest) (any, error) {
	if err := c.agentReady(g); err != nil {
		return nil, err
	}
	name := c.param("file")
	content, ok := g.inside().files[name]
	if !ok {
		return nil, fail("Agent error: failed to open file '%s' (mode: 'r'): No such file or directory", name)
	}
	content = content[min(len(content), int(integer(c.params["offset"]))):]
	if n := int(integer(c.params["count"])); c.given("count") && n < len(content) {
		content = content[:n]
	}
	out := Object{"bytes-read": len(content), "content": latin(content)}
	if c.param("decode") == "0" {
		out["content"] = base64.StdEncoding.EncodeToString([]byte(content))
	}
	return out, nil
}

// agentFileWrite writes a file; with encode=0 the content is base64 already.
func agentFileWrite(c *call, g *Guest) (any, error) {
	if err := c.agentReady(g); err != nil {
		return nil, err
	}
	content, err := narrow(c.param("content"))
	if err != nil {
		return nil, err
	}
	if c.param("encode") == "0" {
		raw, err := base64.StdEncoding.DecodeString(content)
		if err != nil {
			return nil, fail("Agent error: Invalid base64 data")
		}
		content = string(raw)
	}
	g.inside().files[c.param("file")] = content
	return nil, nil
}
