import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useId } from "react";
import { Button } from "./basic";

/** A box that takes anything that can be a connector. */
export function PasteBox({ initial = "" }: { initial?: string }) {
  const navigate = useNavigate();
  const id = useId();
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const source = String(new FormData(event.currentTarget).get("source") ?? "").trim();
    if (source) void navigate({ to: "/add", search: { source } });
  };
  return (
    <form onSubmit={submit}>
      <div className="flex gap-2 max-rail:flex-col">
        <label className="sr-only" htmlFor={id}>
          Name, web address, package or file
        </label>
        <input
          id={id}
          name="source"
          type="text"
          key={initial}
          defaultValue={initial}
          required
          spellCheck={false}
          autoComplete="off"
          placeholder="Name, web address, package or file"
          className="h-10 min-w-0 flex-1 rounded-control border border-control bg-surface px-3"
        />
        <Button type="submit" className="!h-10">
          Look
        </Button>
      </div>
      <p className="mt-2 text-second text-muted">
        Examples: <code>https://mcp.example.com/mcp</code>, <code>npm:@scope/server@1.2.0</code>, <code>pypi:mcp-server-time</code>, <code>./openapi.yaml</code>.
      </p>
    </form>
  );
}
