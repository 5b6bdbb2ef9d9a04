import { describe, expect, it } from "vitest";
import { openClassifier } from "./classifier-session.ts";
import { onnxModel } from "./model.ts";

/** A model of another shape than a classifier's: it has the right input, and neither output. */
const identity = onnxModel({
  name: "identity",
  inputs: [{ name: "features", type: "float", shape: ["N", 2] }],
  outputs: [{ name: "copy", type: "float", shape: ["N", 2] }],
  nodes: [{ operator: "Identity", inputs: ["features"], outputs: ["copy"] }],
  initializers: [],
  opset: { standard: 17 },
});

describe("openClassifier", () => {
  it("says that bytes are no model", async () => {
    const opened = openClassifier(Buffer.from("not a model at all"));
    await expect(opened).rejects.toMatchObject({ name: "ContinuumError", code: "model-load-failed" });
  });

  it("says that a row has the wrong width", async () => {
    const session = await openClassifier(identity);
    await expect(session.predict([[1, 2, 3]])).rejects.toMatchObject({
      code: "model-run-failed",
      message: expect.stringContaining("Got: 3 Expected: 2"),
    });
    await session.close();
  });

  it("says that a model is no classifier", async () => {
    const session = await openClassifier(identity);
    await expect(session.predict([[1, 2]])).rejects.toMatchObject({
      code: "model-run-failed",
      message: expect.stringContaining("`probability`"),
    });
    await session.close();
  });
});
