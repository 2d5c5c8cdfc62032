import { Check, CircleAlert, CircleCheck, CircleX, Clock, Copy, Eye, Pencil, Power, SquareTerminal, Trash2 } from "lucide-react";
import { type ButtonHTMLAttributes, type ReactNode, useEffect, useState } from "react";
import type { ApiError, ToolCounts, ToolInfo } from "../api/client";
import { brands } from "../brands";
import type { Tone } from "../words";

const icon = { size: 16, strokeWidth: 1.75, "aria-hidden": true } as const;

type ButtonLook = "plain" | "primary" | "quiet" | "danger";
const looks: Record<ButtonLook, string> = {
  plain: "border-line-strong bg-surface shadow-card hover:bg-hover",
  primary: "border-transparent bg-accent text-on-accent hover:bg-accent-hover",
  quiet: "border-transparent text-muted hover:bg-hover hover:text-text",
  danger: "border-line-strong bg-surface text-destructive hover:bg-destructive-soft",
};

export function buttonClass(look: ButtonLook = "plain", small = false): string {
  const size = small ? "h-7 px-2.5 text-second max-rail:h-9" : "h-[34px] px-3.5 max-rail:h-10";
  return `inline-flex flex-none items-center justify-center gap-1.5 rounded-control border font-medium whitespace-nowrap transition-colors disabled:opacity-55 ${size} ${looks[look]}`;
}

