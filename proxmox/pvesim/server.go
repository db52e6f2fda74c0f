package pvesim

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Manners of pveproxy's connections (faults.md 3.1).
const (
	keepAliveRequests = 100
	idleTimeout       = 5 * time.Second
	maxHeaderBytes    = 8 << 10
	maxHeaderLines    = 64
	gzipFrom          = 1024 // larger bodies are compressed if the client accepts it
	// sendTimeout bounds how long a peer that does not read can hold a connection.
	sendTimeout = time.Minute
)

// serveConn answers the requests of one connection until it ends.
func (s *Sim) serveConn(ctx context.Context, conn net.Conn, entry string, worker *proxyWorker) {
	defer conn.Close() //nolint:errcheck // nothing to do about it
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	limit := &io.LimitedReader{R: conn}
	br := bufio.NewReader(limit)
	for n := 1; n <= keepAliveRequests; n++ {
		limit.N = 1 << 20
		if conn.SetReadDeadline(time.Now().Add(idleTimeout)) != nil {
			return
		}
		if _, err := br.Peek(1); err != nil {
			return
		}
		if s.faults.closeRace(n) {
			return
		}
		x, last, err := readExchange(br)
		if err != nil {
			return
		}
		_ = conn.SetReadDeadline(time.Time{})
		x.ctx, x.entry = ctx, entry
		if x.stream != nil {
			limit.N = x.length
		}
		spent := worker.spent()
		if x.upgrades() { // a console may follow, of any length
			limit.N = math.MaxInt64
		}
		if !s.respond(conn, br, x, last || spent || n == keepAliveRequests) {
			return
		}
	}
}

// readExchange reads one request. Too many header lines or bytes are an error: the real one closes without a word.
func readExchange(br *bufio.Reader) (x *exchange, last bool, err error) {
	r, err := http.ReadRequest(br)
	if err != nil {
		return nil, true, err
	}
	if r.ProtoMajor != 1 {
		return &exchange{method: r.Method, version: r.Proto}, true, nil
	}
	size, lines := 0, 0
	for k, vs := range r.Header {
		for _, v := range vs {
			size, lines = size+len(k)+len(v)+4, lines+1
		}
	}
	if size > maxHeaderBytes || lines >= maxHeaderLines {
		return nil, true, fmt.Errorf("header of %d bytes in %d lines", size, lines)
	}
	raw, query, _ := strings.Cut(r.RequestURI, "?")
	x = &exchange{method: r.Method, path: unescape(raw, false), query: query, header: r.Header,
		length: max(0, r.ContentLength), chunked: len(r.TransferEncoding) > 0}
	if err := x.readBody(r.Body); err != nil {
		return nil, true, err
	}
	return x, r.Close || !r.ProtoAtLeast(1, 1), nil
}

// respond serves and sends; false ends the connection.
func (s *Sim) respond(conn net.Conn, br *bufio.Reader, x *exchange, last bool) bool {
	resp := s.serve(x)
	if resp.console != nil {
		s.talk(conn, br, resp)
		return false
	}
	if resp.wire.drop {
		return false
	}
	last = last || resp.status >= http.StatusBadRequest
	_ = conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	head, body := s.wireForm(x, resp, last)
	if _, err := conn.Write(append(head, firstPart(resp.wire, body)...)); err != nil {
		return false
	}
	if err := spoil(x.ctx, conn, resp.wire, body); err != nil {
		return false
	}
	return !last && resp.wire == (wire{})
}

// firstPart is what goes out in one piece with the header.
func firstPart(w wire, body []byte) []byte {
	switch {
	case w.drip > 0:
		return nil
	case w.cut > 0:
		return body[:min(w.cut, len(body))]
	case w.stall > 0:
		return body[:min(w.stall, len(body))]
	}
	return body
}

// spoil sends the rest slowly or holds the connection open without sending.
func spoil(ctx context.Context, conn net.Conn, w wire, body []byte) error {
	if w.drip > 0 {
		for i := range body {
			if err := wait(ctx, w.drip); err != nil {
				return err
			}
			if _, err := conn.Write(body[i : i+1]); err != nil {
				return err
			}
		}
	}
	if w.stall > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(sendTimeout))
		_, err := conn.Read(make([]byte, 1))
		return err
	}
	return nil
}

// wireForm builds status line, header and body.
func (s *Sim) wireForm(x *exchange, resp *response, last bool) (head, body []byte) {
	body = resp.body
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\nCache-Control: max-age=0\r\n", resp.status, resp.reason)
	if resp.protected {
		b.WriteString("Connection: close\r\n")
	}
	if last {
		if !resp.protected {
			b.WriteString("Connection: close\r\n")
		}
	} else {
		b.WriteString("Connection: Keep-Alive\r\n")
	}
	date := s.now().Add(s.faults.skew(x.entry)).UTC().Format(http.TimeFormat)
	b.WriteString("Date: " + date + "\r\nPragma: no-cache\r\nServer: pve-api-daemon/3.0\r\n")
	if len(body) > gzipFrom && !resp.encoded && strings.Contains(x.header.Get("Accept-Encoding"), "gzip") {
		body = compress(body)
		b.WriteString("Content-Encoding: gzip\r\n")
	}
	if resp.ctype != "" {
		b.WriteString("Content-Type: " + resp.ctype + "\r\n")
	}
	for _, h := range resp.header {
		b.WriteString(h[0] + ": " + h[1] + "\r\n")
	}
	b.WriteString("Content-Length: " + strconv.Itoa(len(body)) + "\r\nExpires: " + date + "\r\n\r\n")
	return b.Bytes(), body
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return body
	}
	_, _ = z.Write(body) // a bytes.Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}
