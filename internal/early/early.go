// Package early keeps the collector from running while the program's packages are set up: they make 3 MB that all stay, and a collection of
// them is a tenth of the time to the first answer. It imports next to nothing, so that Go sets it up before most of the packages that it is
// about. Only main may import it: who does has to set Percent again.
package early

import "runtime/debug"

// Percent is the collector's percentage as the user or Go has set it.
var Percent = debug.SetGCPercent(-1)
