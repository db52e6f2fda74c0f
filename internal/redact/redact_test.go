package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const canary = "c0ffee00-dead-4bad-8bad-0badcafe0bad"

// TestSecretPrints prints a secret in all the ways that fmt, JSON and slog know, alone and inside other values.
func TestSecretPrints(t *testing.T) {
	type hidden struct{ s Secret }
	type open struct{ S Secret }
	s := NewSecret(canary)
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10v", "%t"} {
		for _, v := range []any{s, &s, hidden{s}, &hidden{s}, open{s}, []Secret{s}, map[string]hidden{"k": {s}}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	raw, err := json.Marshal(map[string]any{"a": s, "b": &s, "c": open{s}})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(raw)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "struct", open{s}, "unexported", hidden{s})
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "struct", open{s}, "unexported", hidden{s})
	if got := strings.ToLower(out.String()); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
		t.Errorf("the secret shows in\n%s", got)
	}
	if s.Reveal() != canary || !s.IsSet() {
		t.Error("Reveal does not give the value")
	}
	if (Secret{}).IsSet() || NewSecret("").IsSet() || (Secret{}).Reveal() != "" {
		t.Error("an empty secret is set")
	}
	if got := fmt.Sprintf("%v %#v", s, s); got != "*** redact.Secret(***)" {
		t.Errorf("prints as %q", got)
	}
}

func TestFields(t *testing.T) {
	in := `{"name":"web","cipassword":"x","Password":"","secret":null,"ticket":7,"keyring":["a"],
		"description":"login: password=x next","snapshots":[{"cipassword":"x","memory":"512"}],"tokenid":"root@pam!mcp"}`
	want := map[string]any{"name": "web", "cipassword": Mask, "Password": "", "secret": nil, "ticket": Mask, "keyring": Mask,
		"description": "login: password=" + Mask + " next", "snapshots": []any{map[string]any{"cipassword": Mask, "memory": "512"}}, "tokenid": "root@pam!mcp"}
	var v any
	if err := json.Unmarshal([]byte(in), &v); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, Fields(v)); d != "" {
		t.Error(d)
	}
}

// shapes are the forms in which a secret stands in free text.
func shapes(secret string) map[string]string {
	return map[string]string{
		"header":            "Authorization: PVEAPIToken=root@pam!mcp=" + secret,
		"bare token":        "token is root@pam!mcp=" + canary,
		"token in YAML":     `  token: "agent@pve!ro=` + canary + `"`,
		"token of env":      "PROXMOX_VE_API_TOKEN=agent@pve!ro=" + canary,
		"upper-case token":  "agent@pve!ro=" + strings.ToUpper(canary),
		"ticket":            "PVE:root@pam:6A1B2C3D::" + secret,
		"ticket of 2FA":     "PVE:!tfa!root@pam:6A1B2C3D::" + secret,
		"console ticket":    "PVEVNC:6A1B2C3D::" + secret,
		"cookie":            "Cookie: PVEAuthCookie=PVE%3Aroot@pam%3A6A1B2C3D%3A%3A" + secret,
		"ticket in JSON":    `{"ticket":"PVE:root@pam:6A1B2C3D::` + secret + `"}`,
		"CSRF header":       "CSRFPreventionToken: 6A1B2C3D:" + secret,
		"CSRF in JSON":      `"CSRFPreventionToken":"6A1B2C3D:` + secret + `"`,
		"key":               "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----",
		"key of ssh":        "-----BEGIN OPENSSH PRIVATE KEY-----\n" + secret + "\n-----END OPENSSH PRIVATE KEY-----",
		"key of PGP":        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n" + secret + "\n-----END PGP PRIVATE KEY BLOCK-----",
		"key cut off":       "-----BEGIN RSA PRIVATE KEY-----\n" + secret,
		"cipassword":        "cipassword: " + secret,
		"password in query": "POST /access/ticket username=root%40pam&password=" + secret + "&x=1",
		"password quoted":   `password="a b ` + secret + `"`,
		"single quotes":     `password='a b ` + secret + `'`,
		"password in JSON":  `{"password":"` + secret + `"}`,
		"password escaped":  `{"password":"a\"b ` + secret + `"}`,
		"password of env":   "PROXMOX_VE_PASSWORD=" + secret,
		"bind_password":     "bind_password = " + secret,
		"passphrase":        "passphrase: " + secret,
		"secret":            "secret=" + secret,
		"secret in YAML":    "client-secret: " + secret,
		"URL":               "https://root:" + secret + "@pve1.lan:8006/",
	}
}

