/** The page: the program on one side, `_home` on the other. */
import { makeEditor } from "./editor.js";
import { download, fileName, onChosen } from "./files.js";
import { Lines, Output } from "./output.js";
import { showNotice } from "./notice.js";
import { samples } from "./samples.js";
import { Session } from "./session.js";
import { remember, remembered } from "./settings.js";
import { StorageFigures } from "./storage.js";
import { Tree, sizeText } from "./tree.js";

const LIMITS = [
  ["1000000", "1 million instructions"], ["100000000", "100 million instructions"],
  ["10000000000", "10 billion instructions"], ["0", "no limit"],
];

const find = (id) => document.getElementById(id);
const uri = new URLSearchParams(location.search).get("store") || "indexeddb:page";

const session = new Session(uri, (line) => output.say("Warning", line));
const output = new Output(find("output"), (path) => {
  tree.reveal(path);
  tree.focus();
});
const tree = new Tree(find("tree"), {
  open: remembered(`open ${uri}`),
  onopen: (open) => remember(`open ${uri}`, open),
});
const figures = new StorageFigures(find("figures"), find("keep"));
const editor = makeEditor(find("editor"), {
  code: remembered("program", samples[0].code),
  label: "Lua program",
  onrun: () => run(),
  onchange: (code) => {
    remember("program", code);
    showSample(code);
  },
});

/* ------------------------------------------------------------ what is shown of the state */

const STATES = {
  opening: "opening", working: "working", dead: "not stored any more", refused: "not open", broken: "not open",
  open: "all committed", dirty: "not committed yet",
};
const NEED_A_STORE = ["commit", "rollback", "export", "import", "compact"];

let shown; // the state that the page shows; "working" passes too fast for that

function showState() {
  const { state, dirty } = session;
  find("state").dataset.state = state === "open" && dirty ? "dirty" : state;
  find("state").textContent = STATES[find("state").dataset.state];
  if (state === "working") return; // buttons that were disabled would lose the focus
  for (const id of NEED_A_STORE) find(id).disabled = state !== "open";
  find("run").disabled = !session.usable;
  find("tree").hidden = !session.usable;
  void figures.update(session.usable ? session.stat() : undefined);
}

session.addEventListener("state", () => {
  const { state } = session;
  showState();
  if (state === "working" || state === shown) return;
  const wasUsable = shown === "open" || shown === "dead";
  shown = state;
  showNotice(find("notice"), session, { exportMemory });
  if (session.usable !== wasUsable) tree.source = session.usable ? (limits) => session.read(limits) : undefined;
  showEmpty();
});

function showEmpty() {
  let text = "";
  if (session.usable && tree.isEmpty) text = "Nothing is in _home yet. Run a program that puts something into it.";
  if (!session.usable && session.state !== "opening") text = "The store is not open in this tab.";
  find("empty").textContent = text;
  find("empty").hidden = text === "";
}

function refresh() {
  if (session.usable) tree.update();
  showEmpty();
  showState();
}

/* ------------------------------------------------------------ what can be done */

/** A failure is told: then it answers undefined, otherwise what the work gave, or true. */
async function attempt(title, work, hintOf = () => undefined) {
  tree.unmark();
  try {
    return (await work()) ?? true;
  } catch (error) {
    output.fail(title, error, hintOf(error));
    return undefined;
  } finally {
    refresh();
  }
}

let running = false;

async function run() {
  if (!session.usable || running) return;
  running = true;
  find("run").classList.add("running");
  await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))); // drawn before Lua has the page
  const instructions = Number(find("limit").value);
  const lines = new Lines();
  const begun = performance.now();
  const outcome = {};
  try {
    outcome.results = session.run(editor.code, { instructions: instructions || undefined, lines });
  } catch (error) {
    outcome.error = error;
    if (error.message.endsWith("the limit of instructions is reached")) {
      outcome.error = new Error(`stopped after ${find("limit").selectedOptions[0].textContent}`);
      outcome.hint = "The program may run for ever. If it only takes long, choose a higher limit below the editor.";
    }
  }
  output.ran(lines, { ...outcome, milliseconds: performance.now() - begun });
  tree.unmark();
  refresh();
  running = false;
  find("run").classList.remove("running");
  if (find("autocommit").checked && outcome.error === undefined) await commit();
}

const COMMIT_HINTS = {
  unstorable: "Nothing was written, and what you have in memory is as it was. Take this out of _home, or roll back.",
  replaced: "Give the global _home its table again, or roll back.",
  full: "The browser's storage is full. Nothing is lost: make room and commit again.",
};

