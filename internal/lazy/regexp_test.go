package lazy

import (
	"sync"
	"testing"
)

func TestRegexp(t *testing.T) {
	re := Regexp(`^a+$`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := re(); got != re() || !got.MatchString("aaa") || got.MatchString("b") {
				t.Errorf("%v is not one compiled expression", got)
			}
		})
	}
	wg.Wait()
}

func TestBadRegexp(t *testing.T) {
	re := Regexp(`(`) // not before its first use
	defer func() {
		if recover() == nil {
			t.Error("a bad expression was taken")
		}
	}()
	re()
}
