// Package globs are patterns of paths as the owner of a configuration writes them: /etc/*.conf, /srv/**.
package globs

import (
	"errors"
	"path"
	"strings"
)

// Rule is one pattern. * and ? stand for letters of one part of a path, ** at the end for everything below.
type Rule struct{ text string }

// Parse reads a pattern; its error says what one looks like.
func Parse(text string) (Rule, error) {
	stem := strings.TrimSuffix(text, "/**")
	if _, err := path.Match(stem, ""); err != nil || !strings.HasPrefix(text, "/") || text != path.Clean(text) || strings.Contains(stem, "**") {
		return Rule{}, errors.New("must be a path from / on, with * for letters of one part and ** at the end for everything below")
	}
	return Rule{text}, nil
}

// String is the pattern as it was written.
func (r Rule) String() string { return r.text }

// Match says whether a cleaned path from / on fits.
func (r Rule) Match(p string) bool {
	stem, below := strings.CutSuffix(r.text, "/**")
	if !below {
		ok, err := path.Match(stem, p)
		return ok && err == nil
	}
	parts, want := strings.Split(p, "/"), strings.Count(stem, "/")+1
	if len(parts) <= want {
		return false
	}
	ok, err := path.Match(stem, strings.Join(parts[:want], "/"))
	return ok && err == nil
}
