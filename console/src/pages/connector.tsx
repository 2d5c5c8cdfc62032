import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useRef } from "react";
import { api, type ConnectorDetail } from "../api/client";
import { queries, queryClient } from "../api/queries";
import { Button, buttonClass, Can, ClassTag, CommandLine, ErrorBox, PageHead, SectionHead, Skeletons, State, Tile } from "../components/basic";
import { count, length, stateOf } from "../words";

const tabs = ["overview", "tools", "settings"] as const;

export function ConnectorPage() {
  const { name } = useParams({ from: "/connectors/$name" });
  const { tab = "overview" } = useSearch({ from: "/connectors/$name" });
  const { data: connector, error, refetch } = useQuery(queries.connector(name));
  if (error) return <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (!connector) return <Skeletons rows={4} className="h-20" />;
  const state = stateOf(connector);
  return (
    <>
      <div className="grid gap-4">
        <nav aria-label="Breadcrumb" className="flex gap-1.5 text-second text-faint">
          <Link to="/" className="hover:text-text">
            Home
          </Link>
          <span aria-hidden>/</span>
          <span aria-current="page">{connector.title}</span>
        </nav>
        <div className="flex items-center gap-[18px]">
          <Tile name={connector.entry ?? connector.name} title={connector.title} size="lg" marked={state.tone === "attention"} />
          <div className="min-w-0">
            <PageHead title={connector.title} />
            <p className="flex flex-wrap items-center gap-x-4">
              <State tone={state.tone}>{connector.state === "off" ? state.text : `${state.text} for ${length(connector.sinceSeconds)}`}</State>
              <span className="text-second text-muted">{connector.detail}</span>
            </p>
          </div>
        </div>
        <nav aria-label={connector.title} className="flex gap-6 overflow-x-auto border-b border-line">
          {tabs.map((one) => (
            <Link
              key={one}
              to="/connectors/$name"
              params={{ name }}
              search={{ tab: one }}
              aria-current={one === tab ? "page" : undefined}
              className="-mb-px border-b-2 border-transparent pt-2 pb-2.5 font-medium text-muted capitalize hover:text-text aria-[current]:border-accent aria-[current]:text-text"
            >
              {one}
              {one === "tools" && <span className="ml-1 text-caption text-faint tabular-nums">{connector.toolList.length}</span>}
            </Link>
          ))}
        </nav>
      </div>
      {tab === "tools" ? <Tools connector={connector} /> : tab === "settings" ? <Settings connector={connector} /> : <Overview connector={connector} />}
    </>
  );
}

function Overview({ connector }: { connector: ConnectorDetail }) {
  const facts: [string, string][] = [
    ["Tool list in a chat", connector.toolList.length > 0 ? `about ${count(connector.listTokens, "token")}` : "Not known yet"],
    ["Calls since the start", connector.calls.toLocaleString("en")],
    ["Failed", connector.errors.toLocaleString("en")],
    ["Protocol", connector.protocolVersion ?? (["builtin", "openapi"].includes(connector.kind) ? "Inside Loggia" : "Not connected")],
    ["Set in", connector.file ?? "the console or loggia add"],
  ];
  const state = stateOf(connector);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_304px] items-start gap-8 max-wide:grid-cols-[minmax(0,1fr)]">
      <div className="grid gap-7">
        {connector.reason && state.tone !== "ok" && (
          <section aria-labelledby="what" className="rounded-card border border-line bg-attention-soft p-4">
            <h2 id="what" className="font-semibold text-attention">
              What happened
            </h2>
            <p className="mt-1 break-words whitespace-pre-line">{connector.reason}</p>
            {connector.errorOutput.length > 0 && (
              <details className="mt-2 text-second">
                <summary className="text-muted">What the program printed</summary>
                <pre className="mt-2 max-h-60 overflow-auto rounded-control border border-line bg-sunken p-3 text-[12.5px] leading-5 whitespace-pre-wrap">{connector.errorOutput.join("\n")}</pre>
              </details>
            )}
            <div className="mt-3">
              <CommandLine command={`loggia doctor ${connector.name}`} />
            </div>
          </section>
        )}
        <section aria-labelledby="can">
          <SectionHead id="can" title="What it can do" />
          <div className="card px-4 py-3">
            <Can counts={connector.tools} none={state.tone === "ok" ? "It has no tool." : "Told when it works"} />
          </div>
        </section>
        <section aria-labelledby="accounts">
          <SectionHead id="accounts" title="Accounts" count={connector.accounts.length} />
          {connector.accounts.length > 0 ? (
            <ul className="card divide-y divide-line">
              {connector.accounts.map((account, n) => (
                <li key={account} className="flex items-center gap-3 px-4 py-3">
                  <span aria-hidden className="grid size-7 flex-none place-items-center rounded-full bg-accent-soft text-caption font-semibold text-accent">
                    {account.slice(0, 1).toUpperCase()}
                  </span>
                  <span className="min-w-0 flex-1 truncate font-medium">{account}</span>
                  {n === 0 && <span className="rounded-md bg-hover px-2 text-caption leading-[22px] font-medium text-muted">Default</span>}
                </li>
              ))}
            </ul>
          ) : (
            <p className="text-muted">No saved credential: it needs none, or reads it from the environment.</p>
          )}
          <div className="mt-3">
            <CommandLine command={`loggia accounts list ${connector.name}`} />
          </div>
        </section>
      </div>
      <aside aria-label={`About ${connector.title}`}>
        <SectionHead id="about" title="About" />
        <dl className="card grid gap-2.5 p-4 text-second">
          {facts.map(([term, text]) => (
            <div key={term} className="flex justify-between gap-4">
              <dt className="flex-none text-muted">{term}</dt>
              <dd className="min-w-0 text-right break-words tabular-nums">{text}</dd>
            </div>
          ))}
        </dl>
      </aside>
    </div>
  );
}

