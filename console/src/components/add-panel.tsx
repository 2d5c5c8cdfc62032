// What a source will be as a connector, the values that it needs, and the button that adds it.

import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ChevronDown, CircleCheck, ExternalLink, LoaderCircle, MessageSquareText } from "lucide-react";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { type AddRequest, type AddedConnectorInfo, type AnswerField, ApiError, api, type PlanInfo } from "../api/client";
import { queries, queryClient } from "../api/queries";
import { count, questionFor } from "../words";
import { Button, buttonClass, ClassTag, CommandLine, CopyButton, ErrorBox, SectionHead, Skeletons } from "./basic";

export function AddPanel({ source, categories = [] }: { source: string; categories?: string[] }) {
  const [backend, setBackend] = useState<string>();
  const { data: plan, error, isPending, refetch } = useQuery(queries.plan(backend === undefined ? { source } : { source, backend }));
  const [added, setAdded] = useState<AddedConnectorInfo>();
  if (added && plan) return <Added added={added} title={plan.title} categories={categories} />;
  if (error) return <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (isPending) return <Skeletons rows={3} className="h-24" />;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)_304px] items-start gap-8 max-wide:grid-cols-[minmax(0,1fr)]">
      <div className="grid gap-7">
        <AddForm key={plan.backend.name} plan={plan} source={source} backend={backend} onAdded={setAdded} />
        <Abilities plan={plan} />
        <CommandLine command={plan.command} />
      </div>
      <aside aria-label={`About ${plan.title}`} className="grid gap-7">
        <Backends plan={plan} onChoose={setBackend} />
        <Facts plan={plan} />
      </aside>
    </div>
  );
}

function AddForm({ plan, source, backend, onAdded }: { plan: PlanInfo; source: string; backend: string | undefined; onAdded: (added: AddedConnectorInfo) => void }) {
  const window_ = useRef<Window | null>(null);
  const add = useMutation({
    mutationFn: (request: AddRequest) => api.add(request),
    onSuccess: (added) => {
      void queryClient.invalidateQueries();
      onAdded(added);
    },
    onSettled: () => window_.current?.close(),
  });
  useSignInWindow(add.isPending, window_);
  const credential = plan.credential;
  const isSignIn = credential?.isSignIn ?? false;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? "").trim();
    const values: Record<string, string> = {};
    for (const field of plan.fields) if (text(`value-${field.name}`)) values[field.name] = text(`value-${field.name}`);
    // Browsers open a window only for a click: it gets its address when the gateway knows the sign-in page.
    if (isSignIn && !text("credential")) window_.current = window.open("about:blank", "loggia-sign-in", "popup,width=620,height=760");
    add.mutate({ source, backend: backend ?? null, credential: text("credential") || null, account: text("account") || null, values });
  };
  return (
    <form onSubmit={submit} className="card grid gap-5 p-5">
      {plan.backend.unusableWhen && (
        <div className="rounded-control bg-attention-soft px-3 py-2 text-second text-attention">
          <p className="font-medium">You cannot use this if</p>
          <p>{plan.backend.unusableWhen}</p>
          {plan.others.length > 0 && <p className="mt-1 text-muted">Then use another way under “How it connects”.</p>}
        </div>
      )}
      {credential && credential.steps.length > 0 && (
        <ol className="grid gap-2">
          {credential.steps.map(({ text, link }, n) => (
            <li key={text} className="flex gap-3">
              <span className="grid size-6 flex-none place-items-center rounded-full bg-accent-soft text-caption font-semibold text-accent tabular-nums">{n + 1}</span>
              <span className="min-w-0 break-words">
                {text}{" "}
                {link && (
                  <a href={link} target="_blank" rel="noreferrer" className="inline-flex items-center gap-1 font-medium text-accent hover:underline">
                    Open
                    <ExternalLink size={12} aria-hidden />
                    <span className="sr-only">{hostOf(link)} in a new tab</span>
                  </a>
                )}
              </span>
            </li>
          ))}
        </ol>
      )}
      {credential && !isSignIn && (
        <Field
          name="credential"
          field={{ name: "credential", title: credential.title, description: credential.description ?? null, isRequired: credential.isRequired, isSecret: true, choices: [] }}
        />
      )}
      {plan.fields.map((field) => (
        <Field key={field.name} name={`value-${field.name}`} field={field} />
      ))}
      {credential && (
        <details className="group text-second">
          <summary className="inline-flex list-none items-center gap-1 text-muted hover:text-text">
            <ChevronDown size={14} aria-hidden className="transition-transform group-open:rotate-180" />
            More options
          </summary>
          <div className="mt-3 grid gap-4">
            <Field name="account" field={{ name: "account", title: "Name of the account", description: "Work or private, if you connect more than one.", isRequired: false, isSecret: false, choices: [] }} />
            {isSignIn && (
              <Field name="credential" field={{ name: "credential", title: `${credential.title} in place of the sign-in`, description: credential.description ?? null, isRequired: false, isSecret: true, choices: [] }} />
            )}
          </div>
        </details>
      )}
      {add.error && <ErrorBox error={add.error} />}
      {add.error instanceof ApiError && (add.error.problem.missing ?? []).length > 0 && (
        <p className="text-second text-muted">Still missing: {add.error.problem.missing?.map((field) => field.title).join(", ")}.</p>
      )}
      <div className="flex flex-wrap items-center gap-3">
        <Button type="submit" look="primary" disabled={add.isPending}>
          {add.isPending && <LoaderCircle size={16} aria-hidden className="animate-spin" />}
          {isSignIn ? `Sign in and add ${plan.title}` : `Add ${plan.title}`}
        </Button>
        <span role="status" className="text-second text-muted">
          {add.isPending ? (isSignIn ? `Waiting for the sign-in at ${plan.title}…` : `Asking ${plan.title} to prove it…`) : "It is proved by a call before it is added."}
        </span>
      </div>
    </form>
  );
}

