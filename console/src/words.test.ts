import { expect, test } from "vitest";
import type { ConnectorInfo } from "./api/client";
import { ago, count, length, questionFor, stateOf } from "./words";

test("numbers come with their noun", () => {
  expect([0, 1, 2, 1234].map((n) => count(n, "tool"))).toEqual(["0 tools", "1 tool", "2 tools", "1,234 tools"]);
  expect(count(2, "needs you", "need you")).toBe("2 need you");
});

test("times are relative", () => {
  const rows: [number, string][] = [
    [0, "a moment ago"],
    [60, "1 minute ago"],
    [7_200, "2 hours ago"],
    [172_800, "2 days ago"],
  ];
  for (const [seconds, text] of rows) expect(ago(seconds)).toBe(text);
  expect([5, 61, 7_200].map(length)).toEqual(["less than a minute", "1 minute", "2 hours"]);
});

test("a state says whether a person must act", () => {
  const connector = (state: string, reason?: string) => ({ state, reason }) as ConnectorInfo;
  const rows: [ConnectorInfo, string, string][] = [
    [connector("up"), "ok", "Working"],
    [connector("off"), "off", "Switched off"],
    [connector("connecting"), "wait", "Starting"],
    [connector("down", "the server refuses the credential (401)"), "attention", "Sign in again"],
    [connector("down", "connection refused"), "error", "Not working"],
  ];
  for (const [given, tone, text] of rows) expect(stateOf(given)).toEqual({ tone, text });
});

test("a question fits what the system is", () => {
  expect(questionFor("Linear", ["tasks", "code"])).toContain("this week");
  expect(questionFor("Acme", [])).toBe("What can you do with Acme?");
});