export function Button({ look, small, className = "", ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { look?: ButtonLook; small?: boolean }) {
  return <button type="button" className={`${buttonClass(look, small)} ${className}`} {...rest} />;
}

export function IconButton({ label, children, ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="grid size-7 flex-none place-items-center rounded-md text-faint transition-colors hover:bg-hover hover:text-text max-rail:size-9"
      {...rest}
    >
      {children}
    </button>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <IconButton label={copied ? "Copied" : label} onClick={() => navigator.clipboard.writeText(text).then(() => setCopied(true))}>
      {copied ? <Check {...icon} size={14} /> : <Copy {...icon} size={14} />}
      <span className="sr-only" role="status">
        {copied ? "Copied" : ""}
      </span>
    </IconButton>
  );
}

const brandOf: Record<string, string> = {
  jira: "atlassian",
  confluence: "atlassian",
  "google-drive": "googledrive",
  postgres: "postgresql",
};

/** The tile of a system: its glyph in its colour, or its first letter. */
export function Tile({ name, title, size = "md", marked = false }: { name: string | undefined; title: string; size?: "sm" | "md" | "lg"; marked?: boolean }) {
  const brand = name ? brands[brandOf[name] ?? name] : undefined;
  const box = { sm: "size-7 rounded-[7px]", md: "size-9 rounded-tile", lg: "size-14 rounded-[14px]" }[size];
  const glyph = { sm: 14, md: 18, lg: 28 }[size];
  const letter = { sm: "text-caption", md: "text-section", lg: "text-title" }[size];
  return (
    <span aria-hidden className={`relative grid flex-none place-items-center border border-line ${box} ${brand ? "bg-surface dark:bg-hover" : "bg-hover text-muted"}`}>
      {brand ? (
        <svg width={glyph} height={glyph} viewBox="0 0 24 24">
          <path className="dark:hidden" d={brand.path} fill={brand.light} />
          <path className="hidden dark:inline" d={brand.path} fill={brand.dark} />
        </svg>
      ) : (
        <span className={`font-semibold ${letter}`}>{title.slice(0, 1).toUpperCase()}</span>
      )}
      {marked && (
        <span className="absolute -right-1.5 -bottom-1.5 grid size-4 place-items-center rounded-full bg-attention-mark text-[11px] font-bold text-surface ring-2 ring-surface">!</span>
      )}
    </span>
  );
}

const toneLooks: Record<Tone, [typeof CircleCheck, string, string]> = {
  ok: [CircleCheck, "text-ok", "text-muted"],
  attention: [CircleAlert, "", "text-attention font-medium"],
  error: [CircleX, "", "text-error font-medium"],
  wait: [Clock, "", "text-muted"],
  off: [Power, "", "text-faint"],
};

/** A state: an icon and a word, never a colour alone. */
export function State({ tone, children }: { tone: Tone; children: ReactNode }) {
  const [Icon, iconColour, text] = toneLooks[tone];
  return (
    <span className={`inline-flex items-center gap-1.5 text-second whitespace-nowrap ${text}`}>
      <Icon {...icon} size={14} className={`flex-none ${iconColour}`} />
      {children}
    </span>
  );
}

/** The numbers of tools that read, change and delete. */
export function Can({ counts, none = "Told after signing in" }: { counts: ToolCounts; none?: string }) {
  const parts = [
    { n: counts.read, word: "read", Icon: Eye, colour: "" },
    { n: counts.write, word: "change", Icon: Pencil, colour: "text-write" },
    { n: counts.destructive, word: "delete", Icon: Trash2, colour: "text-destructive" },
  ].filter((part) => part.n > 0);
  const unknown = counts.unknown;
  if (parts.length === 0 && unknown === 0) return <span className="text-second text-faint">{none}</span>;
  return (
    <span className="inline-flex gap-3 text-second text-muted tabular-nums">
      {parts.map(({ n, word, Icon, colour }) => (
        <span key={word} className="inline-flex items-center gap-1" title={`${n} that ${word}`}>
          <Icon {...icon} size={13} className={colour} />
          {n}
          <span className="sr-only">that {word}</span>
        </span>
      ))}
      {unknown > 0 && <span title={`${unknown} whose effect the server does not tell`}>{unknown} more</span>}
    </span>
  );
}

export function ClassTag({ tool }: { tool: Pick<ToolInfo, "class"> }) {
  const looks = {
    read: [Eye, "Reads", "text-muted"],
    write: [Pencil, "Changes", "text-write"],
    destructive: [Trash2, "Deletes", "text-destructive"],
  } as const;
  const look = tool.class ? looks[tool.class] : undefined;
  if (!look) return <span className="text-caption text-faint">Not told</span>;
  const [Icon, word, colour] = look;
  return (
    <span className={`inline-flex items-center gap-1.5 text-second ${colour}`}>
      <Icon {...icon} size={14} />
      {word}
    </span>
  );
}

/** The command that does the same. Closed unless the person opened one the last time. */
export function CommandLine({ command, label = "Show as command" }: { command: string; label?: string }) {
  const KEY = "loggia-commands-open";
  return (
    <details
      open={localStorage.getItem(KEY) === "yes"}
      onToggle={(event) => localStorage.setItem(KEY, event.currentTarget.open ? "yes" : "no")}
      className="text-second"
    >
      <summary className="inline-flex list-none items-center gap-1.5 text-faint hover:text-text">
        <SquareTerminal {...icon} size={14} />
        {label}
      </summary>
      <div className="mt-2 flex items-center gap-2 rounded-control border border-line bg-sunken py-1 pr-1 pl-3">
        <span className="font-mono text-faint select-none" aria-hidden>
          $
        </span>
        <code className="min-w-0 flex-1 break-words">{command}</code>
        <CopyButton text={command} label="Copy the command" />
      </div>
    </details>
  );
}

export function SectionHead({ id, title, count, children }: { id: string; title: string; count?: number | undefined; children?: ReactNode }) {
  return (
    <div className="mb-3 flex items-baseline gap-2">
      <h2 id={id} className="text-section font-semibold tracking-tight">
        {title}
      </h2>
      {count !== undefined && <span className="text-second text-faint tabular-nums">{count}</span>}
      {children && <span className="ml-auto text-second">{children}</span>}
    </div>
  );
}

export function PageHead({ title, subtitle, children }: { title: string; subtitle?: ReactNode; children?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Loggia`;
  }, [title]);
  return (
    <header className="flex items-start gap-4 max-rail:flex-col">
      <div className="min-w-0 flex-1">
        <h1 className="text-title font-semibold tracking-tight">{title}</h1>
        {subtitle && <p className="mt-1 text-muted">{subtitle}</p>}
      </div>
      {children && <div className="flex flex-none gap-2 max-rail:w-full max-rail:*:flex-1">{children}</div>}
    </header>
  );
}

/** What happened, on whose side, and the next step. */
export function ErrorBox({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = (error as ApiError | undefined)?.problem;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div role="alert" className="rounded-card border border-error/40 bg-error-soft p-4">
      <p className="flex gap-2 font-medium text-error">
        <CircleX {...icon} className="mt-[3px] flex-none" />
        <span className="min-w-0 break-words whitespace-pre-line first-letter:uppercase">{text}</span>
      </p>
      {problem?.nextStep && <p className="mt-1 pl-6 text-second break-words text-text">{problem.nextStep}</p>}
      {onRetry && (
        <Button small className="mt-3 ml-6" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

export function Skeletons({ rows = 3, className = "h-[60px]" }: { rows?: number; className?: string }) {
  return (
    <div aria-busy className="grid gap-3">
      <span className="sr-only" role="status">
        Loading
      </span>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className={`skeleton ${className}`} />
      ))}
    </div>
  );
}
