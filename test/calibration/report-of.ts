import { writeFileSync } from "node:fs";
import { ALPHA } from "./contestants/product-judge.ts";
import type { Report, Row } from "./report.ts";
import { REQUESTS } from "./world.ts";

/** The report as a whole; written as JSON where a file is given. */
export function calibrationReport(of: {
  rows: Row[];
  seed: number;
  size: string;
  seconds: number;
  file?: string | undefined;
}): Report {
  const { rows, seed, size, seconds } = of;
  const report: Report = { version: 1, seed, size, seconds, alpha: ALPHA, requests: REQUESTS, rows };
  if (of.file !== undefined) writeFileSync(of.file, `${JSON.stringify(report, null, 2)}\n`);
  return report;
}
