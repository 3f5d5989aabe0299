/* What dump prints, as events; text and JSON are two ways to write them. */
#ifndef HEARTH_TOOL_DUMP_H
#define HEARTH_TOOL_DUMP_H

#include "inspect.h"
#include "path.h"

/* Answers a status: what it reads more of the view may fail. Writes to standard output. */
typedef struct DumpSink DumpSink;

struct DumpSink {
  const struct DumpWriter *writer;
  unsigned depth;     /* of blobs inside external tables: 0 or 1 */
  uint64_t items;     /* so far, at this depth */
  uint64_t outer;     /* while depth is 1: those of depth 0 */
  bool paged;         /* a page of the object at work was begun */
  bool no_memory;     /* something could not be written for that reason */
  bool metatable;     /* that of the object at work was written */
  uint64_t fields;    /* of the object or page at work */
};

typedef struct DumpWriter {
  void (*begin)(DumpSink *s); /* of everything, or of a blob inside */
  void (*end)(DumpSink *s);
  void (*metadata)(DumpSink *s, const Metadata *m);
  void (*header)(DumpSink *s, const BlobHeader *h, const Value *root);
  hearth_status (*object)(DumpSink *s, ViewObject *o, hearth_error *err);
  void (*page)(DumpSink *s, const ViewFields *f); /* the fields that follow stand in it */
  hearth_status (*field)(DumpSink *s, ViewObject *o, const ViewField *field, hearth_error *err);
  void (*blob_begin)(DumpSink *s, const ViewField *field); /* a field whose value is a blob */
  void (*blob_end)(DumpSink *s);
  void (*object_end)(DumpSink *s, ViewObject *o);
  void (*log)(DumpSink *s, const LogHeader *h, LogHeaderState state);
  void (*frame)(DumpSink *s, uint64_t at, const LogFrame *f);
  void (*op)(DumpSink *s, const LogOp *op);
  void (*frame_end)(DumpSink *s);
  void (*gap)(DumpSink *s, uint64_t at, uint64_t length, bool last);
} DumpWriter;

extern const DumpWriter dump_text;

/* NULL in a program without Jansson. */
extern const DumpWriter *const dump_json;

/* The frames of a store's file; complains. Answers a status to exit with. */
int dump_frames(DumpSink *s, const char *path);

/* "object", "page", ... of a key in table 0, with its numbers; for a key of another table that key. */
void dump_put_key(Buffer *out, uint64_t table, const void *key, size_t size);

#endif
