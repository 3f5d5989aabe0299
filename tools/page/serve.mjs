/**
 * Serves a folder on 127.0.0.1: node tools/page/serve.mjs FOLDER [PORT]
 *
 * The port is the same each time, since a browser keeps what it stores by host and port: another port is another,
 * empty store. For files alone: no list of folders, nothing outside FOLDER.
 */
import { readFile, realpath } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const PORT = 8417;
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml", ".wasm": "application/wasm",
};
const HEADERS = {
  "cache-control": "no-cache", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
};

async function answer(folder, { method, url }, response) {
  const send = (status, headers, body) => {
    response.writeHead(status, { ...HEADERS, ...headers });
    response.end(method === "HEAD" ? undefined : body);
  };
  const text = (status, message, headers) =>
    send(status, { "content-type": "text/plain; charset=utf-8", ...headers }, `${message}\n`);
  if (method !== "GET" && method !== "HEAD") return text(405, "only GET and HEAD", { allow: "GET, HEAD" });
  try {
    const path = normalize(`/${decodeURIComponent(url.replace(/[?#].*$/, ""))}`); // beginning with /, no .. is left
    const file = await realpath(join(folder, path.endsWith("/") ? join(path, "index.html") : path));
    if (!file.startsWith(folder + sep)) return text(404, "not found");
    const body = await readFile(file);
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    send(200, { "content-type": type, "content-length": body.length }, body);
  } catch (error) {
    if (error instanceof URIError) return text(400, "not a path");
    const missing = ["ENOENT", "ENOTDIR", "EISDIR", "ERR_INVALID_ARG_VALUE"].includes(error.code);
    text(missing ? 404 : 500, missing ? "not found" : "cannot be read");
  }
}

/**
 * @param {string} folder
 * @param {number} [port] 0: any that is free
 * @returns {Promise<{origin: string, close(): Promise<void>}>} rejects when the port is taken, or no folder there
 */
export async function serve(folder, port = PORT) {
  const root = await realpath(resolve(folder));
  const server = createServer((request, response) => void answer(root, request, response));
  await new Promise((done, failed) => server.once("error", failed).listen(port, "127.0.0.1", done));
  const close = () => new Promise((done) => {
    server.close(done);
    server.closeAllConnections();
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [folder, port] = process.argv.slice(2);
  if (folder === undefined) {
    console.error("usage: node tools/page/serve.mjs FOLDER [PORT]");
    process.exit(2);
  }
  try {
    const { origin } = await serve(folder, port === undefined ? PORT : Number(port));
    console.log(`${origin}/   (Ctrl-C ends it)`);
  } catch (error) {
    const taken = `port ${port ?? PORT} is taken; for another one: serve.mjs ${folder} PORT`;
    console.error(`serve.mjs: ${error.code === "EADDRINUSE" ? taken : error.message}`);
    process.exit(1);
  }
}
