import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { Link as LinkIcon, Search } from "lucide-react";
import type { DirectoryEntry } from "../api/client";
import { queries } from "../api/queries";
import { buttonClass, Can, ErrorBox, PageHead, Skeletons, State, Tile } from "../components/basic";
import { categoryNames, count, signInWords } from "../words";

export function DirectoryPage() {
  const { q = "", category = "" } = useSearch({ from: "/directory" });
  const navigate = useNavigate({ from: "/directory" });
  const { data: entries, error, refetch } = useQuery(queries.directory);
  const set = (next: { q?: string; category?: string }) =>
    void navigate({ search: { q: (next.q ?? q) || undefined, category: (next.category ?? category) || undefined }, replace: true });
  const used = new Set((entries ?? []).flatMap((entry) => entry.categories));
  const categories = Object.keys(categoryNames).filter((name) => used.has(name));
  const shown = (entries ?? []).filter((entry) => matches(entry, q, category));
  return (
    <>
      <PageHead title="Directory" subtitle={entries && `${count(entries.length, "connector")} checked by Loggia.`}>
        <Link to="/add" className={buttonClass()}>
          <LinkIcon size={16} aria-hidden />
          Add from a link or file
        </Link>
      </PageHead>
      <div className="grid gap-3">
        <label className="flex h-9 items-center gap-2 rounded-control border border-control bg-surface px-2.5 focus-within:outline-2 focus-within:outline-offset-1 focus-within:outline-accent max-rail:h-10">
          <Search size={16} strokeWidth={1.75} aria-hidden className="flex-none text-faint" />
          <span className="sr-only">Search the directory</span>
          <input
            type="search"
            value={q}
            onChange={(event) => set({ q: event.target.value })}
            placeholder="Search by name, or by what you want to do"
            className="min-w-0 flex-1 bg-transparent outline-none"
          />
        </label>
        <div role="group" aria-label="Category" className="flex flex-wrap gap-1.5">
          {["", ...categories].map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={category === name}
              onClick={() => set({ category: name })}
              className="h-[30px] rounded-full border border-line px-3 text-second font-medium text-muted transition-colors hover:bg-hover hover:text-text aria-pressed:border-transparent aria-pressed:bg-accent-soft aria-pressed:text-accent max-rail:h-9"
            >
              {name ? (categoryNames[name] ?? name) : "All"}
            </button>
          ))}
        </div>
      </div>
      {error && <ErrorBox error={error} onRetry={() => void refetch()} />}
      {!entries && !error && <Skeletons rows={4} className="h-[150px]" />}
      {entries && (
        <section aria-label="Connectors">
          <p role="status" className="sr-only">
            {count(shown.length, "connector")}
          </p>
          <div className="grid grid-cols-3 gap-4 max-wide:grid-cols-2 max-rail:grid-cols-1 min-[1900px]:grid-cols-4">
            {shown.map((entry) => (
              <EntryCard key={entry.name} entry={entry} />
            ))}
          </div>
          {shown.length === 0 && (
            <div className="grid justify-items-center gap-3 py-10 text-center text-muted">
              <p>No connector fits. A link, a package or an OpenAPI file works too.</p>
              <Link to="/add" className={buttonClass()}>
                Add from a link or file
              </Link>
            </div>
          )}
        </section>
      )}
    </>
  );
}

function matches(entry: DirectoryEntry, q: string, category: string): boolean {
  if (category && !entry.categories.includes(category)) return false;
  const text = [entry.name, entry.title, entry.description, ...entry.tools, ...entry.categories].join(" ").toLowerCase().replaceAll("_", " ");
  return q.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function EntryCard({ entry }: { entry: DirectoryEntry }) {
  const [connected] = entry.connectors;
  return (
    <article className="card relative flex flex-col gap-3 p-[18px] transition-colors hover:border-line-strong">
      <div className="flex items-center gap-3">
        <Tile name={entry.name} title={entry.title} />
        <h2 className="min-w-0 flex-1 truncate font-semibold">
          <Link to="/directory/$entry" params={{ entry: entry.name }} className="after:absolute after:inset-0 after:rounded-card">
            {entry.title}
          </Link>
        </h2>
        {connected ? <State tone="ok">Connected</State> : <span className={buttonClass("plain", true)}>Add</span>}
      </div>
      <p className="flex-1 text-[13.5px] leading-5 text-muted">{entry.description}</p>
      <div className="flex items-center justify-between gap-2 border-t border-line pt-3">
        <Can counts={entry.counts} />
        <span className="text-[12.5px] text-faint">{signInWords(entry.signIn)}</span>
      </div>
    </article>
  );
}
