import { accountView } from "./account.js";
import { get, Problem, post } from "./api.js";
import { approvalView } from "./approval.js";
import { approvalsView } from "./approvals.js";
import { h, say, show } from "./dom.js";
import { enrolView, signInView } from "./sign-in.js";

let person = null;

/** Who is signed in; null when nobody is. */
async function whoIsThere() {
  try {
    return await get("/v1/principal");
  } catch (error) {
    if (error instanceof Problem && error.status === 401) return null;
    throw error;
  }
}

async function route(extra = {}) {
  const hash = location.hash.slice(1);
  try {
    person = await whoIsThere();
    frame(hash);
    const code = /^enroll=(cte_[\w-]+)$/.exec(hash)?.[1];
    if (code !== undefined) {
      // The code is used up soon; until then it need not stand in the history of the browser.
      history.replaceState(null, "", "/#/enroll");
      return await enrolView({ code, entered });
    }
    if (person === null)
      return await signInView({
        ways: await get("/v1/sign-in"),
        refused: /^refused=([\w-]+)$/.exec(hash)?.[1],
        entered,
      });
    const id = /^\/approvals\/(.+)$/.exec(hash)?.[1];
    if (id !== undefined) return await approvalView({ id: decodeURIComponent(id), person });
    if (hash === "/account") return await accountView({ person, again: () => route(), ...extra });
    return await approvalsView();
  } catch (error) {
    if (error instanceof Problem && error.status === 401 && person !== null) return route();
    show(
      "That did not work",
      h(
        "div",
        { class: "card" },
        h("p", { class: "note bad", role: "alert" }, error.message),
        h("p", {}, h("a", { href: "#/approvals" }, "To the waiting approvals")),
      ),
    );
  }
}

function frame(hash) {
  document.getElementById("nav").hidden = person === null;
  document.getElementById("who").hidden = person === null;
  document.getElementById("who-name").textContent = person === null ? "" : `${person.id} · ${person.tenant}`;
  for (const link of document.querySelectorAll("#nav a")) {
    const here =
      link.getAttribute("href") === `#${hash}` || (link.getAttribute("href") === "#/approvals" && hash !== "/account");
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** After signing in: to what waits, or to what is left to do before one can approve. */
async function entered({ enrolled } = {}) {
  const to = enrolled === true ? "#/account" : "#/approvals";
  history.replaceState(null, "", `/${to}`);
  await route(enrolled === true ? { enrolled: true } : {});
}

document.getElementById("sign-out").addEventListener("click", async () => {
  await post("/v1/sign-out").catch(() => undefined);
  person = null;
  history.replaceState(null, "", "/#/");
  say("You are signed out.");
  await route();
});
addEventListener("hashchange", () => route());
await route();
