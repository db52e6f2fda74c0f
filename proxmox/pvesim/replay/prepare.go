package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// prepare puts captured values, secrets and tickets into a request.
func (r *runner) prepare(ctx context.Context, x *exchange) (request, error) {
	if x.AfterS > 0 {
		if err := r.sleep(ctx, time.Duration(x.AfterS*float64(time.Second))); err != nil {
			return request{}, err
		}
	}
	raw, err := json.Marshal(x.Request)
	if err != nil {
		return request{}, err
	}
	var failed error
	filled := placeholder().ReplaceAllStringFunc(string(raw), func(m string) string {
		v, err := r.value(ctx, m[2:len(m)-1])
		if err != nil {
			failed = err
		}
		quoted, err := json.Marshal(v)
		if err != nil {
			failed = err
		}
		return strings.Trim(string(quoted), `"`)
	})
	if failed != nil {
		return request{}, failed
	}
	var q request
	d := json.NewDecoder(strings.NewReader(filled))
	d.UseNumber()
	if err := d.Decode(&q); err != nil {
		return request{}, err
	}
	if r.schema != nil {
		if note := r.schema.note(q.Method, q.Path); note != "" {
			r.result.Notes = append(r.result.Notes, fmt.Sprintf("%s/%03d %s", r.name, x.N, note))
			r.say(fmt.Sprintf("note: %s/%03d %s", r.name, x.N, note))
		}
	}
	return q, nil
}

var placeholder = lazy.Regexp(`\$\{[^}]*\}`)

func (r *runner) value(ctx context.Context, name string) (string, error) {
	what, who, ok := strings.Cut(name, ":")
	if !ok {
		return r.captured[name], nil
	}
	if what == "secret" {
		return r.world.Principals[who].Secret, nil
	}
	l, err := r.login(ctx, who)
	switch what {
	case "ticket":
		return url.QueryEscape(l.ticket), err
	case "rawticket":
		return l.ticket, err
	case "csrf":
		return l.csrf, err
	}
	return "", fmt.Errorf("unknown placeholder %q", name)
}

// login logs a principal in when it is first needed and keeps ticket and CSRF token.
func (r *runner) login(ctx context.Context, who string) (login, error) {
	if l, ok := r.logins[who]; ok {
		return l, nil
	}
	p := r.world.Principals[who]
	a, err := r.send(ctx, request{Method: "POST", Path: "/access/ticket", Encoding: "form", ContentType: "application/x-www-form-urlencoded",
		Params: map[string]any{"username": p.UserID, "password": p.Password}})
	if err != nil {
		return login{}, err
	}
	ticket, _ := lookup(a.value, "$.data.ticket")
	csrf, _ := lookup(a.value, "$.data.CSRFPreventionToken")
	l := login{scalar(ticket), scalar(csrf)}
	r.logins[who] = l
	return l, nil
}
