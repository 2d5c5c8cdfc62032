// Words for people. "Reads, changes, deletes" everywhere; times are relative below a day.

import type { ConnectorInfo } from "./api/client";

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** A time in the past. */
export function ago(seconds: number): string {
  return seconds < 60 ? "a moment ago" : `${length(seconds)} ago`;
}

/** A length of time, rounded down. */
export function length(seconds: number): string {
  const steps: [number, string][] = [
    [86_400, "day"],
    [3_600, "hour"],
    [60, "minute"],
  ];
  for (const [unit, name] of steps) {
    if (seconds >= unit) return count(Math.floor(seconds / unit), name);
  }
  return "less than a minute";
}

export type Tone = "ok" | "attention" | "error" | "wait" | "off";

/** The state of a connector, in words. */
export function stateOf(connector: ConnectorInfo): { tone: Tone; text: string } {
  switch (connector.state) {
    case "up":
      return { tone: "ok", text: "Working" };
    case "off":
      return { tone: "off", text: "Switched off" };
    case "down":
    case "failed":
      return needsSignIn(connector)
        ? { tone: "attention", text: "Sign in again" }
        : { tone: "error", text: "Not working" };
    default:
      return { tone: "wait", text: "Starting" };
  }
}

export function needsSignIn(connector: ConnectorInfo): boolean {
  return /sign[ -]?in|unauthori[sz]ed|credential|\b401\b/i.test(connector.reason ?? "");
}

export const categoryNames: Record<string, string> = {
  documents: "Documents",
  tasks: "Planning",
  code: "Code",
  design: "Design",
  payments: "Payments",
  crm: "Sales and support",
  monitoring: "Monitoring",
  chat: "Chat",
  mail: "Mail",
  calendar: "Calendar",
  files: "Files",
  data: "Data",
  web: "Web",
  system: "This computer",
};

export function signInWords(signIn: string): string {
  const words: Record<string, string> = {
    none: "No sign-in",
    api_key: "Needs a key",
    basic: "Needs a password",
    dynamic_registration: "One-click sign-in",
    client_id_metadata: "One-click sign-in",
    preregistered: "Some set-up there",
    allowlist: "Listed apps only, or a key",
    enterprise: "An administrator allows it",
  };
  return words[signIn] ?? signIn;
}

/** A first question for an AI app, by what the system is. */
export function questionFor(title: string, categories: string[]): string {
  const questions: [string, string][] = [
    ["tasks", `What did my team finish in ${title} this week?`],
    ["documents", `Find the page about our launch in ${title} and summarise it.`],
    ["code", `Which pull requests in ${title} wait for me?`],
    ["design", `Describe the first frame of my newest ${title} file.`],
    ["payments", `How many payments failed in ${title} yesterday, and why?`],
    ["crm", `Which deals in ${title} close this month?`],
    ["monitoring", `What is the most frequent new error in ${title}?`],
    ["chat", `What did I miss in ${title} today?`],
    ["mail", `Which unread mails in ${title} need an answer today?`],
    ["calendar", `When am I free tomorrow, going by ${title}?`],
    ["files", `What is in my newest files in ${title}?`],
  ];
  return questions.find(([category]) => categories.includes(category))?.[1] ?? `What can you do with ${title}?`;
}
