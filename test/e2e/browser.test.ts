import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planOf } from "../../src/service/testing/service-fixture.ts";
import { type HttpFixture, httpFixture } from "../../src/surfaces/http/testing/http-fixture.ts";

// People, a real Chromium and a virtual authenticator, against the whole API behind a real port. `CHROMIUM` names the
// browser; where there is none this is skipped. `SCREENSHOTS` names a folder to look at the pages in.

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const SHOTS = process.env["SCREENSHOTS"];

/** Runs in the page: asks the authenticator not to verify its user, whatever the server's options say. */
const SIGN_IN_UNVERIFIED = `(async () => {
  const post = (path, body) =>
    fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const options = await (await post("/v1/sign-in/passkey/options", {})).json();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON({ ...options, userVerification: "discouraged" });
  const credential = await navigator.credentials.get({ publicKey });
  return (await post("/v1/sign-in/passkey", credential.toJSON())).status;
})()`;

/** Runs in the page: whether another page stays out of reach when it is put into this one. */
const FRAME = (url: string) => `(async () => {
  const frame = document.createElement("iframe");
  frame.src = ${JSON.stringify(url)};
  document.body.append(frame);
  await new Promise((resolve) => frame.addEventListener("load", resolve));
  return frame.contentDocument === null;
})()`;

