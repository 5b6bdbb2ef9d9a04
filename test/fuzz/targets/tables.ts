import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { readBaseline } from "../../../src/tables/read-baseline.ts";
import { parsedTable } from "../../../src/tables/table-error.ts";
import { type FuzzTarget, openTarget } from "../fuzz-target.ts";
import { grown, mostly, mutated } from "../mutations.ts";
import { checkLine, holds } from "../violation.ts";

const CSV = 'age,color,"a ""b"""\r\n1,red,x\n2.5,"da,rk\nblue",\n,green,true\n';
const LINES = '{"age":1,"color":"red"}\n{"age":2.5,"b":null,"c":true}\n\n{"color":"x"}';

/** Baselines as text. Parquet is read in a thread of its own, which ends a file that takes too long. */
export const tables: FuzzTarget = {
  name: "tables",
  share: 40,
  open: async () => {
    const { statistics } = await readBaseline(Buffer.from(CSV));
    const texts = [CSV, LINES, JSON.stringify(statistics), JSON.stringify(statistics, null, 2)];
    return openTarget({
      inputs: mostly(
        fc.oneof(
          mutated(texts),
          mutated([gzipSync(CSV)]),
          mutated(texts).map((bytes) => gzipSync(bytes)),
        ),
        grown(['"', '"",', "a,", "\n", '{"a":', "[", '{"a":1}\n'], 200_000),
      ),
      bytesOf: (bytes) => bytes.length,
      async feed(bytes) {
        if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "PAR1") return "parquet";
        const read = await parsedTable(() => readBaseline(bytes, { unpackedBytesMax: 1_000_000 }));
        if (read.ok) {
          holds(read.value.profiles.length === read.value.columns.length, "each column has a profile");
          return read.value.from;
        }
        checkLine(read.problem.message);
        return "malformed";
      },
    });
  },
};
