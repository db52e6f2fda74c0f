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
var layouts = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"}

// when reads a time: now, a span back from now (2h, 3d), a day as its beginning (today, yesterday, tuesday, last tuesday, 2026-11-20), a day
// with a time (yesterday 21:00, tuesday 9pm), or a date with one. Empty is the zero time. The error names the field and gives an example.
func when(d Deps, field, text string) (time.Time, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	now := d.Now().In(zone(d))
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "last week":
		if field == "since" { // where it begins is clear, what state was "last week's" is not
			text = "7d"
		}
	}
	if m := spanShape().FindStringSubmatch(strings.TrimSuffix(text, " ago")); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n > int(maxSpan/units[m[2]]) {
			return time.Time{}, fault.BadField(field, "a span is at most ten years", "30d")
		}
		return now.Add(-time.Duration(n) * units[m[2]]), nil
	}
	if t, ok := dayOf(now, text); ok {
		return t, nil
	}
	if k := strings.LastIndexByte(text, ' '); k > 0 {
		day, ok := dayOf(now, strings.TrimSuffix(text[:k], " at"))
		for _, layout := range clocks {
			if c, err := time.Parse(layout, text[k+1:]); ok && err == nil {
				return time.Date(day.Year(), day.Month(), day.Day(), c.Hour(), c.Minute(), 0, 0, day.Location()), nil
			}
		}
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, strings.ToUpper(text), zone(d)); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.BadField(field, "it must be a span such as 2h or 7d, a day such as yesterday, tuesday or 2026-11-20, or a day with a time such as yesterday 21:00", "24h")
}

// clocks are how a time of the day is written.
var clocks = []string{"15:04", "3pm", "3:04pm"}

// dayOf is the beginning of a day: today, yesterday, a date, or a weekday, which is the last one before today.
func dayOf(now time.Time, text string) (time.Time, bool) {
	if t, err := time.ParseInLocation(time.DateOnly, text, now.Location()); err == nil {
		return t, true
	}
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "today":
		return midnight, true
	case "yesterday":
		return midnight.AddDate(0, 0, -1), true
	}
	name := strings.TrimPrefix(text, "last ")
	for back := 1; back <= 7; back++ {
		day := midnight.AddDate(0, 0, -back)
		if full := strings.ToLower(day.Weekday().String()); name == full || name == full[:3] {
			return day, true
		}
	}
	return time.Time{}, false
}

// CheckTime refuses what no tool takes for a time that has passed. Empty is none and no error.
func CheckTime(field, text string) error {
	_, err := when(Deps{Now: time.Now}, field, text) // which moment it is does not count
	return err
}

// wanted reads the time of a state as it was: as when, but a day without a time (yesterday, 2026-11-20) means what became of it by the
// day's end, not what it was before it. The end of today is now.
func wanted(d Deps, field, text string) (time.Time, error) {
	t, err := when(d, field, text)
	now := d.Now().In(zone(d))
	if day, ok := dayOf(now, strings.ToLower(strings.TrimSpace(text))); ok {
		t = day.AddDate(0, 0, 1).Add(-time.Second)
		if t.After(now) && !day.After(now) {
			t = now
		}
	}
	return t, err
}

// Between reads the two ends of a time that has passed; an empty one is the zero time.
func Between(d Deps, since, until string) (from, to time.Time, err error) {
	return between(d, since, until)
}

// between reads the two ends of a window, a day from its beginning to its end; what is empty is the zero time.
func between(d Deps, since, until string) (from, to time.Time, err error) {
	if from, err = when(d, "since", since); err != nil {
		return from, to, err
	}
	to, err = wanted(d, "until", until)
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
