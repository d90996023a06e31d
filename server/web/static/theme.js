// Runs before the page is drawn: light or dark as the system has it, and a mark that scripts run.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  dark.addEventListener("change", apply);
  apply();
  document.documentElement.classList.add("scripted");
})();
