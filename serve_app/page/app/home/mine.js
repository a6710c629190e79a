/** The jobs of this browser: their ids are kept here, what became of them is asked of the service. */

/** @import { Job } from "../types.js" */

import { ApiError, askJson } from "../api.js";

const KEY = "rayscribe.jobs";
const MOST = 200;

/** @typedef {{ id: string, name: string, at: number, job: Job | null }} Mine */

/** @returns {Mine[]} */
export function mine() {
  return JSON.parse(localStorage.getItem(KEY) ?? "[]");
}

/** @param {Mine[]} jobs */
function keep(jobs) {
  localStorage.setItem(KEY, JSON.stringify(jobs.slice(0, MOST)));
}

/** Put a job at the top, or renew what is known of it. @param {Job} job */
export function remember(job) {
  const known = mine();
  const entry = { id: job.id, name: job.name, at: job.created_at, job };
  const place = known.findIndex((each) => each.id === job.id);
  if (place < 0) known.unshift(entry);
  else known[place] = entry;
  keep(known);
}

/** @param {string} id */
export function forget(id) {
  keep(mine().filter((each) => each.id !== id));
}

/** @param {Job | null} job */
export const isLive = (job) => job === null || job.status === "queued" || job.status === "running";

/** Ask for what may have changed. Jobs whose time is over leave the list. */
export async function refresh() {
  await Promise.all(
    mine()
      .filter(({ job }) => isLive(job))
      .map(async ({ id }) => {
        try {
          remember(await askJson(`v1/jobs/${id}`));
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          if (error.status === 404) forget(id);
        }
      }),
  );
}