/** Sends the opened window to the sign-in page as soon as the gateway knows it. */
function useSignInWindow(isAdding: boolean, opened: { current: Window | null }) {
  useEffect(() => {
    if (!isAdding || !opened.current) return;
    const timer = setInterval(async () => {
      const { page } = await api.signIn().catch(() => ({ page: undefined }));
      if (page && opened.current) {
        opened.current.location.href = page;
        clearInterval(timer);
      }
    }, 300);
    return () => clearInterval(timer);
  }, [isAdding, opened]);
}

export function Field({ name, field }: { name: string; field: AnswerField }) {
  const id = useId();
  const box = "h-9 w-full rounded-control border border-control bg-surface px-2.5 outline-offset-1 max-rail:h-10";
  return (
    <div>
      <label htmlFor={id} className="font-medium">
        {field.title}
        {!field.isRequired && <span className="font-normal text-faint"> (optional)</span>}
      </label>
      {field.description && (
        <p id={`${id}-help`} className="text-second text-muted">
          {field.description}
        </p>
      )}
      <div className="mt-1.5">
        {field.choices.length > 0 ? (
          <select id={id} name={name} defaultValue={field.default ?? ""} required={field.isRequired} className={box} aria-describedby={`${id}-help`}>
            {!field.isRequired && <option value="">{field.default ? `${field.default} (default)` : "Not set"}</option>}
            {field.choices.map((choice) => (
              <option key={choice}>{choice}</option>
            ))}
          </select>
        ) : (
          <input
            id={id}
            name={name}
            type={field.isSecret ? "password" : "text"}
            autoComplete="off"
            spellCheck={false}
            required={field.isRequired}
            placeholder={field.default ?? undefined}
            aria-describedby={field.description ? `${id}-help` : undefined}
            className={box}
          />
        )}
      </div>
    </div>
  );
}

