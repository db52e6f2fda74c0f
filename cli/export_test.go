package cli

// For the tests outside of this package, which run the real program.
var WriteViewAt = writeView
