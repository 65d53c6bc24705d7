// The list of films, and the player.
import { API_BASE_URL, get, post } from "/js/api.js";
import Hls from "/vendor/hls.mjs";

const said = document.querySelector("[role=status]");
const list = document.querySelector("main");
const video = document.querySelector("video");
const resolutions = document.querySelector("#resolutions");

let hls = null;
let chosen = null;

async function films() {
  const answer = await get("video/");
  if (answer.status !== 401) return answer;
  const refreshed = await post("token/refresh/");
  return refreshed.ok ? get("video/") : answer;
}

function section(category, members) {
  const part = document.createElement("section");
  const heading = document.createElement("h2");
  heading.textContent = category;
  part.append(heading, ...members.map(card));
  return part;
}

function card(film) {
  const button = document.createElement("button");
  const picture = document.createElement("img");
  picture.alt = film.title;
  if (film.thumbnail_url) picture.src = film.thumbnail_url;
  button.append(picture);
  button.addEventListener("click", () => {
    chosen = film.id;
    resolutions.hidden = false;
    play("480p");
  });
  return button;
}

function play(resolution) {
  hls?.destroy();
  hls = new Hls({
    xhrSetup: (xhr) => {
      xhr.withCredentials = true;
    },
  });
  hls.on(Hls.Events.MANIFEST_PARSED, () => video.play().catch(() => {})); // chosen anew meanwhile
  hls.on(Hls.Events.ERROR, (_event, data) => {
    if (data.fatal) said.textContent = data.details;
  });
  hls.loadSource(`${API_BASE_URL}video/${chosen}/${resolution}/index.m3u8`);
  hls.attachMedia(video);
}

async function load() {
  try {
    const { ok, status, data } = await films();
    said.dataset.status = status;
    if (!ok) {
      said.textContent = data.detail;
      return;
    }
    said.textContent = "";
    const categories = new Set(data.map((film) => film.category.toLowerCase()));
    const parts = [...categories].map((category) =>
      section(category, data.filter((film) => film.category.toLowerCase() === category)),
    );
    list.replaceChildren(...parts);
  } catch (error) {
    said.textContent = `${error}`;
    said.dataset.status = "error";
  }
}

for (const button of resolutions.children) {
  button.addEventListener("click", () => play(button.value));
}
document.querySelector("#logout").addEventListener("click", async () => {
  const { ok, data } = await post("logout/");
  said.textContent = data.detail;
  if (ok) location.href = "/pages/auth/login.html";
});

await load();
