/* What the disk is made of; for the files that implement it. */
#ifndef HEARTH_TESTKIT_DISK_PARTS_H
#define HEARTH_TESTKIT_DISK_PARTS_H

#include "hearth_testkit_disk.h"

#define MOST_HANDLES 64
#define MOST_NAMES 1000
#define LONGEST_NAME 127

typedef struct Bytes {
  unsigned char *data;
  size_t size, capacity;
} Bytes;

typedef struct Write { /* not synced yet */
  uint64_t at;
  Bytes bytes;
  bool truncate; /* no bytes: the length was set to `at` */
} Write;

typedef struct File {
  uint64_t inode;
  Bytes now, synced;
  Bytes ever; /* what the device had last at each place, behind the file's end too */
  Write *writes; /* in the order in which they were made */
  size_t write_count, write_room;
  int locked_by; /* handle + 1 */
} File;

typedef struct Name {
  char path[LONGEST_NAME + 1];
  size_t file; /* index */
} Name;

typedef struct NameTable {
  Name names[MOST_NAMES];
  size_t count;
} NameTable;

typedef enum NameChangeKind { NAME_MADE, NAME_MOVED, NAME_REMOVED } NameChangeKind;

typedef struct NameChange { /* since the folder was synced */
  NameChangeKind kind;
  char path[LONGEST_NAME + 1];
  char to[LONGEST_NAME + 1]; /* of NAME_MOVED */
  size_t file;  /* of NAME_MADE */
} NameChange;

struct hearth_disk {
  hearth_environment environment;
  File *files; /* those behind file_count keep their room for the next ones */
  size_t file_count, file_room;
  NameTable now, synced;
  NameChange *changes;
  size_t change_count, change_room;
  struct {
    bool used, writable;
    size_t file;
  } handles[MOST_HANDLES];
  hearth_disk_fault fault;
  hearth_disk_keeps failed_sync;
  long calls;
  bool struck, locks;
  uint64_t capacity, clock, process, boots, random, inodes;
  unsigned long steps;
  hearth_disk_observer observer;
  void *observer_ud;
};

void *kit_disk_must(void *p); /* the tests have no use for a disk without memory */

void kit_bytes_resize(Bytes *b, size_t size);
void kit_bytes_copy(Bytes *to, const Bytes *from);
void kit_bytes_write(Bytes *to, uint64_t at, const unsigned char *bytes, size_t size);

void kit_names_copy(NameTable *to, const NameTable *from);
Name *kit_names_find(NameTable *table, const char *path);
void kit_names_set(NameTable *table, const char *path, size_t file);
void kit_names_apply(NameTable *table, const NameChange *change);

size_t kit_disk_new_file(hearth_disk *disk);
/* Its unsynced writes from `first` up to `end` reach the device. */
void kit_disk_bring(File *file, size_t first, size_t end);
void kit_disk_forget_writes(File *file);
/* Something changed: of what is there, or of what a power loss may leave. */
void kit_disk_stepped(hearth_disk *disk);
/* The functions of its environment. */
void kit_disk_fill_environment(hearth_disk *disk);

#endif
