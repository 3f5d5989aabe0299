/** What stands between the user and the store, with the ways out. */

const WAYS = {
  takeover: ["Take it over", (session) => session.open({ takeover: true })],
  again: ["Try again", (session) => session.open()],
  anew: ["Begin anew", (session) => session.open({ acceptLoss: true })],
  reload: ["Reload this tab", () => location.reload()],
  memory: ["Use a store in memory", () => location.assign("?store=memory:")],
};

/** @returns {{title: string, text: string, ways: string[]} | undefined} */
function noticeOf({ state, error, uri }) {
  if (state === "dead") {
    return {
      title: "This tab has lost the store",
      text: `${error.message}. Nothing more is stored from here. What is in memory, committed or not, can be exported.`,
      ways: ["export", "reload"],
    };
  }
  if (state === "broken") {
    return {
      title: "The store was left half-way",
      text: `${error.message}. What was committed is in the browser: reload this tab.`,
      ways: ["reload"],
    };
  }
  if (state !== "refused") return undefined;
  switch (error.code) {
    case "busy":
      return {
        title: "Another tab has this store",
        text: "One tab at a time has a store. If you take it over, the other can only export what it has in memory.",
        ways: ["takeover", "again"],
      };
    case "lost":
      return {
        title: "The browser has lost this store",
        text: "It was here before and is gone: browsers may delete what a site stores. Begin anew, and import a file " +
          "if you have exported one.",
        ways: ["anew", "again"],
      };
    default:
      return {
        title: `${uri} could not be opened`,
        text: `${error.message}. A store in memory works without, and is gone with the page.`,
        ways: ["again", "memory"],
      };
  }
}

/**
 * @param {HTMLElement} root with role "alert"
 * @param {import("./session.js").Session} session
 * @param {{exportMemory: () => void}} actions
 */
export function showNotice(root, session, { exportMemory }) {
  const notice = noticeOf(session);
  root.hidden = notice === undefined;
  root.replaceChildren();
  if (notice === undefined) return;
  const [title, text, ways] = ["h2", "p", "div"].map((tag) => document.createElement(tag));
  title.textContent = notice.title;
  text.textContent = notice.text;
  ways.className = "buttons";
  for (const way of notice.ways) {
    const button = document.createElement("button");
    const [name, act] = way === "export" ? ["Export what is in memory", exportMemory] : WAYS[way];
    button.type = "button";
    button.textContent = name;
    if (way === notice.ways[0]) button.className = "primary";
    button.addEventListener("click", () => act(session));
    ways.append(button);
  }
  root.append(title, text, ways);
}
