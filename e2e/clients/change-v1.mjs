// Changes something over stdio with the TypeScript SDK (v1, newest revision 2025-11-25) and prints what it saw as JSON.
// Arguments: how its user answers questions (accept, decline, silent, or none: the client cannot ask), a JSON list of [tool, arguments], then
// the server's command line.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [user, calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-change-v1", version: "1.0.0" }, { capabilities: user === "none" ? {} : { elicitation: { form: {} } } });
const asked = [];
if (user !== "none") {
  client.setRequestHandler(ElicitRequestSchema, async (r) => {
    asked.push(r.params.message);
    if (user === "silent") await new Promise(() => {});
    return user === "accept" ? { action: "accept", content: {} } : { action: "decline" };
  });
}
await client.connect(new StdioClientTransport({ command, args, stderr: "inherit" }));
const out = { instructions: client.getInstructions(), tools: (await client.listTools()).tools, asked, results: [] };
for (const [name, params] of JSON.parse(calls)) {
  const began = Date.now();
  const result = await client.callTool({ name, arguments: params });
  out.results.push({ name, took: Date.now() - began, result });
}
process.stdout.write(JSON.stringify(out), () => process.exit(0));
