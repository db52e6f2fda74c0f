// Drives the server with the TypeScript SDK (v1, newest revision 2025-11-25) and prints what it saw as JSON.
// Arguments: a JSON list of [tool, arguments], then the server's command line, or its address: .../sse is the old transport.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { transport } from "./transport-v1.mjs";
import { walk } from "./walk.mjs";

const [calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-v1", version: "1.0.0" }, { capabilities: { elicitation: { form: {} } } });
await client.connect(transport(command, args));
const out = await walk(client, JSON.parse(calls));
await client.close();
process.stdout.write(JSON.stringify(out));
