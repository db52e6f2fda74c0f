// Drives the server with the TypeScript SDK (v1, newest revision 2025-11-25) and prints what it saw as JSON.
// Arguments: a JSON list of [tool, arguments], then the server's command line, or its address: .../sse is the old transport.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { walk } from "./walk.mjs";

const [calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-v1", version: "1.0.0" }, { capabilities: { elicitation: { form: {} } } });
const transport = () => {
  if (!command.startsWith("http:")) return new StdioClientTransport({ command, args, stderr: "inherit" });
  const url = new URL(command);
  return url.pathname === "/sse" ? new SSEClientTransport(url) : new StreamableHTTPClientTransport(url);
};
await client.connect(transport());
const out = await walk(client, JSON.parse(calls));
await client.close();
process.stdout.write(JSON.stringify(out));