async function commit() {
  if (session.state !== "open") return;
  const before = session.stat().savedAt?.getTime();
  const done = await attempt("Not committed", () => session.commit(), ({ code, path }) => {
    if (path) tree.reveal(path);
    return COMMIT_HINTS[code];
  });
  if (done === undefined) return;
  const { savedAt, committedBytes, committedEntries } = session.stat();
  const records = `${committedEntries} ${committedEntries === 1 ? "record" : "records"}`;
  if (savedAt?.getTime() === before) output.say("Committed", "Nothing had changed, so nothing was written.");
  else output.say("Committed", `${sizeText(committedBytes)} in ${records}.`);
}

async function rollback() {
  if (session.state !== "open") return;
  if (await attempt("Not rolled back", () => session.rollback()))
    output.say("Rolled back", "_home is what it was at the last commit, in the same tables.");
}

async function compact() {
  if (session.state !== "open") return;
  const before = session.stat().storage.totalBytes;
  if (await attempt("Not compacted", () => session.compact()) === undefined) return;
  output.say("Compacted", `${sizeText(before)} before, ${sizeText(session.stat().storage.totalBytes)} now.`);
}

async function save(work, what) {
  const bytes = await attempt("Not exported", work);
  if (bytes === undefined) return;
  const name = fileName(uri);
  download(bytes, name);
  output.say("Exported", `${name}: ${what}, ${sizeText(bytes.length)}.`);
}

const exportStore = () => save(() => session.export(), "the store as last committed");
const exportMemory = () => save(() => session.exportMemory(), "what was in memory, committed or not");

/** Asks with the page's dialog. */
function confirmed(question, answer) {
  const dialog = find("confirm");
  find("question").textContent = question;
  find("answer").textContent = answer;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) =>
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function importFile(file) {
  if (session.state !== "open") return;
  const bytes = new Uint8Array(await file.arrayBuffer());
  const done = await attempt(`${file.name} was not imported`, async () => {
    try {
      await session.import(bytes, false);
    } catch (error) {
      if (error.code !== "exists") throw error;
      const question = `Replace everything in ${uri} by what is in ${file.name}? This is committed at once.`;
      if (!(await confirmed(question, "Replace"))) return false;
      await session.import(bytes, true);
    }
    return true;
  });
  if (done) output.say("Imported", `${file.name}, ${sizeText(bytes.length)}.`);
}

/** Browsers decide by themselves, or ask. */
async function keep() {
  const kept = await navigator.storage.persist();
  if (!kept)
    output.say("The browser does not promise it",
      "It may do so when this page is installed, bookmarked or used often. Export what you cannot lose.");
  await figures.update(session.usable ? session.stat() : undefined);
  if (kept) find("export").focus(); // the button is gone
}

/* ------------------------------------------------------------ the page itself */

function addOption(select, name, value) {
  const option = document.createElement("option");
  option.textContent = name;
  option.value = value;
  find(select).append(option);
}

/** The sample that is in the editor, or none when it was edited: then the same one can be chosen again. */
function showSample(code) {
  const at = samples.findIndex((sample) => sample.code === code);
  find("sample").value = at < 0 ? "" : String(at);
}

samples.forEach(({ name }, i) => addOption("sample", name, i));
showSample(editor.code);
find("sample").addEventListener("change", ({ target }) => {
  if (target.value !== "") editor.code = samples[Number(target.value)].code;
});

for (const [value, name] of LIMITS) addOption("limit", name, value);
find("limit").value = remembered("limit", "100000000");
find("limit").addEventListener("change", (event) => remember("limit", event.target.value));
find("autocommit").checked = remembered("autocommit", false);
find("autocommit").addEventListener("change", (event) => remember("autocommit", event.target.checked));

const onApple = /Mac|iPhone|iPad/.test(navigator.platform);
for (const key of document.querySelectorAll("kbd[data-apple]")) if (onApple) key.textContent = key.dataset.apple;

const actions = {
  run, commit, rollback, compact, keep, export: exportStore,
  clear: () => output.clear(), reload: () => location.reload(),
};
for (const [id, action] of Object.entries(actions)) find(id).addEventListener("click", () => void action());
onChosen(find("file"), find("import"), importFile);

document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey || event.defaultPrevented) return;
  if (event.key === "Enter") void run();
  else if (event.key.toLowerCase() === "s") void commit();
  else return;
  event.preventDefault();
});

find("store").textContent = uri;
await session.open();
if (session.state === "open") {
  const { objects, savedAt } = session.stat();
  output.say("Opened", savedAt === undefined ? `${uri}: a new store.` :
    `${uri}: what was committed on ${savedAt.toLocaleString()} is here, ${objects} objects.`);
}
