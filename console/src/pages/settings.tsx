import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { queries } from "../api/queries";
import { CopyButton, PageHead, SectionHead } from "../components/basic";
import { setTheme, type Theme, theme } from "../theme";
import { ago } from "../words";

export function SettingsPage() {
  const { data: gateway } = useQuery(queries.gateway);
  const [chosen, setChosen] = useState<Theme>(theme());
  const choose = (next: Theme) => {
    setTheme(next);
    setChosen(next);
  };
  return (
    <>
      <PageHead title="Settings" />
      <section aria-labelledby="look">
        <SectionHead id="look" title="Appearance" />
        <div role="group" aria-label="Appearance" className="inline-flex rounded-[8px] border border-line bg-hover p-0.5">
          {(["system", "light", "dark"] as const).map((one) => (
            <button
              key={one}
              type="button"
              aria-pressed={chosen === one}
              onClick={() => choose(one)}
              className="h-[26px] rounded-md px-3 text-second font-medium text-muted aria-pressed:bg-surface aria-pressed:text-text aria-pressed:ring-1 aria-pressed:ring-line-strong max-rail:h-9"
            >
              {{ system: "As the system", light: "Light", dark: "Dark" }[one]}
            </button>
          ))}
        </div>
      </section>
      {gateway && (
        <section aria-labelledby="gateway">
          <SectionHead id="gateway" title="Gateway" />
          <dl className="card grid gap-2.5 p-4 text-second">
            <Fact term="Address for AI apps" text={gateway.url ?? "not over HTTP"} copies />
            <Fact term="Configuration file" text={gateway.config ?? "none: what is added is in your data folder"} />
            <Fact term="Started" text={ago(gateway.sinceSeconds)} />
            <Fact term="Version" text={gateway.version} />
          </dl>
        </section>
      )}
      <section aria-labelledby="api">
        <SectionHead id="api" title="Admin API" />
        <p className="text-muted">
          This page uses nothing else. Its description is at{" "}
          <a href="/api/v1/openapi.json" className="font-medium text-accent hover:underline">
            /api/v1/openapi.json
          </a>
          . Pages of other sites cannot reach it.
        </p>
      </section>
    </>
  );
}

function Fact({ term, text, copies = false }: { term: string; text: string; copies?: boolean }) {
  return (
    <div className="flex items-center justify-between gap-4">
      <dt className="flex-none text-muted">{term}</dt>
      <dd className="flex min-w-0 items-center gap-1 text-right break-all">
        {text}
        {copies && <CopyButton text={text} label={`Copy: ${term}`} />}
      </dd>
    </div>
  );
}
