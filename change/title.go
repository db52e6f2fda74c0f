package change

import (
	"fmt"
	"slices"
	"strings"
)

// titledGuests is how many guests a title names; the steps name all.
const titledGuests = 3

// titled is what a plan does with the guests that it touches: "destroy 208 test", "set memory: 101 pihole, 102 nas and 4 more". It is what
// lists of plans show, so what is destroyed has to stand in it.
func (b *Body) titled(title string, lives []*Live) string {
	var labels []string
	for _, l := range lives {
		if label := cleanLine(l.Label()); b.touches(&l.Target) && !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	if len(labels) == 0 {
		return title
	}
	sep, more := " ", ""
	if strings.Contains(title, " ") {
		sep = ": "
	}
	if n := len(labels) - titledGuests; n > 0 {
		labels, more = labels[:titledGuests], fmt.Sprintf(" and %d more", n)
	}
	return title + sep + strings.Join(labels, ", ") + more
}
