// Elements are made one by one and text is only ever text: nothing that a server or a plan says can become markup.

/**
 * An element with its properties and children. `class` and names with a hyphen are attributes; `on` holds listeners.
 * Children that are null, undefined or false are left out.
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (key === "class" || key.includes("-") || key === "for" || key === "scope" || key === "role")
      element.setAttribute(key, String(value));
    else element[key] = value;
  }
  element.append(...shownOf(children));
  return element;
}

function shownOf(children) {
  const shown = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  return shown.map((child) => (child instanceof Node ? child : String(child)));
}

/** Names and values, in the order in which they are given; without those that have no value. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", {}, ...known.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function table({ caption, columns, rows, empty }) {
  if (rows.length === 0) return h("p", { class: "quiet-text" }, empty);
  return h(
    "table",
    {},
    h("caption", {}, caption),
    h("thead", {}, h("tr", {}, ...columns.map((column) => h("th", { scope: "col" }, column)))),
    h("tbody", {}, ...rows),
  );
}

export function section(title, ...children) {
  const id = `section-${title.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...children);
}

export function tag(text, tone) {
  return h("span", { class: `tag ${tone ?? ""}` }, text);
}

/** Shows a view and moves the keyboard and whoever listens to its heading. */
export function show(title, ...children) {
  const heading = h("h1", { tabIndex: -1 }, title);
  document.getElementById("view").replaceChildren(heading, ...shownOf(children));
  document.title = `${title} · Continuum`;
  heading.focus();
}

/** Said to those who listen instead of looking. */
export function say(text) {
  document.getElementById("status").textContent = text;
}

/** A place for what went wrong; empty and silent until then. */
export function alertBox() {
  const box = h("div", { role: "alert" });
  return {
    element: box,
    clear: () => box.replaceChildren(),
    tell: (error) => box.replaceChildren(h("p", { class: "note bad" }, wordsOf(error))),
  };
}

/** A button that waits for what it began, and tells what went wrong beside it. */
export function actionButton(text, { act, alert, tone }) {
  const button = h("button", { type: "button", class: tone }, text);
  button.addEventListener("click", async () => {
    alert.clear();
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    try {
      await act();
    } catch (error) {
      alert.tell(error);
      button.disabled = false;
      button.focus();
    } finally {
      button.removeAttribute("aria-busy");
      if (button.isConnected) button.disabled = false;
    }
  });
  return button;
}

function wordsOf(error) {
  // What a browser says of a ceremony that its person ended is "not allowed", which tells nobody anything.
  if (error?.name === "NotAllowedError") return "The passkey was not used: the request was cancelled or took too long.";
  if (error?.name === "InvalidStateError") return "This device already holds a passkey of yours for this installation.";
  return error?.message ?? "Something failed.";
}

export function when(time) {
  return h(
    "time",
    { dateTime: time },
    new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" }),
  );
}
