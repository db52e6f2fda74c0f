package pvesim

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestImages: images of registries become templates that containers are made from, viewers get what
// they need, and jobs that sync realms fire; the steps of one case follow each other.
func TestImages(t *testing.T) {
	const (
		tags  = "GET /nodes/pve1/query-oci-repo-tags?reference="
		pull  = "POST /nodes/pve1/storage/local/oci-registry-pull?reference="
		files = "/nodes/pve1/storage/local/content/"
	)
	for name, steps := range map[string][]string{
		"images": {tags + "nginx -> [1.29 1.29-alpine]", tags + "ghcr.io/nobody/nothing -> registry ghcr.io", pull + "alpine:3.22 -> ocipull", "wait 5s",
			"GET " + files + "vztmpl/alpine_3.22.tar -> size:4.194304e+06", pull + "alpine:3.22 -> refusing to override existing file 'alpine_3.22.tar'",
			pull + "library/nginx:1.29&filename=web -> ocipull", "wait 5s", "GET /nodes/pve1/storage/local/content?content=vztmpl -> vztmpl/web.tar",
			pull + "alpine:9 -> ocipull", "wait 5s", "GET /nodes/pve1/tasks?limit=1 -> pulling image failed",
			pull + "alpine -> 400 Parameter verification failed.",
			"POST /nodes/pve1/lxc?vmid=555&ostemplate=local:vztmpl/web.tar&rootfs=local-lvm:1&hostname=web -> vzcreate", "wait 60s",
			"GET /nodes/pve1/lxc/555/config -> ostype:unmanaged"},
		"viewers": {"POST /nodes/pve1/spiceshell?cmd=login -> title:Shell on 'pve1'", "GET /nodes/pve1/tasks?source=active -> spiceshell",
			"POST /nodes/pve1/lxc/101/spiceproxy?proxy=10.0.0.9 -> proxy:http://10.0.0.9:3128", "POST /nodes/pve2/qemu/203/spiceproxy -> no spice port",
			"POST /nodes/pve1/qemu/208/spiceproxy -> VM 208 not running", "PUT /nodes/pve1/qemu/208/config?vga=qxl -> <nil>",
			"POST /nodes/pve1/qemu/208/status/start -> UPID", "wait 5s", "POST /nodes/pve1/qemu/208/spiceproxy -> type:spice"},
		"realms": {"POST /access/domains?realm=house&type=ldap&server1=ldap.home.lan&base_dn=dc=home&user_attr=uid -> <nil>",
			"POST /cluster/jobs/realm-sync/daily?realm=house&schedule=hourly -> <nil>", "wait 61m", "GET /cluster/tasks -> auth-realm-sync:house",
			"PUT /cluster/jobs/realm-sync/daily?enabled=0&schedule=hourly -> <nil>", "GET /nodes/pve1/tasks?typefilter=auth-realm-sync -> status:IO::Socket::INET6: getaddrinfo"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, DemoWorld(time.Now()), WithoutDelays())
				defer r.stop()
				r.walk(steps)
			})
		})
	}
}

// TestCopyVolume: root@pam copies volumes to other names and nodes; what is there already stays.
func TestCopyVolume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, DemoWorld(time.Now()), WithoutDelays())
		defer r.stop()
		const template, base = "vztmpl/debian-13-standard_13.1-2_amd64.tar.zst", "/nodes/pve1/storage/local/content/"
		if got := r.form("POST", base+template, "target=local:vztmpl/x.tar.zst"); got.status != "403 Permission check failed (user != root@pam)" {
			t.Errorf("a token copies: %s", got.status)
		}
		for _, c := range []struct{ from, target, node, want string }{
			{template, "local:vztmpl/mine.tar.zst", "pve2", "OK"},
			{template, "local:vztmpl/mine.tar.zst", "pve2", "volume 'local:vztmpl/mine.tar.zst' already exists"},
			{template, "local:vztmpl/mine.tar.zst", "pve9", "400 Parameter verification failed."},
			{"vztmpl/none.tar.zst", "local:vztmpl/other.tar.zst", "pve1", "volume 'local:vztmpl/none.tar.zst' does not exist"},
			{template, "local:iso/other.iso", "pve1", "500 cannot copy 'vztmpl' content to 'iso'"},
		} {
			got := r.as(rootUser, "POST", base+c.from, "target="+c.target, "target_node="+c.node)
			status := got.status
			if upid, ok := got.data.(string); ok {
				time.Sleep(10 * time.Second)
				status = fmt.Sprint(r.get("/nodes/pve1/tasks/" + upid + "/status").data.(map[string]any)["exitstatus"])
			}
			if status != c.want {
				t.Errorf("%v: %s", c, status)
			}
		}
		there, here := r.get("/nodes/pve2/storage/local/content").body, r.get("/nodes/pve1/storage/local/content").body
		if !strings.Contains(there, "mine.tar.zst") || strings.Contains(here, "mine.tar.zst") {
			t.Errorf("pve2: %s\npve1: %s", there, here)
		}
	})
}
