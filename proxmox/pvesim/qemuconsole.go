package pvesim

import (
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
)

func qemuConsoleRoutes() []route {
	base, console := "/nodes/{node}/qemu/{vmid}", need("/vms/{vmid}", "VM.Console")
	return daemon(
		put(base+"/sendkey", console, sendKey),
		post(base+"/monitor", need("/vms/{vmid}", "Sys.Audit", "Sys.Modify"), monitor))
}

// keyNames are the keys that QEMU knows by name, beside single characters and raw codes.
var keyNames = sync.OnceValue(func() []string {
	return strings.Fields("shift shift_r alt alt_r ctrl ctrl_r menu esc minus equal backspace tab ret grave_accent backslash semicolon " +
		"apostrophe comma dot slash asterisk spc caps_lock bracket_left bracket_right num_lock scroll_lock kp_divide kp_multiply kp_subtract kp_add " +
		"kp_enter kp_decimal kp_equals kp_comma sysrq print less home pgup pgdn end left up down right insert delete pause stop again props undo " +
		"front copy open paste find cut lf help meta_l meta_r compose ro hiragana henkan yen muhenkan katakanahiragana power sleep wake " +
		"audionext audioprev audiostop audioplay audiomute volumeup volumedown mediaselect mail calculator computer ac_home ac_back ac_forward " +
		"ac_refresh ac_bookmarks lang1 lang2")
})

var keyShape = lazy.Regexp(`^(?:[0-9a-z]|f[1-9]|f1[0-9]|f2[0-4]|kp_[0-9]|0x[0-9a-fA-F]+)$`)

// sendKey presses keys. QEMU's complaint about an unknown key ends in a carriage return, which makes a status line that
// the proxy cannot read: it says 400 without a body (03/095).
func sendKey(c *call) (any, error) {
	if err := c.rootOnly("skiplock"); err != nil {
		return nil, err
	}
	g, err := c.runningForCommand()
	if err != nil {
		return nil, err
	}
	if err := c.free(g); err != nil {
		return nil, err
	}
	for key := range strings.SplitSeq(c.param("key"), "-") {
		if !contains(keyNames(), key) && !keyShape().MatchString(key) {
			return nil, &apiError{status: 400, message: "Bad Request", mute: true}
		}
	}
	return nil, nil
}

// runningForCommand gives the VM of the path when its QEMU can be talked to.
func (c *call) runningForCommand() (*Guest, error) {
	g := c.w.qemuOn(c.node, c.vmid())
	switch {
	case g == nil:
		return nil, noConfig(c.node.Name, typeQEMU, c.vmid())
	case !g.Live.Running:
		return nil, notRunning(g)
	}
	return g, nil
}

// rootCommands are the commands of QEMU's monitor that only root@pam may give, freeCommands those that need no more than
// a look at it (schema of the method).
var (
	rootCommands = strings.Fields("backup block_stream change chardev-add chardev-change chardev-remove client_migrate_info device_add " +
		"device_del drive_add drive_backup drive_del drive_mirror dump-guest-memory dumpdtb gdbserver hostfwd_add hostfwd_remove logfile mce " +
		"memsave migrate migrate_incoming migrate_recover nbd_server_add nbd_server_remove nbd_server_start nbd_server_stop netdev_add " +
		"netdev_del nmi o object_add object_del pcie_aer_inject_error pmemsave qom-set savevm-end savevm-start screendump snapshot_blkdev " +
		"watchdog_action wavcapture xen-event-inject xen-event-list")
	freeCommands = strings.Fields("? help info")
)

// monitor gives QEMU a command of its human monitor. What fails there is in the text, not in the status.
func monitor(c *call) (any, error) {
	line := strings.TrimSpace(c.param("command"))
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case contains(rootCommands, word) && c.id.name() != rootUser:
		return nil, &apiError{status: 403, message: "Permission check failed (user != root@pam)\n"}
	case !contains(freeCommands, word) && !c.may("/vms/"+c.vars["vmid"], "Sys.Modify"):
		return nil, forbidden("/vms/"+c.vars["vmid"], "Sys.Modify")
	}
	g, err := c.runningForCommand()
	switch {
	case g == nil && c.w.qemuOn(c.node, c.vmid()) == nil:
		return nil, err
	case err != nil:
		return "ERROR: " + taskText(err) + "\n", nil
	}
	return c.w.monitorLine(g, word, strings.TrimSpace(rest)), nil
}

// monitorLine answers the commands that the simulator knows; others say nothing, or that they are unknown.
func (w *World) monitorLine(g *Guest, word, rest string) string {
	if word == "info" {
		switch rest {
		case "status": // 03/096
			return "VM status: " + g.runState() + "\r\n"
		case "name":
			return text(g.Config["name"]) + "\r\n"
		case "version":
			return w.qemuVersion() + "\r\n"
		}
		return ""
	}
	switch word {
	case "stop":
		w.pause(g, true)
	case "cont", "c":
		w.pause(g, false)
	case "quit", "q":
		w.SetStatus(g.VMID, "stopped")
	case "system_powerdown":
		w.pressPower(g, false)
	case "system_reset", "sendkey", "help", "?", "":
	default:
		return "unknown command: '" + word + "'\r\n"
	}
	return ""
}

func (g *Guest) runState() string {
	if g.Live.Paused {
		return "paused"
	}
	return "running"
}
