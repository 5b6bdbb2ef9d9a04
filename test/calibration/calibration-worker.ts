import { parentPort } from "node:worker_threads";
import { runJob } from "./job.ts";

// One core's part of the calibration: takes a job, answers what came of it, and waits for the next.
parentPort?.on("message", (job) => parentPort?.postMessage(runJob(job)));
