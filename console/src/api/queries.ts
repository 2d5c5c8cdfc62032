// What the pages read. One event stream tells when something changed; then everything on the page is read anew.

import { QueryClient, queryOptions } from "@tanstack/react-query";
import { api, type PlanRequest } from "./client";

export const queryClient = new QueryClient({
  defaultOptions: { queries: { staleTime: 5_000, retry: 1, refetchOnWindowFocus: true } },
});

export const queries = {
  gateway: queryOptions({ queryKey: ["gateway"], queryFn: api.gateway }),
  connectors: queryOptions({ queryKey: ["connectors"], queryFn: api.connectors }),
  connector: (name: string) => queryOptions({ queryKey: ["connectors", name], queryFn: () => api.connector(name) }),
  directory: queryOptions({ queryKey: ["directory"], queryFn: api.directory }),
  plan: (request: PlanRequest) =>
    queryOptions({
      queryKey: ["plan", request.source, request.backend ?? ""],
      queryFn: () => api.plan(request),
      retry: false,
      staleTime: 60_000,
    }),
};

/** Reads the lists anew after each change at the gateway. Returns the function that ends it. */
export function watchChanges(onState: (isConnected: boolean) => void): () => void {
  const events = new EventSource("/api/v1/events");
  events.addEventListener("open", () => onState(true));
  events.addEventListener("error", () => onState(false));
  events.addEventListener("changed", () => {
    for (const key of ["connectors", "directory"]) void queryClient.invalidateQueries({ queryKey: [key] });
  });
  return () => events.close();
}
