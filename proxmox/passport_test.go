package proxmox

import "testing"

// F42: what makes two entries one cluster, and what does not.
func TestPassportDiffers(t *testing.T) {
	node := func(ip, ca, own string) NodeCard {
		return NodeCard{IP: ip, CA: ca, Own: own, Shown: []string{own, "wildcard"}}
	}
	lab := Passport{"lab", map[string]NodeCard{"pve1": node("192.0.2.1", "ca", "one"), "pve2": node("192.0.2.2", "ca", "two")}}
	home := Passport{"", map[string]NodeCard{"pve": node("192.0.2.1", "ca", "one")}}
	for name, c := range map[string]struct {
		a, b Passport
		same bool
	}{
		"twice":                          {lab, lab, true},
		"a node is away on one side":     {lab, Passport{"lab", map[string]NodeCard{"pve1": lab.Nodes["pve1"], "pve2": {IP: "192.0.2.2"}}}, true},
		"the same standalone node":       {home, home, true},
		"two homes called pve":           {home, Passport{"", map[string]NodeCard{"pve": node("192.0.2.1", "ca of another", "another")}}, false},
		"a wildcard on both, another CA": {home, Passport{"", map[string]NodeCard{"pve": node("192.0.2.1", "ca of another", "one")}}, false},
		"a copied machine elsewhere":     {home, Passport{"", map[string]NodeCard{"pve": node("192.0.2.9", "ca", "one")}}, false},
		"nothing to compare":             {home, Passport{"", map[string]NodeCard{"pve": {Shown: []string{"wildcard"}}}}, false},
		"no authority told":              {home, Passport{"", map[string]NodeCard{"pve": node("192.0.2.1", "", "one")}}, false},
		"another name":                   {lab, Passport{"other", lab.Nodes}, false},
		"a node more":                    {lab, Passport{"lab", map[string]NodeCard{"pve1": lab.Nodes["pve1"]}}, false},
		"no nodes":                       {Passport{Name: "lab"}, Passport{Name: "lab"}, false},
	} {
		if why := c.a.Differs(c.b); (why == "") != c.same {
			t.Errorf("%s: %q", name, why)
		}
		if c.a.Differs(c.b) == "" != (c.b.Differs(c.a) == "") {
			t.Errorf("%s: it matters which one is asked", name)
		}
	}
}
