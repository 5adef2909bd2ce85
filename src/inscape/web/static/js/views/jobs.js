// All simulations of this client.
import { get } from "../api.js";
import { byId, el } from "../dom.js";
import { cancelJob, jobElement, openLink } from "../jobs.js";
import { attempt } from "../messages.js";

const EVERY = 2000; // ms

let timer = null;

async function refresh() {
  clearTimeout(timer);
  if (byId("view-jobs").hidden) return;
  const jobs = await attempt(byId("jobs-error"), () => get("jobs"));
  if (!jobs) return;
  const cancel = async (job) => {
    await attempt(byId("jobs-error"), () => cancelJob(job));
    refresh();
  };
  byId("jobs").replaceChildren(
    ...jobs.map((job) => jobElement(job, { cancel, actions: job.result ? [openLink(job)] : [] })),
  );
  if (!jobs.length) byId("jobs").replaceChildren(el("p", { class: "muted" }, "No simulation yet. Open a prediction and choose “Simulate instead”."));
  if (jobs.some((job) => ["waiting", "running"].includes(job.state))) timer = setTimeout(refresh, EVERY);
}

export const open = refresh;
