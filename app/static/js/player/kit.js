// The player kit (media-chrome) and our arrangement of it. Its elements bring their style in
// <style> elements inside shadow roots, which our content policy lets through only with the
// page's nonce: it is put in before the first element is made.

import { STEP_S } from "./moving.js";

/** Load the kit and give each of its classes the nonce. Nothing of it may stand in the page before. */
export async function loadKit(nonce) {
  const [kit, menus] = await Promise.all([
    import("../../vendor/media-chrome/index.js"),
    import("../../vendor/media-chrome/menu/index.js"),
  ]);
  for (const part of [...Object.values(kit), ...Object.values(menus)]) {
    if (typeof part !== "function" || !Object.hasOwn(part, "getTemplateHTML")) continue;
    const template = part.getTemplateHTML;
    part.getTemplateHTML = function (...given) {
      return template.apply(this, given).replaceAll(/<style(?![^>]*\snonce=)/g, `<style nonce="${nonce}"`);
    };
  }
}

const MARKUP = `
<media-controller class="player-kit" autohide="3" hotkeys="noshift+/ noj nol noarrowleft noarrowright" novolumepref nomutedpref nosubtitleslangpref keyboardupvolumestep="0.05" keyboarddownvolumestep="0.05" tabindex="0" aria-label="Player">
  <video slot="media" playsinline preload="auto"></video>
  <media-poster-image slot="poster"></media-poster-image>
  <div class="player-top" slot="top-chrome">
    <div class="player-name"><a class="player-back"></a></div>
    <button class="player-button player-keys" type="button" aria-label="Show the keys" data-open-keys></button>
  </div>
  <media-loading-indicator slot="centered-chrome" noautohide loadingdelay="300"></media-loading-indicator>
  <div class="player-centre" slot="centered-chrome">
    <media-seek-backward-button class="big" seekoffset="${STEP_S}" notooltip></media-seek-backward-button>
    <media-play-button class="biggest" notooltip></media-play-button>
    <media-seek-forward-button class="big" seekoffset="${STEP_S}" notooltip></media-seek-forward-button>
  </div>
  <div class="player-time">
    <media-time-range></media-time-range>
    <svg class="player-converted" preserveAspectRatio="none" aria-hidden="true" hidden><path/></svg>
  </div>
  <media-control-bar class="player-bar">
    <media-play-button></media-play-button>
    <a class="player-button player-next" aria-label="Next episode" title="Next episode" data-next-link hidden></a>
    <media-seek-backward-button seekoffset="${STEP_S}"></media-seek-backward-button>
    <media-seek-forward-button seekoffset="${STEP_S}"></media-seek-forward-button>
    <media-mute-button></media-mute-button>
    <media-volume-range></media-volume-range>
    <media-time-display showduration></media-time-display>
    <span class="player-gap"></span>
    <span class="player-quality" data-shown-quality></span>
    <media-captions-button></media-captions-button>
    <media-settings-menu-button></media-settings-menu-button>
    <media-pip-button></media-pip-button>
    <media-fullscreen-button></media-fullscreen-button>
  </media-control-bar>
  <media-settings-menu hidden anchor="auto">
    <media-settings-menu-item>Quality
      <media-rendition-menu slot="submenu" hidden><div slot="title">Quality</div></media-rendition-menu>
    </media-settings-menu-item>
    <media-settings-menu-item class="always">Speed
      <media-playback-rate-menu slot="submenu" hidden rates="0.5 0.75 1 1.25 1.5 2"><div slot="title">Speed</div></media-playback-rate-menu>
    </media-settings-menu-item>
    <media-settings-menu-item>Sound
      <media-audio-track-menu slot="submenu" hidden><div slot="title">Sound</div></media-audio-track-menu>
    </media-settings-menu-item>
    <media-settings-menu-item>Captions
      <media-captions-menu slot="submenu" hidden><div slot="title">Captions</div></media-captions-menu>
    </media-settings-menu-item>
  </media-settings-menu>
</media-controller>
<div class="player-say" role="alert" hidden data-say>
  <span class="player-sign" data-sign></span>
  <p data-say-text></p>
  <div class="actions">
    <button class="button button-accent" type="button" data-retry>Try again</button>
    <a class="button button-glass" data-leave>Back</a>
  </div>
</div>
<p class="player-note" role="status" hidden data-note></p>`;

/**
 * Build the player into its place. Text from people goes in as text, never as markup. The way back
 * of a film that was shared by a link leads to the start page alone.
 */
export function buildPlayer(place, { title, show, poster, back, next, shareKey, icons }) {
  place.insertAdjacentHTML("beforeend", MARKUP);
  const find = (selector) => place.querySelector(selector);
  const icon = (name) => icons.querySelector(`[data-icon="${name}"]`).firstElementChild.cloneNode(true);
  const controller = find("media-controller");
  const link = find("media-controller .player-back");
  const name = Object.assign(document.createElement("span"), { textContent: show ? `${show} · ${title}` : title });
  link.href = back;
  link.append(icon(shareKey ? "mark" : "back"));
  (shareKey ? link.parentElement : link).append(name);
  link.setAttribute("aria-label", shareKey ? "Videoflix, start page" : `Back from ${name.textContent}`);
  if (shareKey) find("[data-leave]").remove();
  else find("[data-leave]").href = back;
  find("[data-next-link]").append(icon("next"));
  find("[data-next-link]").hidden = !next;
  if (next) find("[data-next-link]").href = next;
  find("[data-open-keys]").append(icon("keys"));
  find("[data-sign]").append(icon("warn"));
  find("media-captions-button").setAttribute("role", "switch"); // it says whether it is on
  if (poster) find("media-poster-image").src = poster;
  else find("media-poster-image").remove();
  controller.fullscreenElement = place;
  return {
    controller,
    video: find("video"),
    range: find("media-time-range"),
    converted: find(".player-converted"),
    quality: find("[data-shown-quality]"),
    note: find("[data-note]"),
    say: find("[data-say]"),
    sayText: find("[data-say-text]"),
    retry: find("[data-retry]"),
    openKeys: find("[data-open-keys]"),
    next: find("[data-next-link]"),
  };
}
