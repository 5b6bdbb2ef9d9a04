import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Notifications, OutgoingMessage } from "./notifications.ts";

/** How the receiver of a conformance test answers. */
export type Behaviour =
  | { status: number; headers?: Record<string, string> }
  | "breaks-off"
  | "never-answers"
  | "endless";

export interface NotificationsUnderTest {
  notifications: Notifications;
  /** Where the receiver is found. */
  url: string;
  /** What it does from now on. */
  behave(how: Behaviour): void;
  /** What it was sent, newest last. */
  received(): { id: string; body: string }[];
  close(): Promise<void>;
}

/** What every sender of notifications must hold to. */
export function notificationsConformance(name: string, make: () => Promise<NotificationsUnderTest>): void {
  describe(`notifications: ${name}`, () => {
    let on: NotificationsUnderTest;
    beforeAll(async () => {
      on = await make();
    });
    afterAll(() => on.close());

    const message = (): OutgoingMessage => ({
      ...{ url: on.url, id: "msg_1", atMs: Date.now(), body: '{"type":"webhook.test"}' },
      secrets: [Buffer.alloc(32, 1)],
    });

    test("brings a message, as it is, to whoever takes it", async () => {
      on.behave({ status: 204 });
      expect(await on.notifications.send(message())).toMatchObject({
        failure: null,
        status: 204,
        retryAfterSeconds: 0,
      });
      expect(on.received().at(-1)).toEqual({ id: "msg_1", body: '{"type":"webhook.test"}' });
    });

    test.each([
      [400, "status-refused"],
      [404, "status-refused"],
      [500, "status-refused"],
      [503, "status-refused"],
      [410, "gone"],
      [301, "redirect-refused"],
      [307, "redirect-refused"],
      [304, "redirect-refused"],
    ])("answers %i as %s", async (status, failure) => {
      on.behave({ status, headers: { location: on.url } });
      const before = on.received().length;
      expect(await on.notifications.send(message())).toMatchObject({ failure, status });
      expect(on.received()).toHaveLength(before + 1);
    });

    test("says how long the receiver asks to be left alone", async () => {
      on.behave({ status: 429, headers: { "retry-after": "120" } });
      expect(await on.notifications.send(message())).toMatchObject({
        failure: "status-refused",
        retryAfterSeconds: 120,
      });
      on.behave({ status: 503, headers: { "retry-after": "Wed, 21 Oct 2099 07:28:00 GMT" } });
      expect(await on.notifications.send(message())).toMatchObject({ retryAfterSeconds: 0 });
    });

    test("never throws for what the receiver does", async () => {
      on.behave("breaks-off");
      expect(await on.notifications.send(message())).toMatchObject({ failure: "connection-failed", status: null });
      on.behave("never-answers");
      expect(await on.notifications.send(message())).toMatchObject({ failure: "timed-out", status: null });
    });

    test("does not read an answer without end", async () => {
      on.behave("endless");
      const { status, durationMs } = await on.notifications.send(message());
      expect(status).toBe(200);
      expect(durationMs).toBeLessThan(900);
    });

    test("refuses an address that is none", async () => {
      for (const url of ["", "hooks", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)"]) {
        expect(await on.notifications.checkAddress(url)).toMatchObject({ ok: false, problem: { path: "/url" } });
        expect(await on.notifications.send({ ...message(), url })).toMatchObject({ failure: "address-refused" });
      }
    });
  });
}
