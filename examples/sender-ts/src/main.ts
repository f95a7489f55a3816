// A worked example: a worker that sends a campaign to a list of users, and asks the engine at the last moment who of them still qualifies. It prints what it
// would send. docs/sending.md explains it; no dependency.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Engine } from "./engine.js";
import { Worker } from "./worker.js";

const { values } = parseArgs({ options: { promotion: { type: "string" }, channel: { type: "string" }, run: { type: "string" }, wait: { type: "string", default: "3600" } } });
const { promotion, channel, run } = values; // run names this run of the campaign: started again under it, nobody is sent to twice
const wait = Number(values.wait);
if (!promotion || !channel || !run || !(wait >= 0)) {
  console.error("name the --promotion, the --channel and the --run; --wait is in seconds");
  process.exit(2);
}

const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort(new Error("stopped")));

const worker = new Worker(new Engine(process.env.ELIGIBILITY_URL ?? "http://127.0.0.1:8080", process.env.ELIGIBILITY_SERVER_KEY ?? "demo-server-key"), {
  promotion, channel, sendId: `${run}/${channel}`, until: Date.now() + wait * 1000,
  // Here a real worker calls its WhatsApp or push provider, with the key by which that knows a repetition.
  deliver: async () => {},
  report: (outcome) => void process.stdout.write(`${JSON.stringify(outcome)}\n`),
});
try {
  await worker.run(createInterface({ input: process.stdin, crlfDelay: Infinity }), stop.signal);
} catch (fault) {
  console.error(String(fault));
  process.exitCode = 1;
}
const { sent, leftOut, failed, waiting } = worker.tally;
console.error(`sent ${sent}, left out ${leftOut}, failed ${failed}; looked again ${waiting} times`);
process.stdin.destroy();
