package pvesim

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"
)

func softwareRoutes() []route {
	audit, modify := need("/nodes/{node}", "Sys.Audit"), need("/nodes/{node}", "Sys.Modify")
	base := "/nodes/{node}"
	return append(daemon(
		post(base+"/apt/update", modify, updatePackages),
		post(base+"/apt/repositories", modify, changeRepository), put(base+"/apt/repositories", modify, addRepository),
		put(base+"/subscription", modify, setSubscription), post(base+"/subscription", modify, checkSubscription),
		del(base+"/subscription", modify, dropSubscription),
		post(base+"/certificates/custom", modify, uploadCertificate), del(base+"/certificates/custom", modify, dropCertificate)),
		get(base+"/apt/repositories", audit, listRepositories))
}

// aptTime is how long apt-get update needs.
const aptTime = 6 * time.Second

// updatePackages reads the lists of the repositories anew.
func updatePackages(c *call) (any, error) {
	return c.fork("aptupdate", "", func(j *job) error {
		j.log("starting apt-get update")
		return j.after(aptTime, func() error {
			for i, source := range j.node.packageSources() {
				j.log("Hit:%d %s InRelease", i+1, source)
			}
			j.log("Reading package lists...")
			return nil
		})
	}), nil
}

// packageSources are the addresses and suites of all repositories that are switched on.
func (n *Node) packageSources() []string {
	var out []string
	for _, f := range n.repositoryFiles() {
		list, _ := f["repositories"].([]Object)
		for _, r := range list {
			uris, _ := r["URIs"].([]string)
			suites, _ := r["Suites"].([]string)
			for _, uri := range uris {
				for _, suite := range suites {
					if truth(r["Enabled"]) {
						out = append(out, uri+" "+suite)
					}
				}
			}
		}
	}
	return out
}

// repositoryFiles are the files below /etc/apt; recorded worlds tell of none.
func (n *Node) repositoryFiles() []Object {
	list, _ := n.Info["apt_repositories"].([]Object)
	return list
}

func repository(uri string, suites []string, component, comment string, enabled bool) Object {
	o := Object{"Types": []string{"deb"}, "URIs": []string{uri}, "Suites": suites, "Components": strings.Fields(component), "FileType": "sources",
		"Enabled": bit(enabled)}
	if comment != "" {
		o["Comment"] = comment
	}
	return o
}

func repositoryFile(name string, list ...Object) Object {
	return Object{"path": "/etc/apt/sources.list.d/" + name, "file-type": "sources", "repositories": list, "digest": []int{}}
}

// defaultRepositories are those of a new installation whose owner has switched to the packages without a subscription.
func defaultRepositories() []Object {
	return []Object{
		repositoryFile("debian.sources", repository("http://deb.debian.org/debian/", []string{"trixie", "trixie-updates"}, "main contrib non-free-firmware", "", true),
			repository("http://security.debian.org/debian-security/", []string{"trixie-security"}, "main contrib non-free-firmware", "", true)),
		repositoryFile("pve-enterprise.sources", repository("https://enterprise.proxmox.com/debian/pve", []string{"trixie"}, "pve-enterprise", "", false)),
		repositoryFile("proxmox.sources", repository("http://download.proxmox.com/debian/pve", []string{"trixie"}, "pve-no-subscription", "", true)),
	}
}

// standardRepositories are what Proxmox offers, by handle.
var standardRepositories = []struct{ handle, name, uri, component string }{
	{"enterprise", "Enterprise", "https://enterprise.proxmox.com/debian/pve", "pve-enterprise"},
	{"no-subscription", "No-Subscription", "http://download.proxmox.com/debian/pve", "pve-no-subscription"},
	{"test", "Test", "http://download.proxmox.com/debian/pve", "pve-test"},
}

// listRepositories shows the files, and for each of the standard repositories whether it is there and enabled.
func listRepositories(c *call) (any, error) {
	files := c.node.repositoryFiles()
	standard := []Object{}
	for _, s := range standardRepositories {
		o := Object{"handle": s.handle, "name": s.name, "description": s.name + " repository of Proxmox VE"}
		for _, f := range files {
			list, _ := f["repositories"].([]Object)
			for _, r := range list {
				if parts, _ := r["Components"].([]string); contains(parts, s.component) {
					o["status"] = r["Enabled"]
				}
			}
		}
		standard = append(standard, o)
	}
	return Object{"files": notNil(files), "errors": []Object{}, "infos": []Object{}, "standard-repos": standard, "digest": c.node.repositorySum()}, nil
}

func (n *Node) repositorySum() string { return textSum(string(encode(n.repositoryFiles()))) }

// changeRepository switches an entry of a file on or off.
func changeRepository(c *call) (any, error) {
	if d := c.param("digest"); d != "" && d != c.node.repositorySum() {
		return nil, errModified()
	}
	files := append([]Object{}, c.node.repositoryFiles()...)
	for i, f := range files {
		list, _ := f["repositories"].([]Object)
		if f["path"] != c.param("path") {
			continue
		}
		at := int(integer(c.params["index"]))
		if at < 0 || at >= len(list) {
			return nil, fail("invalid index - %d", at)
		}
		if c.given("enabled") {
			list = append([]Object{}, list...)
			list[at] = merged(list[at], nil, Object{"Enabled": bit(truth(c.params["enabled"]))})
			files[i] = merged(f, nil, Object{"repositories": list})
			c.node.Info["apt_repositories"] = files
		}
		return nil, nil
	}
	return nil, fail("invalid path - %s", c.param("path"))
}

