import { all, get, post, remove } from "./api.js";
import { actionButton, alertBox, facts, h, say, section, show, table, tag, when } from "./dom.js";
import { dropKey, keepKey, newSigningKey, prove, signingKey } from "./keys.js";

export async function accountView({ person, again, enrolled }) {
  const [own, keys, passkeys, sessions] = await Promise.all([
    signingKey(person),
    all("/v1/me/keys"),
    get("/v1/me/passkeys"),
    get("/v1/me/sessions"),
  ]);
  const registered = keys.find(({ keyId, revokedAt }) => keyId === own?.keyId && revokedAt === null);
  show(
    "Your account",
    enrolled &&
      h(
        "p",
        { class: "note good" },
        "Your passkey is registered. One thing is left before you can approve: a signing key for this browser.",
      ),
    section(
      "You",
      facts([
        ["Name", person.id],
        ["Tenant", person.tenant],
        ["Roles", person.roles.join(", ") || "none"],
      ]),
    ),
    signingSection({ person, own, keys, registered, again }),
    passkeySection({ passkeys: passkeys.items, again }),
    sessionSection({ sessions: sessions.items, again }),
  );
}

function signingSection({ person, own, keys, registered, again }) {
  const alert = alertBox();
  const label = h("input", {
    id: "key-label",
    maxLength: 64,
    value: "This browser",
    autocomplete: "off",
    spellcheck: false,
  });
  const register = actionButton("Register this browser's key", {
    alert,
    act: async () => {
      const key = await newSigningKey();
      const body = { publicKey: key.pem, kind: "webcrypto", label: label.value.trim() || "browser" };
      const statement = await post("/v1/me/keys/statement", body);
      await post("/v1/me/keys", { ...body, ...(await prove(statement, key)) });
      await keepKey(person, key);
      say("This browser can sign your approvals now.");
      await again();
    },
  });
  const rows = keys.map((key) => {
    const revoke = actionButton("Revoke", {
      alert,
      tone: "danger",
      act: async () => {
        await remove(`/v1/me/keys/${encodeURIComponent(key.keyId)}`);
        if (key.keyId === own?.keyId) await dropKey(person);
        say("The key is revoked.");
        await again();
      },
    });
    revoke.setAttribute("aria-label", `Revoke the key ${key.label}`);
    const state =
      key.revokedAt === null
        ? tag(key.keyId === own?.keyId ? "this browser" : "counts", "good")
        : tag("revoked", "bad");
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, key.label),
      h("td", {}, key.kind),
      h("td", {}, h("code", {}, `${key.keyId.slice(0, 23)}…`)),
      h("td", {}, state),
      h("td", {}, key.revokedAt === null && revoke),
    );
  });
  return section(
    "Signing keys",
    h(
      "p",
      {},
      "A key that lies in this browser signs your approvals. Nobody can copy it, this page included; clearing the browser's data loses it, and you register another.",
    ),
    table({ caption: "Your keys", columns: ["Name", "Kind", "Id", "State", ""], rows, empty: "You have none yet." }),
    registered === undefined && [
      h("label", { for: "key-label" }, "A name for this browser's key"),
      label,
      h("div", { class: "actions" }, register),
    ],
    alert.element,
  );
}

function passkeySection({ passkeys, again }) {
  const alert = alertBox();
  const link = h("div", {});
  const rows = passkeys.map(({ id, label, createdAt, lastUsedAt }) => {
    const take = actionButton("Remove", {
      alert,
      tone: "danger",
      act: async () => {
        await remove(`/v1/me/passkeys/${encodeURIComponent(id)}`);
        say("The passkey is removed.");
        await again();
      },
    });
    take.setAttribute("aria-label", `Remove the passkey ${label}`);
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, label),
      h("td", {}, when(createdAt)),
      h("td", {}, lastUsedAt === null ? "never" : when(lastUsedAt)),
      h("td", {}, passkeys.length > 1 && take),
    );
  });
  const add = actionButton("Register another passkey", {
    alert,
    tone: "quiet",
    act: async () => {
      const { link: url } = await post("/v1/me/enrolments", {});
      link.replaceChildren(
        h(
          "p",
          { class: "note" },
          "Open this on the other device within 15 minutes; it works once: ",
          h("code", {}, url),
        ),
      );
      say("A link for the other device is shown.");
    },
  });
  return section(
    "Passkeys",
    table({
      caption: "Your passkeys",
      columns: ["Name", "Registered", "Last used", ""],
      rows,
      empty: "You have none.",
    }),
    h("div", { class: "actions" }, add),
    link,
    alert.element,
  );
}

function sessionSection({ sessions, again }) {
  const alert = alertBox();
  const rows = sessions.map(({ id, method, current, createdAt, seenAt }) => {
    const end = actionButton("End", {
      alert,
      tone: "danger",
      act: async () => {
        await remove(`/v1/me/sessions/${encodeURIComponent(id)}`);
        say("The session is over.");
        await again();
      },
    });
    end.setAttribute("aria-label", "End this session");
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, when(createdAt)),
      h("td", {}, when(seenAt)),
      h("td", {}, method),
      h("td", {}, current ? tag("this one", "good") : end),
    );
  });
  return section(
    "Sessions",
    table({ caption: "Where you are signed in", columns: ["Since", "Last seen", "By", ""], rows, empty: "Nowhere." }),
    alert.element,
  );
}
