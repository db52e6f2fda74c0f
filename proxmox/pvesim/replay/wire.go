package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// answer is what came back. Status 0 means that the connection ended without an answer.
type answer struct {
	status            int
	reason, mediaType string
	body              []byte
	value             any // the decoded body
	isJSON            bool
}

// Dial connects to what is tested; the connection must speak TLS.
type Dial func(ctx context.Context) (net.Conn, error)

// send makes one request on a connection of its own.
func (r *runner) send(ctx context.Context, q request) (answer, error) {
	raw, err := r.dial(ctx)
	if err != nil {
		return answer{}, fmt.Errorf("dial: %w", err)
	}
	conn := tls.Client(raw, handshake)
	defer conn.Close() //nolint:errcheck // the answer was read
	body := q.body()
	head := q.head(len(body))
	go func() { _, _ = conn.Write(append([]byte(head), body...)) }() // an answer may come before the body was read
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: q.Method})
	if err != nil {
		return answer{}, nil //nolint:nilerr // closed without an answer is an answer of its own: status 0
	}
	defer resp.Body.Close() //nolint:errcheck // read below
	return read(resp)
}

func read(resp *http.Response) (answer, error) {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("body: %w", err)
	}
	if resp.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return answer{}, fmt.Errorf("gzip: %w", err)
		}
		if body, err = io.ReadAll(z); err != nil {
			return answer{}, fmt.Errorf("gzip: %w", err)
		}
	}
	_, reason, _ := strings.Cut(resp.Status, " ")
	a := answer{status: resp.StatusCode, reason: reason, mediaType: mediaType(resp.Header.Get("Content-Type")), body: body}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	a.isJSON = d.Decode(&a.value) == nil
	return a, nil
}

func mediaType(s string) string {
	m, _, _ := strings.Cut(s, ";")
	return strings.TrimSpace(m)
}

func (q request) body() []byte {
	if q.Body != nil {
		return []byte(strings.ReplaceAll(*q.Body, "@FILL@", strings.Repeat("x", q.Repeat)))
	}
	switch q.Encoding {
	case "form":
		return []byte(encode(q.Params))
	case "json":
		b, err := json.Marshal(q.Params)
		if err != nil {
			return nil
		}
		return b
	}
	return nil
}

func (q request) head(length int) string {
	format := q.Format
	if format == "" {
		format = "json"
	}
	var parts []string
	if q.Encoding == "query" && len(q.Params) > 0 {
		parts = append(parts, encode(q.Params))
	}
	if len(q.Query) > 0 {
		parts = append(parts, encode(q.Query))
	}
	target := "/api2/" + format + q.Path
	if len(parts) > 0 {
		target += "?" + strings.Join(parts, "&")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: pve.sim:8006\r\n", q.Method, strings.ReplaceAll(target, " ", "%20"))
	for _, k := range slices.Sorted(maps.Keys(q.Headers)) {
		b.WriteString(k + ": " + q.Headers[k] + "\r\n")
	}
	if q.ContentType != "" {
		b.WriteString("Content-Type: " + q.ContentType + "\r\n")
	}
	if length > 0 || q.Method == http.MethodPost || q.Method == http.MethodPut {
		b.WriteString("Content-Length: " + strconv.Itoa(length) + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}

// encode writes parameters as a form; a list repeats its key.
func encode(params map[string]any) string {
	v := url.Values{}
	for k, p := range params {
		if list, ok := p.([]any); ok {
			for _, e := range list {
				v.Add(k, formValue(e))
			}
			continue
		}
		v.Add(k, formValue(p))
	}
	return v.Encode()
}

func formValue(v any) string {
	if b, ok := v.(bool); ok {
		if b {
			return "1"
		}
		return "0"
	}
	return scalar(v)
}

// handshake is the cheapest there is: each exchange has a connection of its own, to a simulator in this process.
var handshake = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.X25519}} //nolint:gosec // see above
