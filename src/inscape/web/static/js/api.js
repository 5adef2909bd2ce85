// The service's HTTP API; everything that the page knows comes from here.

const ROOT = "/api/v1";

export class ApiError extends Error {
  constructor({ error, message, hint }) {
    super(message);
    this.name = error;
    this.hint = hint && !message.includes(hint) ? hint : "";
  }
}

const isGiven = (value) => value !== null && value !== undefined && value !== "";

// The address of something in the API; lists are repeated keys, what is empty is left out.
export function urlOf(path, query = {}) {
  const pairs = Object.entries(query).flatMap(([key, value]) => [value].flat().filter(isGiven).map((one) => [key, one]));
  const text = new URLSearchParams(pairs).toString();
  return `${ROOT}/${path}${text ? `?${text}` : ""}`;
}

async function ask(url, options) {
  let answer;
  try {
    answer = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({ error: "NoConnection", message: "the service does not answer", hint: "check that it runs, then try again" });
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => null);
  throw new ApiError(problem ?? { error: "InternalError", message: `the service answered ${answer.status}`, hint: "try again" });
}

export const get = async (path, query, { signal } = {}) => (await ask(urlOf(path, query), { signal })).json();

export const getText = async (path, query) => (await ask(urlOf(path, query))).text();

export const post = async (path, body = {}, query = {}) =>
  (
    await ask(urlOf(path, query), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    })
  ).json();

export const upload = async (path, file, query) =>
  (
    await ask(urlOf(path, query), {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: file,
    })
  ).json();
