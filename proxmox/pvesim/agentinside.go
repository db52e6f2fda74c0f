package pvesim

import (
	"fmt"
	"path"
	"strings"
	"time"
)

// inside is what goes on in a guest since it was started, as far as its agent shows it.
type inside struct {
	pid    int // of the QEMU that it runs in
	frozen bool
	files  map[string]string
	runs   map[int]*program
	system Object // what the agent says of the system
	last   int    // process id of the program that was started last
}

// program is one that agent/exec started.
type program struct {
	ends     time.Time
	code     int
	out, err string
}

// firstProgram is the process id before that of a guest's first program.
const firstProgram = 1000

// inside gives the inner state of a running guest; a start begins anew.
func (g *Guest) inside() *inside {
	if g.inner == nil || g.inner.pid != g.Live.PID {
		g.inner = &inside{pid: g.Live.PID, runs: map[int]*program{}, last: firstProgram, system: g.Agent.OSInfo,
			files: map[string]string{"/etc/hostname": g.Agent.HostName + "\n"}}
	}
	return g.inner
}

// freeze freezes or thaws the file systems and gives their number.
func (g *Guest) freeze(on bool) int {
	in := g.inside()
	changed := in.frozen != on
	in.frozen = on
	if !changed {
		return 0
	}
	return max(1, len(g.Agent.FSInfo))
}

// standIn puts the agent of recorded worlds into a guest: a stand-in whose answers are made up and the same in every VM
// (pve/README.md section 7, 16/007 to 16/011).
func (g *Guest) standIn() {
	g.Agent.HostName = "guest"
	g.Agent.OSInfo = Object{"id": "debian", "name": "Debian GNU/Linux", "pretty-name": "Debian GNU/Linux 12 (bookworm)", "version": "12 (bookworm)",
		"version-id": "12", "machine": "x86_64", "kernel-release": "6.1.0-27-amd64", "kernel-version": "#1 SMP"}
	g.Agent.FSInfo = []Object{{"name": "sda1", "mountpoint": "/", "type": "ext4", "disk": []any{}, "total-bytes": 9000000, "used-bytes": 1000000}}
	g.Interfaces = []Object{
		{"name": "lo", "hardware-address": "00:00:00:00:00:00", "ip-addresses": []Object{{"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8}}},
		{"name": "eth0", "hardware-address": "bc:24:11:00:00:01",
			"statistics": Object{"rx-bytes": 1, "rx-packets": 1, "rx-errs": 0, "rx-dropped": 0, "tx-bytes": 2, "tx-packets": 2, "tx-errs": 0, "tx-dropped": 0},
			"ip-addresses": []Object{{"ip-address": "10.99.99.77", "ip-address-type": "ipv4", "prefix": 24},
				{"ip-address": "fe80::1", "ip-address-type": "ipv6", "prefix": 64}}},
	}
}

// execute runs a program in the guest. There are few, enough to see what becomes of output, input and exit codes.
func (in *inside) execute(args []string, input string, now time.Time) (*program, error) {
	p := &program{ends: now.Add(10 * time.Millisecond)}
	if !in.run(p, args, input, now) {
		return nil, fmt.Errorf("Agent error: Failed to execute child process “%s” (No such file or directory)", args[0]) //nolint:staticcheck // its text
	}
	return p, nil
}

// run is false for a program that the guest does not have.
func (in *inside) run(p *program, args []string, input string, now time.Time) bool {
	switch path.Base(args[0]) {
	case "echo":
		p.out = echo(args[1:])
	case "printf":
		p.out = strings.NewReplacer(`\n`, "\n", `\t`, "\t", "%%", "%").Replace(strings.Join(args[1:], ""))
	case "true":
	case "false":
		p.code = 1
	case "id":
		p.out = "uid=0(root) gid=0(root) groups=0(root)\n"
	case "whoami":
		p.out = "root\n"
	case "pwd":
		p.out = "/\n"
	case "hostname":
		p.out = in.files["/etc/hostname"]
	case "uname":
		in.uname(p, args[1:])
	case "date":
		p.out = date(args[1:], now)
	case "sleep":
		if len(args) > 1 {
			p.ends = now.Add(time.Duration(number(args[1]) * float64(time.Second)))
		}
	case "cat":
		in.cat(p, args[1:], input)
	case "ls":
		in.list(p, args[1:])
	case "sh", "bash", "dash":
		if len(args) > 2 && args[1] == "-c" {
			in.runScript(p, args[2], input)
		} else {
			in.runScript(p, input, "")
		}
	default:
		return false
	}
	return true
}

// echo joins its arguments; -n leaves the line open.
func echo(args []string) string {
	if len(args) > 0 && args[0] == "-n" {
		return strings.Join(args[1:], " ")
	}
	return strings.Join(args, " ") + "\n"
}

func (in *inside) cat(p *program, names []string, input string) {
	if len(names) == 0 {
		p.out = input
	}
	for _, name := range names {
		content, ok := in.files[name]
		if !ok {
			p.err += "cat: " + name + ": No such file or directory\n"
			p.code = 1
		}
		p.out += content
	}
}

// Programs is how many programs the guest's agent has started since the guest was.
func (g *Guest) Programs() int { return g.inside().last - firstProgram }
