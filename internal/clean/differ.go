package clean

// Differ returns two texts that differ as lines of at most limit characters each. Longer ones are cut around the first place where they
// differ, so that the difference shows: "…" stands for what is left out before and behind.
func Differ(a, b string, limit int) (string, string) {
	ra, rb := []rune(strip(a, false)), []rune(strip(b, false))
	if len(ra) <= limit && len(rb) <= limit || limit < 1 {
		return cut(string(ra), limit), cut(string(rb), limit)
	}
	same := 0
	for same < min(len(ra), len(rb)) && ra[same] == rb[same] {
		same++
	}
	from := max(0, same-limit/4) // a quarter of the line says where it is
	return excerpt(ra, from, limit), excerpt(rb, from, limit)
}

func excerpt(r []rune, from, limit int) string {
	if from == 0 || len(r) <= limit {
		return cut(string(r), limit)
	}
	return cut("…"+string(r[min(from+1, len(r)):]), limit)
}