// addRepository adds a standard repository, or enables it where it is there.
func addRepository(c *call) (any, error) {
	if d := c.param("digest"); d != "" && d != c.node.repositorySum() {
		return nil, errModified()
	}
	for _, s := range standardRepositories {
		if s.handle != c.param("handle") {
			continue
		}
		for _, f := range c.node.repositoryFiles() {
			list, _ := f["repositories"].([]Object)
			for i, r := range list {
				if parts, _ := r["Components"].([]string); contains(parts, s.component) {
					c.params = map[string]any{"path": f["path"], "index": i, "enabled": "1"}
					return changeRepository(c)
				}
			}
		}
		file := repositoryFile("pve-"+s.handle+".sources", repository(s.uri, []string{"trixie"}, s.component, "", true))
		c.node.Info["apt_repositories"] = append(append([]Object{}, c.node.repositoryFiles()...), file)
		return nil, nil
	}
	return nil, fail("unknown repository handle '%s'", c.param("handle"))
}

// subscriptionServer is asked about keys; the nodes of a world have no way to it.
const subscriptionServer = "https://shop.proxmox.com"

// setSubscription stores a key, and fails then to have it checked.
func setSubscription(c *call) (any, error) {
	key := strings.TrimSpace(c.param("key"))
	status, _ := c.node.Info["status"].(Object)
	cpu, _ := status["cpuinfo"].(Object)
	sockets, allowed := max(1, integer(cpu["sockets"])), integer(key[3:4])
	if allowed < sockets {
		return nil, fail("wrong number of sockets (%d < %d)", allowed, sockets)
	}
	old, _ := c.node.Info["subscription"].(Object)
	c.node.Info["subscription"] = Object{"status": "new", "key": key, "level": key[4:5], "checktime": c.now.Unix(), "sockets": sockets,
		"serverid": old["serverid"], "url": old["url"]}
	return nil, c.subscriptionFailure()
}

func (c *call) subscriptionFailure() error {
	return fail("Invalid response from server: %s", c.w.unreachable(subscriptionServer).client)
}

func checkSubscription(c *call) (any, error) {
	if o, _ := c.node.Info["subscription"].(Object); o["key"] == nil {
		return nil, nil
	}
	return nil, c.subscriptionFailure()
}

func dropSubscription(c *call) (any, error) {
	o, _ := c.node.Info["subscription"].(Object)
	c.node.Info["subscription"] = Object{"status": "notfound", "message": "There is no subscription key", "serverid": o["serverid"], "url": o["url"]}
	return nil, nil
}

// customCertificate is the file of a certificate that the owner gave.
const customCertificate = "pveproxy-ssl.pem"

// uploadCertificate takes a certificate for the API; the simulator goes on with its own when it serves.
func uploadCertificate(c *call) (any, error) {
	list, _ := objects(c.node.Info["certificates"])
	old := find(list, func(o Object) bool { return o["filename"] == customCertificate })
	switch {
	case !c.given("key") && old == nil:
		return nil, badParam("key", "Attempted to upload custom certificate without (existing) key.")
	case old != nil && !truth(c.params["force"]):
		return nil, fail("Custom certificate file exists but force flag is not set.")
	}
	block, _ := pem.Decode([]byte(c.param("certificates")))
	if block == nil {
		return nil, fail("failed to read certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fail("failed to read certificate: %s", err)
	}
	info := certificateFields(leaf, c.param("certificates"))
	c.setCertificate(info)
	return info, nil
}

func (c *call) setCertificate(info Object) {
	list, _ := objects(c.node.Info["certificates"])
	var out []Object
	for _, o := range list {
		if o["filename"] != customCertificate {
			out = append(out, o)
		}
	}
	if info != nil {
		out = append(out, info)
	}
	c.node.Info["certificates"] = anyList(out)
}

func certificateFields(leaf *x509.Certificate, text string) Object {
	kind, bits := "unknown", 0
	switch k := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		kind, bits = "rsaEncryption", k.N.BitLen()
	case *ecdsa.PublicKey:
		kind, bits = "id-ecPublicKey", k.Curve.Params().BitSize
	}
	san := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		san = append(san, ip.String())
	}
	return Object{"filename": customCertificate, "fingerprint": fingerprint(leaf.Raw), "pem": text, "subject": slashName(leaf.Subject.String()),
		"issuer": slashName(leaf.Issuer.String()), "notbefore": leaf.NotBefore.Unix(), "notafter": leaf.NotAfter.Unix(), "public-key-type": kind,
		"public-key-bits": bits, "san": san}
}

// slashName writes a name as OpenSSL used to: /O=x/CN=y.
func slashName(s string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(s, ",") {
		b.WriteString("/" + part)
	}
	return b.String()
}

func dropCertificate(c *call) (any, error) {
	c.setCertificate(nil)
	return nil, nil
}
