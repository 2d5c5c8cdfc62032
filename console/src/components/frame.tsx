import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useRouterState } from "@tanstack/react-router";
import { House, LayoutGrid, Search, Settings2, WifiOff } from "lucide-react";
import { useEffect, useState } from "react";
import { queries, watchChanges } from "../api/queries";
import { CopyButton } from "./basic";
import { Palette } from "./palette";

const places = [
  { to: "/", label: "Home", Icon: House, key: "h" },
  { to: "/directory", label: "Directory", Icon: LayoutGrid, key: "d" },
  { to: "/settings", label: "Settings", Icon: Settings2, key: "s" },
] as const;

export function Logo() {
  return (
    <svg className="size-6 flex-none fill-accent" viewBox="0 0 24 24" aria-hidden>
      <path
        fillRule="evenodd"
        d="M1 23V5a3.5 3.5 0 0 1 3.5-3.5h15A3.5 3.5 0 0 1 23 5v18ZM8.3 23V10.2a3.7 3.7 0 0 1 7.4 0V23ZM3.4 23v-8.6a1.45 1.45 0 0 1 2.9 0V23ZM17.7 23v-8.6a1.45 1.45 0 0 1 2.9 0V23Z"
      />
    </svg>
  );
}

/** True while the event stream to the gateway is open. */
function useConnection(): boolean {
  const [isConnected, setConnected] = useState(true);
  useEffect(() => watchChanges(setConnected), []);
  return isConnected;
}

export function Frame() {
  const [isSearching, setSearching] = useState(false);
  const isConnected = useConnection();
  useShortcuts(() => setSearching(true));
  const path = useRouterState({ select: (state) => state.location.pathname });
  const current = path.startsWith("/connectors") ? "/" : path.startsWith("/add") ? "/directory" : path;
  const isCurrent = (to: string) => (to === "/" ? current === "/" : current.startsWith(to));
  return (
    <div className="min-h-screen rail:grid rail:grid-cols-[60px_minmax(0,1fr)] wide:grid-cols-[236px_minmax(0,1fr)]">
      <a href="#main" className="absolute -top-16 left-3 z-20 rounded-control bg-surface px-3.5 py-2 shadow-menu focus:top-3">
        Skip to content
      </a>
      <aside className="sticky top-0 flex h-screen flex-col border-r border-line bg-sunken px-3 pt-4 pb-3 max-rail:hidden max-wide:px-2.5">
        <Link to="/" className="flex items-center gap-2.5 px-2 pb-4 text-[16px] font-semibold tracking-tight">
          <Logo />
          <span className="max-wide:sr-only">Loggia</span>
        </Link>
        <button
          type="button"
          onClick={() => setSearching(true)}
          title="Search or run"
          className="flex h-[34px] items-center gap-2 rounded-control border border-line-strong bg-surface px-2.5 text-second text-faint shadow-card hover:text-text max-wide:justify-center"
        >
          <Search size={16} strokeWidth={1.75} aria-hidden />
          <span className="flex-1 text-left max-wide:sr-only">Search or run</span>
          <kbd className="rounded border border-line bg-sunken px-1 text-[11px] max-wide:hidden">Ctrl K</kbd>
        </button>
        <nav aria-label="Main" className="mt-4 grid gap-0.5">
          {places.map(({ to, label, Icon }) => (
            <Link
              key={to}
              to={to}
              title={label}
              aria-current={isCurrent(to) ? "page" : undefined}
              className="flex h-[34px] items-center gap-2.5 rounded-control px-2.5 font-medium text-muted transition-colors hover:bg-hover hover:text-text aria-[current]:bg-surface aria-[current]:text-text aria-[current]:shadow-card aria-[current]:ring-1 aria-[current]:ring-line aria-[current]:[&_svg]:text-accent max-wide:justify-center"
            >
              <Icon size={16} strokeWidth={1.75} aria-hidden className="flex-none" />
              <span className="max-wide:sr-only">{label}</span>
            </Link>
          ))}
        </nav>
        <Endpoint />
      </aside>
      <header className="sticky top-0 z-10 flex h-[52px] items-center gap-2.5 border-b border-line bg-sunken px-4 rail:hidden">
        <Link to="/" className="flex flex-1 items-center gap-2.5 font-semibold">
          <Logo />
          Loggia
        </Link>
        <button type="button" aria-label="Search or run" onClick={() => setSearching(true)} className="grid size-10 place-items-center text-muted">
          <Search size={18} strokeWidth={1.75} aria-hidden />
        </button>
      </header>
      <main id="main" tabIndex={-1} className="min-w-0 outline-none">
        {!isConnected && (
          <p role="status" className="flex items-center justify-center gap-2 bg-attention-soft px-4 py-2 text-second text-attention">
            <WifiOff size={14} aria-hidden />
            The gateway does not answer. This page tries again by itself.
          </p>
        )}
        <div className="mx-auto grid max-w-[1104px] grid-cols-[minmax(0,1fr)] gap-8 px-8 pt-8 pb-16 max-rail:gap-6 max-rail:px-4 max-rail:pt-5 max-rail:pb-24 min-[1900px]:max-w-[1264px]">
          <Outlet />
        </div>
      </main>
      <nav aria-label="Main, narrow" className="fixed inset-x-0 bottom-0 z-10 grid grid-cols-3 border-t border-line bg-sunken pb-[env(safe-area-inset-bottom)] rail:hidden">
        {places.map(({ to, label, Icon }) => (
          <Link
            key={to}
            to={to}
            aria-current={isCurrent(to) ? "page" : undefined}
            className="grid h-14 place-content-center justify-items-center gap-1 text-[11px] leading-3 font-medium text-muted aria-[current]:text-accent"
          >
            <Icon size={20} strokeWidth={1.75} aria-hidden />
            {label}
          </Link>
        ))}
      </nav>
      <Palette isOpen={isSearching} onClose={() => setSearching(false)} />
    </div>
  );
}

/** The address that AI apps use, and who can connect to it. */
function Endpoint() {
  const { data: gateway } = useQuery(queries.gateway);
  if (!gateway?.url) return null;
  const shown = gateway.url.replace(/^https?:\/\//, "");
  return (
    <div className="mt-auto px-2 text-caption max-wide:hidden">
      <p className="text-faint">Address for AI apps</p>
      <p className="flex items-center gap-1">
        <code className="min-w-0 flex-1 truncate" title={gateway.url}>
          {shown}
        </code>
        <CopyButton text={gateway.url} label="Copy the address" />
      </p>
      <p className="mt-2 border-t border-line pt-2.5 text-faint">Only this computer can connect.</p>
    </div>
  );
}

/** `Ctrl K` searches; `g` and a letter go to a place. */
function useShortcuts(onSearch: () => void) {
  useEffect(() => {
    let isGoing = false;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        return onSearch();
      }
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select, dialog")) return;
      const place = isGoing && places.find(({ key }) => key === event.key);
      isGoing = event.key === "g";
      if (place) {
        event.preventDefault();
        document.querySelector<HTMLAnchorElement>(`nav a[href="${place.to}"]`)?.click();
      } else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("main input[type=search]");
        if (search) {
          event.preventDefault();
          search.focus();
        }
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [onSearch]);
}
