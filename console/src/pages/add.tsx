import { useSearch } from "@tanstack/react-router";
import { AddPanel } from "../components/add-panel";
import { PageHead } from "../components/basic";
import { PasteBox } from "../components/paste-box";

export function AddPage() {
  const { source } = useSearch({ from: "/add" });
  return (
    <>
      <PageHead title="Add from a link or file" subtitle="Paste what you have. Loggia says what it is and what it will be able to do, before anything is added." />
      <PasteBox initial={source ?? ""} />
      {source && <AddPanel key={source} source={source} />}
    </>
  );
}
