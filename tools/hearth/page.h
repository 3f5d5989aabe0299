/* The page that stat --html writes: one file, no scripts, nothing from elsewhere. */
#ifndef HEARTH_TOOL_PAGE_H
#define HEARTH_TOOL_PAGE_H

#include "account.h"
#include "hearth_backend.h"
#include "look.h"

typedef struct PageFacts {
  const Look *look;
  hearth_backend_stat stat;
  Account account;
  Buffer batches; /* hearth_batch, oldest first; empty where the backend keeps none */
} PageFacts;

/* Appends the page to `out`. False: no memory. */
bool page_make(Buffer *out, const PageFacts *facts);

/* ------------------------------------------------------------- page_text.c */

/* Text in HTML: what could end it or begin a tag is written as an entity. */
void page_put_text(Buffer *out, const unsigned char *bytes, size_t size);
void page_put_string(Buffer *out, const char *text);

/* "12,345" and "12.1 KiB" */
void page_put_number(Buffer *out, uint64_t n);
void page_put_bytes(Buffer *out, uint64_t n);

/* At most so many characters of a path or name, the middle left out. */
void page_put_shortened(Buffer *out, const Buffer *text, size_t most);

extern const char page_style[];

/* -------------------------------------------------------------- page_map.c */

bool page_put_map(Buffer *out, const Account *a);
void page_put_chart(Buffer *out, const hearth_batch *batches, size_t count);

/* The class of a kind's colour: "k3". */
void page_put_class(Buffer *out, AccountKind kind);

#endif
