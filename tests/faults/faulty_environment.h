/*
** An environment around another, and an allocator, that ask before each call whether it
** shall fail. They count the calls by kind, the files that are open and the bytes that are held.
*/
#ifndef HEARTH_TESTS_FAULTY_ENVIRONMENT_H
#define HEARTH_TESTS_FAULTY_ENVIRONMENT_H

#include "hearth_environment.h"

typedef enum CallKind {
  CALL_OPEN, CALL_CLOSE, CALL_READ, CALL_WRITE, CALL_SYNC, CALL_SYNC_FOLDER, CALL_TRUNCATE, CALL_STAT, CALL_FILE_STAT,
  CALL_RENAME, CALL_UNLINK, CALL_REALPATH, CALL_LOCK, CALL_UNLOCK, CALL_RANDOM, CALL_BOOT,
  CALL_LUA_MEMORY, CALL_BACKEND_MEMORY,
  CALL_KINDS
} CallKind;

extern const char *const call_names[CALL_KINDS];

#define FAULTY_FILES 64
#define FAULTY_NAME 128

typedef struct Failure {
  int code;  /* errno value; 0: the call succeeds. Memory: anything else is a failure */
  bool half; /* a write has written its first half before it fails */
} Failure;

typedef struct Faulty {
  hearth_environment environment; /* for the backend */
  hearth_allocator allocator;     /* of the kind CALL_BACKEND_MEMORY */
  const hearth_environment *real;
  Failure (*ask)(void *ud, CallKind kind, const char *path);
  void *ud;
  bool killed;            /* the process was killed: no call arrives any more */
  size_t open_files;
  size_t bytes;           /* that the allocator has given */
  char names[FAULTY_FILES][FAULTY_NAME];
} Faulty;

/* `ask` is asked before each call, with the path of its file, or "". */
void faulty_init(Faulty *f, const hearth_environment *real, Failure (*ask)(void *ud, CallKind kind, const char *path),
                 void *ud);

#endif
