package tools

import (
	"slices"
	"strings"
	"sync"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
)

// All is the one list of tools, in the order in which doors show them.
func All() []Spec { return all() }

// all is made at first use, not at the start. It is set by init, because check_access judges the list that it is on.
var all func() []Spec

func init() { all = sync.OnceValue(list) }

func list() []Spec {
	return []Spec{
		getOverview(),
		findGuests(),
		getGuest(),
		diagnoseGuest(),
		getAgentInfo(),
		listNodes(),
		getNode(),
		listStorage(),
		listVolumes(),
		listBackups(),
		getFileFromBackup(),
		listNetworks(),
		getTask(),
		findTasks(),
		findChanges(),
		getMetrics(),
		getHistory(),
		findOperations(),
		findRecovery(),
		readLog(),
		checkHealth(),
		checkAccess(),
		exportCode(),
		diffCode(),
		describeAsCode(),
		runChecks(),
		checkCode(),
		listClusters(),
		syncInventory(),
		planCode(),
		applyCode(),
		powerGuest(),
		updateGuest(),
		snapshotGuest(),
		cloneGuest(),
		manageDisk(),
		manageNIC(),
		manageTags(),
		managePool(),
		convertToTemplate(),
		migrateGuest(),
		drainNode(),
		wakeNode(),
		deleteGuest(),
		execGuest(),
		planBatch(),
		backupGuest(),
		downloadImage(),
		restoreGuest(),
		verifyBackup(),
		deleteVolume(),
		createVM(),
		createContainer(),
		manageBackupJob(),
		listPlans(),
		getPlan(),
		applyPlan(),
		cancelPlan(),
		undoChange(),
		cancelTask(),
	}
}

// Find returns the tool of that name; the error names the nearest one.
func Find(name string) (Spec, error) {
	var names []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	e := fault.New(fault.NotFound, "there is no tool %.60q", name)
	verb, _, _ := strings.Cut(name, "_")
	switch n := near.Word(name, names); {
	case slices.Contains(powerVerbs, verb):
		e.WithHint("did you mean power_guest with action %s?", verb)
	case n != "":
		e.WithHint("did you mean %s?", n)
	}
	return Spec{}, e
}

// powerVerbs are actions of power_guest that are taken for tools of their own: stop_guest, start_vm.
var powerVerbs = []string{"start", "stop", "shutdown", "reboot", "suspend", "resume"}
