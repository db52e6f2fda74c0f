// Drives the server over stdio with the TypeScript SDK (v1, newest revision 2025-11-25) and prints what it saw as JSON.
// Arguments: a JSON list of [tool, arguments], then the server's command line.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-v1", version: "1.0.0" }, { capabilities: { elicitation: { form: {} } } });
await client.connect(new StdioClientTransport({ command, args, stderr: "inherit" }));
const out = { server: client.getServerVersion(), instructions: client.getInstructions(), tools: (await client.listTools()).tools, results: [] };
for (const [name, params] of JSON.parse(calls)) {
  out.results.push({ name, result: await client.callTool({ name, arguments: params }) });
}
await client.close();
process.stdout.write(JSON.stringify(out));
