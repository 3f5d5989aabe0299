#include "page.h"

#include <inttypes.h>

void page_put_text(Buffer *out, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    switch (bytes[i]) {
      case '&': view_print(out, "&amp;"); break;
      case '<': view_print(out, "&lt;"); break;
      case '>': view_print(out, "&gt;"); break;
      case '"': view_print(out, "&quot;"); break;
      case '\'': view_print(out, "&#39;"); break;
      default: buffer_byte(out, bytes[i] < 0x20 || bytes[i] == 0x7f ? '?' : bytes[i]);
    }
  }
}

void page_put_string(Buffer *out, const char *text) {
  page_put_text(out, (const unsigned char *)text, strlen(text));
}

void page_put_number(Buffer *out, uint64_t n) {
  char digits[32];
  int count = snprintf(digits, sizeof digits, "%" PRIu64, n);
  for (int i = 0; i < count; i++) {
    if (i > 0 && (count - i) % 3 == 0) buffer_byte(out, ',');
    buffer_byte(out, (unsigned char)digits[i]);
  }
}

void page_put_bytes(Buffer *out, uint64_t n) {
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
  double size = (double)n / 1024;
  int unit = 0;
  if (n < 1024) {
    view_print(out, "%u bytes", (unsigned)n);
    return;
  }
  for (; size >= 1024 && unit < 3; unit++) size /= 1024;
  view_print(out, "%.1f %s", size, units[unit]);
}

/* Where the character begins that this byte belongs to, or the next one. */
static size_t whole(const Buffer *text, size_t at) {
  while (at < text->size && (text->data[at] & 0xC0) == 0x80) at++;
  return at;
}

void page_put_shortened(Buffer *out, const Buffer *text, size_t most) {
  if (text->size <= most) {
    page_put_text(out, text->data, text->size);
    return;
  }
  size_t half = most / 2, head = whole(text, half), tail = whole(text, text->size - half);
  page_put_text(out, text->data, head);
  page_put_string(out, "\xe2\x80\xa6");
  page_put_text(out, text->data + tail, text->size - tail);
}

/* Dark text on light fills, and the other way round: each pair has a contrast of 4.5 or more. */
const char page_style[] =
    ":root{color-scheme:light dark;--ground:#fff;--text:#1b1b1f;--soft:#55555f;--line:#d5d5dc;--k0:#bcd7ff;"
    "--k1:#ffd9a8;--k2:#e5d4ff;--k3:#d9d9de;--k4:#ffc9cf;--k5:#bfe8cb;--k6:#fff0a3;--k7:#f9c6e8;--k8:#b9e6ea;"
    "--k9:#e3e3e8;--k10:#f2b8b5;--k11:#f4f4f7;--bar:#2a62c9}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#17171b;--text:#ececf1;--soft:#a9a9b6;--line:#3b3b45;"
    "--k0:#23447a;--k1:#6b4310;--k2:#4b3374;--k3:#44444d;--k4:#742f38;--k5:#1f5732;--k6:#5e5207;--k7:#692b56;"
    "--k8:#17535a;--k9:#3a3a42;--k10:#7a2a26;--k11:#222228;--bar:#7fa9f5}}\n"
    "body{margin:0 auto;max-width:76rem;padding:1.5rem 1rem 4rem;background:var(--ground);color:var(--text);"
    "font:16px/1.5 system-ui,sans-serif}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}"
    "p{margin:.3rem 0;color:var(--soft)}.drawing{display:block;width:100%;height:auto}"
    "svg text{fill:var(--text);font:11px system-ui,sans-serif}svg rect{stroke:var(--ground);stroke-width:.6}"
    ".bar{fill:var(--bar)}.scroll{overflow-x:auto}.scroll .drawing{min-width:48rem}"
    "table{border-collapse:collapse;font-size:.9rem;min-width:30rem}th,td{text-align:left;padding:.2rem 1.2rem .2rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}"
    "code{font:.85rem ui-monospace,monospace;overflow-wrap:anywhere}dl{display:grid;"
    "grid-template-columns:max-content 1fr;gap:.1rem 1.2rem;margin:.8rem 0 0}dt{color:var(--soft)}dd{margin:0;"
    "overflow-wrap:anywhere}.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;"
    "margin:.5rem 0;font-size:.85rem}.legend span{display:inline-block;width:.9em;height:.9em;margin-right:.35em;"
    "border:1px solid var(--line)}\n"
    ".k0{fill:var(--k0);background:var(--k0)}.k1{fill:var(--k1);background:var(--k1)}"
    ".k2{fill:var(--k2);background:var(--k2)}.k3{fill:var(--k3);background:var(--k3)}"
    ".k4{fill:var(--k4);background:var(--k4)}.k5{fill:var(--k5);background:var(--k5)}"
    ".k6{fill:var(--k6);background:var(--k6)}.k7{fill:var(--k7);background:var(--k7)}"
    ".k8{fill:var(--k8);background:var(--k8)}.k9{fill:var(--k9);background:var(--k9)}"
    ".k10{fill:var(--k10);background:var(--k10)}.k11{fill:var(--k11);background:var(--k11)}\n";
