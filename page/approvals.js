import { all } from "./api.js";
import { facts, h, section, show, tag, when } from "./dom.js";

export async function approvalsView() {
  const requests = await all("/v1/approvals");
  show(
    "Waiting approvals",
    requests.length === 0 && h("p", { class: "card" }, "Nothing waits for a person."),
    ...requests.map(request),
  );
}

function request({ rollout, needs, expiresAt }) {
  const { environment, target, name } = rollout.endpoint;
  const link = h("a", { href: `#/approvals/${encodeURIComponent(rollout.id)}` }, "Look at it and decide");
  link.setAttribute("aria-label", `Look at ${name} in ${environment} and decide`);
  return section(
    `${name} in ${environment}`,
    facts([
      ["Model", `${rollout.model.name} ${rollout.model.version}`],
      ["Target", target],
      ["Proposed by", h("span", {}, rollout.proposer, ", ", when(rollout.createdAt))],
      ["Needs", needsList(needs)],
      ["Expires", expiresAt === null ? null : when(expiresAt)],
    ]),
    h("p", {}, link),
  );
}

export function needsList(needs) {
  return h("span", {}, ...needs.flatMap((need) => [needTag(need), " "]));
}

function needTag({ role, count, given, mfa, signed }) {
  const how = [mfa && "second factor", signed && "signature"].filter(Boolean).join(" and ");
  const text = `${role} ${given} of ${count}${how === "" ? "" : `, ${how}`}`;
  return tag(text, given >= count ? "good" : "warn");
}
