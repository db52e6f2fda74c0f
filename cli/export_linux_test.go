package cli

// PseudoTerminal is a terminal for tests.
var PseudoTerminal = pseudoTerminal
