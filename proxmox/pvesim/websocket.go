package pvesim

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
)

// Frames of RFC 6455 that consoles use.
const (
	opBinary, opClose, opPing, opPong = 2, 8, 9, 10
	// maxFrame bounds what a client may send at once.
	maxFrame = 1 << 20
	// socketGUID is what the answer to a handshake is computed with.
	socketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
)

// socket is the server's end of a websocket.
type socket struct {
	br   *bufio.Reader
	conn net.Conn
}

// upgrades is whether a request asks for a websocket.
func (x *exchange) upgrades() bool { return strings.EqualFold(x.header.Get("Upgrade"), "websocket") }

// upgraded is the answer to a handshake for a console; without one at the port nothing can be connected to.
func (x *exchange) upgraded(c *call) *response {
	key := x.header.Get("Sec-Websocket-Key")
	switch {
	case key == "":
		return &response{status: http.StatusBadRequest, reason: "missing sec-websocket-key"}
	case c.console == nil:
		return &response{status: 595, reason: "Connection refused"} //nolint:mnd // the proxy's own status
	}
	c.console.taken = true
	sum := sha1.Sum([]byte(key + socketGUID)) //nolint:gosec // see above
	r := &response{status: http.StatusSwitchingProtocols, reason: "Switching Protocols", console: c.console,
		header: [][2]string{{"Upgrade", "websocket"}, {"Connection", "upgrade"}, {"Sec-WebSocket-Accept", base64.StdEncoding.EncodeToString(sum[:])}}}
	if list := x.header.Get("Sec-Websocket-Protocol"); strings.Contains(list, "binary") {
		r.header = append(r.header, [2]string{"Sec-WebSocket-Protocol", "binary"})
	}
	return r
}

// talk runs the console over a connection until either end is done, and ends its task.
func (s *Sim) talk(conn net.Conn, br *bufio.Reader, r *response) {
	var head strings.Builder
	head.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	for _, h := range r.header {
		head.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	head.WriteString("\r\n")
	if _, err := io.WriteString(conn, head.String()); err == nil {
		r.console.run(&socket{br, conn})
	}
	s.Update(func(*World) {
		if t := r.console.task; t.job != nil {
			t.job.end(nil)
		}
	})
}

// send writes one frame; servers do not mask.
func (s *socket) send(op byte, data []byte) error {
	head := []byte{0x80 | op}
	switch n := len(data); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n)) //nolint:gosec // it fits
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	_, err := s.conn.Write(append(head, data...))
	return err
}

var errFrame = errors.New("not a frame of a client")

// receive gives the next data; it answers pings by itself and gives io.EOF when the client closes.
func (s *socket) receive() ([]byte, error) {
	for {
		op, data, err := s.frame()
		switch {
		case err != nil:
			return nil, err
		case op == opClose:
			_ = s.send(opClose, data)
			return nil, io.EOF
		case op == opPing:
			err = s.send(opPong, data)
		case op != opPong:
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *socket) frame() (op byte, data []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(s.br, head[:]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1] & 0x7f)
	switch n {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(s.br, b[:])
		n = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(s.br, b[:])
		n = binary.BigEndian.Uint64(b[:])
	}
	if err != nil || head[1]&0x80 == 0 || n > maxFrame {
		return 0, nil, errors.Join(errFrame, err)
	}
	var mask [4]byte
	if _, err = io.ReadFull(s.br, mask[:]); err != nil {
		return 0, nil, err
	}
	data = make([]byte, n)
	_, err = io.ReadFull(s.br, data)
	for i := range data {
		data[i] ^= mask[i&3]
	}
	return head[0] & 0x0f, data, err
}
