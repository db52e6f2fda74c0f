// Drives the server over stdio with the TypeScript client v2, which negotiates the newest revision, and prints what it saw as JSON.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-v2", version: "1.0.0" }, { capabilities: {}, versionNegotiation: { mode: "auto" } });
await client.connect(new StdioClientTransport({ command, args, stderr: "inherit" }));
const out = { version: client.getNegotiatedProtocolVersion(), tools: (await client.listTools()).tools, results: [] };
for (const [name, params] of JSON.parse(calls)) {
  out.results.push({ name, result: await client.callTool({ name, arguments: params }) });
}
await client.close();
process.stdout.write(JSON.stringify(out));
