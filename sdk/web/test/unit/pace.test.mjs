import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, poll } from "../../dist/pace.js";

const bounds = { min: 1000, max: 60_000 };

for (const { name, faults, low, high } of [
  { name: "no fault waits as one", faults: 0, low: 500, high: 1000 },
  { name: "the first", faults: 1, low: 500, high: 1000 },
  { name: "the second", faults: 2, low: 1000, high: 2000 },
  { name: "the fifth", faults: 5, low: 8000, high: 16_000 },
  { name: "the bound", faults: 7, low: 30_000, high: 60_000 },
  { name: "for ever", faults: 1e9, low: 30_000, high: 60_000 },
]) {
  test(`backoff: ${name}`, () => {
    assert.equal(backoff(faults, bounds, () => 0), low);
    assert.equal(backoff(faults, bounds, () => 1), high);
    const drawn = backoff(faults, bounds);
    assert.ok(drawn >= low && drawn <= high, `${drawn}`);
  });
}

for (const { name, left, low, high } of [
  { name: "past its end", left: -5000, low: 1000, high: 1100 },
  { name: "at its end", left: 0, low: 1000, high: 1100 },
  { name: "never before its end", left: 20_000, low: 20_000, high: 22_000 },
  { name: "longer than the bound", left: 3_600_000, low: 60_000, high: 66_000 },
  { name: "no end", left: Infinity, low: 60_000, high: 66_000 },
]) {
  test(`poll: ${name}`, () => {
    assert.equal(poll(left, bounds, () => 0), low);
    assert.equal(poll(left, bounds, () => 1), high);
  });
}

test("waits without bound are what a timer can be set for", () => {
  const endless = { min: 1000, max: Infinity };
  assert.equal(poll(Infinity, endless, () => 1), 2 ** 31 - 1);
  assert.equal(backoff(1e9, endless, () => 1), 2 ** 31 - 1);
});