function Abilities({ plan }: { plan: PlanInfo }) {
  if (plan.tools.length === 0) {
    return (
      <section aria-labelledby="abilities">
        <SectionHead id="abilities" title="What it can do" />
        <p className="text-muted">The server tells its tools after the sign-in. You see them before an AI app does.</p>
      </section>
    );
  }
  return (
    <section aria-labelledby="abilities">
      <SectionHead id="abilities" title="What it can do" count={plan.tools.length} />
      <ul className="card divide-y divide-line">
        {plan.tools.map((tool) => (
          <li key={tool.name} className="flex items-center gap-3 px-4 py-2">
            <span className="min-w-0 flex-1">
              <span className="block break-words">{tool.title ?? tool.name}</span>
            </span>
            <ClassTag tool={tool} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Backends({ plan, onChoose }: { plan: PlanInfo; onChoose: (backend: string) => void }) {
  const all = [plan.backend, ...plan.others];
  return (
    <section aria-labelledby="ways">
      <SectionHead id="ways" title="How it connects" />
      <div className="card divide-y divide-line">
        {all.map((backend) => {
          const isChosen = backend.name === plan.backend.name;
          return (
            <div key={backend.name} className="flex items-start gap-3 px-4 py-3">
              <span className="min-w-0 flex-1">
                <span className="font-medium">{backend.title ?? kindWords[backend.kind] ?? backend.kind}</span>
                {isChosen && <span className="block text-second text-muted first-letter:uppercase">{plan.reason}.</span>}
                {!isChosen && backend.unusableWhen && <span className="block text-second text-muted">Not if: {backend.unusableWhen}</span>}
              </span>
              {isChosen ? (
                all.length > 1 && <CircleCheck size={16} className="mt-1 flex-none text-accent" aria-label="Chosen" />
              ) : (
                <Button small onClick={() => onChoose(backend.name)}>
                  Use this
                </Button>
              )}
            </div>
          );
        })}
      </div>
      {plan.backend.notes.length > 0 && (
        <ul className="mt-3 grid gap-1.5 text-second text-muted">
          {plan.backend.notes.map((note) => (
            <li key={note}>{note}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

const kindWords: Record<string, string> = {
  remote: "The system's own server",
  stdio: "A program on this computer",
  openapi: "Its web API",
  graphql: "Its GraphQL API",
  builtin: "Built into Loggia",
};

function Facts({ plan }: { plan: PlanInfo }) {
  const scopes = [...plan.readScopes, ...plan.writeScopes];
  const facts: [string, string][] = [
    ["Reaches", plan.hosts.join(", ") || "Not told"],
    ["Asks for", scopes.join(", ") || "No scopes"],
    ["Size in a chat", plan.listTokens ? `about ${count(plan.listTokens, "token")}` : "Told after signing in"],
  ];
  return (
    <section aria-labelledby="facts">
      <SectionHead id="facts" title="Before you add it" />
      <dl className="card grid gap-2.5 p-4 text-second">
        {facts.map(([term, text]) => (
          <div key={term} className="flex justify-between gap-4">
            <dt className="flex-none text-muted">{term}</dt>
            <dd className="min-w-0 text-right break-words">{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Added({ added, title, categories }: { added: AddedConnectorInfo; title: string; categories: string[] }) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), []);
  const question = questionFor(title, categories);
  return (
    <section className="card grid gap-5 p-6">
      <div className="flex items-center gap-3">
        <CircleCheck size={28} strokeWidth={1.5} aria-hidden className="flex-none text-ok" />
        <div>
          <h2 ref={head} tabIndex={-1} className="text-[20px] leading-7 font-semibold tracking-tight outline-none">
            {title} is connected
          </h2>
          <p className="text-muted">
            A call proved it{added.account && `, with the account ${added.account}`}.{added.tools.length > 0 && ` It has ${count(added.tools.length, "tool")}.`}
          </p>
        </div>
      </div>
      <div>
        <p className="mb-2 font-medium">Try asking your AI app</p>
        <p className="flex items-center gap-3 rounded-control border border-line bg-sunken px-3 py-2">
          <MessageSquareText size={16} aria-hidden className="flex-none text-accent" />
          <span className="min-w-0 flex-1">{question}</span>
          <CopyButton text={question} label="Copy the question" />
        </p>
      </div>
      <div className="flex flex-wrap gap-2">
        <Link to="/connectors/$name" params={{ name: added.name }} className={buttonClass("primary")}>
          Open {title}
        </Link>
        <Link to="/directory" className={buttonClass()}>
          Connect another system
        </Link>
      </div>
      {added.firstCall && <CommandLine command={`loggia call ${added.name} ${added.firstCall}`} label="Try it as a command" />}
    </section>
  );
}

function hostOf(link: string): string {
  try {
    return new URL(link).host;
  } catch {
    return link;
  }
}
