/**
 * The three dumps of tests/fixtures/legacy: what each version read back after a reload, against what Lua reads now.
 * Runs in Node and in a page.
 */
export const DUMPS = ["v1f-5b8eb35-web", "v2-a002643-web", "v21-af5905a-web"];

export const recordsOf = (dump) => dump.database.objectStores[0].records;

const LONG = 1000; // bytes: of longer strings the dumps have length and checksum

/** Lua code: what a value is, as text that says all of it. */
export const DESCRIBE = `
local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function describe(v)
  if math.type(v) == "integer" then return "integer " .. v end
  if type(v) == "number" then return "float " .. hex(string.pack(">d", v)) end
  if type(v) ~= "string" then return v == nil and "nil" or type(v) == "boolean" and tostring(v) or type(v) end
  if #v < ${LONG} then return "string " .. hex(v) end
  local sum = 5381
  for i = 1, #v do sum = (sum * 33 + v:byte(i)) & 0xffffffff end
  return "long " .. hex(string.pack("<I4I4", #v, sum))
end
`;

/** Text in which \\xNN and JSON's escapes stand for bytes. */
function hexOf(text) {
  const bytes = JSON.parse(`"${text.replace(/\\x([0-9a-f]{2})/g, "\\u00$1").replace(/[\0-\x1f]/g, escape)}"`);
  return [...bytes].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
}

const escape = (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** What a dump says of a value, as DESCRIBE says it. */
function expectedOf(text) {
  const float = /^float .* \[([0-9a-f]{16})\]$/.exec(text);
  if (float) return `float ${float[1]}`;
  const string = /^string\(len (\d+)\) "(.*)"$/s.exec(text);
  if (string) return `string ${hexOf(string[2])}`;
  if (text.startsWith("L:")) return `long ${hexOf(text.slice(2))}`;
  return text;
}

/** The same entry was t[1] and t["1"]: one of them is left, by the option `keys`. */
function expressionOf(probe, keys) {
  const inside = /^type\((.*)\)$/.exec(probe);
  if (inside) return `type(${expressionOf(inside[1], keys)})`;
  const indexed = probe.replace(/\["?(-?[0-9.]+)"?\]/g, (_, number) => {
    const isNumber = keys === "number" || (keys === "integer" && /^-?\d+$/.test(number));
    return `[${isNumber ? number : JSON.stringify(number)}]`;
  });
  return `_home${indexed.startsWith("[") ? "" : "."}${indexed}`;
}

/**
 * What differs from what that version read: [] when nothing does.
 * @param {object} dump
 * @param {(code: string) => any} run runs Lua code: the first value that it returned
 * @param {"integer" | "number" | "text"} keys as it was imported
 */
export function differences(dump, run, keys = "integer") {
  const found = [];
  for (const [probe, text] of Object.entries(dump.readbackBySameVersion)) {
    const expected = expectedOf(text);
    // Where a version dropped a whole table, its fields read as nil; here the table is nil, and indexing it raises.
    const table = /^(\w+)[.[]/.exec(probe)?.[1];
    const guard = table === undefined ? "" : `if _home.${table} == nil then return "nil" end `;
    const actual = run(`${DESCRIBE} ${guard} return describe(${expressionOf(probe, keys)})`);
    if (actual !== expected) found.push(`${probe}: ${expected} expected, got ${actual}`);
  }
  return found;
}

/** How many values a dump has to say something of. */
export const countOf = (dump) => Object.keys(dump.readbackBySameVersion).length;
