package inventory

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// windowCursor is a cursor of pages over a span of time: it carries the times of the first page, so that a span such as 24h does not
// move between two pages, and its check sum covers them. key is what pages of one question have in common.
func windowCursor(offset int, key string, since, until time.Time) string {
	return pageCursor(offset, windowSum(key, since, until)) + "." + base36(since) + "." + base36(until)
}

// resumeWindow reads such a cursor: the times of the first page take the place of those of the question.
func resumeWindow(cursor, key string, since, until *time.Time) (offset int, err error) {
	if cursor == "" {
		return 0, nil
	}
	page, times, _ := strings.Cut(cursor, ".")
	first, last, _ := strings.Cut(times, ".")
	from, err1 := strconv.ParseInt(first, 36, 64)
	to, err2 := strconv.ParseInt(last, 36, 64)
	if err := errors.Join(err1, err2); err == nil {
		*since, *until = time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC()
	}
	return decodePage(page, windowSum(key, *since, *until))
}

func windowSum(key string, since, until time.Time) string {
	return cursorSum(key + "\x00" + base36(since) + "\x00" + base36(until))
}

func base36(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 36) }
