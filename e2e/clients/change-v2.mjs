// Changes something with the TypeScript client v2, which negotiates the newest revision, and prints what it saw as JSON.
// Arguments: how its user answers questions (accept, decline, silent, or none: the client cannot ask), a JSON list of [tool, arguments], then
// the server's command line, or its address.
import { Client } from "@modelcontextprotocol/client";
import { transport } from "./transport-v2.mjs";

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
await client.connect(transport(command, args));
const out = { version: client.getNegotiatedProtocolVersion(), instructions: client.getInstructions(), tools: (await client.listTools()).tools, asked, results: [] };
// "$2:p" stands for the first id of a plan (t: of a task) in the answer to the second call; a call with $until is repeated until its answer
// matches that, twenty times at most.
const filled = (params) =>
  Object.fromEntries(
    Object.entries(params).map(([k, v]) => {
      const ref = /^\$(\d+):([pt])$/.exec(v);
      if (!ref) return [k, v];
      const found = new RegExp(`\\b${ref[2]}-[a-z2-7]{8}\\b`).exec(out.results[ref[1] - 1].result.content[0].text);
      return [k, found ? found[0] : `no ${ref[2]}- in answer ${ref[1]}`];
    }),
  );
for (const [name, params] of JSON.parse(calls)) {
  const began = Date.now();
  const { $until: until, ...given } = params;
  let result;
  for (let tries = 0; tries < 20; tries++) {
    result = await client.callTool({ name, arguments: filled(given) });
    if (!until || new RegExp(until).test(result.content[0].text)) break;
    await new Promise((r) => setTimeout(r, 50));
  }
  out.results.push({ name, took: Date.now() - began, result });
}
process.stdout.write(JSON.stringify(out), () => process.exit(0));
