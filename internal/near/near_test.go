package near

import (
	"slices"
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

func TestComplete(t *testing.T) {
	names := []string{"proxy", "web-1", "dbweb", "web-2", "w-e-b", "backup"}
	for typed, want := range map[string][]string{
		"":      names,
		"web":   {"web-1", "web-2", "dbweb", "w-e-b"},
		"WEB-":  {"web-1", "web-2"},
		"bakp":  {"backup"},
		"porxy": {"proxy"},
		"zzzz":  nil,
	} {
		if got := Complete(typed, names); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", typed, got, want)
		}
	}
}
