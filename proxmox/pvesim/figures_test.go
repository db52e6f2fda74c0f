package pvesim

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

// figuresRig is a demo world under a clock that the test moves.
func figuresRig(t *testing.T) (*rig, *time.Time) {
	t.Helper()
	now := time.Date(2026, 11, 21, 9, 59, 50, 0, time.UTC)
	r := newRig(t, DemoWorld(now), WithClock(func() time.Time { return now }))
	return r, &now
}

func figure(t *testing.T, row any, key string) float64 {
	t.Helper()
	o, _ := row.(map[string]any)
	v, ok := o[key].(float64)
	if !ok {
		t.Fatalf("no %s in %v", key, row)
	}
	return v
}

// TestFiguresAgree: counters only grow, by what rrddata tells as the rate of that time; lists, status and metrics tell the same;
// a node has the load of its guests; and what is past stays as it was told.
func TestFiguresAgree(t *testing.T) {
	r, now := figuresRig(t)
	defer r.stop()
	counters := map[string]string{"netin": "net_in", "netout": "net_out", "diskread": "disk_read", "diskwrite": "disk_write"}
	for _, id := range []string{"qemu/202", "lxc/108", "qemu/206"} {
		guest := "/nodes/" + fmt.Sprint(r.get("/cluster/resources").row("id", id)["node"]) + "/" + id
		before := r.get(guest + "/status/current").data
		*now = now.Add(10 * time.Second) // a full minute
		begin := r.get(guest + "/status/current").data
		*now = now.Add(time.Minute)
		end, row := r.get(guest+"/status/current").data, r.get("/cluster/resources").row("id", id)
		points := r.get(guest + "/rrddata?timeframe=hour").rows()
		last := points[len(points)-1]
		for key, metric := range counters {
			a, b, c := figure(t, before, key), figure(t, begin, key), figure(t, end, key)
			if a >= b || b >= c {
				t.Errorf("%s %s does not grow: %v %v %v", guest, key, a, b, c)
			}
			if rate := figure(t, last, key); math.Abs(rate-(c-b)/60) > 1 {
				t.Errorf("%s %s: %v per second in rrddata, %v by the counter", guest, key, rate, (c-b)/60)
			}
			if m := fmt.Sprintf(`{"id":%q,"metric":%q,"timestamp":%d,"type":"derive","value":%.0f}`, id, metric, now.Unix(), c); figure(t, row, key) != c ||
				!strings.Contains(r.get("/cluster/metrics/export").body, m) {
				t.Errorf("%s %s: %v in the list, %v in its status, not %s in the metrics", guest, key, row[key], c, m)
			}
		}
		if figure(t, row, "cpu") != figure(t, end, "cpu") || figure(t, before, "cpu") == figure(t, end, "cpu") || figure(t, row, "mem") != figure(t, end, "mem") {
			t.Errorf("%s: cpu %v then %v", guest, before, end)
		}
		*now = now.Add(59 * time.Minute)
		points = r.get(guest + "/rrddata?timeframe=day").rows()
		if old := points[len(points)-60]; fmt.Sprint(old) != fmt.Sprint(last) {
			t.Errorf("%s: its past changed:\n%v\n%v", guest, last, old)
		}
		*now = now.Add(-time.Hour - 10*time.Second)
	}
	for _, node := range []string{"pve1", "pve2"} {
		cpu, mem := 0.0, 0.0
		for _, row := range r.get("/cluster/resources?type=vm").rows() {
			if row["node"] == node && row["status"] == "running" {
				cpu += figure(t, row, "cpu") * figure(t, row, "maxcpu")
				mem += figure(t, row, "mem")
			}
		}
		row := r.get("/cluster/resources?type=node").row("node", node)
		if all := figure(t, row, "cpu") * figure(t, row, "maxcpu"); all < cpu || all > cpu+2 {
			t.Errorf("%s: load of %.2f processors, its guests %.2f", node, all, cpu)
		}
		if all := figure(t, row, "mem"); all < mem || all > figure(t, row, "maxmem") {
			t.Errorf("%s: %v bytes in use, by its guests %v", node, all, mem)
		}
	}
}

