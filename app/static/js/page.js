// What every page does: bar, menu, theme, forms, rows, dates. Everything here is an addition to
// a page that works without it.
import { startPreviews } from "./preview.js";
import { startRemembering } from "./remember.js";
import { startRows } from "./rows.js";

function startBar() {
  const bar = document.querySelector("[data-bar-top]");
  if (!bar) return;
  const mark = () => bar.classList.toggle("is-solid", window.scrollY > 24);
  window.addEventListener("scroll", mark, { passive: true });
  mark();
}

function startMenu() {
  const menu = document.querySelector("[data-menu]");
  if (!menu) return;
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}

function startTheme() {
  const root = document.documentElement;
  const light = window.matchMedia("(prefers-color-scheme: light)");
  const current = () => root.dataset.theme ?? (light.matches ? "light" : "dark");
  const name = () => {
    for (const place of document.querySelectorAll("[data-theme-name]")) {
      place.textContent = current() === "light" ? "Switch to dark" : "Switch to light";
    }
  };
  for (const button of document.querySelectorAll("[data-theme-switch]")) {
    button.addEventListener("click", () => {
      root.dataset.theme = current() === "light" ? "dark" : "light";
      try {
        localStorage.setItem("theme", root.dataset.theme);
      } catch {
        // Storage is barred: the choice holds for this page.
      }
      name();
    });
  }
  light.addEventListener("change", name);
  name();
}

function startForms() {
  for (const control of document.querySelectorAll("[data-password]")) {
    const input = control.querySelector("input");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "eye";
    button.textContent = "Show";
    button.setAttribute("aria-label", "Show password");
    button.addEventListener("click", () => {
      const shown = input.type === "text";
      input.type = shown ? "password" : "text";
      button.textContent = shown ? "Show" : "Hide";
      button.setAttribute("aria-label", shown ? "Show password" : "Hide password");
    });
    input.dataset.hasEye = "";
    control.append(button);
  }
  for (const form of document.querySelectorAll("form[method=post]:not([data-plain])")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault(); // a second click sends nothing twice
      form.dataset.sent = "yes";
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  document.querySelector("[data-focus]")?.focus();
}

// After a form of one sheet was sent, the page opens there: what was done is said there too.
function startSaid() {
  const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const said = place && place.querySelector("[data-said]");
  if (said) said.append(...document.querySelectorAll("[data-flashes] .flash"));
}

// The list of a long page's sheets shows which one is read: the one that was asked for while it is
// in view, else the last that has begun above the middle of the window.
function startSections() {
  const links = [...document.querySelectorAll("[data-sections] a")];
  if (!links.length) return;
  const mark = () => {
    const sheets = links.map((link) => document.getElementById(link.hash.slice(1)));
    const places = sheets.map((sheet) => sheet.getBoundingClientRect());
    const asked = links.findIndex((link) => link.hash === location.hash);
    const inView = asked >= 0 && places[asked].top >= 0 && places[asked].bottom <= innerHeight;
    const read = places.findLastIndex((place) => place.top < innerHeight / 2);
    links.forEach((link, index) => {
      if (index === (inView ? asked : Math.max(read, 0))) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
  };
  window.addEventListener("scroll", mark, { passive: true });
  window.addEventListener("hashchange", mark);
  mark();
}

function startDates() {
  const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  for (const time of document.querySelectorAll("time[data-date]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = day.format(moment);
  }
  const minute = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of document.querySelectorAll("time[data-time]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = minute.format(moment);
  }
}

// "eng" as the reader calls it: English, Englisch.
function startLanguages() {
  const names = new Intl.DisplayNames(undefined, { type: "language" });
  for (const place of document.querySelectorAll("[data-language]")) {
    try {
      place.textContent = names.of(place.dataset.language);
    } catch {
      // No language's code: it stays as it is.
    }
  }
}

function startCopying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("[data-copy-text]");
      try {
        await navigator.clipboard.writeText(text.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text); // not allowed here: leave it to the keyboard
      }
    });
  }
}

startBar();
startMenu();
startTheme();
startForms();
startSaid();
startSections();
startDates();
startLanguages();
startCopying();
startRows();
startPreviews();
startRemembering();