describe.skipIf(!existsSync(EXECUTABLE))("a person with a browser", () => {
  let on: HttpFixture;
  let browser: Browser;
  let origin: string;
  let artifact: string;

  beforeAll(async () => {
    on = await httpFixture();
    origin = `http://localhost:${new URL(on.url).port}`;
    if (on.parts.people === undefined) throw new Error("the fixture lets people in");
    on.parts.people.relyingParty = () => ({ origin, id: "localhost" });
    artifact = await on.artifact("a model");
    const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    browser = await chromium.launch({ executablePath: EXECUTABLE, args: sandbox });
  });
  afterAll(async () => {
    await browser?.close();
    await on?.close();
  });

  interface Person {
    context: BrowserContext;
    page: Page;
    /** What the page was refused by its own policy, or threw. */
    complaints: string[];
    devices: CDPSession;
    authenticator: string;
  }

  /** A fresh browser profile with an authenticator of its own. */
  async function someone(): Promise<Person> {
    const context = await browser.newContext({ baseURL: origin, viewport: { width: 1100, height: 900 } });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // A request that is refused is told there as well, and is none of the page's doing.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        complaints.push(message.text());
    });
    const devices = await context.newCDPSession(page);
    await devices.send("WebAuthn.enable");
    const { authenticatorId } = await devices.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        ...{ protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true },
        ...{ hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
      },
    });
    return { context, page, complaints, devices, authenticator: authenticatorId };
  }

  async function shot(page: Page, name: string): Promise<void> {
    if (SHOTS !== undefined) await page.screenshot({ path: join(SHOTS, `${name}.png`), fullPage: true });
  }

  async function invited(principal: string, roles = ["approver"]): Promise<string> {
    const { status, body } = await on.ask("/v1/people", { method: "POST", body: { principal, roles } });
    expect(status).toBe(201);
    return String(body["link"]);
  }

  /** Opens the link, registers a passkey, and then a signing key for this browser. */
  async function enrolled(principal: string, roles?: string[]): Promise<Person> {
    const person = await someone();
    const { page } = person;
    await page.goto(await invited(principal, roles));
    await page.getByRole("button", { name: "Register a passkey" }).click();
    await page.getByRole("heading", { name: "Your account" }).waitFor();
    await page.getByRole("button", { name: "Register this browser's key" }).click();
    await page.getByText("this browser", { exact: true }).waitFor();
    return person;
  }

  /** A live plan for production that an agent proposed. */
  async function proposed(name: string): Promise<string> {
    const robot = await on.principal("robot", "agent", ["proposer"], "admin");
    const plan = planOf({ name, artifact, environment: "production", dryRun: false });
    const { body } = await on.ask("/v1/rollouts", { method: "POST", token: robot.token, body: { plan } });
    expect(body).toMatchObject({ phase: "AwaitingApproval" });
    return String(body["id"]);
  }

  const phaseOf = async (id: string) => (await on.ask(`/v1/rollouts/${id}`)).body;

  /** The page's own way to ask, from whichever page is open. */
  function ask(page: Page, path: string, method = "POST", body?: unknown, headers: Record<string, string> = {}) {
    return page.evaluate(
      async (how) => {
        const init = { method: how.method, headers: { "content-type": "application/json", ...how.headers } };
        const response = await fetch(
          how.path,
          how.body === undefined ? init : { ...init, body: JSON.stringify(how.body) },
        );
        return { status: response.status, body: (await response.json()) as Record<string, unknown> };
      },
      { path, method, body, headers },
    );
  }

  test("enrols, signs out and in, reads a plan for production, and approves it by their own key and passkey", async () => {
    const link = await invited("ann");
    const ann = await someone();
    const { page } = ann;
    await page.goto(link);
    await page.getByText("You are registering as ann").waitFor();
    expect(page.url()).not.toContain("cte_");
    await shot(page, "1-enrol");
    await page.getByRole("button", { name: "Register a passkey" }).click();
    await page.getByText("One thing is left before you can approve").waitFor();
    await page.getByRole("button", { name: "Register this browser's key" }).click();
    await page.getByText("this browser", { exact: true }).waitFor();
    await shot(page, "2-account");

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(await ann.context.cookies()).toEqual([]);
    await shot(page, "3-sign-in");
    const id = await proposed("main");
    await page.getByRole("button", { name: "Sign in with a passkey" }).press("Enter");
    await page.getByRole("heading", { name: "Waiting approvals" }).waitFor();
    const [cookie] = await ann.context.cookies();
    expect(cookie).toMatchObject({
      name: "__Host-continuum-session",
      httpOnly: true,
      secure: true,
      sameSite: "Strict",
    });
    expect(await page.evaluate("document.cookie")).toBe("");
    await shot(page, "4-approvals");

    await page.getByRole("link", { name: "Look at main in production and decide" }).click();
    await page.getByRole("heading", { name: "Approve main in production?" }).waitFor();
    expect(await page.locator("main").innerText()).toMatch(/AO-7/);
    await shot(page, "5-approval");
    await page.getByLabel("Comment (optional)").fill("looked at the baseline");
    await page.getByRole("button", { name: "Sign and approve" }).click();
    await page.getByText("This rollout waits for nobody").waitFor();
    await shot(page, "6-approved");
    const { phase, approvals } = await phaseOf(id);
    expect(phase).not.toBe("AwaitingApproval");
    expect(approvals).toMatchObject([{ approver: "ann", role: "approver", mfa: true, signed: true }]);
    expect(ann.complaints).toEqual([]);
    await ann.context.close();
  });

  test("rejects, ends a session of another device, and registers a second passkey by a link", async () => {
    const bea = await enrolled("bea");
    const { page } = bea;
    const id = await proposed("unwanted");
    await page.goto(`/#/approvals/${id}`);
    await page.getByLabel("Comment (optional)").fill("not this week");
    await page.getByRole("button", { name: "Reject" }).click();
    await page.getByText("it is Rejected").waitFor();
    expect(await phaseOf(id)).toMatchObject({ phase: "Rejected" });
    await page.getByRole("link", { name: "Your account" }).click();
    await page.getByRole("button", { name: "Register another passkey" }).click();
    const link = await page.getByText(/#enroll=cte_/).innerText();
    const phone = await someone();
    await phone.page.goto(link);
    await phone.page.getByRole("button", { name: "Register a passkey" }).click();
    await phone.page.getByRole("heading", { name: "Your account" }).waitFor();
    await page.reload();
    await page.getByRole("button", { name: "End this session" }).click();
    await page.getByRole("button", { name: "End this session" }).waitFor({ state: "detached" });
    await phone.page.reload();
    await phone.page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect([...bea.complaints, ...phone.complaints]).toEqual([]);
    await Promise.all([bea.context.close(), phone.context.close()]);
  });

  test("is not signed in by an authenticator that did not verify them, nor by an answer that was used", async () => {
    const cay = await enrolled("cay");
    const { page, devices, authenticator } = cay;
    const answers: unknown[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/v1/sign-in/passkey")) answers.push(request.postDataJSON());
    });
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByRole("heading", { name: "Waiting approvals" }).waitFor();
    expect(answers).toHaveLength(1);
    expect((await ask(page, "/v1/sign-in/passkey", "POST", answers[0])).body).toMatchObject({
      code: "sign-in-refused",
    });
    await page.getByRole("button", { name: "Sign out" }).click();
    await devices.send("WebAuthn.setUserVerified", { authenticatorId: authenticator, isUserVerified: false });
    expect(await page.evaluate(SIGN_IN_UNVERIFIED)).toBe(401);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("The passkey was not used").waitFor();
    await shot(page, "7-refused");
    await cay.context.close();
  });

  test("approves nothing from another site's page, without the page's header, or when the session rested too long", async () => {
    const dan = await enrolled("dan");
    const { page, context } = dan;
    const id = await proposed("contested");
    const path = `/v1/approvals/${id}/reject`;
    expect(await ask(page, path, "POST", {})).toMatchObject({ status: 403, body: { code: "forbidden" } });
    // The same program by another name is another site, and its page has no session.
    const other = await context.newPage();
    await other.goto(on.url);
    const crossed = await other.evaluate(async (url) => {
      const init = { method: "POST", headers: { "content-type": "text/plain" }, body: "{}" } as const;
      return fetch(url, { ...init, mode: "no-cors", credentials: "include" }).then(
        () => "sent",
        () => "refused",
      );
    }, `${origin}${path}`);
    expect(["sent", "refused"]).toContain(crossed);
    const framed = await other.evaluate(FRAME(origin));
    expect(framed).toBe(true);
    expect(await phaseOf(id)).toMatchObject({ phase: "AwaitingApproval" });
    await other.getByText(`People sign in at ${origin}`).waitFor();
    await page.goto(`/#/approvals/${id}`);
    await page.getByRole("button", { name: "Sign and approve" }).waitFor();
    on.clock.offsetMs = 31 * 60_000;
    await page.getByRole("button", { name: "Sign and approve" }).click();
    await page.getByText("The session is over").waitFor();
    on.clock.offsetMs = 0;
    expect(await phaseOf(id)).toMatchObject({ phase: "AwaitingApproval" });
    await context.close();
  });

  test("cannot use a proof of one approval for another, and their own proposal is not theirs to approve", async () => {
    const eve = await enrolled("eve", ["approver", "proposer"]);
    const { page } = eve;
    const [first, second] = [await proposed("first"), await proposed("second")];
    const bodies: Record<string, unknown>[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/approve")) bodies.push(request.postDataJSON());
    });
    await page.goto(`/#/approvals/${first}`);
    await page.getByRole("button", { name: "Sign and approve" }).click();
    await page.getByText("This rollout waits for nobody").waitFor();
    const other = await phaseOf(second);
    const replayed = { ...bodies[0], planDigest: other["planDigest"] };
    const csrf = { "x-continuum-csrf": "1" };
    const trial = await ask(page, `/v1/approvals/${second}/approve`, "POST", replayed, csrf);
    expect(trial.status).toBeGreaterThanOrEqual(400);
    expect(await phaseOf(second)).toMatchObject({ phase: "AwaitingApproval" });
    const plan = planOf({ name: "hers", artifact, environment: "production", dryRun: false });
    const own = await ask(page, "/v1/rollouts", "POST", { plan }, csrf);
    await page.goto(`/#/approvals/${String(own.body["id"])}`);
    await page.getByRole("button", { name: "Sign and approve" }).click();
    await page.getByText(/another person must approve/).waitFor();
    await eve.context.close();
  });
});
