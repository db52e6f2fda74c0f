package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/nocloud"
)

const (
	bootKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIH2fFLMrlUkCZqxhp8JOBh47Sh9E9+UkAnFuPWl8IzG7 me@home"
	bootMAC = "52:54:00:12:34:56"
	// bootLimit bounds one start: without hardware help it takes about a minute.
	bootLimit = 15 * time.Minute
)

// TestBoot starts a real machine with our seed images: an image made of Debian's packages, with cloud-init, in QEMU without hardware help. It
// takes minutes and a folder that .ci/boot-image made: make e2e-full.
func TestBoot(t *testing.T) {
	dir := os.Getenv("BOOT_IMAGE")
	if dir == "" {
		t.Skip("a machine is booted by make e2e-full (BOOT_IMAGE=FOLDER, made by .ci/boot-image FOLDER)")
	}
	const report = "exec >/dev/ttyS0 2>&1\necho BEGIN-REPORT\nhostname\nip -4 -br addr show eth0\nip route show default\ncloud-id\ncat /home/admin/.ssh/authorized_keys\necho END-REPORT\n"
	t.Run("a script, a fixed address", func(t *testing.T) {
		m := boot(t, dir, nocloud.Guest{Name: "boot01", User: "admin", Keys: []string{bootKey}, MAC: bootMAC, IP: "10.0.2.77/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"},
			UserData: "#!/bin/sh\n" + report})
		m.reports("boot01", "10.0.2.77/24", "default via 10.0.2.2", "nocloud", bootKey)
	})
	t.Run("cloud-config, dhcp, the guest agent", func(t *testing.T) {
		m := boot(t, dir, nocloud.Guest{Name: "boot02", User: "admin", Keys: []string{bootKey}, Agent: true, MAC: bootMAC, IP: "dhcp",
			UserData: "#cloud-config\nruncmd:\n- |\n  " + strings.ReplaceAll(strings.TrimSpace(report), "\n", "\n  ") + "\n"})
		m.reports("boot02", "10.0.2.15/24", "nocloud", bootKey)
		m.tells("10.0.2.15")
	})
}

// machine is one that runs.
type machine struct {
	t       *testing.T
	console string
	agent   string
	exited  <-chan struct{}
}

// boot starts a copy of the image, which is thrown away, with a seed as its second drive. No packet leaves it.
func boot(t *testing.T, dir string, g nocloud.Guest) *machine {
	t.Helper()
	seed, err := g.Seed()
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.MkdirTemp("", "boot-") //nolint:usetesting // short, and without commas, which part options
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(own) })
	iso, m := filepath.Join(own, "seed.iso"), &machine{t: t, console: filepath.Join(own, "console"), agent: filepath.Join(own, "agent")}
	if err := os.WriteFile(iso, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), bootLimit)
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", "-accel", "tcg", "-cpu", "qemu64", "-m", "768", "-display", "none", "-no-reboot", "-snapshot",
		"-serial", "file:"+m.console, "-kernel", filepath.Join(dir, "vmlinuz"), "-initrd", filepath.Join(dir, "initrd.img"),
		"-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0",
		"-drive", "if=virtio,format=raw,file="+filepath.Join(dir, "disk.img"), "-drive", "if=virtio,format=raw,readonly=on,file="+iso,
		"-netdev", "user,id=n0,restrict=on", "-device", "virtio-net-pci,netdev=n0,mac="+bootMAC,
		"-device", "virtio-serial", "-chardev", "socket,id=qga,server=on,wait=off,path="+m.agent, "-device", "virtserialport,chardev=qga,name=org.qemu.guest_agent.0")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		if err := cmd.Wait(); err != nil && ctx.Err() == nil {
			t.Errorf("qemu: %v: %s", err, said.String())
		}
	}()
	m.exited = exited
	t.Cleanup(func() { cancel(); <-exited })
	return m
}

// wait looks every second until something is so.
func (m *machine) wait(what string, is func() bool) {
	m.t.Helper()
	for deadline := time.Now().Add(bootLimit); time.Now().Before(deadline); {
		if is() {
			return
		}
		select {
		case <-m.exited:
			deadline = time.Time{}
		case <-time.After(time.Second):
		}
	}
	raw, _ := os.ReadFile(m.console)
	m.t.Fatalf("%s: not within %s\n%s", what, bootLimit, raw[max(0, len(raw)-4000):])
}

// reports waits for what the machine says of itself on its console.
func (m *machine) reports(wants ...string) {
	m.t.Helper()
	began, said := time.Now(), ""
	m.wait("a report on the console", func() bool {
		raw, err := os.ReadFile(m.console)
		_, after, _ := strings.Cut(string(raw), "BEGIN-REPORT")
		report, _, whole := strings.Cut(after, "END-REPORT")
		said = report
		return err == nil && whole
	})
	m.t.Logf("after %s", time.Since(began).Round(time.Second))
	for _, w := range wants {
		if !strings.Contains(said, w) {
			m.t.Errorf("%q is not in\n%s", w, said)
		}
	}
}

// tells waits until the guest agent names an address.
func (m *machine) tells(address string) {
	m.t.Helper()
	m.wait("the agent's address", func() bool {
		said, err := askAgent(m.agent)
		return err == nil && strings.Contains(said, fmt.Sprintf("%q", address))
	})
}

// askAgent asks for the network interfaces, in the agent's own protocol.
func askAgent(socket string) (string, error) {
	c, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if err := json.NewEncoder(c).Encode(map[string]string{"execute": "guest-network-get-interfaces"}); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}
