package cli

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

func TestFit(t *testing.T) {
	for name, c := range map[string]struct {
		widths []int
		limit  int
		want   []int
	}{
		"unbounded":       {[]int{50, 60}, 0, []int{50, 60}},
		"fits":            {[]int{10, 20}, 32, []int{10, 20}},
		"one too wide":    {[]int{10, 40}, 32, []int{10, 20}},
		"levelled":        {[]int{99, 45, 45, 5}, 80, []int{23, 23, 23, 5}},
		"rightmost first": {[]int{20, 20}, 41, []int{20, 19}},
		"narrowest":       {[]int{9, 9, 9}, 5, []int{6, 6, 6}},
		"nothing":         {nil, 5, nil},
	} {
		fit(c.widths, c.limit)
		if !slices.Equal(c.widths, c.want) {
			t.Errorf("%s: %v, want %v", name, c.widths, c.want)
		}
	}
}

func sample() tools.View {
	v := tools.View{Warnings: []inventory.Warning{{Code: "stale", Text: "old \x1b[31mnews"}}}
	v.Line("2 guests")
	v.Table(tools.Table{Main: true, Columns: []string{"vmid", "name", "note"}, Rows: [][]string{{"1", "a", strings.Repeat("long ", 30)}, {"20", "Größe", ""}, {"a remark"}}})
	v.Line("end")
	return v
}

func TestWriteView(t *testing.T) {
	var b bytes.Buffer
	if err := writeView(&b, sample(), 30, false); err != nil {
		t.Fatal(err)
	}
	want := "2 guests\n\nVMID  NAME   NOTE\n1     a      long long long l…\n20    Größe\na remark\n\nend\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if err := writeView(&b, sample(), 12, true); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.NewReplacer("\x1b[1m", "", "\x1b[0m", "").Replace(b.String()), "\n") {
		if utf8.RuneCountInString(line) > 12 {
			t.Errorf("%q is wider than 12", line)
		}
	}
	if !strings.Contains(b.String(), "\x1b[1mVMID") {
		t.Errorf("the header is not bold: %q", b.String())
	}
}

func TestFormats(t *testing.T) {
	type object struct {
		AsOf  string   `json:"as_of"`
		Name  string   `json:"name"`
		Size  *int     `json:"size"`
		On    bool     `json:"on"`
		Disks []string `json:"disks"`
	}
	guests := map[string]any{"columns": []string{"vmid", "name"}, "rows": [][]any{{1, "a"}, {20, nil}}, "next_cursor": "2-x"}
	for name, c := range map[string]struct {
		format       string
		value        any
		view         tools.View
		out, warning string
	}{
		"list jsonl":     {"jsonl", guests, sample(), "{\"vmid\":1,\"name\":\"a\"}\n{\"vmid\":20,\"name\":null}\n", "--cursor 2-x"},
		"list name":      {"name", guests, sample(), "1\n20\n", "old news"},
		"empty jsonl":    {"jsonl", map[string]any{"findings": []any{}}, tools.View{}, "", ""},
		"empty csv":      {"csv", map[string]any{"nodes": []any{}}, tools.View{}, "", ""},
		"empty name":     {"name", map[string]any{"columns": []string{"vmid"}, "rows": []any{}}, tools.View{}, "", ""},
		"bare list":      {"jsonl", []object{{Name: "x"}}, tools.View{}, `{"as_of":"","name":"x","size":null,"on":false,"disks":null}` + "\n", ""},
		"object jsonl":   {"jsonl", object{Name: "a<b"}, tools.View{}, `{"as_of":"","name":"a<b","size":null,"on":false,"disks":null}` + "\n", ""},
		"object csv":     {"csv", object{AsOf: "now", Name: "a,b", On: true, Disks: []string{"x"}}, tools.View{}, "name,size,on\n\"a,b\",,true\n", ""},
		"object name":    {"name", object{AsOf: "now", Name: "a"}, tools.View{}, "a\n", ""},
		"object yaml":    {"yaml", map[string]any{"name": "no", "size": 5}, tools.View{}, "name: \"no\"\nsize: 5\n", ""},
		"list json":      {"json", map[string]any{"a": []int{1}}, sample(), "{\n  \"a\": [\n    1\n  ]\n}\n", ""},
		"a short row":    {"jsonl", map[string]any{"columns": []string{"a", "b"}, "rows": [][]any{{1}, {1, 2, 3}}}, tools.View{}, "{\"a\":1}\n{\"a\":1,\"b\":2}\n", ""},
		"findings named": {"name", map[string]any{"findings": []any{map[string]any{}}}, finding(), "node pve3\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errOut bytes.Buffer
			if err := printAnswer(Streams{Out: &out, Err: &errOut}, Globals{Output: c.format}, c.value, c.view); err != nil {
				t.Fatal(err)
			}
			if out.String() != c.out {
				t.Errorf("got\n%s\nwant\n%s", out.String(), c.out)
			}
			if got := errOut.String(); !strings.Contains(got, c.warning) || (c.warning == "") != (got == "") || strings.Contains(got, "\x1b") {
				t.Errorf("on standard error: %q, want %q", got, c.warning)
			}
		})
	}
}

