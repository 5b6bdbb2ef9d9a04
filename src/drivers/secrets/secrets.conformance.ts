import { describe, expect, test } from "vitest";
import type { Secrets } from "./secrets.ts";

export interface SecretsUnderTest {
  secrets: Secrets;
  /** References that can be read, with what is behind them. */
  present: { reference: string; bytes: Uint8Array }[];
  /** References of a good form with nothing behind them. */
  absent: string[];
}

/** What every reader of secrets must hold to. */
export function secretsConformance(name: string, make: () => Promise<SecretsUnderTest>): void {
  describe(`secrets: ${name}`, () => {
    test("answers exactly the bytes behind a reference", async () => {
      const { secrets, present } = await make();
      expect(present.length).toBeGreaterThan(0);
      for (const { reference, bytes } of present)
        expect(Buffer.from(await secrets.read(reference))).toEqual(Buffer.from(bytes));
    });

    test("says what is not there", async () => {
      const { secrets, absent } = await make();
      expect(absent.length).toBeGreaterThan(0);
      for (const reference of absent)
        await expect(secrets.read(reference)).rejects.toMatchObject({ code: "secret-not-found" });
    });

    test("refuses what is no reference, without repeating it", async () => {
      const { secrets } = await make();
      for (const reference of ["hunter2-in-the-wrong-place", "", "vault:hunter2", "hunter2:", "FILE:/hunter2"]) {
        await expect(secrets.read(reference)).rejects.toMatchObject({
          code: "secret-malformed",
          message: expect.not.stringContaining("hunter2"),
        });
      }
    });
  });
}
