package pvesim

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"
)

// dial connects a websocket and gives the status line's code.
func (r *rig) dial(path string, port, ticket any) (*raw, int) {
	r.t.Helper()
	c := r.raw()
	c.send(fmt.Sprintf("GET /api2/json%s/vncwebsocket?port=%v&vncticket=%s HTTP/1.1\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: binary", path, port, url.QueryEscape(fmt.Sprint(ticket))), r.token)
	line, err := c.br.ReadString('\n')
	if err != nil {
		r.t.Fatal(err)
	}
	code := 0
	_, _ = fmt.Sscanf(line, "HTTP/1.1 %d", &code)
	for strings.TrimSpace(line) != "" && err == nil {
		if k, v, _ := strings.Cut(line, ": "); k == "Sec-WebSocket-Accept" && strings.TrimSpace(v) != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455, 1.3
			r.t.Errorf("accept %q", v)
		}
		line, err = c.br.ReadString('\n')
	}
	return c, code
}

// write sends one masked frame.
func (c *raw) write(text string) {
	c.t.Helper()
	frame := binary.BigEndian.AppendUint16([]byte{0x82, 0x80 | 126}, uint16(len(text)))
	mask := []byte{1, 2, 3, 4}
	frame = append(frame, mask...)
	for i, b := range []byte(text) {
		frame = append(frame, b^mask[i&3])
	}
	if _, err := c.conn.Write(frame); err != nil {
		c.t.Fatal(err)
	}
}

// until reads frames until the text ends in want, and gives it.
func (c *raw) until(want string) string {
	c.t.Helper()
	text := ""
	for !strings.HasSuffix(text, want) {
		var head [2]byte
		if _, err := io.ReadFull(c.br, head[:]); err != nil {
			c.t.Fatalf("%v after %q, want %q", err, text, want)
		}
		data := make([]byte, head[1])
		if _, err := io.ReadFull(c.br, data); err != nil {
			c.t.Fatal(err)
		}
		if head[0]&0x0f == opClose {
			return text
		}
		text += string(data)
	}
	return text
}

// TestConsole: a shell answers behind a ticket that is for one object and one user, and that is used once.
func TestConsole(t *testing.T) {
	w := DemoWorld(time.Now())
	w.SetConfig(202, "serial0", "socket")
	w.SetConfig(101, "cmode", "shell")
	r := newRig(t, w, WithoutDelays())
	defer r.stop()
	if got := r.as(rootUser, "POST", "/nodes/pve1/qemu/201/termproxy"); !strings.Contains(got.body, "unable to find a serial interface") {
		t.Errorf("a VM without a serial line: %s", got.body)
	}
	r.must("POST", "/nodes/pve1/termproxy")
	o, _ := r.do("POST", "/nodes/pve1/lxc/101/termproxy", nil).data.(map[string]any) // as a token, whom the connections come from
	if o["port"] != "5901" {
		t.Errorf("port %v, want the next one", o["port"])
	}
	for name, q := range map[string][3]any{"another guest's": {"/nodes/pve1/lxc/103", "5901", o["ticket"]}, "a wrong": {"/nodes/pve1/lxc/101", "5901", "PVEVNC:00000000::x"}} {
		if _, code := r.dial(q[0].(string), q[1], q[2]); code != 401 {
			t.Errorf("%s ticket: %d", name, code)
		}
	}
	c, code := r.dial("/nodes/pve1/lxc/101", "5901", o["ticket"])
	if code != 101 {
		t.Fatalf("handshake: %d", code)
	}
	c.write(fmt.Sprintf("%v:%v\n", o["user"], o["ticket"]))
	c.until("OK")
	c.until("root@pihole:~# ")
	c.write("1:80:24:")
	c.write("0:11:echo hallo\r")
	if got := c.until("root@pihole:~# "); got != "echo hallo\r\nhallo\r\nroot@pihole:~# " {
		t.Errorf("%q", got)
	}
	if _, code := r.dial("/nodes/pve1/lxc/101", "5901", o["ticket"]); code != 595 {
		t.Errorf("a second connection: %d", code)
	}
	c.write("0:5:exit\r")
	c.until("no more")
	for range 100 {
		if got := r.do("GET", "/nodes/pve1/tasks/"+fmt.Sprint(o["upid"])+"/status", nil); strings.Contains(got.body, `"exitstatus":"OK"`) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error("the task of the console goes on")
}
