package pvesim

import (
	"cmp"
	"encoding/json"
	"errors"
	"html"
	"maps"
	"net/http"
	"strings"
)

// maxBody is the largest POST body (limit_max_post, facts 5).
const maxBody = 512 << 10

// formats are the renderings that exist; the real one knows no xml and no jsonp (01/087, 01/088).
const formats = " json extjs html "

// admit does what the HTTP server does before it looks at the API: method, path, login, body, format.
func (s *Sim) admit(x *exchange) error {
	if x.version != "" {
		return plain(506, "http protocol version %s not supported", strings.TrimPrefix(x.version, "HTTP/"))
	}
	if !strings.Contains(knownMethods, " "+x.method+" ") {
		return silent(501, "method '"+x.method+"' not available")
	}
	if x.chunked {
		return plain(501, "chunked transfer encoding not supported")
	}
	if x.format == "" {
		return plain(404, "no such file '%s'", x.path)
	}
	if err := s.loggedIn(x); err != nil {
		return err
	}
	if store, upload := x.uploadTo(); upload {
		return s.admitUpload(x, store)
	}
	if err := x.parse(); err != nil {
		return err
	}
	if !strings.Contains(formats, " "+x.format+" ") {
		return plain(501, "no formatter for uri %s, %s", x.apiPath, x.format)
	}
	return nil
}

// loggedIn refuses what carries no valid login before anything else is said, also for unknown paths (01/020).
func (s *Sim) loggedIn(x *exchange) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r, _ := s.routes.find(x.method, x.apiPath)
	if r != nil && r.open {
		return nil
	}
	c := &call{sim: s, w: s.world, acl: s.acl, entry: x.entry, now: s.now()}
	return c.login(x)
}

// parse reads the parameters of query and body; the query wins (facts 4).
func (x *exchange) parse() error {
	x.params = parseForm(x.query)
	if x.length == 0 && !x.jsonType() {
		return nil
	}
	if x.method != http.MethodPost && x.method != http.MethodPut {
		if x.length == 0 {
			return nil
		}
		return plain(501, "Unexpected content for method '%s'", x.method)
	}
	ctype, _, _ := strings.Cut(x.header.Get("Content-Type"), ";")
	ctype = strings.TrimSpace(ctype)
	if ctype != "" && ctype != "application/x-www-form-urlencoded" && ctype != "application/json" {
		return plain(506, "upload 'Content-Type '%s' not implemented", ctype)
	}
	if x.length > maxBody {
		return plain(501, "for data too large")
	}
	body, err := x.decodeBody(ctype)
	if err != nil {
		return err
	}
	maps.Copy(body, x.params)
	x.params = body
	return nil
}

func (x *exchange) jsonType() bool {
	return strings.HasPrefix(x.header.Get("Content-Type"), "application/json") && x.method != http.MethodGet
}

func (x *exchange) decodeBody(ctype string) (map[string]any, error) {
	if ctype == "application/json" {
		return parseJSONBody(string(x.body))
	}
	return parseForm(string(x.body)), nil
}

const jsonType = "application/json;charset=UTF-8"

// success renders data in the format that was asked for.
func (s *Sim) success(x *exchange, c *call, data any) *response {
	if c.attaches && x.upgrades() {
		return x.upgraded(c)
	}
	if c.file != nil {
		return &response{status: 200, reason: "OK", ctype: cmp.Or(c.file.kind, "text/plain"), body: []byte(c.file.text),
			header: [][2]string{{"Content-Disposition", "attachment; filename=\"" + c.file.name + "\""}}}
	}
	out := fields{{"data", data}}
	if x.format == "extjs" {
		out.add("success", 1)
	}
	if c.total != nil {
		out.add("total", *c.total)
	}
	if c.beside.key != "" {
		out = append(out, c.beside)
	}
	resp := render(x, 200, "OK", out)
	if c.squeeze {
		resp.body, resp.encoded = compress(resp.body), true
		resp.header = append(resp.header, [2]string{"Content-Encoding", "gzip"})
	}
	return resp
}

// failure renders an error: JSON with message and errors, or the bare manners of the HTTP layer.
func (s *Sim) failure(x *exchange, err error) *response {
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{status: 500, message: err.Error() + "\n"}
	}
	if e.empty {
		return &response{status: e.status, reason: e.reason()}
	}
	if e.mute {
		return &response{status: e.status, reason: e.reason(), ctype: jsonType}
	}
	if e.bare {
		return &response{status: e.status, reason: e.reason(), body: []byte(e.message)}
	}
	out := fields{{"data", nil}, {"message", e.message}}
	if e.errors != nil {
		m := Object{}
		for k, v := range e.errors {
			m[k] = v
		}
		out.add("errors", m)
	}
	if x.format == "extjs" {
		out.add("success", 0)
		out.add("status", e.status)
		return render(x, 200, "OK", out)
	}
	return render(x, e.status, e.reason(), out)
}

func render(x *exchange, status int, reason string, out fields) *response {
	body := encode(out)
	if x.format == "html" {
		var pretty any
		_ = json.Unmarshal(body, &pretty)
		shown, _ := json.MarshalIndent(pretty, "", "   ")
		page := "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Proxmox VE API</title></head><body><pre>" +
			html.EscapeString(string(shown)) + "</pre></body></html>\n"
		return &response{status: status, reason: reason, ctype: "text/html;charset=UTF-8", body: []byte(page)}
	}
	return &response{status: status, reason: reason, ctype: jsonType, body: body}
}
