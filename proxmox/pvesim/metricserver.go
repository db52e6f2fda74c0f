package pvesim

import (
	"strings"
	"sync"
)

const metricServers = "metrics_servers"

func metricServerRoutes() []route {
	audit, modify := need("/", "Sys.Audit"), need("/", "Sys.Modify")
	base := "/cluster/metrics/server"
	return append(daemon(
		post(base+"/{id}", modify, addMetricServer),
		put(base+"/{id}", modify, changeMetricServer),
		del(base+"/{id}", modify, removeMetricServer)),
		get(base, audit, clusterList(metricServers)),
		get(base+"/{id}", audit, clusterItem(metricServers, "id", "server '%s' does not exist", "id")))
}

// metricOptions are the options that each type of server has beside those of all.
var metricOptions = sync.OnceValue(func() map[string][]string {
	return map[string][]string{
		"graphite": strings.Fields("path proto timeout"),
		"influxdb": strings.Fields("api-path-prefix bucket influxdbproto max-body-size organization timeout token verify-certificate"),
		"opentelemetry": strings.Fields("otel-compression otel-headers otel-max-body-size otel-path otel-protocol otel-resource-attributes otel-timeout " +
			"otel-verify-ssl"),
	}
})

var commonMetricOptions = strings.Fields("disable mtu port server")

// metricOptions takes the options of a request; the token is kept elsewhere and never shown.
func (c *call) metricOptions(kind string) (Object, error) {
	o := c.stored("type", "digest", "delete")
	for key := range o {
		if !contains(commonMetricOptions, key) && !contains(metricOptions()[kind], key) {
			return nil, badParam(key, "unexpected property '"+key+"'")
		}
	}
	delete(o, "token")
	return o, nil
}

// addMetricServer tries the connection, which only finds out something where the protocol has connections (15/146: UDP).
func addMetricServer(c *call) (any, error) {
	id, kind := c.vars["id"], c.param("type")
	if c.w.Cluster.section(metricServers, "id", id) != nil {
		return nil, fail("Metric server '%s' already exists", id)
	}
	o, err := c.metricOptions(kind)
	if err != nil {
		return nil, err
	}
	o["id"], o["type"] = id, kind
	if err := c.w.tryMetricServer(o); err != nil {
		return nil, err
	}
	c.w.Cluster.putSection(metricServers, "id", o)
	return nil, nil
}

func changeMetricServer(c *call) (any, error) {
	id := c.vars["id"]
	if err := c.unmodified(c.w.Cluster.sectionDigest(metricServers)); err != nil {
		return nil, err
	}
	old := c.w.Cluster.section(metricServers, "id", id)
	if old == nil {
		return nil, fail("no such server '%s'", id)
	}
	set, err := c.metricOptions(text(old["type"]))
	if err != nil {
		return nil, err
	}
	o := merged(old, c.list("delete"), set)
	if err := c.w.tryMetricServer(o); err != nil {
		return nil, err
	}
	c.w.Cluster.putSection(metricServers, "id", o)
	return nil, nil
}

// tryMetricServer is the test of a connection over HTTP or TCP; one that is switched off is not tried.
func (w *World) tryMetricServer(o Object) error {
	scheme := text(o["influxdbproto"])
	switch {
	case truth(o["disable"]) || contains(w.Servers, text(o["server"])):
		return nil
	case o["type"] == "graphite" && o["proto"] == "tcp":
		scheme = "http"
	case o["type"] == "opentelemetry":
		if scheme = text(o["otel-protocol"]); scheme == "" {
			scheme = "https" // its default
		}
	}
	if scheme != "http" && scheme != "https" {
		return nil
	}
	return fail("%s", w.unreachable(scheme+"://"+text(o["server"])+":"+text(o["port"])).client)
}

// removeMetricServer stumbles over one that is not there (15/149).
func removeMetricServer(c *call) (any, error) {
	if !c.w.Cluster.dropSection(metricServers, "id", c.vars["id"]) {
		return nil, fail("cannot lookup undefined type! at /usr/share/perl5/PVE/API2/Cluster/MetricServer.pm line 295.")
	}
	return nil, nil
}
