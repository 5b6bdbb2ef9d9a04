import { servingFixture } from "../src/serving/testing/serving-fixture.ts";
import { brokenModel, sumModel } from "../src/serving/testing/test-models.ts";
import { serveCalls } from "./child.ts";

/** Our data plane with real replicas behind it: `serving-process.ts CAPTURE`, where CAPTURE is `on` or `off`. */
const [capture = "on"] = process.argv.slice(2);
const serving = await servingFixture({ capture: { enabled: capture === "on" } });
const GUARD = {
  ...{ alpha: 0.01, requestsMin: 30, errorRateExcessMax: 0.01, latencyRatioMax: 1.5 },
  onHealthCheckFailure: true,
};

serveCalls(
  {
    url: async () => serving.serving.url,
    /** A stable version and a candidate beside it with so much of the traffic. */
    split: async ({ percent, broken }: { percent: number; broken: boolean }) => {
      await serving.serve("stable", sumModel({ bias: 0 }));
      const candidate = broken ? brokenModel() : sumModel({ bias: 1 });
      await serving.target.provision(serving.effect(), serving.version("canary", candidate));
      await serving.target.shift(serving.effect(), { percent, guard: GUARD });
    },
    /** The candidate's share again after it was taken back. */
    observe: () => serving.target.observe(serving.at),
  },
  () => serving.dispose(),
);
