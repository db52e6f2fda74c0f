package near

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	names := []string{"query", "limit", "cursor", "fields", "fresh", "jellyfin", "jellyfin-2", "web"}
	for _, c := range []struct {
		word string
		want []string
	}{
		{"qurey", []string{"query"}}, {"Query", []string{"query"}}, {"jelyfin", []string{"jellyfin", "jellyfin-2"}}, {"jelly", []string{"jellyfin", "jellyfin-2"}},
		{"webserver", []string{"web"}}, {"", nil}, {"zzzzzz", nil}, {strings.Repeat("x", 5000), nil},
	} {
		if diff := cmp.Diff(c.want, Words(c.word, names, 2)); diff != "" {
			t.Errorf("%.20q: %s", c.word, diff)
		}
	}
	if got := Word("nosuch", names); got != "" {
		t.Errorf("nosuch is near %q", got)
	}
}
