package pvesim

import (
	"math"
	"time"
)

// A curve is how busy something is over time, as a factor around 1: less at night, most in the evening, a little more at
// weekends, and never the same twice. It is a sum of waves, so that its integral is known: a counter that follows it and the
// mean of any stretch of time agree. It depends on nothing but a seed and the time, so what is asked for again is the same.
type curve struct {
	seed  uint64
	swing float64 // how much it moves, 0..1
}

// wave is one part of a curve. Those with a peak are the same for all: seconds of the day (UTC) or since Thursday
// 1970-01-01; the others have a phase and a length of each curve's own.
type wave struct {
	period, peak, part float64
}

// waves add up to 1.14, so that a curve with a swing of 0.85 or less stays above 0.
var waves = [...]wave{
	{86400, 18.5 * 3600, 0.40}, {43200, 19.5 * 3600, 0.18}, {7 * 86400, 2.8 * 86400, 0.20}, // evenings; Saturday night
	{19000, -1, 0.13}, {2900, -1, 0.10}, {190, -1, 0.08}, {37, -1, 0.05},
}

func curveOf(seed uint64, swing float64) curve { return curve{mix(seed), swing} }

// mix makes numbers that are near each other differ in all of their bits (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// turn is the speed of a wave in radians per second, and its angle at a time.
func (c *curve) turn(i int, t float64) (speed, angle float64) {
	w := &waves[i]
	if w.peak >= 0 {
		return 2 * math.Pi / w.period, turns((t - w.peak) / w.period)
	}
	bits := c.seed >> (8 * (i - 3))
	period := w.period * (0.8 + 0.4*float64(bits&0xff)/256)
	return 2 * math.Pi / period, turns(t/period + float64(bits>>5&0xff)/256)
}

// turns is an angle of so many turns, without the whole ones: math.Mod is slow where there are many.
func turns(n float64) float64 { return 2 * math.Pi * (n - math.Floor(n)) }

// at is the factor at a time, as the mean over a step that ends then: what comes and goes within one does not show.
func (c *curve) at(t time.Time, step time.Duration) float64 {
	if step > 0 {
		return c.between(t.Add(-step), t) / step.Seconds()
	}
	sum, at := 0.0, seconds(t)
	for i := range waves {
		_, angle := c.turn(i, at)
		sum += waves[i].part * math.Cos(angle)
	}
	return 1 + c.swing*sum
}

// between is the integral from a to b, in seconds: as long as it would be at a factor of 1.
func (c *curve) between(a, b time.Time) float64 {
	sum, from, to := 0.0, seconds(a), seconds(b)
	for i := range waves {
		speed, begin := c.turn(i, from)
		_, end := c.turn(i, to)
		sum += waves[i].part / speed * (math.Sin(end) - math.Sin(begin))
	}
	return to - from + c.swing*sum
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
