import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { ExternalLink } from "lucide-react";
import { queries } from "../api/queries";
import { AddPanel } from "../components/add-panel";
import { ErrorBox, PageHead, Skeletons, Tile } from "../components/basic";
import { categoryNames } from "../words";

export function EntryPage() {
  const { entry: name } = useParams({ from: "/directory/$entry" });
  const { data: entries, error, refetch } = useQuery(queries.directory);
  if (error) return <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (!entries) return <Skeletons rows={3} className="h-24" />;
  const entry = entries.find((known) => known.name === name);
  if (!entry) {
    return (
      <PageHead title="Not in the directory" subtitle={`There is no connector ${name}.`}>
        <Link to="/directory" className="font-medium text-accent hover:underline">
          Open the directory
        </Link>
      </PageHead>
    );
  }
  return (
    <>
      <div className="grid gap-4">
        <nav aria-label="Breadcrumb" className="flex gap-1.5 text-second text-faint">
          <Link to="/directory" className="hover:text-text">
            Directory
          </Link>
          <span aria-hidden>/</span>
          <span aria-current="page">{entry.title}</span>
        </nav>
        <div className="flex items-center gap-[18px]">
          <Tile name={entry.name} title={entry.title} size="lg" />
          <div className="min-w-0">
            <PageHead title={entry.title} />
            <p className="text-muted">{entry.description}</p>
            <p className="flex flex-wrap gap-x-4 text-second text-faint">
              <span>{entry.categories.map((category) => categoryNames[category] ?? category).join(", ")}</span>
              {entry.website && (
                <a href={entry.website} target="_blank" rel="noreferrer" className="inline-flex items-center gap-1 hover:text-text">
                  {entry.website.replace(/^https?:\/\//, "")}
                  <ExternalLink size={12} aria-hidden />
                </a>
              )}
            </p>
          </div>
        </div>
        {entry.connectors.length > 0 && (
          <p className="text-second text-muted">
            Connected already:{" "}
            {entry.connectors.map((connector, n) => (
              <span key={connector}>
                {n > 0 && ", "}
                <Link to="/connectors/$name" params={{ name: connector }} className="font-medium text-accent hover:underline">
                  {connector}
                </Link>
              </span>
            ))}
          </p>
        )}
      </div>
      <AddPanel source={entry.name} categories={entry.categories} />
    </>
  );
}
