package proxmox

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Param is one parameter of a request.
type Param struct{ Key, Value string }

// Params are the parameters of a request, in order. Integers stay integers (go-proxmox would send 1.7e+09 for a time), booleans
// become 0 or 1, the only forms that Proxmox VE takes (pve-api.md 25), and a list repeats its key (28). The zero value is empty.
type Params []Param

// Str adds a text parameter.
func (p Params) Str(key, value string) Params { return append(p, Param{key, value}) }

// Int adds an integer.
func (p Params) Int(key string, value int64) Params {
	return append(p, Param{key, strconv.FormatInt(value, 10)})
}

// Bool adds 1 or 0.
func (p Params) Bool(key string, value bool) Params {
	if value {
		return p.Str(key, "1")
	}
	return p.Str(key, "0")
}

// List adds the key once per value.
func (p Params) List(key string, values ...string) Params {
	for _, v := range values {
		p = p.Str(key, v)
	}
	return p
}

// Encode is the form encoding, in order.
func (p Params) Encode() string {
	var b strings.Builder
	for i, e := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(e.Key))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(e.Value))
	}
	return b.String()
}

// baseHost stands for the cluster in request URLs; the wire layer puts the endpoint's address in its place. The name cannot resolve.
const baseHost = "cluster.invalid"

const apiPrefix = "/api2/json"

// newRequest builds a request of the cluster. Parameters of GET and DELETE go into the query (a body on them is refused, pve-api.md 2),
// those of POST and PUT into a form body with its length (chunked bodies are refused, 1).
func newRequest(ctx context.Context, method, path string, params Params) (*http.Request, error) {
	target := "https://" + baseHost + apiPrefix + path
	form := params.Encode()
	if method == http.MethodGet || method == http.MethodDelete {
		if form != "" {
			target += "?" + form
		}
		return http.NewRequestWithContext(ctx, method, target, nil)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form))
	if err == nil && form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, err
}
