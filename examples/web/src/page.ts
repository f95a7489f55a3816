import { showOwn } from "./own.js";
import { showSDK } from "./sdk.js";

/** What the backend says about where to ask. */
export interface Config {
  url: string;
  key: string;
  poll: number;
  gather?: number;
}

/** Told by both sides of the page. */
export interface Shown {
  /** Called with the titles whenever others are shown. */
  changed(titles: string[]): void;
  say(text: string): void;
}

const find = (selector: string) => document.querySelector<HTMLElement>(selector)!;
const log = find("#log");
const began = performance.now();
let acted: { what: string; at: number } | undefined; // what the visitor did last

/** Adds a line on top, the last 50 are kept. */
function say(who: string, text: string, after = ""): void {
  const line = document.createElement("li");
  for (const [tag, words] of [["time", `${((performance.now() - began) / 1000).toFixed(2)} s`], ["b", who], ["span", text], ["em", after]] as const) {
    const part = document.createElement(tag);
    part.textContent = words;
    line.append(part);
  }
  log.prepend(line);
  while (log.children.length > 50) log.lastChild?.remove();
}

/** Says what a side shows now, and how long after the last act that is. */
function reporter(side: string, name: string): Shown {
  const late = find(`${side} output`);
  return {
    say: (text) => say(name, text),
    changed(titles) {
      const after = acted ? `after ${Math.round(performance.now() - acted.at)} ms` : "";
      late.textContent = after;
      late.title = acted ? `since “${acted.what}”` : "";
      say(name, `shows ${[...new Set(titles)].join(", ") || "nothing"}`, after);
    },
  };
}

async function perform(userId: string, button: HTMLElement): Promise<void> {
  const act = button.dataset.act!;
  acted = { what: button.textContent!, at: performance.now() };
  say("you", acted.what);
  const answer = await fetch("/act", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ userId, act }) });
  const { error } = (await answer.json()) as { error?: string };
  if (error) return say("shop", error);
  button.classList.remove("running");
  void button.offsetWidth; // the bar that fills in the five seconds begins anew
  button.classList.add("running");
}

const address = new URL(location.href);
const userId = address.searchParams.get("user") ?? `visitor-${Math.floor(Math.random() * 1e9)}`;
address.searchParams.set("user", userId);
history.replaceState(null, "", address);
find("#user").textContent = userId;

for (const button of document.querySelectorAll<HTMLElement>("[data-act]")) {
  button.addEventListener("click", () => perform(userId, button).catch((fault: unknown) => say("shop", String(fault))));
}
find("#other").addEventListener("click", () => location.assign(location.pathname));

const config = (await (await fetch("/config.json")).json()) as Config;
find("#sdk h2 span").textContent = String(config.poll / 1000);
showOwn(find("#own"), config, userId, reporter("#own", "@eligibility/web"));
showSDK(find("#sdk"), config, userId, reporter("#sdk", "@iterable/web-sdk"));
