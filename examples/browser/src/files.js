/** Files from the page and into it. */

/** Hands bytes to the browser as a download. */
export function download(bytes, name) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000); // the download has begun by then
}

/** "indexeddb:world" -> "world-2030-01-31-1205.hearth" */
export function fileName(uri) {
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString();
  const name = uri.slice(uri.indexOf(":") + 1).replace(/[^\w-]+/g, "-") || "hearth";
  return `${name}-${now.slice(0, 10)}-${now.slice(11, 16).replace(":", "")}.hearth`;
}

/** Lets the user choose a file: calls back with it. */
export function onChosen(input, button, callback) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = ""; // the same file can be chosen again
    if (file !== undefined) callback(file);
  });
}
