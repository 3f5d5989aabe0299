#include "fake_indexeddb.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "indexeddb.h"

#define FAKES 8
#define OPENERS 8

typedef struct Bytes {
  unsigned char *data;
  size_t size, records;
} Bytes;

typedef struct Job {
  struct Job *next;
  FakeKind kind;
  int ticket, level;
  Bytes bytes;
} Job;

struct Fake {
  char name[64];
  Bytes stored;       /* the current generation */
  Bytes fresh;        /* the one that a compaction writes */
  bool compacting;
  Bytes parts;        /* records since the last with `last` */
  Job *jobs;
  int ticket;
  long refuse, refuse_reads;
  hearth_status refusal, read_refusal, reload_refusal;
  bool broken;        /* after IO or DEAD */
  bool full, given;   /* no room is left; nor the ballast */
  double end;
  bool again;
};

typedef struct Opener {
  Fake *fake;
  hearth_backend_store *store;
  bool reader, opened;
} Opener;

static Fake *fakes[FAKES];
static Opener openers[OPENERS + 1]; /* a handle is an index; 0 is none */
static double now = 1700000000000.0;

static void bytes_add(Bytes *b, const void *data, size_t size, size_t records) {
  b->data = realloc(b->data, b->size + size + 1);
  if (b->data == NULL) abort();
  if (size > 0) memcpy(b->data + b->size, data, size);
  b->size += size;
  b->records += records;
}

static void bytes_free(Bytes *b) {
  free(b->data); /* NOLINT(*unix.Malloc): and is NULL from then on */
  memset(b, 0, sizeof *b);
}

/* -------------------------------------------------------- what tests do */

Fake *fake_new(const char *name) {
  Fake *f = calloc(1, sizeof *f);
  if (f == NULL || strlen(name) >= sizeof f->name) abort();
  strcpy(f->name, name);
  f->refuse = f->refuse_reads = -1;
  for (int i = 0; i < FAKES; i++)
    if (fakes[i] == NULL) {
      fakes[i] = f;
      return f;
    }
  abort();
}

static Opener *writer_of(const Fake *f) {
  for (int i = 1; i <= OPENERS; i++)
    if (openers[i].fake == f && !openers[i].reader) return &openers[i];
  return NULL;
}

static void free_job(Job *j) {
  bytes_free(&j->bytes);
  free(j);
}

static void forget_jobs(Fake *f) {
  while (f->jobs != NULL) {
    Job *j = f->jobs;
    f->jobs = j->next;
    free_job(j);
  }
  bytes_free(&f->parts);
  bytes_free(&f->fresh);
  f->compacting = false;
}

void fake_free(Fake *f) {
  for (int i = 0; i < FAKES; i++)
    if (fakes[i] == f) fakes[i] = NULL;
  for (int i = 1; i <= OPENERS; i++)
    if (openers[i].fake == f) memset(&openers[i], 0, sizeof openers[i]);
  forget_jobs(f);
  bytes_free(&f->stored);
  free(f);
}

size_t fake_waiting(const Fake *f) {
  size_t n = 0;
  for (const Job *j = f->jobs; j != NULL; j = j->next) n++;
  return n;
}

FakeKind fake_oldest(const Fake *f) {
  return f->jobs != NULL ? f->jobs->kind : (FakeKind)0;
}

int fake_level(const Fake *f) {
  return f->jobs != NULL ? f->jobs->level : 0;
}

static void take_effect(Fake *f, Job *j) {
  if (j->kind == FAKE_APPEND) bytes_add(&f->stored, j->bytes.data, j->bytes.size, j->bytes.records);
  if (j->kind == FAKE_PIECE || j->kind == FAKE_REPLACE) bytes_add(&f->fresh, j->bytes.data, j->bytes.size, 1);
  if (j->kind == FAKE_REPLACE) {
    bytes_free(&f->stored);
    f->stored = f->fresh;
    memset(&f->fresh, 0, sizeof f->fresh);
    f->compacting = false;
  }
}

bool fake_settle(Fake *f) {
  Job *j = f->jobs;
  if (j == NULL) return false;
  f->jobs = j->next;
  take_effect(f, j);
  Opener *o = writer_of(f);
  if (o != NULL) idb_settled(o->store, j->ticket, HEARTH_OK);
  free_job(j);
  return true;
}

void fake_settle_all(Fake *f) {
  while (fake_settle(f)) {}
}