func finding() tools.View {
	var v tools.View
	v.Table(tools.Table{Main: true, Columns: []string{"severity", "object"}, Rows: [][]string{{"critical", "node pve3"}}})
	return v
}

// TestProgress follows a minute of work where there is no terminal: nothing at first, then a line each ten seconds.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b)
		p.sync("home", "configs", 0, 600)
		if b.Len() > 0 {
			t.Errorf("progress at once: %q", b.String())
		}
		for i := range 600 {
			time.Sleep(100 * time.Millisecond)
			p.sync("home", "configs", i, 600)
		}
		p.done()
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if len(lines) < 4 || len(lines) > 6 || !strings.HasPrefix(lines[0], "home: configs 99/600, 51s left") {
			t.Errorf("%d lines: %q", len(lines), lines)
		}
		if strings.ContainsAny(b.String(), "\r\x1b") {
			t.Errorf("control characters where there is no terminal: %q", b.String())
		}
	})
}

func TestProgressOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b)
		p.tty = true
		p.done()
		if b.Len() > 0 {
			t.Errorf("quick work shows %q", b.String())
		}
		time.Sleep(time.Second)
		p.update("reading", 1, 2)
		p.done()
		if got := b.String(); !strings.HasPrefix(got, "\rreading 1/2, 1s left") || !strings.HasSuffix(got, " \r") {
			t.Errorf("%q", got)
		}
	})
}

func TestReadSecretNeedsTerminal(t *testing.T) {
	s, err := readSecret(context.Background(), Streams{In: strings.NewReader("token\n"), Out: &bytes.Buffer{}})("token: ")
	if s != "" || ExitCode(err) != 2 {
		t.Errorf("%q, %v", s, err)
	}
}

// TestRecords: csv has the values of JSON, not the text of tables; an object is no list, whatever lists it holds.
func TestRecords(t *testing.T) {
	table := func(name string) (v tools.View) {
		v.Table(tools.Table{Name: name, Main: true, Columns: []string{"node", "mem"}, Rows: [][]string{{"pve1", "41G/64G (64%)"}, {"pve1", "?"}, {"… 3 more"}}})
		return v
	}
	nodes := map[string]any{"total": 2, "nodes": []any{map[string]any{"mem": 44023414784, "guests": map[string]any{"running": 9}, "load": []string{"1", "2"}},
		map[string]any{"mem": nil, "why": "off, \"lost\"", "nics": []any{map[string]any{"a": 1}}}}}
	for name, c := range map[string]struct {
		format string
		value  any
		view   tools.View
		want   string
	}{
		"list csv":        {"csv", nodes, table("nodes"), "guests.running,load,mem,nics,why\n9,1;2,44023414784,,\n,,,\"[{\"\"a\"\":1}]\",\"off, \"\"lost\"\"\"\n"},
		"names once":      {"name", nodes, table("nodes"), "pve1\n"},
		"object of lists": {"jsonl", map[string]any{"nodes": []any{map[string]any{}}, "x": 1}, table("disks"), "{\"nodes\":[{}],\"x\":1}\n"},
		"its table":       {"csv", map[string]any{"disks": []any{map[string]any{"bytes": 5}}, "x": 1}, table("disks"), "bytes\n5\n"},
		"text alone":      {"csv", map[string]any{"x": 1}, table("rights"), "node,mem\npve1,41G/64G (64%)\npve1,?\n"},
	} {
		var out bytes.Buffer
		if err := printAnswer(Streams{Out: &out, Err: io.Discard}, Globals{Output: c.format}, c.value, c.view); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, out.String(), c.want)
		}
	}
}

// TestNouns: each group of commands says what it is for.
func TestNouns(t *testing.T) {
	used := map[string]bool{}
	root, _ := newRoot(nil, Streams{})
	for _, c := range root.Commands() {
		used[c.Name()] = true
		if c.HasSubCommands() && c.Short == "" {
			t.Errorf("%s says nothing of itself", c.Name())
		}
	}
	for noun := range nounShorts {
		if !used[noun] {
			t.Errorf("there is no command %s", noun)
		}
	}
}
