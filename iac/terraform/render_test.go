package terraform_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proxmox-mcp/proxmox-mcp/iac/terraform"
)

// TestRenderFormat wants all code of the zoo to be what terraform fmt would make of it, and to parse.
func TestRenderFormat(t *testing.T) {
	w, _ := zoo(t)
	for _, f := range emit(t, w).Files {
		if strings.HasSuffix(f.Path, ".tf") {
			wantFormatted(t, f.Path, f.Data)
		}
	}
}

type failer interface {
	Errorf(format string, args ...any)
	Helper()
}

func wantFormatted(t failer, name string, data []byte) {
	t.Helper()
	if diff := cmp.Diff(string(hclwrite.Format(data)), string(data)); diff != "" {
		t.Errorf("%s is not formatted: %s", name, diff)
	}
	if _, diags := hclsyntax.ParseConfig(data, name, hcl.InitialPos); diags.HasErrors() {
		t.Errorf("%s: %v\n%s", name, diags, data)
	}
}

// TestRenderProperty writes any text as value, label, comment and key: it parses, is formatted and reads back as it was.
func TestRenderProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"${a}", "%{if}", "$${", "%%{", "\"", "\\", "a\nb", "\r\n", "$", "%", "a$b", "${\"${x}\"}"})).Draw(t, "text")
		b := &terraform.Body{}
		b.Comment(text)
		inner := b.Block("resource", "a_type", "name")
		inner.Set("a", text)
		inner.Set("longer_name", []string{text, "x"})
		inner.Set("env", map[string]string{"k-1": text, "word": "v", "a b": "${x}"})
		inner.Set("n", 1.5)
		inner.Set("ignore_changes", []terraform.Ignored{{Path: "disk[0].size", Why: text}, {Path: "x", Why: "short"}})
		inner.Block("empty")
		data := b.Render()
		wantFormatted(t, "x.tf", data)
		f, diags := hclsyntax.ParseConfig(data, "x.tf", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		block := f.Body.(*hclsyntax.Body).Blocks[0]
		v, diags := block.Body.Attributes["a"].Expr.Value(nil)
		if want := hclNormal(text); diags.HasErrors() || v.AsString() != want {
			t.Fatalf("%q came back as %q, %v", want, v.AsString(), diags)
		}
	})
}

// hclNormal is a text as HCL keeps it: in Unicode's composed form.
func hclNormal(s string) string { return cty.StringVal(s).AsString() }
