package repo

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// maxCells bounds the comparison of two texts: lines of the one times lines of the other, after equal beginnings and ends. 16 million
// take 64 MB for a moment.
const maxCells = 16_000_000

// mergeText merges by lines, as version control does: what only one side changed is taken, where both did ours stays. nil where nothing
// could be merged.
func mergeText(p string, base, ours, theirs []byte) ([]byte, []Conflict) {
	b, o, t := strings.SplitAfter(string(base), "\n"), strings.SplitAfter(string(ours), "\n"), strings.SplitAfter(string(theirs), "\n")
	inOurs, inTheirs := align(b, o), align(b, t)
	if inOurs == nil || inTheirs == nil {
		return nil, []Conflict{{Where: p, Why: "it was edited in too many places to merge"}}
	}
	var out []string
	var conflicts []Conflict
	for i, io, it := 0, 0, 0; i <= len(b); i++ {
		from := i
		for i < len(b) && (inOurs[i] < 0 || inTheirs[i] < 0) {
			i++
		}
		toO, toT := len(o), len(t)
		if i < len(b) {
			toO, toT = inOurs[i], inTheirs[i]
		}
		was, mine, now := b[from:i], o[io:toO], t[it:toT]
		switch {
		case slices.Equal(was, mine):
			out = append(out, now...)
		default:
			if !slices.Equal(was, now) && !slices.Equal(mine, now) {
				conflicts = append(conflicts, Conflict{Where: fmt.Sprintf("%s:%d", p, len(out)+1), Yours: joined(mine), Generated: joined(now), Why: "both changed"})
			}
			out = append(out, mine...)
		}
		if i < len(b) {
			out = append(out, b[i])
		}
		io, it = toO+1, toT+1
	}
	merged := []byte(strings.Join(out, ""))
	if err := valid(p, merged); err != nil {
		return nil, append(conflicts, Conflict{Where: p, Why: "what would come out cannot be parsed: " + err.Error()})
	}
	return merged, conflicts
}

func joined(l []string) string { return strings.TrimSpace(strings.Join(l, "")) }

// valid says why a merged file is not of its kind any more.
func valid(p string, data []byte) error {
	switch path.Ext(p) {
	case ".json":
		if !json.Valid(data) {
			return errors.New("it is no JSON")
		}
	case ".yml", ".yaml":
		var v any
		return yaml.Unmarshal(data, &v)
	}
	return nil
}

// align gives for each line of a its place in b, -1 where it is not there: a longest common subsequence. nil when that is too much work.
func align(a, b []string) []int {
	out := make([]int, len(a))
	for i := range out {
		out[i] = -1
	}
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		out[head] = head
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
		out[len(a)-tail] = len(b) - tail
	}
	n, m := len(a)-head-tail, len(b)-head-tail
	if n*m > maxCells {
		return nil
	}
	common(a[head:head+n], b[head:head+m], func(i, j int) { out[head+i] = head + j })
	return out
}

// common calls pair for the lines of a longest common subsequence, in order.
func common(a, b []string, pair func(i, j int)) {
	width := len(b) + 1
	length := make([]int32, (len(a)+1)*width) // of the best for a[i:], b[j:]
	for i, x := range slices.Backward(a) {
		for j, y := range slices.Backward(b) {
			if x == y {
				length[i*width+j] = length[(i+1)*width+j+1] + 1
			} else {
				length[i*width+j] = max(length[(i+1)*width+j], length[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			pair(i, j)
			i, j = i+1, j+1
		case length[(i+1)*width+j] >= length[i*width+j+1]:
			i++
		default:
			j++
		}
	}
}
