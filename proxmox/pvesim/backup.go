package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func backupRoutes() []route {
	audit := need("/", "Sys.Audit")
	modify := need("/", "Sys.Modify")
	return []route{
		get("/cluster/backup", audit, listJobs),
		post("/cluster/backup", modify, createJob),
		put("/cluster/backup/{id}", modify, updateJob),
		del("/cluster/backup/{id}", modify, deleteJob),
		get("/cluster/backup/{id}", audit, getJob),
		get("/cluster/backup/{id}/included_volumes", audit, includedVolumes),
		index("/cluster/backup-info", "subdir", "not-backed-up"),
		get("/cluster/backup-info/not-backed-up", audit, notBackedUp),
		get("/cluster/jobs/schedule-analyze", anyone, analyzeSchedule),
	}
}

func formatSchedule(s string) error {
	if _, err := parseCalendar(s); err != nil {
		return fmt.Errorf("invalid calendar event '%s' - unable to parse calendar event - %s\n", s, s) //nolint:staticcheck,revive // its wording (02/041)
	}
	return nil
}

// listJobs shows when each job would run next, also those that are switched off (02/021).
func listJobs(c *call) (any, error) {
	out := []Object{}
	for _, j := range c.w.Cluster.Lists[backupJobs] {
		o := clone(j)
		if cal, err := parseCalendar(text(j["schedule"])); err == nil {
			if next := cal.next(c.w.schedulerTime(c.entry, c.now)); !next.IsZero() {
				o["next-run"] = next.Unix()
			}
		}
		out = append(out, o)
	}
	return out, nil
}

func (c *call) job() (Object, error) {
	if j := c.w.Cluster.section(backupJobs, "id", c.vars["id"]); j != nil {
		return without(j, "next-run"), nil
	}
	return nil, badParam("id", "No such job '"+c.vars["id"]+"'")
}

func getJob(c *call) (any, error) {
	j, err := c.job()
	if err != nil {
		return nil, err
	}
	return j, nil
}

// covers is whether a job would back a guest up.
func covers(j Object, g *Guest) bool {
	if node := text(j["node"]); node != "" && node != g.Node {
		return false
	}
	if pool := text(j["pool"]); pool != "" {
		return g.Pool == pool
	}
	if truth(j["all"]) {
		return !vmids(text(j["exclude"]))[g.VMID]
	}
	return vmids(text(j["vmid"]))[g.VMID]
}

// notBackedUp lists guests that no job covers; a job that is switched off counts (02/023).
func notBackedUp(c *call) (any, error) {
	out := []fields{}
	for _, g := range c.w.Guests() {
		if !slices.ContainsFunc(c.w.Cluster.Lists[backupJobs], func(j Object) bool { return covers(j, g) }) && c.seesGuest(g) {
			out = append(out, fields{{"vmid", g.VMID}, {"name", g.Name()}, {"type", g.Type}})
		}
	}
	return out, nil
}

func includedVolumes(c *call) (any, error) {
	j, err := c.job()
	if err != nil {
		return nil, err
	}
	guests := []Object{}
	for _, g := range c.w.Guests() {
		if covers(j, g) {
			guests = append(guests, Object{"id": g.VMID, "name": g.Name(), "type": g.Type, "leaf": 0, "children": g.includedVolumes()})
		}
	}
	return Object{"children": guests}, nil
}

func (g *Guest) includedVolumes() []Object {
	out := []Object{}
	for _, key := range g.disks() {
		drive := text(g.Config[key])
		included, reason := driveOption(drive, "backup") != "0", "backup=yes"
		switch {
		case key == "rootfs":
			reason = "rootfs"
		case g.Type == typeLXC && !strings.Contains(drive, "backup=1"):
			included, reason = false, "not a volume"
			if strings.Contains(driveVolume(drive), ":") {
				reason = "disabled"
			}
		case !included:
			reason = "backup=no"
		case g.Type == typeLXC:
			reason = "enabled"
		}
		out = append(out, Object{"id": strconv.Itoa(g.VMID) + ":" + key, "name": driveVolume(drive), "included": bit(included), "reason": reason, "leaf": 1})
	}
	return out
}

// analyzeDefault is how many times schedule-analyze gives without iterations.
const analyzeDefault = 10

func analyzeSchedule(c *call) (any, error) {
	cal, err := parseCalendar(c.param("schedule"))
	if err != nil {
		return nil, badParam("schedule", err.Error())
	}
	at, n := c.now, analyzeDefault
	if c.given("iterations") {
		n = int(integer(c.params["iterations"]))
	}
	if c.given("starttime") {
		at = time.Unix(integer(c.params["starttime"]), 0)
	}
	out := []fields{}
	for range min(n, 100) {
		at = cal.next(at)
		if at.IsZero() {
			break
		}
		out = append(out, fields{{"timestamp", at.Unix()}, {"utc", at.UTC().Format("Mon Jan _2 15:04:05 2006")}})
	}
	return out, nil
}
