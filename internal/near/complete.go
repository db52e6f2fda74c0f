package near

import (
	"cmp"
	"slices"
	"strings"
)

// Complete are the candidates that somebody who has typed this much may mean, best first: those that begin with it, those that hold it, those
// that hold its letters in order, and those a typing error away. Nothing typed means all of them, in their order. Case does not count.
func Complete(typed string, candidates []string) []string {
	type scored struct {
		text string
		rank int
	}
	word := strings.ToLower(strings.TrimSpace(typed))
	list := make([]scored, 0, len(candidates))
	for _, c := range candidates {
		if r, ok := rank(word, strings.ToLower(c)); ok {
			list = append(list, scored{c, r})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.rank, b.rank) })
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, s.text)
	}
	if len(out) == 0 && word != "" {
		out = Words(word, candidates, len(candidates))
	}
	return out
}

// rank says how well a candidate goes on from a word, 0 the best.
func rank(word, candidate string) (int, bool) {
	switch at := strings.Index(candidate, word); {
	case at == 0:
		return 0, true
	case at > 0:
		return 1, true
	}
	rest := candidate
	for _, r := range word {
		_, after, ok := strings.Cut(rest, string(r))
		if !ok {
			return 0, false
		}
		rest = after
	}
	return 2, true
}
