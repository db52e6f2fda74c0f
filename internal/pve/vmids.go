package pve

import (
	"strconv"
	"strings"
)

// minVMID is the lowest number of a guest (schema: parameter vmid, minimum 100).
const minVMID = 100

// ParseVMIDs reads numbers of guests and ranges of them, both ends included: "105", "100-199", "105,200-210". ok is false for what is
// none.
func ParseVMIDs(text string) (ranges [][2]int, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA != nil || errB != nil || a < minVMID || b < a {
			return nil, false
		}
		ranges = append(ranges, [2]int{a, b})
	}
	return ranges, true
}
