// Simulations in the background: started, watched, cancelled.
import { get, post } from "./api.js";
import { format } from "./address.js";
import { el } from "./dom.js";
import { announce } from "./messages.js";

const EVERY = 700; // ms between two looks at a job
const ENDED = ["done", "failed", "cancelled"];

const duration = (seconds) => {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
};

function wordsOf(job) {
  if (job.state === "waiting") return job.ahead ? `waits for ${job.ahead} before it` : "is about to start";
  if (job.state === "done") return `is done, it took ${duration(job.elapsed_s)}`;
  if (job.state === "cancelled") return "was cancelled";
  if (job.state === "failed") return "has failed";
  const parts = job.total ? `${job.done} of ${job.total} supercells` : "starts";
  const left = job.remaining_s === null ? "" : `, about ${duration(job.remaining_s)} left`;
  return `runs: ${job.what || parts}${job.what && job.total ? `, ${parts}` : ""}${left}`;
}

const isOver = (job) => ENDED.includes(job.state);

// One job as an element; actions are further buttons or links.
export function jobElement(job, { cancel, actions = [] }) {
  const label = `Simulation of ${job.name} with ${job.engine}`;
  const bar = el("progress", { max: job.total || 1, "aria-label": label });
  if (job.total || isOver(job)) bar.value = job.state === "done" ? job.total || 1 : job.done;
  const state = job.problem ? el("p", { class: "note bad" }, job.problem.message) : null;
  const buttons = isOver(job) ? actions : [el("button", { type: "button", onclick: () => cancel(job) }, "Cancel")];
  return el(
    "div",
    { class: "job", "data-state": job.state },
    el("p", {}, el("strong", {}, label), ` ${wordsOf(job)}.`),
    job.state === "running" || job.state === "waiting" ? bar : null,
    state,
    el("div", { class: "row" }, ...buttons),
  );
}

export const openLink = (job) => el("a", { class: "button", href: format({ view: "result", id: job.result }) }, "Open the result");

export const cancelJob = (job) => post(`jobs/${job.id}/cancel`);

// Look at a job until it has ended or ``signal`` says to stop; show(job) is called each time.
export async function watch(id, show, signal) {
  for (;;) {
    const job = await get(`jobs/${id}`, {}, { signal });
    if (signal.aborted) return null;
    show(job);
    if (isOver(job)) {
      announce(`Simulation of ${job.name} ${wordsOf(job)}`);
      return job;
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}
