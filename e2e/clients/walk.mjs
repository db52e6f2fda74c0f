// Walks everything that a server offers, as both TypeScript clients do: every tool call that it is given, every resource, every template
// filled with what completion offers, every prompt with completed arguments.
export async function walk(client, calls) {
  const can = client.getServerCapabilities() ?? {};
  const out = { server: client.getServerVersion(), instructions: client.getInstructions(), tools: (await client.listTools()).tools, results: [], resources: [], prompts: [], completions: {} };
  for (const [name, params] of calls) {
    out.results.push({ name, result: await client.callTool({ name, arguments: params }) });
  }
  // fill takes the first value that completion offers for each argument, given those before it.
  const fill = async (ref, names) => {
    const filled = {};
    for (const name of names) {
      const { completion } = await client.complete({ ref, argument: { name, value: "" }, context: { arguments: filled } });
      out.completions[`${ref.uri ?? ref.name} ${name}`] = completion.values;
      if (completion.values.length > 0) filled[name] = completion.values[0];
    }
    return filled;
  };
  const read = async (uri, of) => {
    try {
      const { contents } = await client.readResource({ uri });
      out.resources.push({ uri, of, text: contents.map((c) => c.text ?? c.blob).join("") });
    } catch (e) {
      out.resources.push({ uri, of, error: String(e) });
    }
  };
  if (can.resources) {
    for (const r of (await client.listResources()).resources) await read(r.uri, r.uri);
    for (const t of (await client.listResourceTemplates()).resourceTemplates) {
      const names = [...t.uriTemplate.matchAll(/\{\+?(\w+)\}/g)].map((m) => m[1]);
      const filled = await fill({ type: "ref/resource", uri: t.uriTemplate }, names);
      if (names.every((n) => n in filled)) await read(t.uriTemplate.replace(/\{\+?(\w+)\}/g, (_, n) => filled[n]), t.uriTemplate);
    }
  }
  if (can.prompts) {
    for (const p of (await client.listPrompts()).prompts) {
      const names = (p.arguments ?? []).map((a) => a.name);
      const filled = await fill({ type: "ref/prompt", name: p.name }, names);
      for (const a of p.arguments ?? []) if (a.required && !(a.name in filled)) filled[a.name] = "what the user typed";
      out.prompts.push({ name: p.name, messages: (await client.getPrompt({ name: p.name, arguments: filled })).messages.map((m) => m.content.text ?? m.content.type) });
    }
  }
  return out;
}
