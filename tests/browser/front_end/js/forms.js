// The pages of an account: each has one form, whose data-endpoint says where it goes.
import { get, post } from "/js/api.js";

const parameters = new URLSearchParams(location.search);
const link = `${parameters.get("uid")}/${parameters.get("token")}/`;
const said = document.querySelector("[role=status]");
const form = document.querySelector("form");

function show({ ok, status, data }) {
  said.textContent = data.message ?? data.detail;
  said.dataset.status = status;
  return ok;
}

async function run(call) {
  try {
    return show(await call());
  } catch (error) {
    said.textContent = `${error}`; // the browser refused it, or the answer is no JSON
    said.dataset.status = "error";
    return false;
  }
}

if (document.body.dataset.page === "activate") await run(() => get(`activate/${link}`));

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = Object.fromEntries(new FormData(form));
  const endpoint = form.dataset.endpoint.replace("LINK/", link);
  const ok = await run(() => post(endpoint, data));
  if (ok && form.dataset.next) location.href = form.dataset.next;
});
