package tools

import (
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

var spanShape = lazy.Regexp(`^(\d+)\s*(m|min|h|d|w)$`)

// units of a span such as 2h.
var units = map[string]time.Duration{"m": time.Minute, "min": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// maxSpan is longer than anything is kept, and far from where a duration overflows.
const maxSpan = 3653 * 24 * time.Hour

// layouts of a moment that is written out, in the configured zone where it names none.
var layouts = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"}

// when reads a time: now, today, yesterday, a span back from now (2h, 3d), or a date with or without a time. Empty is the zero
// time. The error names the field and gives an example.
func when(d Deps, field, text string) (time.Time, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	now := d.Now().In(zone(d))
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if m := spanShape().FindStringSubmatch(strings.TrimSuffix(text, " ago")); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > int(maxSpan/units[m[2]]) {
			return time.Time{}, fault.BadField(field, "a span is at most ten years", "30d")
		}
		return now.Add(-time.Duration(n) * units[m[2]]), nil
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, strings.ToUpper(text), zone(d)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.BadField(field, "it must be a span such as 2h or 3d, yesterday, or a date such as 2026-11-20 18:00", "24h")
}

// CheckTime refuses what no tool takes for a time that has passed. Empty is none and no error.
func CheckTime(field, text string) error {
	_, err := when(Deps{Now: time.Now}, field, text) // which moment it is does not count
	return err
}

// wanted reads the time of a state that is wanted back: as when, but a day without a time (yesterday, 2026-11-20) means what became of it by the
// day's end, not what it was before it. Today is now.
func wanted(d Deps, field, text string) (time.Time, error) {
	t, err := when(d, field, text)
	if err != nil || t.IsZero() {
		return t, err
	}
	word, now := strings.ToLower(strings.TrimSpace(text)), d.Now()
	if _, perr := time.Parse("2006-01-02", word); perr == nil || word == "yesterday" || word == "today" {
		t = t.AddDate(0, 0, 1).Add(-time.Second)
	}
	if t.After(now) && word == "today" {
		t = now
	}
	return t, nil
}

// Between reads the two ends of a time that has passed; an empty one is the zero time.
func Between(d Deps, since, until string) (from, to time.Time, err error) {
	return between(d, since, until)
}

// between reads the two ends of a window; what is empty is the zero time.
func between(d Deps, since, until string) (from, to time.Time, err error) {
	if from, err = when(d, "since", since); err != nil {
		return from, to, err
	}
	to, err = when(d, "until", until)
	return from, to, err
}

// Until reads a time to come: a span from now (8h, 3d), tomorrow, or a date with or without a time. Empty is the zero time. Errors as
// of times that have passed: the field and an example.
func Until(d Deps, field, text string) (time.Time, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	now := d.Now().In(zone(d))
	if text == "tomorrow" {
		return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location()).AddDate(0, 0, 1), nil
	}
	t, err := when(d, field, text)
	switch {
	case err != nil:
		return time.Time{}, fault.BadField(field, "it must be a span from now such as 8h or 3d, tomorrow, or a date such as 2026-11-30 18:00", "8h")
	case spanShape().MatchString(text):
		return now.Add(now.Sub(t)), nil
	case text != "" && !t.After(now):
		return time.Time{}, fault.BadField(field, "it must be in the future", "8h")
	}
	return t, nil
}
