import { Worker } from "node:worker_threads";
import { type Job, type JobResult, runJob } from "./job.ts";

/** Runs the jobs on so many threads; `done` is told after each. The order of the results is that of the jobs. */
export async function runJobs(
  jobs: readonly Job[],
  { threads, done }: { threads: number; done: (finished: number) => void },
): Promise<JobResult[]> {
  const results: JobResult[] = new Array(jobs.length);
  let next = 0;
  let finished = 0;
  const work = async () => {
    const worker = new Worker(new URL("./calibration-worker.ts", import.meta.url));
    try {
      while (next < jobs.length) {
        const at = next;
        next += 1;
        const job = jobs[at];
        if (job !== undefined) results[at] = await askWorker(worker, job);
        finished += 1;
        done(finished);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, jobs.length) }, work));
  return results;
}

/** The same in this thread. */
export function runJobsHere(jobs: readonly Job[]): JobResult[] {
  return jobs.map(runJob);
}

function askWorker(worker: Worker, job: Job): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown) => reject(error);
    worker.once("error", failed);
    worker.once("message", (result: JobResult) => {
      worker.off("error", failed);
      resolve(result);
    });
    worker.postMessage(job);
  });
}
