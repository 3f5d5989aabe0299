/* What the disk is made of; for the files that implement it. */
#ifndef HEARTH_TESTS_DISK_PARTS_H
#define HEARTH_TESTS_DISK_PARTS_H

#include "disk.h"

#define MOST_HANDLES 64
#define MOST_NAMES 64

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
  char path[128];
  size_t file; /* index */
} Name;

typedef struct NameTable {
  Name names[MOST_NAMES];
  size_t count;
} NameTable;

typedef enum NameChangeKind { NAME_MADE, NAME_MOVED, NAME_REMOVED } NameChangeKind;

typedef struct NameChange { /* since the folder was synced */
  NameChangeKind kind;
  char path[128];
  char to[128]; /* of NAME_MOVED */
  size_t file;  /* of NAME_MADE */
} NameChange;

struct Disk {
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
  DiskFault fault;
  DiskKeeps failed_sync;
  long calls;
  bool struck, locks;
  uint64_t capacity, clock, process, boots, random, inodes;
  unsigned long steps;
  DiskObserver observer;
  void *observer_ud;
};

void *disk_must(void *p); /* the tests have no use for a disk without memory */

void bytes_resize(Bytes *b, size_t size);
void bytes_copy(Bytes *to, const Bytes *from);
void bytes_write(Bytes *to, uint64_t at, const unsigned char *bytes, size_t size);

Name *names_find(NameTable *table, const char *path);
void names_set(NameTable *table, const char *path, size_t file);
void names_apply(NameTable *table, const NameChange *change);

size_t disk_new_file(Disk *disk);
/* Its unsynced writes from `first` up to `end` reach the device. */
void disk_bring(File *file, size_t first, size_t end);
void disk_forget_writes(File *file);
/* Something changed: of what is there, or of what a power loss may leave. */
void disk_stepped(Disk *disk);
/* The functions of its environment. */
void disk_fill_environment(Disk *disk);

#endif
