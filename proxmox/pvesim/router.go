package pvesim

import (
	"strings"
)

// handler answers one verified, permitted request. The error is an *apiError, or any other for a bare 500.
type handler func(*call) (any, error)

// check decides whether the caller may use a route at all; lists that shrink for the caller check inside.
type check func(*call) error

// route is one method at one path.
type route struct {
	method, pattern string
	accepts         *object // its parameters, by the tables or the schema
	check           check
	handle          handler
	// protected methods are served by pvedaemon (faults.md 3.2): their answers carry Connection: close as well.
	protected bool
	// open methods need no login; noToken ones refuse API tokens (facts 22).
	open, noToken bool
	// anywhere marks methods that the asked node does itself, whether or not the node of the path answers.
	anywhere bool
	// changes marks a GET that changes the world all the same.
	changes bool
}

// areas are the parts of the API. A new area is a new file with such a function and a line here.
var areas = []func() []route{
	indexRoutes, clusterRoutes, resourceRoutes, clusterListRoutes, backupRoutes, haRoutes, sdnRoutes, firewallRoutes,
	nodeRoutes, hardwareRoutes, storageRoutes, contentRoutes, guestRoutes, qemuRoutes, lxcRoutes, lxcLifeRoutes, agentRoutes, snapshotRoutes,
	qemuLifeRoutes, cloneRoutes, migrateRoutes,
	storageWriteRoutes, uploadRoutes, downloadRoutes, contentWriteRoutes, driveRoutes,
	qemuConfigRoutes, cloudInitRoutes,
	taskRoutes, poolRoutes, userRoutes, factorRoutes, accessRoutes, ticketRoutes, rrdRoutes, metricsRoutes,
	vzdumpRoutes, pruneRoutes, readRoutes,
	clusterOptionRoutes, mappingRoutes, metricServerRoutes, clusterBulkRoutes, nodeConfigRoutes, networkRoutes, nodePowerRoutes,
	serviceRoutes, nodeLogRoutes, softwareRoutes, diskRoutes, scanRoutes, replicationRoutes, consoleRoutes, notificationRoutes, aplinfoRoutes, realmSyncRoutes,
	spiceRoutes, ociRoutes, fabricRoutes,
}

// table finds routes: a tree of path segments, where {name} takes any one segment and a last {name...} the rest.
type table struct {
	fixed map[string]*table
	any   *table
	name  string
	rest  bool
	leaf  map[string]*route
}

func newTable(known *Schema) *table {
	t := &table{}
	for _, area := range areas {
		for _, r := range area() {
			r.accepts = known.of(r.name())
			t.add(&r)
		}
	}
	return t
}

// name is the method and path of a route, as the schema writes them.
func (r *route) name() string { return r.method + " " + strings.ReplaceAll(r.pattern, "...}", "}") }

func (t *table) add(r *route) {
	for seg := range strings.SplitSeq(strings.Trim(r.pattern, "/"), "/") {
		if seg != "" {
			t = t.child(seg)
		}
	}
	if t.leaf == nil {
		t.leaf = map[string]*route{}
	}
	t.leaf[r.method] = r
}

func (t *table) child(seg string) *table {
	if strings.HasPrefix(seg, "{") {
		if t.any == nil {
			t.any = &table{name: strings.Trim(seg, "{.}"), rest: strings.HasSuffix(seg, "...}")}
		}
		return t.any
	}
	if t.fixed == nil {
		t.fixed = map[string]*table{}
	}
	if t.fixed[seg] == nil {
		t.fixed[seg] = &table{}
	}
	return t.fixed[seg]
}

// find gives the route of a decoded path, and the values of the path's parameters. Slashes may be doubled and
// trailing (01/039, 01/040); "..", is an ordinary name (01/042).
func (t *table) find(method, path string) (*route, map[string]string) {
	segs := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	vars := map[string]string{}
	for i, seg := range segs {
		next := t.fixed[seg]
		if next == nil {
			if next = t.any; next == nil {
				return nil, nil
			}
			if next.rest {
				vars[next.name] = strings.Join(segs[i:], "/")
				return next.leaf[method], vars
			}
			vars[next.name] = seg
		}
		t = next
	}
	return t.leaf[method], vars
}

// patterns lists "METHOD /path" of all routes.
func patterns() []string {
	var list []string
	for _, area := range areas {
		for _, r := range area() {
			list = append(list, r.name())
		}
	}
	return list
}

// get is a route for GET.
func get(pattern string, c check, h handler) route { return write("GET", pattern, c, h) }

// post, put and del are routes that change something. The parameters of all methods stand in the tables.
func post(pattern string, c check, h handler) route { return write("POST", pattern, c, h) }

func put(pattern string, c check, h handler) route { return write("PUT", pattern, c, h) }

func del(pattern string, c check, h handler) route { return write("DELETE", pattern, c, h) }

// write is a route of any method.
func write(method, pattern string, c check, h handler) route {
	return route{method: method, pattern: pattern, check: c, handle: h}
}

// daemon marks routes as served by pvedaemon.
func daemon(routes ...route) []route {
	for i := range routes {
		routes[i].protected = true
	}
	return routes
}

// index is a directory: one object per word, under the given key.
func index(pattern, key, words string) route {
	var list []fields
	for w := range strings.FieldsSeq(words) {
		list = append(list, fields{{key, w}})
	}
	return get(pattern, anyone, func(*call) (any, error) { return list, nil })
}
