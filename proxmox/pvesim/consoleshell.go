package pvesim

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// run speaks the protocol of the proxy: of terminals that of termproxy, of screens the begin of VNC's.
func (con *console) run(s *socket) {
	if con.screen {
		con.refuseScreen(s)
		return
	}
	first, err := s.receive()
	if err != nil {
		return
	}
	line, rest, _ := bytes.Cut(first, []byte("\n"))
	if user, ticket, _ := strings.Cut(string(line), ":"); user != con.user || ticket != con.ticket {
		_ = s.send(opClose, nil)
		return
	}
	if s.send(opBinary, []byte("OK")) != nil {
		return
	}
	t := con.terminal(s)
	if t.greet() != nil || t.feed(rest) != nil {
		return
	}
	for !t.done {
		data, err := s.receive()
		if err != nil || t.feed(data) != nil {
			return
		}
	}
	_ = s.send(opClose, nil)
}

// refuseScreen greets as a VNC server and says then that there is nothing to show: a simulated guest has no picture.
func (con *console) refuseScreen(s *socket) {
	if s.send(opBinary, []byte("RFB 003.008\n")) != nil {
		return
	}
	if _, err := s.receive(); err != nil {
		return
	}
	const reason = "this is a simulated guest, it has no screen"
	_ = s.send(opBinary, append([]byte{0, 0, 0, 0, byte(len(reason))}, reason...)) // no security types, then why
	_ = s.send(opClose, nil)
}

// terminal is a line discipline with a shell behind it.
type terminal struct {
	con      *console
	s        *socket
	host     string
	user     string
	password bool // what is typed is not shown
	running  bool
	pending  []byte // of the protocol
	line     []byte
	done     bool
}

func (con *console) terminal(s *socket) *terminal {
	t := &terminal{con: con, s: s, host: con.node, running: true, user: "root"}
	con.sim.Update(func(w *World) {
		if g := w.Guest(con.vmid); g != nil {
			t.host, t.running = g.Name(), g.Live.Running
		}
	})
	if con.vmid > 0 && !con.shell || con.vmid == 0 && con.user != rootUser {
		t.user = ""
	}
	return t
}

func (t *terminal) print(format string, args ...any) error {
	return t.s.send(opBinary, []byte(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n")))
}

// greet begins the session: with a login, or with a shell where none is needed.
func (t *terminal) greet() error {
	switch {
	case !t.running:
		t.done = true
		return t.print("%s is not running\n", t.host)
	case t.con.vmid == 0 && t.user != "":
		if err := t.print("Linux %s\n\n", t.host); err != nil {
			return err
		}
	}
	return t.prompt()
}

func (t *terminal) prompt() error {
	switch {
	case t.user == "":
		return t.print("%s login: ", t.host)
	case t.password:
		return t.print("Password: ")
	case t.user == "root":
		return t.print("root@%s:~# ", t.host)
	}
	return t.print("%s@%s:~$ ", t.user, t.host)
}

// feed takes what the client sends: 0:LENGTH:DATA is typed text, 1:COLUMNS:ROWS: a new size, 2 a sign of life.
func (t *terminal) feed(data []byte) error {
	t.pending = append(t.pending, data...)
	for len(t.pending) > 0 && !t.done {
		typed, used := t.message()
		if used == 0 {
			return nil
		}
		t.pending = t.pending[used:]
		for _, b := range typed {
			if err := t.key(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// message gives the typed text of the first whole message, and how many bytes that is.
func (t *terminal) message() (typed []byte, used int) {
	switch t.pending[0] {
	case '2':
		return nil, 1
	case '1':
		if parts := bytes.SplitN(t.pending, []byte(":"), 4); len(parts) == 4 { //nolint:mnd // type, columns, rows, the rest
			return nil, len(t.pending) - len(parts[3])
		}
		return nil, 0
	case '0':
		parts := bytes.SplitN(t.pending, []byte(":"), 3) //nolint:mnd // type, length, the rest
		if len(parts) < 3 {                              //nolint:mnd // see above
			return nil, 0
		}
		n, err := strconv.Atoi(string(parts[1]))
		if err != nil || n < 0 {
			return nil, len(t.pending)
		}
		if len(parts[2]) < n {
			return nil, 0
		}
		return parts[2][:n], len(t.pending) - len(parts[2]) + n
	}
	return nil, 1
}

// Keys of a terminal.
const (
	keyInterrupt, keyEnd, keyBackspace, keyDelete = 3, 4, 8, 127
)

// key is one byte that was typed.
func (t *terminal) key(b byte) error {
	switch b {
	case '\r', '\n':
		return t.enter()
	case keyInterrupt:
		t.line = nil
		if err := t.print("^C\n"); err != nil {
			return err
		}
		return t.prompt()
	case keyEnd:
		if len(t.line) == 0 {
			t.done = true
			return t.print("logout\n")
		}
		return nil
	case keyBackspace, keyDelete:
		if len(t.line) == 0 {
			return nil
		}
		t.line = t.line[:len(t.line)-1]
		return t.echo("\b \b")
	}
	t.line = append(t.line, b)
	return t.echo(string(rune(b)))
}

func (t *terminal) echo(s string) error {
	if t.password {
		return nil
	}
	return t.s.send(opBinary, []byte(s))
}

// enter runs the line. Any password will do: nobody knows those inside of a simulated guest.
func (t *terminal) enter() error {
	line := strings.TrimSpace(string(t.line))
	t.line = nil
	if err := t.print("\n"); err != nil {
		return err
	}
	switch {
	case t.user == "" && line != "":
		t.user, t.password = line, true
	case t.password:
		t.password = false
	case line != "" && t.user != "":
		if err := t.print("%s", t.shell(line)); err != nil || t.done {
			return err
		}
	}
	return t.prompt()
}

// shell answers a few commands as a small system would.
func (t *terminal) shell(line string) string {
	words := strings.Fields(line)
	switch words[0] {
	case "echo":
		return strings.Trim(strings.Join(words[1:], " "), `"'`) + "\n"
	case "hostname":
		return t.host + "\n"
	case "whoami":
		return t.user + "\n"
	case "id":
		if t.user == "root" {
			return "uid=0(root) gid=0(root) groups=0(root)\n"
		}
		return fmt.Sprintf("uid=1000(%s) gid=1000(%s) groups=1000(%s)\n", t.user, t.user, t.user)
	case "pwd":
		if t.user == "root" {
			return "/root\n"
		}
		return "/home/" + t.user + "\n"
	case "uname":
		return "Linux\n"
	case "date":
		return t.con.sim.now().UTC().Format("Mon Jan _2 15:04:05 UTC 2006") + "\n"
	case "true", "ls", "clear":
		return ""
	case "exit", "logout":
		t.done = true
		return "logout\n"
	}
	return "-bash: " + words[0] + ": command not found\n"
}
