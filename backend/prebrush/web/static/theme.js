// Light or dark: as the system says, until the button says otherwise.

import { byId } from "./dom.js";

const KEY = "prebrush-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // a browser that keeps nothing for anybody
  }
}

function apply(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").setAttribute("aria-pressed", String(theme === "dark"));
}

export function startTheme() {
  const own = remembered();
  apply(own === "dark" || own === "light" ? own : system.matches ? "dark" : "light");
  system.addEventListener("change", () => remembered() || apply(system.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => {
    const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    apply(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // then it holds for this visit
    }
  });
}
