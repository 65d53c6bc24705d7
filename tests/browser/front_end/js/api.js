// Calls the API from another port, as front ends written for a Django backend do.
import { API_BASE_URL } from "/js/config.js"; // the server of the test writes it

export { API_BASE_URL };

export async function get(endpoint) {
  const answer = await fetch(`${API_BASE_URL}${endpoint}`, {
    headers: { "Content-Type": "application/json" }, // makes a browser ask with a preflight
    credentials: "include",
  });
  return { ok: answer.ok, status: answer.status, data: await answer.json() };
}

export async function post(endpoint, data) {
  const headers = { "Content-Type": "application/json" };
  const token = csrfToken();
  if (token) headers["X-CSRFToken"] = token;
  const answer = await fetch(`${API_BASE_URL}${endpoint}`, {
    method: "POST",
    headers,
    credentials: "include",
    body: JSON.stringify(data), // none where there is no data
  });
  return { ok: answer.ok, status: answer.status, data: await answer.json() };
}

function csrfToken() {
  const found = document.cookie.split("; ").find((cookie) => cookie.startsWith("csrftoken="));
  return found?.slice("csrftoken=".length);
}
