// Package near finds what somebody probably meant: errors about an unknown name, key or flag suggest the nearest known one.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// compared bounds the letters that count: longer words are no typing errors.
const compared = 64

// Words are the candidates most like word, best first, at most limit: those that hold it or lie in it, and those that differ by a few
// letters (one, and one more for each three that the word has, at most four). Case does not count.
func Words(word string, candidates []string, limit int) []string {
	type scored struct {
		text string
		dist int
	}
	word = strings.ToLower(word)
	var list []scored
	for _, c := range candidates {
		l := strings.ToLower(c)
		d := distance(word, l)
		// Two letters lie in too many words to mean one of them.
		if min(len(word), len(l)) > 2 && (strings.Contains(l, word) || strings.Contains(word, l)) {
			d = min(d, 1)
		}
		if d <= 1+min(len(word), 9)/3 {
			list = append(list, scored{c, d})
		}
	}
	slices.SortStableFunc(list, func(a, b scored) int { return cmp.Compare(a.dist, b.dist) })
	var out []string
	for _, s := range list[:min(limit, len(list))] {
		out = append(out, s.text)
	}
	return out
}

// Word is the first of Words, "" when nothing is near.
func Word(word string, candidates []string) string {
	if w := Words(word, candidates, 1); len(w) > 0 {
		return w[0]
	}
	return ""
}

// distance is the Levenshtein distance of the first letters of two words.
func distance(a, b string) int {
	a, b = a[:min(len(a), compared)], b[:min(len(b), compared)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diag := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diag
			if a[i] != b[j] {
				cost++
			}
			diag = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
		}
	}
	return row[len(b)]
}
