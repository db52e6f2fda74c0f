// Changes something over stdio with the TypeScript client v2, which negotiates the newest revision, and prints what it saw as JSON.
// Arguments: how its user answers questions (accept, decline, silent, or none: the client cannot ask), a JSON list of [tool, arguments], then
// the server's command line.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

const [user, calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-change-v2", version: "1.0.0" }, { capabilities: user === "none" ? {} : { elicitation: { form: {} } }, versionNegotiation: { mode: "auto" } });
const asked = [];
if (user !== "none") {
  client.setRequestHandler("elicitation/create", async (r) => {
    asked.push(r.params.message);
    if (user === "silent") await new Promise(() => {});
    return user === "accept" ? { action: "accept", content: {} } : { action: "decline" };
  });
}
await client.connect(new StdioClientTransport({ command, args, stderr: "inherit" }));
const out = { version: client.getNegotiatedProtocolVersion(), instructions: client.getInstructions(), tools: (await client.listTools()).tools, asked, results: [] };
for (const [name, params] of JSON.parse(calls)) {
  const began = Date.now();
  const result = await client.callTool({ name, arguments: params });
  out.results.push({ name, took: Date.now() - began, result });
}
process.stdout.write(JSON.stringify(out), () => process.exit(0));