void fake_fail(Fake *f, size_t index, hearth_status status) {
  Job **at = &f->jobs, *failed = NULL, **end = &failed;
  while (index-- > 0) at = &(*at)->next;
  bool all = status != HEARTH_FULL, stacked = (*at)->kind == FAKE_APPEND || (*at)->kind == FAKE_REPLACE;
  for (bool first = true; *at != NULL; first = false) {
    Job *j = *at;
    if (first || all || (stacked && j->kind != FAKE_PIECE)) {
      *at = j->next;
      j->next = NULL;
      *end = j;
      end = &j->next;
    } else {
      at = &j->next;
    }
  }
  if (all) f->broken = true;
  Opener *o = writer_of(f);
  while (failed != NULL) {
    Job *j = failed;
    failed = j->next;
    idb_settled(o->store, j->ticket, status);
    free_job(j);
  }
}

void fake_lose(Fake *f, hearth_status status) {
  Opener *o = writer_of(f);
  forget_jobs(f);
  f->broken = true;
  idb_settled(o->store, 0, status);
}

void fake_refuse(Fake *f, long calls, hearth_status status) {
  f->refuse = calls;
  f->refusal = status;
}

void fake_fill(Fake *f) {
  f->full = true;
}

bool fake_has_ballast(const Fake *f) {
  return !f->given;
}

void fake_pass(double milliseconds) {
  now += milliseconds;
}

void fake_crash(Fake *f) {
  forget_jobs(f);
  f->broken = false;
  for (int i = 1; i <= OPENERS; i++)
    if (openers[i].fake == f) memset(&openers[i], 0, sizeof openers[i]);
}

unsigned char *fake_log(Fake *f, size_t *size) {
  *size = f->stored.size;
  return f->stored.data;
}

size_t fake_records(const Fake *f) {
  return f->stored.records;
}

void fake_cut(Fake *f, size_t size) {
  f->stored.size = size;
}

void fake_put(Fake *f, const void *bytes, size_t size) {
  bytes_free(&f->stored);
  bytes_add(&f->stored, bytes, size, 1);
}

void fake_refuse_reads(Fake *f, long calls, hearth_status status) {
  f->refuse_reads = calls;
  f->read_refusal = status;
}

void fake_refuse_reload(Fake *f, hearth_status status) {
  f->reload_refusal = status;
}

void fake_copy(Fake *f, const Fake *from) {
  bytes_free(&f->stored);
  bytes_add(&f->stored, from->stored.data, from->stored.size, from->stored.records);
}

double fake_end(const Fake *f) {
  return f->end;
}

void fake_read_again(Fake *f) {
  f->again = true;
}

/* ------------------------------------------------------ what host.h says */

static Fake *find(const char *name, size_t size) {
  for (int i = 0; i < FAKES; i++)
    if (fakes[i] != NULL && strlen(fakes[i]->name) == size && memcmp(fakes[i]->name, name, size) == 0) return fakes[i];
  return NULL;
}

static Fake *of(int handle) {
  assert(handle > 0 && handle <= OPENERS && openers[handle].fake != NULL);
  return openers[handle].fake;
}

/* A call that writes: 0, or the failure that the test ordered. */
static int refused(Fake *f) {
  if (f->broken) return HEARTH_DEAD;
  if (f->refuse < 0) return 0;
  if (f->refuse-- > 0) return 0;
  if (f->refusal == HEARTH_IO || f->refusal == HEARTH_DEAD) f->broken = true;
  return f->refusal;
}

/* Is there no room for a batch that ends like this? */
static bool finds_no_room(Fake *f, int last) {
  if (!f->full || last == IDB_MORE) return false;
  if (last != IDB_LAST_SHRINKS || f->given) return true;
  f->given = true;
  return false;
}

static int add_job(Fake *f, FakeKind kind, int level, Bytes bytes) {
  Job *j = calloc(1, sizeof *j), **at = &f->jobs;
  if (j == NULL) abort();
  j->kind = kind;
  j->ticket = ++f->ticket;
  j->level = level;
  j->bytes = bytes;
  while (*at != NULL) at = &(*at)->next;
  *at = j;
  return j->ticket;
}

int idb_host_attach(const char *name, size_t name_size, unsigned flags, hearth_backend_store *store, double *length) {
  Fake *f = find(name, name_size);
  bool reader = (flags & HEARTH_OPEN_READONLY) != 0;
  if (f == NULL) return HEARTH_NOTFOUND;
  if (!reader && writer_of(f) != NULL) return HEARTH_BUSY;
  for (int i = 1; i <= OPENERS; i++)
    if (openers[i].fake == NULL) {
      openers[i] = (Opener){.fake = f, .store = store, .reader = reader};
      *length = (double)f->stored.size;
      if (reader) f->again = false; /* it reads what is there now */
      return i;
    }
  abort();
}