function Tools({ connector }: { connector: ConnectorDetail }) {
  if (connector.toolList.length === 0) return <p className="text-muted">It lists no tool now. {connector.reason}</p>;
  return (
    <section aria-label="Tools" className="grid gap-4">
      <ul className="card divide-y divide-line">
        {connector.toolList.map((tool) => (
          <li key={tool.name} className="grid grid-cols-[minmax(0,1fr)_auto] gap-x-4 px-4 py-2.5">
            <code className="min-w-0 break-words">{tool.name}</code>
            <ClassTag tool={tool} />
            <p className="line-clamp-2 text-second text-muted">{tool.description}</p>
            <span className="text-right text-caption text-faint tabular-nums" title="Tokens in the list, about">
              {tool.tokens} tokens
            </span>
          </li>
        ))}
      </ul>
      <CommandLine command={`loggia tools ${connector.name}`} />
    </section>
  );
}

function Settings({ connector }: { connector: ConnectorDetail }) {
  const navigate = useNavigate();
  const dialog = useRef<HTMLDialogElement>(null);
  const refresh = () => void queryClient.invalidateQueries({ queryKey: ["connectors"] });
  const toggle = useMutation({ mutationFn: () => api.setEnabled(connector.name, !connector.isEnabled), onSuccess: refresh });
  const remove = useMutation({
    mutationFn: () => api.remove(connector.name),
    onSuccess: () => {
      dialog.current?.close();
      refresh();
      void navigate({ to: "/" });
    },
  });
  if (connector.file || connector.kind === "") {
    return (
      <p className="text-muted">
        {connector.file ? (
          <>
            Set in <code>{connector.file}</code>: change it there. The gateway applies changes while it runs.
          </>
        ) : (
          "This folder is served as long as nothing is added. Connect a system, and it goes."
        )}
      </p>
    );
  }
  return (
    <div className="grid gap-7">
      {(toggle.error ?? remove.error) && <ErrorBox error={toggle.error ?? remove.error} />}
      <section aria-labelledby="serve" className="card flex items-center gap-4 p-4 max-rail:flex-col max-rail:items-stretch">
        <div className="min-w-0 flex-1">
          <h2 id="serve" className="font-semibold">
            {connector.isEnabled ? "AI apps can use it" : "Switched off"}
          </h2>
          <p className="text-second text-muted">{connector.isEnabled ? "Switched off, it keeps its accounts and settings." : "Its accounts and settings are kept."}</p>
        </div>
        <Button onClick={() => toggle.mutate()} disabled={toggle.isPending}>
          {connector.isEnabled ? `Switch ${connector.title} off` : `Switch ${connector.title} on`}
        </Button>
      </section>
      <CommandLine command={`loggia connectors ${connector.isEnabled ? "disable" : "enable"} ${connector.name}`} />
      <section aria-labelledby="gone" className="card flex items-center gap-4 p-4 max-rail:flex-col max-rail:items-stretch">
        <div className="min-w-0 flex-1">
          <h2 id="gone" className="font-semibold">
            Remove {connector.title}
          </h2>
          <p className="text-second text-muted">AI apps lose its tools at once. Nothing changes in {connector.title} itself.</p>
        </div>
        <Button look="danger" onClick={() => dialog.current?.showModal()}>
          Remove {connector.title}
        </Button>
      </section>
      <CommandLine command={`loggia connectors remove ${connector.name}`} />
      <dialog ref={dialog} aria-labelledby="sure" className="w-[min(440px,calc(100vw-32px))] rounded-dialog border border-line bg-surface p-6 text-text shadow-menu">
        <h2 id="sure" className="text-[18px] leading-6 font-semibold">
          Remove {connector.title}?
        </h2>
        <p className="mt-2 text-muted">
          {connector.accounts.length > 0 ? `Its ${count(connector.accounts.length, "saved credential")} and its settings go` : "Its settings go"}. What it did in {connector.title} stays.
        </p>
        <div className="mt-5 flex justify-end gap-2">
          <button type="button" autoFocus className={buttonClass()} onClick={() => dialog.current?.close()}>
            Keep it
          </button>
          <Button look="danger" disabled={remove.isPending} onClick={() => remove.mutate()}>
            Remove {connector.title}
          </Button>
        </div>
      </dialog>
    </div>
  );
}
