/*
** Reading blobs and stores without Lua: objects by number, their fields one by
** one, paths. Nothing is run, nothing recurses over the depth of data, and
** nothing in the input is believed before it is checked.
**
** A blob's bytes are borrowed until view_close and are checked completely when it is opened. A
** store is read through its backend, object by object; a record is checked when it is read.
** Numbers of a blob's objects count from 1, those of its shapes and prototypes from 0; in a
** store all share one range.
*/
#ifndef HEARTH_VIEW_H
#define HEARTH_VIEW_H

#include "blob.h"
#include "chunk.h"
#include "error.h"
#include "hearth_backend.h"
#include "layout.h"
#include "prototype_record.h"

typedef struct View View;

/* Where the head and the body of an object begin in the bytes that hold several. */
typedef struct ViewPart {
  size_t head, body;
  uint64_t top; /* blob: highest object referred to before the body */
} ViewPart;

/* Objects in one byte string: those of a blob, or the local ones of a special object. */
typedef struct ViewHeap {
  Buffer parts;   /* ViewPart */
  Buffer strings; /* ViewString: the dictionary */
  size_t root;    /* where the root value is */
} ViewHeap;

typedef struct ViewString {
  const unsigned char *bytes;
  size_t size;
} ViewString;

typedef struct ViewPlace {
  size_t position, size;
} ViewPlace;

struct View {
  hearth_allocator allocator;
  /* A store; NULL for a blob. Borrowed. */
  const hearth_backend *backend;
  hearth_backend_store *store;
  Metadata metadata;
  /* A blob. */
  const unsigned char *bytes;
  size_t size;
  BlobHeader header;
  Buffer shapes, prototypes; /* ViewPlace */
  ViewHeap heap;
};

/* Opens a blob and checks all of it. DAMAGED and VERSION with the position, NOMEM. */
hearth_status view_open_blob(View *v, const void *bytes, size_t size, const hearth_allocator *allocator,
                             hearth_error *err);

/* Opens what is in a backend and reads its metadata. NOTSTORE when it has none, DAMAGED, VERSION, IO, NOMEM. */
hearth_status view_open_store(View *v, const hearth_backend *backend, hearth_backend_store *store,
                              const hearth_allocator *allocator, hearth_error *err);

/* Closes a view that was opened, or whose opening failed. The backend's store stays open. */
void view_close(View *v);

/* The number of a store's home table: homeTableId, or memoryTableId alone. DAMAGED when there is neither. */
hearth_status view_home(const View *v, uint64_t *number, hearth_error *err);

/* The root of a blob. */
void view_root(View *v, Value *root);

/* ---------------------------------------------------------------- objects */

typedef enum ViewPlaceKind {
  VIEW_OBJECT,   /* a table, closure, cell, permanent, special object */
  VIEW_CONSTANT, /* a shape, prototype or large string */
  VIEW_EXTERNAL  /* an external table */
} ViewPlaceKind;

#define VIEW_WHOLE UINT32_MAX /* not a local object */

/* An object that was opened. Its bytes stay until it is opened anew or freed. */
typedef struct ViewObject {
  View *view;
  ViewPlaceKind place;
  uint64_t number; /* of a local object: that of the special one that it belongs to */
  uint32_t local;  /* its index there, or VIEW_WHOLE */
  bool late;       /* blob: a weak table */
  Head head;
  size_t body;     /* where the body begins in the bytes */
  uint64_t top;    /* blob: as in ViewPart */
  Buffer record;   /* store: the bytes */
  ViewHeap locals; /* store: of a special object */
  uint64_t references, referring; /* external: to it from other external tables, in it to others */
} ViewObject;

void view_object_init(ViewObject *o, View *v);
void view_object_free(ViewObject *o);

/* Opens an object by its number. NOTFOUND, DAMAGED, IO, NOMEM. */
hearth_status view_object_open(ViewObject *o, uint64_t number, hearth_error *err);

/* Opens a constant of a blob, which has numbers of its own. NOTFOUND. */
hearth_status view_object_open_constant(ViewObject *o, ObjectKind kind, uint64_t number, hearth_error *err);

