import { QueryClientProvider } from "@tanstack/react-query";
import { createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/queries";
import "./app.css";
import { ErrorBox, PageHead } from "./components/basic";
import { Frame } from "./components/frame";
import { AddPage } from "./pages/add";
import { ConnectorPage } from "./pages/connector";
import { DirectoryPage } from "./pages/directory";
import { EntryPage } from "./pages/entry";
import { HomePage } from "./pages/home";
import { SettingsPage } from "./pages/settings";
import { applyTheme } from "./theme";

const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);

const root = createRootRoute({
  component: Frame,
  notFoundComponent: () => <PageHead title="No such page" subtitle="The address has no page. Home and the directory are in the navigation." />,
  errorComponent: ({ error }) => <ErrorBox error={error} onRetry={() => location.reload()} />,
});
const home = createRoute({ getParentRoute: () => root, path: "/", component: HomePage });
const directory = createRoute({
  getParentRoute: () => root,
  path: "/directory",
  component: DirectoryPage,
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined; category?: string | undefined } => ({ q: text(search.q), category: text(search.category) }),
});
const entry = createRoute({ getParentRoute: () => root, path: "/directory/$entry", component: EntryPage });
const add = createRoute({
  getParentRoute: () => root,
  path: "/add",
  component: AddPage,
  validateSearch: (search: Record<string, unknown>): { source?: string | undefined } => ({ source: text(search.source) }),
});
const connector = createRoute({
  getParentRoute: () => root,
  path: "/connectors/$name",
  component: ConnectorPage,
  validateSearch: (search: Record<string, unknown>): { tab?: string | undefined } => ({ tab: text(search.tab) }),
});
const settings = createRoute({ getParentRoute: () => root, path: "/settings", component: SettingsPage });

const router = createRouter({
  routeTree: root.addChildren([home, directory, entry, add, connector, settings]),
  scrollRestoration: false,
  defaultPreload: "intent",
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

applyTheme();
const place = document.getElementById("root");
if (place) {
  createRoot(place).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
