import { get, post } from "./api.js";
import { needsList } from "./approvals.js";
import { actionButton, alertBox, facts, h, say, section, show, table, tag, when } from "./dom.js";
import { fromBase64, hex, prove, sha256, signingKey } from "./keys.js";

/** One waiting rollout: all that a person has to know, from the bytes that they sign where those say it. */
export async function approvalView({ id, person }) {
  const request = await get(`/v1/approvals/${encodeURIComponent(id)}`);
  const rollout = await get(`/v1/rollouts/${encodeURIComponent(id)}`);
  const { changes, liveRollout } = await post("/v1/plans:diff", rollout.plan);
  const { name, environment } = rollout.endpoint;
  if (rollout.phase !== "AwaitingApproval") return ended(rollout);
  show(
    `Approve ${name} in ${environment}?`,
    summary(rollout, request),
    changesSection(changes, liveRollout),
    findingsSection(rollout.decision),
    obligationsSection(rollout.decision),
    decide({ rollout, request, person }),
  );
}

function ended(rollout) {
  show(
    `${rollout.endpoint.name} in ${rollout.endpoint.environment}`,
    h(
      "div",
      { class: "card" },
      h("p", {}, `This rollout waits for nobody: it is ${rollout.phase}.`),
      rollout.reason && h("p", {}, rollout.reason.message),
      h("p", {}, h("a", { href: "#/approvals" }, "To the waiting approvals")),
    ),
  );
}

function summary(rollout, request) {
  const { cost, risk, verification, runtime } = rollout.decision;
  const peak = cost.peakUsdPerHour === null ? "" : `, ${money(cost.peakUsdPerHour)} while two versions run`;
  return section(
    "What is asked",
    facts([
      ["Model", `${rollout.model.name} ${rollout.model.version}`],
      ["Proposed by", rollout.proposer],
      [
        "Cost",
        cost.usdPerHour === null
          ? "unknown"
          : `${money(cost.usdPerHour)} an hour${peak}${cost.notional ? " (notional)" : ""}`,
      ],
      ["Risk", risk],
      ["Verification", verification],
      ["Runtime", runtime],
      ["Strategy", rollout.strategy],
      ["Needs", needsList(request.needs)],
      [
        "Given so far",
        rollout.approvals.length === 0
          ? "nothing yet"
          : rollout.approvals.map(({ approver, role }) => `${approver} as ${role}`).join(", "),
      ],
      ["Expires", request.expiresAt === null ? null : when(request.expiresAt)],
      ["Plan", h("code", {}, rollout.planDigest)],
      ["Policy", h("code", {}, rollout.policyDigest)],
    ]),
  );
}

function changesSection(changes, liveRollout) {
  const intro =
    liveRollout === null
      ? "Nothing serves at this endpoint yet: all of it is new."
      : `Against what runs now (${liveRollout}).`;
  const rows = changes.map(({ path, before, after }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("code", {}, path)),
      h("td", { class: "before" }, shown(before)),
      h("td", { class: "after" }, shown(after)),
    ),
  );
  const body = table({
    caption: "Differences",
    columns: ["Where", "Now", "Then"],
    rows,
    empty: "Nothing differs from what runs.",
  });
  return section(
    "What changes",
    h("p", {}, intro),
    liveRollout === null ? h("details", {}, h("summary", {}, "The whole plan"), body) : body,
  );
}

function findingsSection({ findings }) {
  const tones = { deny: "bad", approval: "warn", require: "warn" };
  const rows = findings.map(({ clause, level, message }) =>
    h("tr", {}, h("th", { scope: "row" }, clause), h("td", {}, tag(level, tones[level])), h("td", {}, message)),
  );
  return section(
    "What the policy says",
    table({ caption: "Findings", columns: ["Clause", "Level", "What"], rows, empty: "No clause has anything to say." }),
  );
}

/** What comes into being on the way: nobody can bring it before the approval. */
const LATER = {
  "approver-signature": "by approving",
  snapshot: "before the first effect",
  "artifact-digest": "before the first effect",
};

