// The transport of the TypeScript SDK (v1) to a server's command line, or to its address: .../sse is the old one.
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

export function transport(command, args) {
  if (!command.startsWith("http:")) return new StdioClientTransport({ command, args, stderr: "inherit" });
  const url = new URL(command);
  return url.pathname === "/sse" ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
}
