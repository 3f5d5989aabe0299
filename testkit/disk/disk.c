/* The disk as its owner sees it: making it, arming faults, putting and looking at files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_parts.h"

void *kit_disk_must(void *p) {
  if (p == NULL) abort();
  return p;
}

/* ---------------------------------------------------------------- bytes */

void kit_bytes_resize(Bytes *b, size_t size) {
  if (size > b->capacity || b->data == NULL) {
    b->capacity = size + size / 2 + 64;
    b->data = kit_disk_must(realloc(b->data, b->capacity));
  }
  if (size > b->size) memset(b->data + b->size, 0, size - b->size);
  b->size = size;
}

void kit_bytes_copy(Bytes *to, const Bytes *from) {
  kit_bytes_resize(to, from->size);
  if (from->size > 0) memcpy(to->data, from->data, from->size);
}

void kit_bytes_write(Bytes *to, uint64_t at, const unsigned char *bytes, size_t size) {
  if (size == 0) return;
  if (at + size > to->size) kit_bytes_resize(to, (size_t)at + size);
  memcpy(to->data + at, bytes, size);
}

/* ---------------------------------------------------------------- names */

void kit_names_copy(NameTable *to, const NameTable *from) {
  to->count = from->count;
  memcpy(to->names, from->names, from->count * sizeof *to->names);
}

Name *kit_names_find(NameTable *table, const char *path) {
  for (size_t i = 0; i < table->count; i++)
    if (strcmp(table->names[i].path, path) == 0) return &table->names[i];
  return NULL;
}

void kit_names_set(NameTable *table, const char *path, size_t file) {
  Name *name = kit_names_find(table, path);
  if (name == NULL) {
    if (table->count == MOST_NAMES || strlen(path) > LONGEST_NAME) abort(); /* by hearth_disk_put; calls are refused */
    name = &table->names[table->count++];
    (void)snprintf(name->path, sizeof name->path, "%s", path);
  }
  name->file = file;
}

static void names_remove(NameTable *table, const char *path) {
  Name *name = kit_names_find(table, path);
  if (name != NULL) *name = table->names[--table->count];
}

void kit_names_apply(NameTable *table, const NameChange *change) {
  Name *name = kit_names_find(table, change->path);
  size_t file = change->kind == NAME_MADE ? change->file : name != NULL ? name->file : SIZE_MAX;
  if (change->kind != NAME_MADE) names_remove(table, change->path);
  if (change->kind == NAME_MADE) kit_names_set(table, change->path, file);
  if (change->kind == NAME_MOVED && file != SIZE_MAX) kit_names_set(table, change->to, file);
}

/* What was done by other means than calls is on the device at once. */
static void names_are_synced(hearth_disk *d) {
  kit_names_copy(&d->synced, &d->now);
  d->change_count = 0;
}

/* ---------------------------------------------------------------- files */

size_t kit_disk_new_file(hearth_disk *d) {
  if (d->file_count == d->file_room) {
    d->file_room = d->file_room * 2 + 8;
    d->files = kit_disk_must(realloc(d->files, d->file_room * sizeof *d->files));
    memset(d->files + d->file_count, 0, (d->file_room - d->file_count) * sizeof *d->files);
  }
  File *f = &d->files[d->file_count];
  f->inode = 100 + d->inodes++;
  f->now.size = f->synced.size = f->ever.size = 0;
  f->write_count = 0;
  f->locked_by = 0;
  return d->file_count++;
}

void kit_disk_bring(File *f, size_t first, size_t end) {
  for (size_t i = first; i < end; i++) {
    const Write *w = &f->writes[i];
    if (w->truncate) {
      kit_bytes_resize(&f->synced, (size_t)w->at);
    } else {
      kit_bytes_write(&f->synced, w->at, w->bytes.data, w->bytes.size);
      kit_bytes_write(&f->ever, w->at, w->bytes.data, w->bytes.size);
    }
  }
}

/* Their memory is kept for the next ones. */
void kit_disk_forget_writes(File *f) {
  f->write_count = 0;
}

static void file_free(File *f) {
  for (size_t i = 0; i < f->write_room; i++) free(f->writes[i].bytes.data);
  free(f->writes);
  free(f->now.data);
  free(f->synced.data);
  free(f->ever.data);
}

/* ------------------------------------------------------------- the disk */

