package pve

import "strings"

// ReadSize reads a size as people write it into bytes: 32G, 32g, 32GB, 32GiB and "32 GiB" are the same, 32 times 2^30, as Proxmox VE means its
// units. False for what is none; a number without a unit is bytes.
func ReadSize(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	end := strings.LastIndexAny(s, "0123456789") + 1
	number, unit := s[:end], strings.ToUpper(strings.TrimSpace(s[end:]))
	switch {
	case unit == "B":
		unit = ""
	case len(unit) == 2 && unit[1] == 'B', len(unit) == 3 && unit[1:] == "IB":
		unit = unit[:1]
	case len(unit) > 1:
		return 0, false
	}
	return ParseSize(number + unit)
}
