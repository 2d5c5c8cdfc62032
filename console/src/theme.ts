// Light, dark, or as the system. The choice stays on this machine.

export type Theme = "system" | "light" | "dark";
const KEY = "loggia-theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

export function theme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}

export function setTheme(next: Theme) {
  localStorage.setItem(KEY, next);
  applyTheme();
}

export function applyTheme() {
  const chosen = theme();
  document.documentElement.dataset.theme = chosen === "system" ? (system.matches ? "dark" : "light") : chosen;
}

system.addEventListener("change", applyTheme);
