package tools

import "unicode/utf8"

// estimate is about how many tokens (o200k) a text costs a model, without the tokenizer, which is for tests: 10 MB that no user needs. Words
// cost one up to seven letters, capitals one for two, digits one for three, marks one each; a blank joins the word behind it. A test holds it
// to the tokenizer.
func estimate(s string) int {
	n := 0
	for i := 0; i < len(s); {
		kind, end := runAt(s, i)
		switch size := end - i; kind {
		case runLower:
			n += 1 + (size-1)/7
		case runUpper:
			n += (size + 1) / 2
		case runDigit:
			n += (size + 2) / 3
		case runOther:
			n += (size + 1) / 2 // bytes: three of a sign beyond ASCII, mostly
		case runMark:
			n++
		case runBlank:
			if next, _ := runAt(s, end); end < len(s) && (next == runDigit || next == runBlank) {
				n++
			}
		}
		i = end
	}
	return n
}

type runKind int

const (
	runLower runKind = iota
	runUpper
	runDigit
	runMark
	runBlank
	runOther
)

// runAt is the kind and the end of what begins at a position: letters, capitals, digits and signs beyond ASCII in a row, marks and blanks
// one by one. A capital before small letters is part of their word.
func runAt(s string, i int) (runKind, int) {
	if i >= len(s) {
		return runMark, i
	}
	kind := kindOf(s[i])
	end := i + 1
	if kind == runMark || kind == runBlank {
		return kind, end
	}
	for end < len(s) && kindOf(s[end]) == kind {
		end++
	}
	if kind == runUpper && end == i+1 && end < len(s) && kindOf(s[end]) == runLower {
		_, end = runAt(s, end)
		return runLower, end
	}
	return kind, end
}

func kindOf(c byte) runKind {
	switch {
	case c >= 'a' && c <= 'z':
		return runLower
	case c >= 'A' && c <= 'Z':
		return runUpper
	case c >= '0' && c <= '9':
		return runDigit
	case c == ' ':
		return runBlank
	case c >= utf8.RuneSelf:
		return runOther
	}
	return runMark
}
