"use strict";
// The token stands in the fragment, which no browser sends to a server; it leaves the address bar at once.
const token = location.hash.slice(1);
history.replaceState(null, "", "/");
const at = (id) => document.getElementById(id);
const say = (text) => { at("state").textContent = text; };

async function post(path, body) {
  const res = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ token, ...body }) });
  const answer = await res.json();
  if (!res.ok) throw new Error(answer.error);
  return answer;
}

async function decide(approve) {
  const buttons = document.querySelectorAll("button");
  buttons.forEach((b) => { b.disabled = true; });
  say(approve ? "Working ..." : "Rejecting ...");
  try {
    const answer = await post("/decide", { approve, typed: at("typed").value, passphrase: at("passphrase").value });
    at("answer").hidden = true;
    at("review").textContent = answer.text;
    say("Done. This page is closed now.");
  } catch (e) {
    say(e.message);
    buttons.forEach((b) => { b.disabled = false; });
  }
  at("passphrase").value = "";
}

at("approve").addEventListener("click", () => decide(true));
at("reject").addEventListener("click", () => decide(false));
post("/review", {}).then((r) => {
  at("review").textContent = r.text;
  at("review").hidden = at("answer").hidden = false;
  at("typing").hidden = !r.typing;
  say("");
}).catch((e) => say(e.message));
