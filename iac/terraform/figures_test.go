package terraform_test

import (
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// written is what the code of guests holds: attributes, and those of them that lifecycle takes from the comparison.
type written struct {
	attributes, ignored int
	power               int // of the ignored: started, which is never compared so that no apply starts or stops a guest
	demanded            int // of the ignored: vm_id and template_file_id of containers, which no import of the provider sets: no configuration of the guest
	blocks              []string
}

// TestIgnoredFigures counts over the zoo what is written and not compared: at most 3 % where there is a choice, and no whole block where a
// number in it does. Of all that is written it is about 12 %: the power state of each guest alone, which is to be written and not compared, is
// above 3 %.
func TestIgnoredFigures(t *testing.T) {
	w, _ := zoo(t)
	var n written
	for _, f := range emit(t, w).Files {
		if f.Path != "terraform/vms.tf" && f.Path != "terraform/containers.tf" {
			continue
		}
		file, diags := hclsyntax.ParseConfig(f.Data, f.Path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, b := range file.Body.(*hclsyntax.Body).Blocks {
			n.resource(b.Body, string(f.Data))
		}
	}
	configured := n.ignored - n.power - n.demanded
	share := float64(configured) / float64(n.attributes)
	t.Logf("%d attributes written, %d not compared (%.1f %% of all): %d power states, %d that no import sets, %d others, where there was a choice (%.1f %%); whole blocks: %v",
		n.attributes, n.ignored, 100*float64(n.ignored)/float64(n.attributes), n.power, n.demanded, configured, 100*share, n.blocks)
	if share > 0.03 {
		t.Error("more than 3 %")
	}
	if extra := slices.DeleteFunc(n.blocks, func(b string) bool { return b == "cpu" }); len(extra) > 0 {
		t.Errorf("whole blocks are not compared: %v", extra) // of cpu beside numa alone the provider keeps none at all
	}
}

var indexed = regexp.MustCompile(`^(\w+)(?:\[(\d+)\])?(?:\.(.*))?$`)

func (n *written) resource(body *hclsyntax.Body, text string) {
	n.attributes += attributes(body)
	for _, b := range body.Blocks {
		if b.Type != "lifecycle" {
			continue
		}
		n.attributes -= attributes(b.Body)
		list, ok := b.Body.Attributes["ignore_changes"]
		if !ok {
			continue
		}
		for _, e := range list.Expr.(*hclsyntax.TupleConsExpr).Exprs {
			r := e.Range()
			n.path(body, text[r.Start.Byte:r.End.Byte])
		}
	}
}

// path counts the attributes that an ignored path covers.
func (n *written) path(body *hclsyntax.Body, path string) {
	m := indexed.FindStringSubmatch(path)
	if _, ok := body.Attributes[m[1]]; ok && m[2] == "" {
		n.ignored++
		switch m[1] {
		case "started":
			n.power++
		case "vm_id", "template_file_id":
			n.demanded++
		}
		return
	}
	at := -1
	if m[2] != "" {
		at, _ = strconv.Atoi(m[2]) // the pattern has digits there
	}
	seen := 0
	for _, b := range body.Blocks {
		if b.Type != m[1] {
			continue
		}
		if at < 0 {
			n.blocks = append(n.blocks, path)
		}
		if at < 0 || seen == at {
			n.inside(b.Body, m[3])
		}
		seen++
	}
}

func (n *written) inside(body *hclsyntax.Body, rest string) {
	if rest == "" {
		n.ignored += attributes(body)
		return
	}
	n.path(body, rest)
}

func attributes(b *hclsyntax.Body) int {
	n := len(b.Attributes)
	for _, inner := range b.Blocks {
		n += attributes(inner.Body)
	}
	return n
}

// TestEmitStable writes the same bytes twice, whatever the order of the world's maps.
func TestEmitStable(t *testing.T) {
	first, _ := zoo(t)
	second, _ := zoo(t)
	slices.Reverse(second.Guests)
	second.Sort()
	a, b := emit(t, first), emit(t, second)
	if len(a.Files) != len(b.Files) {
		t.Fatalf("%d files, then %d", len(a.Files), len(b.Files))
	}
	for i := range a.Files {
		if a.Files[i].Path != b.Files[i].Path || string(a.Files[i].Data) != string(b.Files[i].Data) {
			t.Errorf("%s differs", a.Files[i].Path)
		}
	}
}