void hearth_disk_clear(hearth_disk *d) {
  d->now.count = d->synced.count = 0;
  memset(d->handles, 0, sizeof d->handles);
  d->file_count = d->change_count = 0;
  d->fault = (hearth_disk_fault){.at = -1};
  d->failed_sync = HEARTH_DISK_KEEPS_NONE;
  d->calls = 0;
  d->struck = false;
  d->locks = true;
  d->capacity = d->boots = d->random = d->inodes = 0;
  d->clock = 1700000000000;
  d->process = 1000;
  d->steps = 0;
  d->observer = NULL;
}

hearth_disk *hearth_disk_new(void) {
  hearth_disk *d = kit_disk_must(calloc(1, sizeof *d));
  kit_disk_fill_environment(d);
  hearth_disk_clear(d);
  return d;
}

void hearth_disk_free(hearth_disk *d) {
  for (size_t i = 0; i < d->file_room; i++) file_free(&d->files[i]);
  free(d->files);
  free(d->changes);
  free(d);
}

const hearth_environment *hearth_disk_environment(hearth_disk *d) {
  return &d->environment;
}

void hearth_disk_arm(hearth_disk *d, hearth_disk_fault fault) {
  d->fault = fault;
  d->calls = 0;
  d->struck = false;
}

bool hearth_disk_struck(const hearth_disk *d) {
  return d->struck;
}

void hearth_disk_disarm(hearth_disk *d) {
  d->fault.at = -1;
}

void hearth_disk_failed_sync(hearth_disk *d, hearth_disk_keeps keeps) {
  d->failed_sync = keeps;
}

void hearth_disk_observe(hearth_disk *d, hearth_disk_observer observer, void *ud) {
  d->observer = observer;
  d->observer_ud = ud;
}

unsigned long hearth_disk_steps(const hearth_disk *d) {
  return d->steps;
}

void kit_disk_stepped(hearth_disk *d) {
  d->steps++;
  if (d->observer != NULL) d->observer(d->observer_ud, d);
}

void hearth_disk_capacity(hearth_disk *d, uint64_t bytes) {
  d->capacity = bytes;
}

uint64_t hearth_disk_used(const hearth_disk *d) {
  uint64_t used = 0;
  for (size_t f = 0; f < d->file_count; f++) { /* unlinked files count while they are open */
    bool there = false;
    for (size_t i = 0; i < d->now.count && !there; i++) there = d->now.names[i].file == f;
    for (size_t i = 0; i < MOST_HANDLES && !there; i++) there = d->handles[i].used && d->handles[i].file == f;
    if (there) used += d->files[f].now.size;
  }
  return used;
}

void hearth_disk_set_clock(hearth_disk *d, uint64_t milliseconds) {
  d->clock = milliseconds;
}

void hearth_disk_set_process(hearth_disk *d, uint64_t process) {
  d->process = process;
}

void hearth_disk_locks(hearth_disk *d, bool work) {
  d->locks = work;
}

void hearth_disk_kill_process(hearth_disk *d) {
  memset(d->handles, 0, sizeof d->handles);
  for (size_t i = 0; i < d->file_count; i++) d->files[i].locked_by = 0;
}

const unsigned char *hearth_disk_bytes(const hearth_disk *d, const char *path, size_t *size) {
  for (size_t i = 0; i < d->now.count; i++)
    if (strcmp(d->now.names[i].path, path) == 0) {
      const File *f = &d->files[d->now.names[i].file];
      *size = f->now.size;
      return f->now.data != NULL ? f->now.data : (const unsigned char *)"";
    }
  *size = 0;
  return NULL;
}

void hearth_disk_put(hearth_disk *d, const char *path, const void *bytes, size_t size) {
  Name *name = kit_names_find(&d->now, path);
  if (name == NULL) {
    kit_names_set(&d->now, path, kit_disk_new_file(d));
    name = kit_names_find(&d->now, path);
  }
  File *f = &d->files[name->file];
  Bytes given = {(unsigned char *)(uintptr_t)bytes, size, size};
  kit_disk_forget_writes(f);
  kit_bytes_copy(&f->now, &given);
  kit_bytes_copy(&f->synced, &given);
  kit_bytes_copy(&f->ever, &given);
  names_are_synced(d);
}

void hearth_disk_remove(hearth_disk *d, const char *path) {
  names_remove(&d->now, path);
  names_are_synced(d);
}

const char *hearth_disk_name(const hearth_disk *d, size_t n) {
  return n < d->now.count ? d->now.names[n].path : NULL;
}
