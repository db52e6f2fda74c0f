// Drives the server with the TypeScript client v2, which negotiates the newest revision, and prints what it saw as JSON.
// Arguments: a JSON list of [tool, arguments], then the server's command line, or its address.
import { Client } from "@modelcontextprotocol/client";
import { transport } from "./transport-v2.mjs";
import { walk } from "./walk.mjs";

const [calls, command, ...args] = process.argv.slice(2);
const client = new Client({ name: "e2e-v2", version: "1.0.0" }, { capabilities: {}, versionNegotiation: { mode: "auto" } });
await client.connect(transport(command, args));
const out = { version: client.getNegotiatedProtocolVersion(), ...(await walk(client, JSON.parse(calls))) };
await client.close();
process.stdout.write(JSON.stringify(out));
