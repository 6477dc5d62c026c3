/** Light or dark: as the system says, until the reader chooses. */

const KEY = "merl-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = [];

export const theme = () => localStorage.getItem(KEY) || (system.matches ? "dark" : "light");

function apply() {
  document.documentElement.dataset.theme = theme();
  for (const listener of listeners) listener(theme());
}

export function onTheme(listener) {
  listeners.push(listener);
}

export function startTheme(button) {
  apply();
  system.addEventListener("change", apply);
  button.addEventListener("click", () => {
    localStorage.setItem(KEY, theme() === "dark" ? "light" : "dark");
    apply();
  });
}
