import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { House, LayoutGrid, Link as LinkIcon, Moon, Settings2, Sun } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { queries } from "../api/queries";
import { setTheme } from "../theme";
import { Tile } from "./basic";

/** Search or run: actions before places, then connectors and the directory. */
export function Palette({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const navigate = useNavigate();
  const { data: connectors = [] } = useQuery({ ...queries.connectors, enabled: isOpen });
  const { data: directory = [] } = useQuery({ ...queries.directory, enabled: isOpen });
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const go = (path: string) => run(() => void navigate({ to: path }));
  const run = (action: () => void) => () => {
    onClose();
    action();
  };
  return (
    <dialog
      ref={dialog}
      aria-label="Search or run"
      onClose={onClose}
      onClick={(event) => event.target === dialog.current && onClose()}
      className="mt-[12vh] w-[min(600px,calc(100vw-32px))] rounded-dialog border border-line bg-surface p-0 text-text shadow-menu"
    >
      {isOpen && (
        <Command label="Search or run" loop>
          <Command.Input autoFocus placeholder="Search, or say what to do" className="h-12 w-full border-b border-line bg-transparent px-4 outline-none" />
          <Command.List className="max-h-[min(420px,60vh)] overflow-y-auto p-2 [&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-caption [&_[cmdk-group-heading]]:text-faint">
            <Command.Empty className="px-2.5 py-6 text-center text-muted">Nothing has this name. The directory takes links, packages and files too.</Command.Empty>
            <Command.Group heading="Actions">
              <Item icon={<LinkIcon size={16} aria-hidden />} onSelect={go("/add")} words="add link file url package">
                Add from a link or file
              </Item>
              <Item icon={<Sun size={16} aria-hidden />} onSelect={run(() => setTheme("light"))}>
                Light appearance
              </Item>
              <Item icon={<Moon size={16} aria-hidden />} onSelect={run(() => setTheme("dark"))}>
                Dark appearance
              </Item>
            </Command.Group>
            <Command.Group heading="Places">
              <Item icon={<House size={16} aria-hidden />} onSelect={go("/")}>
                Home
              </Item>
              <Item icon={<LayoutGrid size={16} aria-hidden />} onSelect={go("/directory")}>
                Directory
              </Item>
              <Item icon={<Settings2 size={16} aria-hidden />} onSelect={go("/settings")}>
                Settings
              </Item>
            </Command.Group>
            {connectors.length > 0 && (
              <Command.Group heading="Connected systems">
                {connectors.map(({ name, title, entry }) => (
                  <Item key={name} icon={<Tile size="sm" name={entry ?? name} title={title} />} onSelect={go(`/connectors/${name}`)} words={`connector ${name}`}>
                    {title}
                  </Item>
                ))}
              </Command.Group>
            )}
            <Command.Group heading="Directory">
              {directory.map(({ name, title, tools }) => (
                <Item key={name} icon={<Tile size="sm" name={name} title={title} />} onSelect={go(`/directory/${name}`)} words={`add ${name} ${tools.join(" ")}`}>
                  Add {title}
                </Item>
              ))}
            </Command.Group>
          </Command.List>
        </Command>
      )}
    </dialog>
  );
}

function Item({ icon, words, onSelect, children }: { icon: ReactNode; words?: string; onSelect: () => void; children: ReactNode }) {
  return (
    <Command.Item
      onSelect={onSelect}
      keywords={words ? [words] : []}
      className="flex min-h-10 items-center gap-3 rounded-control px-2.5 text-muted aria-selected:bg-hover aria-selected:text-text"
    >
      {icon}
      <span className="text-text">{children}</span>
    </Command.Item>
  );
}
