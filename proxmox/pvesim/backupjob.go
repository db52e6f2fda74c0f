package pvesim

import (
	"maps"
	"strings"
)

// backupJobs is the list of backup jobs in Cluster.Lists.
const backupJobs = "backup_jobs"

// createJob defines a backup job. What belongs together is checked after the id, inside of the file's lock, so its errors
// are plain 500s (15/036).
func createJob(c *call) (any, error) {
	if err := c.mayScheduleDump(); err != nil {
		return nil, err
	}
	if err := c.scheduleParam(true); err != nil {
		return nil, err
	}
	id := c.param("id")
	if id == "" {
		id = c.w.newUUID()
	}
	if c.w.Cluster.section(backupJobs, "id", id) != nil {
		return nil, fail("Job '%s' already exists", id)
	}
	o := c.jobOptions()
	if has(o, "exclude") && !has(o, "pool") {
		o["all"] = 1
	}
	if err := verifyDump(maps.Clone(o), true); err != nil {
		return nil, inFileLock(err)
	}
	o["id"], o["type"] = id, "vzdump"
	if !has(o, "enabled") {
		o["enabled"] = 1
	}
	c.w.Cluster.putSection(backupJobs, "id", o)
	c.w.jobChanged(id)
	return nil, nil
}

// inFileLock makes an error that of a locked section that is told without more words (15/043).
func inFileLock(err error) error {
	return fail("%s", strings.TrimRight(innerText(err), "\n"))
}

// mayScheduleDump are the rights for single options: some are for root alone, backups of a pool need a right on it.
func (c *call) mayScheduleDump() error {
	for _, key := range []string{"dumpdir", "script", "tmpdir"} {
		if (c.given(key) || contains(c.list("delete"), key)) && !c.isRoot() {
			return badParam(key, "Only root may set this option.")
		}
	}
	pool := c.param("pool")
	if pool == "" {
		return nil
	}
	if c.w.Pool(pool) == nil {
		return noPool(pool)
	}
	return c.wants("/pool/"+pool, "VM.Backup")
}

// scheduleParam turns the old way to say when (starttime and dow) into a schedule (15/034: sat 01:00).
func (c *call) scheduleParam(required bool) error {
	start := c.param("starttime")
	switch {
	case c.given("schedule") && start != "":
		return badParam("starttime", "'starttime' and 'schedule' cannot both be set")
	case !c.given("schedule") && start == "" && required:
		return badParam("schedule", "neither 'starttime' nor 'schedule' were set")
	case start != "":
		c.params["schedule"] = strings.TrimSpace(c.param("dow") + " " + start)
	}
	delete(c.params, "starttime")
	delete(c.params, "dow")
	return nil
}

// jobOptions are the options of a request as the API shows them of a job.
func (c *call) jobOptions() Object {
	o := c.stored("id", "delete")
	for _, key := range []string{"prune-backups", "fleecing", "performance"} {
		s := c.accepts.find(key)
		if v := text(o[key]); v != "" && s != nil && s.object() != nil {
			if p, err := parseProperty(s.object(), key, v); err == nil {
				o[key] = objectOf(s.object(), p)
			}
		}
	}
	return o
}

// objectOf is a property string as the API shows it taken apart: parsing makes numbers of booleans only, all else stays text (15/115).
func objectOf(of *object, p props) Object {
	o := Object{}
	for k, v := range p {
		o[k] = v
		if s := of.find(k); s != nil && s.kind == "boolean" {
			o[k] = bit(truth(v))
		}
	}
	return o
}

// jobDeletable are options of a job that are none of a backup.
var jobDeletable = []string{"comment", "repeat-missed"}

func updateJob(c *call) (any, error) {
	if err := c.mayScheduleDump(); err != nil {
		return nil, err
	}
	if err := c.scheduleParam(false); err != nil {
		return nil, err
	}
	id, drop := c.vars["id"], c.list("delete")
	set := c.jobOptions()
	if len(set) == 0 && len(drop) == 0 {
		return nil, fail("no options specified")
	}
	if err := verifyDump(maps.Clone(set), false); err != nil {
		return nil, inFileLock(err)
	}
	job := c.w.Cluster.section(backupJobs, "id", id)
	if job == nil {
		return nil, fail("no such vzdump job")
	}
	for _, key := range drop {
		if s := tables().methods["POST /nodes/{node}/vzdump"].find(key); s == nil && !contains(jobDeletable, key) {
			return nil, inFileLock(badParam("delete", "unknown option '"+key+"'"))
		}
	}
	o := chosen(merged(job, append(drop, "next-run"), set), set)
	if err := verifyDump(maps.Clone(o), true); err != nil {
		return nil, inFileLock(err)
	}
	c.w.Cluster.putSection(backupJobs, "id", o)
	if o["schedule"] != job["schedule"] || truth(o["enabled"]) != truth(job["enabled"]) {
		c.w.jobChanged(id)
	}
	return nil, nil
}

// chosen leaves one of the ways to choose guests: the one that was just set.
func chosen(o, set Object) Object {
	if has(o, "exclude") && !has(o, "pool") {
		o["all"] = 1
	}
	switch {
	case has(set, "vmid"):
		return without(o, "all", "exclude", "pool")
	case truth(set["all"]):
		return without(o, "vmid", "pool")
	case has(o, "pool"):
		return without(o, "vmid", "all", "exclude")
	}
	return o
}

func deleteJob(c *call) (any, error) {
	if !c.w.Cluster.dropSection(backupJobs, "id", c.vars["id"]) {
		return nil, inFileLock(badParam("id", "No such job '"+c.vars["id"]+"'"))
	}
	c.w.jobChanged(c.vars["id"])
	return nil, nil
}
