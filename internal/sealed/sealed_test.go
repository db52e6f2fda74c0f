package sealed

import (
	"strings"
	"testing"
	"time"
)

func TestBox(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	box := func(key string) *Box {
		b, err := New(key, func() time.Time { return now })
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	shared := strings.Repeat("k", MinKey)
	mine, replica, stranger := box(shared), box(shared), box("")
	s := mine.Seal("p-abcdefgh", time.Minute, "token:ann", "power_guest")
	if strings.Contains(s, "p-abcdefgh") {
		t.Error("the state can be read")
	}
	if s == mine.Seal("p-abcdefgh", time.Minute, "token:ann", "power_guest") {
		t.Error("two states of the same text are equal")
	}
	for name, c := range map[string]struct {
		box     *Box
		state   string
		purpose []string
		later   time.Duration
		want    string
	}{
		"as made":            {mine, s, []string{"token:ann", "power_guest"}, 0, "p-abcdefgh"},
		"by a replica":       {replica, s, []string{"token:ann", "power_guest"}, 59 * time.Second, "p-abcdefgh"},
		"by another process": {stranger, s, []string{"token:ann", "power_guest"}, 0, ""},
		"other principal":    {mine, s, []string{"token:bob", "power_guest"}, 0, ""},
		"other tool":         {mine, s, []string{"token:ann", "stop_guest"}, 0, ""},
		"parts moved":        {mine, s, []string{"token:annpower_guest", ""}, 0, ""},
		"expired":            {mine, s, []string{"token:ann", "power_guest"}, time.Minute, ""},
		"cut off":            {mine, s[:len(s)-2], []string{"token:ann", "power_guest"}, 0, ""},
		"the plan itself":    {mine, "p-abcdefgh", []string{"token:ann", "power_guest"}, 0, ""},
		"nothing":            {mine, "", []string{"token:ann", "power_guest"}, 0, ""},
	} {
		before := now
		now = now.Add(c.later)
		got, err := c.box.Open(c.state, c.purpose...)
		now = before
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for i := range len(s) {
		other := "A"
		if s[i] == 'A' {
			other = "B"
		}
		if got, err := mine.Open(s[:i]+other+s[i+1:], "token:ann", "power_guest"); err == nil {
			t.Errorf("with letter %d changed it opened as %q", i, got)
		}
	}
	if _, err := New("short", time.Now); err == nil {
		t.Error("a short key was taken")
	}
}
