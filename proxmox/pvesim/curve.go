package pvesim

import (
	"hash/fnv"
	"math"
	"time"
)

// A curve is how busy something is over time, as a factor around 1: less at night, most in the evening, a little less at
// weekends, and never the same twice. It depends on nothing but a name and the time, so what is asked for again is the same.
type curve struct {
	seed  uint64
	swing float64 // how much it follows the time of day, 0..1
}

func curveOf(name string, swing float64) curve {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes everything
	return curve{h.Sum64(), swing}
}

// at is the factor at a time.
func (c curve) at(t time.Time) float64 {
	hours := float64(t.Unix()%86400) / 3600
	// two humps: one around noon and a higher one at 20:00
	day := 0.55*hump(hours, 13, 4) + hump(hours, 20, 3) - 0.35
	if d := t.UTC().Weekday(); d == time.Saturday || d == time.Sunday {
		day *= 0.8
	}
	noise := 0.5*c.noise(t, 6*time.Hour) + 0.3*c.noise(t, 40*time.Minute) + 0.2*c.noise(t, 3*time.Minute)
	return max(0.05, 1+c.swing*day+0.5*c.swing*noise)
}

// hump is a bell around an hour of the day.
func hump(hours, middle, width float64) float64 {
	d := math.Abs(hours - middle)
	d = min(d, 24-d)
	return math.Exp(-d * d / (2 * width * width))
}

// noise is a smooth value between -1 and 1 that changes about once per period.
func (c curve) noise(t time.Time, period time.Duration) float64 {
	p := period.Seconds()
	x := float64(t.Unix()) / p
	i := math.Floor(x)
	f := x - i
	f = f * f * (3 - 2*f)
	return c.random(i, p)*(1-f) + c.random(i+1, p)*f
}

// random is a value between -1 and 1 that belongs to a place in a sequence.
func (c curve) random(i, period float64) float64 {
	x := c.seed ^ uint64(int64(i))*0x9e3779b97f4a7c15 ^ uint64(period)<<32
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	x ^= x >> 31
	return float64(x>>11)/float64(1<<52) - 1
}

// past is a figure at an earlier time, when it is value now.
func (c curve) past(value float64, t, now time.Time) float64 { return value * c.at(t) / c.at(now) }
