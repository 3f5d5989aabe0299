/* Inside the view: reading values and fields out of bytes. */
#ifndef HEARTH_VIEW_READER_H
#define HEARTH_VIEW_READER_H

#include "view.h"

/* Reads a value; dictionary, NEXT and the range of references are resolved. */
void view_reader_value(ViewReader *r, Value *v);

/* The same where no cell belongs. */
void view_reader_plain(ViewReader *r, Value *v);

/* The first byte of the head of what a value refers to, where it is known without reading the store; 0: unknown. */
unsigned view_reader_head_of(const ViewReader *r, const Value *v);

/* Is what has a head with this first byte a cell? */
static inline bool view_is_cell(unsigned head) {
  return (head & HEAD_KIND) == OBJECT_CELL ||
         ((head & HEAD_KIND) == OBJECT_PERMANENT && head >> 4 == PERMANENT_CELL);
}

/* No key of a table is one. */
static inline bool view_is_nan(const Value *v) {
  return v->kind == VALUE_FLOAT && (v->as.bits & INT64_MAX) > UINT64_C(0x7ff0000000000000);
}

/* Fails at `start` instead of where the reader stands. */
void view_reader_fail_at(ViewReader *r, const unsigned char *start, const char *why);

static inline ViewPart *view_heap_part(const ViewHeap *h, uint64_t index) {
  return (ViewPart *)(void *)h->parts.data + index; /* the allocator's memory is aligned for it */
}

static inline uint64_t view_heap_count(const ViewHeap *h) {
  return h->parts.size / sizeof(ViewPart);
}

void view_heap_init(ViewHeap *h, const hearth_allocator *a);
void view_heap_free(ViewHeap *h);

/*
** Reads `count` heads, a root value and the bodies from r->c into `h`. `heads_end` (NULL:
** unknown) is where the heads must end. Failures: r->c.why, r->no_memory, or the status
** of a constant that could not be read.
*/
hearth_status view_heap_index(ViewHeap *h, ViewReader *r, uint64_t count, const unsigned char *heads_end,
                              hearth_error *err);

/* Fields of a body that begins where `r` stands, with this head. */
hearth_status view_fields_of_body(ViewFields *f, const ViewReader *r, const Head *head, uint64_t number,
                                  hearth_error *err);
void view_fields_init(ViewFields *f, const View *v, hearth_error *err);

/* Entries of an external table. */
void view_fields_of_external(ViewFields *f, uint64_t number);

/* The next entry of a paged table; false: no more, or a failure in f->status. */
bool view_pages_next(ViewFields *f, ViewField *field);

/* The next entry of an external table, likewise. */
bool view_external_next(ViewFields *f, ViewField *field);

/* The value of one entry of an external table, as its bytes. NOTFOUND, DAMAGED, IO, NOMEM. */
hearth_status view_external_find(const View *v, uint64_t number, const Value *key, Buffer *value, hearth_error *err);

/* What a failed reader means, as "damaged at byte N: why". */
hearth_status view_reader_status(const ViewReader *r, const char *what, uint64_t number, hearth_error *err);

/* The keys of a shape; the bytes of a store's go into `bytes`. */
hearth_status view_constant_shape(const View *v, uint64_t number, Buffer *bytes, Value keys[], size_t *count,
                             hearth_error *err);

/* How many upvalues closures of a prototype have. */
hearth_status view_constant_upvalues(const View *v, uint64_t number, unsigned *count, hearth_error *err);

#endif
