// The admin API, with the types that are generated from its description (`npm run api`).

import type { components } from "./schema";

type Schemas = components["schemas"];
export type GatewayInfo = Schemas["GatewayInfo"];
export type ConnectorInfo = Schemas["ConnectorInfo"];
export type ConnectorDetail = Schemas["ConnectorDetail"];
export type DirectoryEntry = Schemas["DirectoryEntry"];
export type PlanInfo = Schemas["PlanInfo"];
export type PlanRequest = Schemas["PlanRequest"];
export type AddRequest = Schemas["AddRequest"];
export type AddedConnectorInfo = Schemas["AddedConnectorInfo"];
export type BackendInfo = Schemas["BackendInfo"];
export type ToolInfo = Schemas["ToolInfo"];
export type ToolCounts = Schemas["ToolCounts"];
export type AnswerField = Schemas["AnswerField"];
export type ProblemDetails = Schemas["ProblemDetails"];

/** A request that was not done, with the reason and the next step as the gateway says them. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Partial<ProblemDetails>,
  ) {
    super(problem.detail ?? `The gateway answered with status ${status}.`);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, { detail: "The gateway does not answer.", nextStep: "Start it again: loggia up" });
  }
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return (response.status === 204 ? undefined : await response.json()) as T;
}

const items = async <T>(path: string) => (await call<{ items: T[] }>("GET", path)).items;
const named = (name: string) => `/connectors/${encodeURIComponent(name)}`;

export const api = {
  gateway: () => call<GatewayInfo>("GET", "/gateway"),
  connectors: () => items<ConnectorInfo>("/connectors"),
  connector: (name: string) => call<ConnectorDetail>("GET", named(name)),
  directory: () => items<DirectoryEntry>("/directory"),
  plan: (request: PlanRequest) => call<PlanInfo>("POST", "/plans", request),
  add: (request: AddRequest) => call<AddedConnectorInfo>("POST", "/connectors", request),
  signIn: () => call<{ page?: string }>("GET", "/sign-in"),
  setEnabled: (name: string, isEnabled: boolean) => call<void>("PATCH", named(name), { isEnabled }),
  remove: (name: string) => call<void>("DELETE", named(name)),
};
