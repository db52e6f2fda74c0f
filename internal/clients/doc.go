// Package clients knows where MCP clients keep their servers, and adds one there or takes it out without touching anything else: other
// entries, comments, order and indentation stay as they are. Nothing is written before it was shown, and every file is kept as a copy first.
package clients
