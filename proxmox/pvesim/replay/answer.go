package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// compare lists how an answer differs from the recorded one.
func (x *exchange) compare(a answer) []string {
	want := x.Response
	if a.status != want.Status {
		return []string{fmt.Sprintf("recorded status %d %s, got %d %s", want.Status, want.Reason, a.status, a.reason)}
	}
	if want.Status == 0 {
		return nil // both connections were closed without an answer; the recorded reason is the recorder's
	}
	var out []string
	if !slices.Contains(x.Volatile, "@reason") && normalise(strings.TrimSpace(want.Reason)) != normalise(strings.TrimSpace(a.reason)) {
		out = append(out, fmt.Sprintf("recorded reason %q, got %q", want.Reason, a.reason))
	}
	if w := mediaType(want.Headers["content-type"]); w != a.mediaType {
		out = append(out, fmt.Sprintf("recorded media type %q, got %q", w, a.mediaType))
	}
	return append(out, x.compareBody(a)...)
}

func (x *exchange) compareBody(a answer) []string {
	if len(x.Response.JSON) == 0 {
		if x.Response.Text != nil && !slices.Contains(x.Volatile, "@text") && normalise(*x.Response.Text) != normalise(string(a.body)) {
			return []string{fmt.Sprintf("recorded text %s, got %s", short(*x.Response.Text), short(string(a.body)))}
		}
		return nil
	}
	if !a.isJSON {
		return []string{"the body is not JSON: " + short(string(a.body))}
	}
	var want any
	d := json.NewDecoder(strings.NewReader(string(x.Response.JSON)))
	d.UseNumber()
	if err := d.Decode(&want); err != nil {
		return []string{"recorded body: " + err.Error()}
	}
	c := &comparison{volatile: parseMarks(x.Volatile), normal: parseMarks(x.Normal), optional: parseMarks(x.Optional),
		pending: strings.HasSuffix(x.Request.Path, "/pending")}
	c.walk(nil, want, a.value)
	return c.found
}