// TestSlowNAS: the nas waits for its disks since docker1 writes to the same pool; both the guests and their node show it from then
// on and not before, and it ends when docker1 does.
func TestSlowNAS(t *testing.T) {
	r, now := figuresRig(t)
	defer r.stop()
	mean := func(path, key string, from, to time.Duration) float64 {
		sum, n := 0.0, 0
		for _, p := range r.get(path + "/rrddata?timeframe=day").rows() {
			if age := now.Sub(time.Unix(int64(figure(t, p, "time")), 0)); age >= from && age < to {
				sum, n = sum+figure(t, p, key), n+1
			}
		}
		return sum / float64(n)
	}
	nas, docker := "/nodes/pve1/qemu/200", "/nodes/pve1/qemu/202"
	for _, c := range []struct {
		path, key     string
		before, since float64 // at most, at least
	}{{nas, "pressureiosome", 2, 50}, {"/nodes/pve1", "iowait", 0.02, 0.25}, {docker, "diskwrite", 100_000, 80 * mib}, {"/nodes/pve2", "iowait", 0.02, 0}} {
		if before, since := mean(c.path, c.key, 4*time.Hour, 24*time.Hour), mean(c.path, c.key, 0, 2*time.Hour); before > c.before || since < c.since {
			t.Errorf("%s %s: %v before, %v since", c.path, c.key, before, since)
		}
	}
	if s := r.get("/nodes/pve1/status").data; figure(t, s, "wait") < 0.25 {
		t.Errorf("%v", s)
	}
	r.sim.Update(func(w *World) { w.SetStatus(202, "stopped") })
	if s, n := r.get(nas+"/status/current").data, r.get("/nodes/pve1/status").data; figure(t, s, "pressureiosome") > 2 || figure(t, n, "wait") > 0.02 {
		t.Errorf("without docker1: %v %v", s, n)
	}
}

// TestWeeklyPattern: a week of a guest has busy evenings and quiet nights, and its weekend differs.
func TestWeeklyPattern(t *testing.T) {
	r, _ := figuresRig(t)
	defer r.stop()
	var evening, night, weekend, week []float64
	for _, p := range r.get("/nodes/pve1/qemu/200/rrddata?timeframe=week").rows() {
		at, cpu := time.Unix(int64(figure(t, p, "time")), 0).UTC(), figure(t, p, "cpu")
		switch h := at.Hour(); {
		case h >= 18 && h < 21:
			evening = append(evening, cpu)
		case h >= 3 && h < 6:
			night = append(night, cpu)
		}
		if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
			weekend = append(weekend, cpu)
		} else if d == time.Tuesday || d == time.Wednesday {
			week = append(week, cpu)
		}
	}
	mean := func(list []float64) (m float64) {
		for _, v := range list {
			m += v / float64(len(list))
		}
		return m
	}
	if mean(evening) < 1.4*mean(night) || mean(weekend) < 1.05*mean(week) {
		t.Errorf("evening %v, night %v, weekend %v, week %v", mean(evening), mean(night), mean(weekend), mean(week))
	}
}

func TestCurve(t *testing.T) {
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for seed := range uint64(50) {
		c, sum, step := curveOf(seed, swingIO), 0.0, 5*time.Second
		for s := time.Duration(0); s < time.Hour; s += step {
			v := c.at(at.Add(s+step/2), 0)
			if v <= 0 {
				t.Fatalf("seed %d: %v at %v", seed, v, s)
			}
			sum += v * step.Seconds()
		}
		if got := c.between(at, at.Add(time.Hour)); math.Abs(got-sum) > 0.002*sum {
			t.Errorf("seed %d: integral %v, sum %v", seed, got, sum)
		}
	}
}