func TestText(t *testing.T) {
	for name, s := range shapes(canary) {
		t.Run(name, func(t *testing.T) {
			got := Text(s)
			if strings.Contains(strings.ToLower(got), canary) || !strings.Contains(got, Mask) {
				t.Errorf("%q became %q", s, got)
			}
			if again := Text(got); again != got {
				t.Errorf("not idempotent: %q, then %q", got, again)
			}
		})
	}
}

// TestTextKeeps are texts without a secret that look a little like one.
func TestTextKeeps(t *testing.T) {
	for _, s := range []string{
		"UPID:pve1:000A1B2C:00D4E5F6:6A1B2C3D:qmstart:100:root@pam!mcp:",
		"UPID:pve2:0000FFFF:01234567:67890ABC:vzdump::root@pam:",
		"local:100/vm-100-disk-0.qcow2,size=32G",
		"local-lvm:vm-100-cloudinit,media=cdrom",
		"nas:backup/vzdump-qemu-100-2026_11_21-20_15_01.vma.zst",
		"virtio=BC:24:11:2E:7C:01,bridge=vmbr0,firewall=1",
		"uuid=3d2c1b0a-dead-4bad-8bad-0badcafe0bad",
		"reverse proxy, https://*.home.lan",
		"see https://pve1.lan:8006/#v1:0:=qemu/100 or ask root@pam",
		"https://pve1.lan:8006?user=root@pam",
		"https://[fd00::1]:8006 by admin@pve",
		"the password is in the vault", "password reset on Monday!", "no secrets here", "secret:db-password",
		"passwordless login for root", "permission denied, user root@pam!mcp, VM.Audit",
		"Hello! token of appreciation", "PVEAdmin:/vms/100", "PVE:9 upgrade planned", "root@pam!mcp = the agent's token",
		"authentication failure; rhost=::ffff:192.0.2.7 user=root@pam msg=authentication failure",
	} {
		if got := Text(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("", "", canary)
	f.Add("password=", "@host", "hunter2!hunter2")
	f.Add(`{"password":"`, `"}`, "correct-horse")
	f.Add("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "MIIEvQIBADAN")
	f.Fuzz(func(t *testing.T, before, after, secret string) {
		secret = token(secret)
		for name, s := range shapes(secret) {
			got := strings.ToLower(Text(before + "\n" + s + "\n" + after))
			for _, c := range []string{canary, strings.ToLower(secret)} {
				// A secret that is part of the text around it, or of a mask's surroundings, tells nothing.
				if strings.Contains(got, c) && !strings.Contains(strings.ToLower(before+"\n"+after+Text(shapes("")[name])), c) {
					t.Errorf("%s: %q shows in %q", name, c, got)
				}
			}
		}
	})
}

// token makes a secret of at least twelve characters that real ones are made of.
func token(s string) string {
	s = strings.Map(func(r rune) rune {
		if r > 0x20 && r < 0x7f && !strings.ContainsRune(`"'\,;&@/?#%=:*`, r) {
			return r
		}
		return -1
	}, s)
	return "Zq" + s + "-canary-Zq"
}

func BenchmarkText(b *testing.B) {
	for name, s := range map[string]string{"plain": "local-lvm:vm-100-disk-0,iothread=1,size=32G", "suspicious": "see https://wiki.home.lan for the password"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Text(s)
			}
		})
	}
}
