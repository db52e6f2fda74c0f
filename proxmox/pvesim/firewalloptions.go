package pvesim

import (
	"fmt"
	"time"
)

// options are the options in effect, as they are read from the file.
func (p *fwPlace) options(now time.Time) Object {
	out := without(p.own.Options, "digest")
	if at := integer(out["enable"]); p.env == fwCluster && at > 1 && now.Unix()-at > trialSeconds {
		out["enable"] = 0
	}
	return out
}

// trialSeconds is how long a cluster's firewall stays on that was enabled with a number above 1, a trial that ends by
// itself where it locks the administrator out.
const trialSeconds = 60

func firewallOptions(c *call, p *fwPlace) (any, error) {
	return stamped([]Object{p.options(c.now)})[0], nil
}

// setFirewallOptions changes options by the parameters of a method, by which the tables know it.
func setFirewallOptions(method string) func(*call, *fwPlace) error {
	return func(c *call, p *fwPlace) error {
		options, known := p.options(c.now), tables().methods[method].properties
		if err := c.unmodified(listDigest([]Object{options})); err != nil {
			return err
		}
		for _, key := range splitWords(listText(c.params["delete"])) {
			if known[key] == nil || contains(notOptions, key) {
				return badParam("delete", "no such option '"+key+"'")
			}
			delete(options, key)
		}
		for key, s := range known {
			if v := c.param(key); c.given(key) && !contains(notOptions, key) {
				options[key] = s.typed(v)
			}
		}
		if at := integer(c.params["enable"]); c.given("enable") && at > 1 {
			options["enable"] = c.now.Unix()
		}
		p.own.Options = options
		return nil
	}
}

// notOptions are parameters of the methods that are no options.
var notOptions = []string{"delete", "digest", "node", "vmid", "vnet"}

// firewallLines are the entries of the log that fit, as text.
func (n *Node) firewallLines(c *call, fits func(FirewallLine) bool) []string {
	var out []string
	since, until := integer(c.params["since"]), integer(c.params["until"])
	for _, l := range n.Firewall.Log {
		at := l.Time.Unix()
		if since != 0 && at < since || until != 0 && at > until || !fits(l) {
			continue
		}
		out = append(out, fmt.Sprintf("%d %d %s %s %s", l.VMID, l.Level, l.Chain, n.local(l.Time).Format("02/Jan/2006:15:04:05 -0700"), l.Text))
	}
	return out
}

func nodeFirewallLog(c *call) (any, error) {
	return c.page(c.node.firewallLines(c, func(FirewallLine) bool { return true })), nil
}

func guestFirewallLog(c *call) (any, error) {
	return c.page(c.node.firewallLines(c, func(l FirewallLine) bool { return l.VMID == c.vmid() })), nil
}