function obligationsSection({ obligations }) {
  const tones = { met: "good", missing: "bad" };
  const rows = obligations
    .filter(({ kind }) => kind !== "approval")
    .map(({ kind, of, clauses, status }) => {
      const what = of ?? kind;
      const later = status === "met" ? undefined : LATER[what];
      const state = later === undefined ? tag(status, tones[status] ?? "warn") : tag(later);
      return h("tr", {}, h("th", { scope: "row" }, what), h("td", {}, state), h("td", {}, clauses.join(", ")));
    });
  return section(
    "Evidence",
    table({
      ...{ caption: "What must be proved", columns: ["What", "Now", "Clauses"], rows },
      empty: "Nothing has to be proved.",
    }),
  );
}

function decide({ rollout, request, person }) {
  const alert = alertBox();
  const open = [...new Set(request.needs.filter(({ given, count }) => given < count).map(({ role }) => role))];
  const role = h("select", { id: "role" }, ...open.map((name) => h("option", { value: name }, name)));
  const comment = h("textarea", { id: "comment", rows: 2, maxLength: 2000 });
  const approve = actionButton("Sign and approve", {
    alert,
    act: async () => {
      await give({ rollout, person, role: role.value, comment: comment.value.trim() });
      await approvalView({ id: rollout.id, person });
    },
  });
  const reject = actionButton("Reject", {
    alert,
    tone: "danger",
    act: async () => {
      const said = comment.value.trim();
      await post(`/v1/approvals/${encodeURIComponent(rollout.id)}/reject`, said === "" ? {} : { comment: said });
      say("The rollout is rejected.");
      await approvalView({ id: rollout.id, person });
    },
  });
  return section(
    "Your decision",
    h(
      "p",
      {},
      "Approving signs a statement with this browser's key and asks for your passkey. It counts for exactly this plan under exactly this policy, once.",
    ),
    open.length > 1 && [h("label", { for: "role" }, "Approve as"), role],
    h("label", { for: "comment" }, "Comment (optional)"),
    comment,
    h("div", { class: "actions" }, approve, reject),
    alert.element,
  );
}

async function give({ rollout, person, role, comment }) {
  const path = `/v1/approvals/${encodeURIComponent(rollout.id)}`;
  const statement = await post(`${path}/statement`, role === "" ? {} : { role });
  await checkStatement(statement, rollout);
  const extra = {
    planDigest: rollout.planDigest,
    ...(role === "" ? {} : { role }),
    ...(comment === "" ? {} : { comment }),
  };
  const { mfa, signed } = statement.requires;
  if (!mfa && !signed) {
    await post(`${path}/approve`, { ...extra, nonce: statement.nonce });
  } else {
    const key = await signingKey(person);
    if (key === null)
      throw new Error("This browser has no signing key of yours: register one under \u201cYour account\u201d first.");
    await post(`${path}/approve`, { ...extra, ...(await prove(statement, key)) });
  }
  say("Your approval is given.");
}

/** What is signed must be what was shown: the same plan, by its bytes, for the same rollout and effect. */
async function checkStatement({ payload, subject }, rollout) {
  const { predicate } = JSON.parse(new TextDecoder().decode(fromBase64(payload)));
  const differs = () =>
    new Error("The statement is not about what is shown here: nothing was signed. Load the page anew.");
  const { environment, target, name } = rollout.endpoint;
  const meant = [
    [predicate.rollout, rollout.id],
    [predicate.planDigest, rollout.planDigest],
    [predicate.policyDigest, rollout.policyDigest],
    [predicate.endpoint, `${environment}/${target}/${name}`],
    [predicate.effect, "live"],
  ];
  if (meant.some(([said, wanted]) => said !== wanted)) throw differs();
  if (subject !== null && `sha256:${hex(await sha256(fromBase64(subject)))}` !== rollout.planDigest) throw differs();
}

function shown(value) {
  if (value === undefined || value === null) return h("span", { class: "quiet-text" }, "nothing");
  return h("code", {}, typeof value === "string" ? value : JSON.stringify(value));
}

function money(usd) {
  return new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 3 }).format(usd);
}