/* How many local objects the special object has that was opened; and opens one. */
uint32_t view_object_locals(const ViewObject *o);
hearth_status view_object_open_local(ViewObject *o, uint32_t index, hearth_error *err);

/* Opens what a value (VALUE_REF, VALUE_LOCAL) that was read from `from` means; `from` may be `o`. */
hearth_status view_object_follow(ViewObject *o, const ViewObject *from, const Value *v, hearth_error *err);

/* All bytes of a large string into `out`. DAMAGED, LIMIT, NOMEM. */
hearth_status view_object_string(ViewObject *o, Buffer *out, hearth_error *err);

/* The prototype record of a constant. */
hearth_status view_object_prototype(const ViewObject *o, Prototype *out, hearth_error *err);

/* How many entries a table has. */
hearth_status view_object_count(ViewObject *o, uint64_t *count, hearth_error *err);

/* ----------------------------------------------------------------- fields */

typedef enum ViewFieldKind {
  VIEW_ENTRY,    /* of a table: key, value */
  VIEW_UPVALUE,  /* of a closure: number, from 1; value refers to a cell */
  VIEW_CONTENT,  /* of a cell, or what stands for a special object: value */
  VIEW_METATABLE, /* value */
  VIEW_KEY       /* of a shape: number, from 1; key */
} ViewFieldKind;

/* Values are scalars, VALUE_STRING, VALUE_REF or VALUE_LOCAL; bytes are valid until the next field. */
typedef struct ViewField {
  ViewFieldKind kind;
  uint64_t number;
  Value key, value;
  const unsigned char *blob; /* of an external table: NULL, or the value is this blob */
  size_t blob_size;
} ViewField;

/* Is the object rebuilt by calling its content? */
static inline bool view_calls_content(const Head *head) {
  return head->kind == OBJECT_SPECIAL && !(head->flags & HEAD_TYPED);
}

/* A place in bytes from which values are read. */
typedef struct ViewReader {
  const View *view;
  Cursor c;
  uint64_t top;
  ViewHeap *heap;     /* whose objects a reference may mean; NULL: of the store */
  ViewHeap *indexing; /* while it is being filled: strings join its dictionary */
  bool no_memory;
} ViewReader;

typedef struct ViewFields {
  ViewReader r;
  Head head;
  bool whole;                /* the body ends with the bytes */
  int section;
  uint64_t done;             /* fields of the section so far */
  size_t key_count;          /* of the shape */
  Value keys[SHAPE_MAX_KEYS];
  unsigned upvalues;
  Buffer constant;           /* store: the bytes of the shape; external: the last key */
  /* Pages of a paged table. */
  uint64_t number;
  LayoutKey page;            /* the one at work; kind LAYOUT_NONE before the first */
  Buffer page_bytes;         /* its bytes; external: the last value */
  ViewReader page_reader;
  uint64_t run_key, run_left;
  uint64_t integers, others; /* entries so far */
  uint64_t order;            /* of the last entry */
  bool has_order;
  hearth_status status;      /* why it ended */
  hearth_error *error;
} ViewFields;

/* Starts over the fields of an open object, which must stay open meanwhile. A failure shows in view_fields_next. */
void view_fields_begin(ViewFields *f, ViewObject *o, hearth_error *err);

/* False at the end, or when f->status is a failure, which then stands in the error. */
bool view_fields_next(ViewFields *f, ViewField *field);
void view_fields_free(ViewFields *f);

/* ------------------------------------------------------------------ store */

/* The bytes of an entry of table 0 into `out` (emptied before). NOTFOUND, DAMAGED, IO, NOMEM. */
hearth_status view_fetch(const View *v, const LayoutKey *key, Buffer *out, hearth_error *err);

/*
** The number of the next object (constants and external tables included) after `number`, by the kind of
** key: 0 begins. *found is false after the last.
*/
hearth_status view_next_number(const View *v, LayoutKind kind, uint64_t number, bool *found, uint64_t *next,
                               hearth_error *err);

#endif
