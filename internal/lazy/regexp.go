// Package lazy makes costly package variables at first use: a server has to list its tools within a few milliseconds of its start,
// and every regular expression that is compiled before that is paid on each start (some 20 us apiece).
package lazy

import (
	"regexp"
	"sync"
)

// Regexp compiles expr at the first call of the function it returns. An expression that does not compile panics there, as
// regexp.MustCompile does; a test of the package that uses it meets that.
func Regexp(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
