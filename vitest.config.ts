import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          globalSetup: ["test/global-setup.ts"],
          include: [
            "src/**/*.test.ts",
            "policies/**/*.test.ts",
            "test/faults/**/*.test.ts",
            "test/checks/**/*.test.ts",
          ],
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "e2e",
          globalSetup: ["test/global-setup.ts"],
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      { test: { name: "package", include: ["test/package/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 300_000 } },
      { test: { name: "peers", include: ["test/peers/**/*.test.ts"], testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
    // On two processors: a test waits for a third of its time, and one more fills that.
    maxWorkers: 3,
  },
});
