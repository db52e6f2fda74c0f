package pvesim

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// calendar is a calendar event as systemd and Proxmox write them: [weekdays] [date] [time], of which the parts that
// backup jobs use are known: weekday lists and ranges, a time with * and /steps, and the names daily, weekly, ...
type calendar struct {
	weekdays      []time.Weekday // empty = every day
	day, month    int            // 0 = every
	hours, minute []int
}

var errCalendar = errors.New("not a calendar event")

var calendarNames = sync.OnceValue(func() map[string]string {
	return map[string]string{
		"minutely": "*:*", "hourly": "*:00", "daily": "00:00", "weekly": "mon 00:00", "monthly": "*-*-1 00:00", "yearly": "*-1-1 00:00",
	}
})

func parseCalendar(s string) (calendar, error) {
	var c calendar
	if named, ok := calendarNames()[strings.ToLower(s)]; ok {
		s = named
	}
	clock := "00:00"
	parts := strings.Fields(strings.ToLower(s))
	for i, p := range parts {
		switch {
		case strings.Contains(p, ":") || i == len(parts)-1 && strings.ContainsAny(p, "0123456789") && !strings.Contains(p, "-"):
			clock = p
		case strings.Count(p, "-") == 2:
			if err := c.date(p); err != nil {
				return c, err
			}
		default:
			if err := c.days(p); err != nil {
				return c, err
			}
		}
	}
	if len(parts) == 0 {
		return c, errCalendar
	}
	return c, c.clock(clock)
}

func (c *calendar) date(s string) error {
	parts := strings.Split(s, "-")
	for i, into := range []*int{nil, &c.month, &c.day} {
		if parts[i] == "*" || into == nil {
			continue
		}
		n, err := strconv.Atoi(parts[i])
		if err != nil {
			return errCalendar
		}
		*into = n
	}
	return nil
}

var weekdayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func (c *calendar) days(s string) error {
	for part := range strings.SplitSeq(s, ",") {
		from, to, ranged := strings.Cut(part, "..")
		a := slices.Index(weekdayNames, from[:min(3, len(from))])
		b := a
		if ranged {
			b = slices.Index(weekdayNames, to[:min(3, len(to))])
		}
		if a < 0 || b < 0 {
			return errCalendar
		}
		for d := a; ; d = (d + 1) % 7 {
			c.weekdays = append(c.weekdays, time.Weekday(d))
			if d == b {
				break
			}
		}
	}
	return nil
}

func (c *calendar) clock(s string) error {
	hour, minute, ok := strings.Cut(s, ":")
	if !ok {
		hour, minute = "*", s
	}
	minute, _, _ = strings.Cut(minute, ":")
	var err error
	if c.hours, err = values(hour, 24); err != nil {
		return err
	}
	c.minute, err = values(minute, 60)
	return err
}

// values expands *, */5, 2,22, 8..17 and 0/15 below a limit.
func values(s string, limit int) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(s, ",") {
		span, step, stepped := strings.Cut(part, "/")
		by := 1
		if stepped {
			n, err := strconv.Atoi(step)
			if err != nil || n < 1 {
				return nil, errCalendar
			}
			by = n
		}
		from, to, err := bounds(span, limit, stepped)
		if err != nil {
			return nil, err
		}
		for v := from; v <= to; v += by {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func bounds(span string, limit int, stepped bool) (from, to int, err error) {
	if span == "*" {
		return 0, limit - 1, nil
	}
	a, b, ranged := strings.Cut(span, "..")
	if from, err = strconv.Atoi(a); err != nil || from < 0 || from >= limit {
		return 0, 0, errCalendar
	}
	switch {
	case ranged:
		to, err = strconv.Atoi(b)
	case stepped:
		to = limit - 1
	default:
		to = from
	}
	if err != nil || to >= limit {
		return 0, 0, errCalendar
	}
	return from, to, nil
}

// searchDays bounds the look ahead: a day of a month comes within a year, 29 February within eight.
const searchDays = 8*366 + 1

// next is the first time after t, by the clock of t's location; zero when there is none.
func (c calendar) next(t time.Time) time.Time {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	for range searchDays {
		if c.onDay(day) {
			if at := c.onTime(day, t); !at.IsZero() {
				return at
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

func (c calendar) onDay(d time.Time) bool {
	return (len(c.weekdays) == 0 || slices.Contains(c.weekdays, d.Weekday())) &&
		(c.day == 0 || c.day == d.Day()) && (c.month == 0 || c.month == int(d.Month()))
}

func (c calendar) onTime(day, after time.Time) time.Time {
	var best time.Time
	for _, h := range c.hours {
		for _, m := range c.minute {
			at := time.Date(day.Year(), day.Month(), day.Day(), h, m, 0, 0, day.Location())
			if at.After(after) && (best.IsZero() || at.Before(best)) {
				best = at
			}
		}
	}
	return best
}