int idb_host_read(int handle, double offset, void *bytes, size_t size) {
  Fake *f = of(handle);
  assert(!openers[handle].opened);
  if (f->refuse_reads == 0) return f->read_refusal;
  if (f->refuse_reads > 0) f->refuse_reads--;
  size_t at = (size_t)offset;
  if (at > f->stored.size) return 0;
  size_t n = f->stored.size - at < size ? f->stored.size - at : size;
  if (n > 0) memcpy(bytes, f->stored.data + at, n);
  return (int)n;
}

int idb_host_opened(int handle, double end) {
  Fake *f = of(handle);
  openers[handle].opened = true;
  f->end = end;
  if (!openers[handle].reader) f->stored.size = (size_t)end;
  return 0;
}

int idb_host_reload(int handle, double *length) {
  Fake *f = of(handle);
  assert(openers[handle].reader);
  if (f->reload_refusal < 0) return f->reload_refusal;
  if (!f->again) return 0;
  f->again = openers[handle].opened = false;
  *length = (double)f->stored.size;
  return 1;
}

int idb_host_append(int handle, const void *bytes, size_t size, int last, int level) {
  Fake *f = of(handle);
  assert(openers[handle].opened && !openers[handle].reader);
  int status = refused(f);
  if (status == 0 && finds_no_room(f, last)) status = HEARTH_FULL;
  if (status != 0) {
    bytes_free(&f->parts);
    return status;
  }
  bytes_add(&f->parts, bytes, size, 1);
  if (last == IDB_MORE) return 0;
  Bytes all = f->parts;
  memset(&f->parts, 0, sizeof f->parts);
  return add_job(f, FAKE_APPEND, level, all);
}

int idb_host_forget(int handle) {
  bytes_free(&of(handle)->parts);
  return 0;
}

int idb_host_flush(int handle, int level) {
  Fake *f = of(handle);
  int status = refused(f);
  return status != 0 ? status : add_job(f, FAKE_FLUSH, level, (Bytes){0});
}

int idb_host_compact(int handle) {
  Fake *f = of(handle);
  assert(!f->compacting);
  int status = refused(f);
  if (status == 0) f->compacting = true;
  return status;
}

int idb_host_piece(int handle, const void *bytes, size_t size) {
  Fake *f = of(handle);
  assert(f->compacting);
  int status = refused(f);
  Bytes b = {0};
  if (status != 0) return status;
  bytes_add(&b, bytes, size, 1);
  return add_job(f, FAKE_PIECE, HEARTH_COMPLETE, b);
}

int idb_host_replace(int handle, const void *bytes, size_t size) {
  Fake *f = of(handle);
  assert(f->compacting);
  int status = refused(f);
  Bytes b = {0};
  if (status != 0) return status;
  bytes_add(&b, bytes, size, 1);
  return add_job(f, FAKE_REPLACE, HEARTH_DURABLE, b);
}

int idb_host_stay(int handle) {
  Fake *f = of(handle);
  for (Job **at = &f->jobs; *at != NULL;) {
    Job *j = *at;
    if (j->kind == FAKE_PIECE) {
      *at = j->next;
      free_job(j);
    } else {
      at = &j->next;
    }
  }
  bytes_free(&f->fresh);
  f->compacting = false;
  return 0;
}

double idb_host_occupied(int handle) {
  Fake *f = of(handle);
  return (double)(f->stored.size + f->fresh.size);
}

int idb_host_moved(int handle) {
  return of(handle)->again;
}

int idb_host_reason(char *text, size_t size) {
  const char *reason = "as the test wants it";
  size_t n = strlen(reason) < size ? strlen(reason) : size;
  memcpy(text, reason, n);
  return (int)n;
}

double idb_host_clock(void) {
  return now += 1;
}

int idb_host_random(void *bytes, size_t size) {
  static unsigned char next = 1;
  for (size_t i = 0; i < size; i++) ((unsigned char *)bytes)[i] = next++;
  return 0;
}

void idb_host_detach(int handle) {
  Fake *f = of(handle);
  bool reader = openers[handle].reader;
  memset(&openers[handle], 0, sizeof openers[handle]);
  if (reader) return;
  if (f->broken) forget_jobs(f);
  while (fake_settle(f)) {} /* what was appended is still written, and nobody hears of it */
  forget_jobs(f);
  f->broken = false;
}
