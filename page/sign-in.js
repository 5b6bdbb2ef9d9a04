import { post } from "./api.js";
import { actionButton, alertBox, h, say, show } from "./dom.js";
import { newPasskey, passkeyAnswer } from "./keys.js";

const REFUSED = {
  "sign-in-refused":
    "Your identity provider's answer was not accepted. Begin again, or ask whoever keeps this installation.",
  "too-many-requests": "Signing in failed too often from here. Wait a while and try again.",
  unavailable: "Your identity provider cannot be reached now.",
};

/** `refused` is the code of a way in that was tried and led back here. */
export function signInView({ ways, refused, entered }) {
  const alert = alertBox();
  const byPasskey = actionButton("Sign in with a passkey", {
    alert,
    act: async () => {
      const options = await post("/v1/sign-in/passkey/options", {});
      await post("/v1/sign-in/passkey", await passkeyAnswer(options));
      say("You are signed in.");
      await entered();
    },
  });
  const away = ways.origin !== null && ways.origin !== location.origin;
  show(
    "Sign in",
    h(
      "div",
      { class: "card" },
      refused !== undefined &&
        h("p", { class: "note bad", role: "alert" }, REFUSED[refused] ?? "Signing in was refused."),
      away &&
        h(
          "p",
          { class: "note bad" },
          "People sign in at ",
          h("a", { href: ways.origin }, ways.origin),
          "; passkeys are bound to that address.",
        ),
      !ways.passkey &&
        h(
          "p",
          { class: "note bad" },
          "Nobody can sign in by browser yet: whoever keeps this installation has to set publicUrl.",
        ),
      h(
        "p",
        {},
        "Your passkey lies in this device, your phone or a security key, and asks for your fingerprint, face or PIN.",
      ),
      h(
        "div",
        { class: "actions" },
        ways.passkey && !away && byPasskey,
        ways.oidc && !away && h("a", { class: "button", href: "/v1/sign-in/oidc" }, "Sign in with your organisation"),
      ),
      alert.element,
    ),
    h(
      "p",
      { class: "quiet-text" },
      "No passkey yet? Open the link that you were sent, or ask an administrator: ",
      h("code", {}, "continuum person invite"),
      ".",
    ),
  );
}

export async function enrolView({ code, entered }) {
  const alert = alertBox();
  let offer;
  try {
    offer = await post("/v1/sign-in/enrolment/options", { code });
  } catch (error) {
    show(
      "Register a passkey",
      h("div", { class: "card" }, alert.element, h("p", {}, h("a", { href: "#/" }, "To the sign-in"))),
    );
    alert.tell(error);
    return;
  }
  const label = h("input", {
    id: "label",
    maxLength: 64,
    value: "This device",
    autocomplete: "off",
    spellcheck: false,
  });
  const register = actionButton("Register a passkey", {
    alert,
    act: async () => {
      // Asked anew: a challenge is good for one answer, also for one that was cancelled.
      const { options } = await post("/v1/sign-in/enrolment/options", { code });
      const registration = await newPasskey(options);
      await post("/v1/sign-in/enrolment", { code, registration, label: label.value.trim() || "passkey" });
      say("Your passkey is registered, and you are signed in.");
      await entered({ enrolled: true });
    },
  });
  show(
    "Register a passkey",
    h(
      "div",
      { class: "card" },
      h(
        "p",
        {},
        "You are registering as ",
        h("strong", {}, offer.principal),
        " of ",
        h("strong", {}, offer.tenant),
        ".",
      ),
      h("p", {}, "Your device will ask for your fingerprint, face or PIN. What it keeps never leaves it."),
      h("label", { for: "label" }, "A name for this passkey"),
      label,
      h("div", { class: "actions" }, register),
      alert.element,
    ),
  );
}
