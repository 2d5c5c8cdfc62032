import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronRight, Plus } from "lucide-react";
import type { ConnectorInfo } from "../api/client";
import { queries } from "../api/queries";
import { buttonClass, Can, ErrorBox, PageHead, SectionHead, Skeletons, State, Tile } from "../components/basic";
import { PasteBox } from "../components/paste-box";
import { count, needsSignIn, stateOf } from "../words";

const favourites = ["notion", "linear", "github", "google-drive", "stripe", "figma", "sentry", "hubspot"];

export function HomePage() {
  const { data: connectors, error, refetch } = useQuery(queries.connectors);
  if (error) return <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (!connectors) return <Skeletons rows={5} />;
  const isFirstRun = connectors.every((connector) => connector.kind === "builtin" && !connector.file);
  return isFirstRun ? <Welcome served={connectors} /> : <Overview connectors={connectors} />;
}

function Overview({ connectors }: { connectors: ConnectorInfo[] }) {
  const problems = connectors.filter((connector) => ["attention", "error"].includes(stateOf(connector).tone));
  const working = connectors.filter((connector) => connector.state === "up").length;
  const subtitle = `${count(connectors.length, "system")} connected, ${working} working.${problems.length > 0 ? ` ${count(problems.length, "needs you", "need you")}.` : ""}`;
  return (
    <>
      <PageHead title="Home" subtitle={subtitle}>
        <Link to="/directory" className={buttonClass(problems.length > 0 ? "plain" : "primary")}>
          <Plus size={16} aria-hidden />
          Connect a system
        </Link>
      </PageHead>
      {problems.length > 0 && (
        <section aria-labelledby="needs">
          <SectionHead id="needs" title="Needs you" count={problems.length} />
          <ul className="card divide-y divide-line">
            {problems.map((connector, n) => (
              <Problem key={connector.name} connector={connector} isFirst={n === 0} />
            ))}
          </ul>
        </section>
      )}
      <section aria-labelledby="systems">
        <SectionHead id="systems" title="Connected systems" count={connectors.length} />
        <div className="card overflow-hidden">
          <table className="w-full">
            <thead className="border-b border-line text-left text-caption text-faint max-rail:sr-only">
              <tr>
                <th className="px-4 py-2.5 font-medium">System</th>
                <th className="px-4 py-2.5 font-medium">State</th>
                <th className="px-4 py-2.5 font-medium">What it can do</th>
                <th className="px-4 py-2.5 text-right font-medium">Calls</th>
                <th>
                  <span className="sr-only">Open</span>
                </th>
              </tr>
            </thead>
            <tbody className="divide-y divide-line">
              {connectors.map((connector) => (
                <SystemRow key={connector.name} connector={connector} />
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}

function Problem({ connector, isFirst }: { connector: ConnectorInfo; isFirst: boolean }) {
  const signIn = needsSignIn(connector);
  return (
    <li className="flex items-center gap-3 px-4 py-3 max-rail:flex-wrap">
      <Tile name={connector.entry ?? connector.name} title={connector.title} marked />
      <div className="min-w-0 flex-1">
        <p className="font-medium">{signIn ? `${connector.title} needs you to sign in again` : `${connector.title} does not work`}</p>
        <p className="line-clamp-2 text-second break-words text-muted">{connector.reason}</p>
      </div>
      <Link to="/connectors/$name" params={{ name: connector.name }} className={`${buttonClass(isFirst ? "primary" : "plain")} max-rail:w-full`}>
        {signIn ? `Reconnect ${connector.title}` : "What happened"}
      </Link>
    </li>
  );
}

function SystemRow({ connector }: { connector: ConnectorInfo }) {
  const state = stateOf(connector);
  const under = connector.accounts.length > 0 ? connector.accounts.join(", ") : connector.detail;
  return (
    <tr className="relative hover:bg-hover/60 max-rail:flex max-rail:flex-wrap max-rail:items-center max-rail:gap-x-4 max-rail:px-4 max-rail:py-2.5">
      <td className="px-4 py-2.5 max-rail:min-w-0 max-rail:basis-full max-rail:p-0">
        <Link to="/connectors/$name" params={{ name: connector.name }} className="flex min-w-0 items-center gap-3 after:absolute after:inset-0">
          <Tile name={connector.entry ?? connector.name} title={connector.title} marked={state.tone === "attention"} />
          <span className="min-w-0">
            <span className="block truncate font-medium">{connector.title}</span>
            <span className="block max-w-[30ch] truncate text-second text-faint">{under}</span>
          </span>
        </Link>
      </td>
      <td className="px-4 py-2.5 max-rail:py-1 max-rail:pr-0 max-rail:pl-12">
        <State tone={state.tone}>{state.text}</State>
      </td>
      <td className="px-4 py-2.5 max-rail:p-0">
        <Can counts={connector.tools} none={state.tone === "ok" ? "No tool" : "Told when it works"} />
      </td>
      <td className="px-4 py-2.5 text-right text-second tabular-nums max-rail:hidden">
        {connector.calls.toLocaleString("en")}
        {connector.errors > 0 && <span className="text-error"> · {connector.errors} failed</span>}
      </td>
      <td className="w-8 pr-3 text-faint max-rail:hidden">
        <ChevronRight size={16} aria-hidden />
      </td>
    </tr>
  );
}

function Welcome({ served }: { served: ConnectorInfo[] }) {
  const { data: directory } = useQuery(queries.directory);
  const popular = favourites.flatMap((name) => directory?.find((entry) => entry.name === name) ?? []);
  return (
    <div className="mx-auto grid w-full max-w-[880px] gap-9 pt-6">
      <header className="grid justify-items-center gap-2.5 text-center">
        <h1 className="text-hero font-semibold tracking-tight text-balance">Give your AI app access to a system you use</h1>
        <p className="max-w-[540px] text-[16px] leading-6 text-balance text-muted">Pick one to start. You sign in at the system itself, and you can take the access away at any time.</p>
      </header>
      <section aria-labelledby="popular">
        <SectionHead id="popular" title="Popular">
          <Link to="/directory" className="font-medium text-accent hover:underline">
            See all {directory?.length}
          </Link>
        </SectionHead>
        {directory ? (
          <div className="grid grid-cols-4 gap-3 max-wide:grid-cols-2">
            {popular.map(({ name, title, categories, description }) => (
              <Link key={name} to="/directory/$entry" params={{ entry: name }} className="card group grid content-start gap-3 p-4 transition-colors hover:border-accent">
                <span className="flex items-center justify-between">
                  <Tile name={name} title={title} />
                  <Plus size={16} aria-hidden className="text-faint group-hover:text-accent" />
                </span>
                <span>
                  <span className="block font-medium">{title}</span>
                  <span className="line-clamp-2 text-second leading-[18px] text-muted">{description || categories.join(", ")}</span>
                </span>
              </Link>
            ))}
          </div>
        ) : (
          <Skeletons rows={2} className="h-[120px]" />
        )}
      </section>
      <section aria-labelledby="else">
        <SectionHead id="else" title="Something else" />
        <PasteBox />
      </section>
      {served.length > 0 && (
        <section aria-labelledby="now">
          <SectionHead id="now" title="Served until then" />
          <div className="card overflow-hidden">
            <table className="w-full">
              <tbody>
                {served.map((connector) => (
                  <SystemRow key={connector.name} connector={connector} />
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
    </div>
  );
}
