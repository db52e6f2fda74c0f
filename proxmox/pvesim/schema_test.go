package pvesim

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

// recordedCall is the part of a recorded exchange that parameter checks see.
type recordedCall struct {
	Request struct {
		Method, Path, Encoding, Body string
		ContentType                  string `json:"content_type"`
		Params, Query                Object
	}
	Response struct {
		Status int
		JSON   struct {
			Message string
			Errors  map[string]string
		}
	}
}

// elsewhere are texts that methods themselves find, with the parameters in order.
var elsewhere = []string{"already exists", "No such", "no such", "does not exist", "Only root", "hotplug", "unknown option", "-delete", "does not support",
	"explicit 'media", "both 'storage'", "conflicts with", "namespace", "invalid ACL path", "is required.", "wrong file extension",
	"storage ID mismatch", "requires this property", "unknown macro", "regex pattern 'net", "property is missing", "unable to parse worker", "must be"}

// TestRecordedParameters checks every recorded request: what was accepted must be, and what was refused must be refused
// in the same words, unless the method itself refused it.
func TestRecordedParameters(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "pve", "recordings"), "*", "[0-9]*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	sources := map[string]*table{"tables": everyMethod(nil), "schema": everyMethod(loadShared(t))}
	checked := 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var x recordedCall
		if err := decodeJSON(strings.NewReader(string(raw)), &x); err != nil {
			t.Fatal(file, err)
		}
		for name, s := range sources {
			if done, diff := x.compare(s); done {
				checked++
				if diff != "" {
					t.Errorf("%s by the %s: %s %s\n%s", strings.TrimPrefix(file, filepath.Dir(filepath.Dir(file))), name, x.Request.Method, x.Request.Path, diff)
				}
			}
		}
	}
	t.Logf("%d requests", checked)
	if checked < 2000 {
		t.Errorf("only %d requests were checked", checked)
	}
}

func (x *recordedCall) compare(known *table) (checked bool, diff string) {
	if slices.Contains([]int{0, 401, 403, 501, 506, 595}, x.Response.Status) {
		return false, ""
	}
	if x.Request.Encoding == "raw" && strings.HasPrefix(x.Request.ContentType, "application/json") || strings.HasPrefix(x.Response.JSON.Message, "hostname lookup") {
		return false, "" // the text of a body and the node come first
	}
	r, vars := known.find(x.Request.Method, unescape(x.Request.Path, false))
	if r == nil {
		return false, ""
	}
	c := &call{params: x.given(), vars: vars}
	got := map[string]string{}
	if err := r.verify(c); err != nil {
		got = err.(*apiError).errors //nolint:errorlint,forcetypeassert // verify gives no other
	}
	want := x.Response.JSON.Errors
	if len(got) == 0 && (x.Response.Status == 500 || foundElsewhere(want)) {
		return true, ""
	}
	if want == nil {
		want = map[string]string{}
	}
	return true, cmp.Diff(want, got)
}

func foundElsewhere(errors map[string]string) bool {
	for _, text := range errors {
		if !slices.ContainsFunc(elsewhere, func(part string) bool { return strings.Contains(text, part) }) {
			return false
		}
	}
	return true
}

// given are the parameters as the daemon would have them after reading query and body.
func (x *recordedCall) given() Object {
	o := Object{}
	switch x.Request.Encoding {
	case "raw":
		body := strings.ReplaceAll(x.Request.Body, "@FILL@", strings.Repeat("x", 70000))
		if strings.HasPrefix(body, "--") {
			return multipart(body)
		}
		o = parseForm(body)
	case "json":
		maps.Copy(o, x.Request.Params)
	default:
		for k, v := range x.Request.Params {
			o[k] = formValue(v)
		}
	}
	for k, v := range x.Request.Query {
		o[k] = formValue(v)
	}
	return o
}

func formValue(v any) any {
	if list, ok := v.([]any); ok {
		return list
	}
	return placeholders().ReplaceAllString(strings.ReplaceAll(text(v), "${un}", "local:1/x.raw"), "1")
}

// placeholders stand for values that earlier answers gave.
var placeholders = lazy.Regexp(`^\$\{p\d\}$`)

// multipart takes the fields of an upload in the order in which they come, up to the file.
func multipart(body string) Object {
	o := Object{}
	for part := range strings.SplitSeq(body, "--XbX") {
		head, value, ok := strings.Cut(part, "\r\n\r\n")
		_, name, named := strings.Cut(head, `name="`)
		name, _, _ = strings.Cut(name, `"`)
		switch {
		case !ok || !named:
		case strings.Contains(head, "filename="):
			_, file, _ := strings.Cut(head, `filename="`)
			o["filename"], _, _ = strings.Cut(file, `"`)
			o["tmpfilename"] = "/var/tmp/pveupload-0"
			return o
		default:
			o[name] = strings.TrimSuffix(value, "\r\n")
		}
	}
	return o
}

// everyMethod finds the methods of all tables, also those that are not implemented.
func everyMethod(s *Schema) *table {
	t := &table{}
	for name := range tables().methods {
		method, pattern, _ := strings.Cut(name, " ")
		t.add(&route{method: method, pattern: strings.Replace(pattern, "/content/{volume}", "/content/{volume...}", 1), accepts: s.of(name)})
	}
	return t
}

func loadShared(t *testing.T) *Schema {
	t.Helper()
	f, err := os.Open(shared(t, "pve", "api-schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	s, err := LoadSchema(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTablesAgree: every method of the tables is in the schema of the real API, and takes the same parameters there.
func TestTablesAgree(t *testing.T) {
	real := loadShared(t)
	for name, o := range tables().methods {
		want := real.methods[name]
		if want == nil {
			if name != "GET /" {
				t.Errorf("%s is not in the schema", name)
			}
			continue
		}
		if diff := cmp.Diff(describe(want), describe(o)); diff != "" {
			t.Errorf("%s: the schema (-) and the tables (+) differ\n%s", name, diff)
		}
	}
	for _, p := range Patterns() {
		if tables().methods[p] == nil {
			t.Errorf("%s is in no table", p)
		}
	}
}

// describe shows an object as text by name.
func describe(o *object) map[string]string {
	out := map[string]string{}
	if o == nil {
		return out
	}
	for name, s := range o.properties {
		out[name] = s.describe()
	}
	for name, s := range o.numbered {
		out[name+"[n]"] = s.schema.describe()
	}
	if o.variants != nil {
		for _, name := range o.variants.names {
			for k, v := range describe(o.variants.by[name]) {
				out[o.variants.property+"="+name+" "+k] = v
			}
		}
	}
	return out
}

func (s *schema) describe() string {
	type plain struct {
		Kind                                     string
		Optional, DefaultKey                     bool
		Enum                                     []string
		Min, Max                                 *float64
		MinLen, MaxLen                           *int
		Pattern, Format, Requires, Alias, AsName string
		Inner, Items                             any
	}
	p := plain{s.kind, s.optional, s.defaultKey, s.enum, s.min, s.max, s.minLen, s.maxLen, "", s.format, s.requires, s.alias, s.aliasName, nil, nil}
	if s.pattern != nil {
		p.Pattern = s.pattern.text
	}
	if o := propertyFormat(s.format); o != nil && !strings.HasPrefix(s.format, "pve-") {
		p.Format, p.Inner = "", describe(o)
	}
	if s.inner != nil {
		p.Inner = describe(s.inner)
	}
	if s.items != nil {
		p.Items = s.items.describe()
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
