#include "owner.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "failure.h"

#define TEXT_SIZE 160
#define TRIES 16 /* how often an owner may vanish while we look at its file */

typedef struct Note { /* what an owner file says */
  bool readable;
  uint64_t process;
  char boot[HEARTH_BOOT_SIZE];
  bool locked;
} Note;

typedef enum Attempt { TAKEN, TAKE_AGAIN, TAKE_FAILED } Attempt;

static void read_note(const hearth_environment *env, hearth_file file, Note *note) {
  static const char first[] = "hearth ";
  char text[TEXT_SIZE] = "", *boot;
  size_t got = 0;
  memset(note, 0, sizeof *note);
  if (env->pread(env->ud, file, 0, text, sizeof text - 1, &got) != 0) return;
  text[got] = '\0';
  if (strncmp(text, first, sizeof first - 1) != 0) return;
  note->process = strtoull(text + sizeof first - 1, &boot, 10);
  if (*boot++ != ' ') return;
  size_t n = strcspn(boot, " ");
  if (n == 0 || n >= sizeof note->boot || boot[n] != ' ' || boot[n + 1] == '\0') return;
  memcpy(note->boot, boot, n);
  note->locked = strcmp(boot + n + 1, "locked\n") == 0;
  note->readable = true;
}

static int write_note(const hearth_environment *env, hearth_file file, bool locked) {
  char text[TEXT_SIZE], boot[HEARTH_BOOT_SIZE];
  int failure = env->boot(env->ud, boot);
  if (failure != 0) return failure;
  int n = snprintf(text, sizeof text, "hearth %" PRIu64 " %s %s\n", env->process(env->ud), boot,
                   locked ? "locked" : "unlocked");
  /* over the old text first: on a full disk the room it has may be all there is */
  failure = env->pwrite(env->ud, file, 0, text, (size_t)n);
  if (failure == 0) failure = env->truncate(env->ud, file, (uint64_t)n);
  /* without a lock, a note that a power loss made unreadable would pass for one that is just being written */
  if (failure == 0 && !locked) failure = env->sync(env->ud, file);
  return failure;
}

/* Is it certain that the writer of the note is gone, given whether we got the lock? */
static bool is_gone(const hearth_environment *env, const Note *note, bool got_lock) {
  if (got_lock && (note->locked || !note->readable)) return true;
  if (!note->readable) return false;
  char boot[HEARTH_BOOT_SIZE];
  if (env->boot(env->ud, boot) == 0 && strcmp(boot, note->boot) != 0) return true;
  return !env->alive(env->ud, note->process);
}

static hearth_status busy(const hearth_environment *env, const char *path, const char *owner_path, const Note *note,
                          hearth_error *err) {
  if (!note->readable)
    return hearth_fail(err, HEARTH_BUSY, "%s: busy, another process is opening it (its name should be in %s)", path,
                       owner_path);
  if (note->process == env->process(env->ud))
    return hearth_fail(err, HEARTH_BUSY, "%s: busy, this process (%" PRIu64 ") has it open already", path,
                       note->process);
  return hearth_fail(err, HEARTH_BUSY, "%s: busy, process %" PRIu64 " has it open", path, note->process);
}

/* Does the name still mean the file that we have open? */
static bool same_file(const hearth_environment *env, hearth_file file, const char *path) {
  hearth_file_info by_name, open;
  return env->stat(env->ud, path, &by_name) == 0 && env->file_stat(env->ud, file, &open) == 0 &&
         by_name.device == open.device && by_name.inode == open.inode;
}

static Attempt take_new(Owner *owner, const hearth_environment *env, const char *owner_path, int *failure) {
  hearth_file file;
  *failure = env->open(env->ud, owner_path, HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE, &file);
  if (*failure == EEXIST) return TAKE_AGAIN;
  if (*failure != 0) return TAKE_FAILED;
  int lock = env->lock(env->ud, file);
  if (lock == EAGAIN) { /* somebody saw the new file first and took it for a dead owner's */
    (void)env->close(env->ud, file);
    return TAKE_AGAIN;
  }
  *failure = lock == ENOTSUP ? 0 : lock;
  if (*failure == 0) *failure = write_note(env, file, lock == 0);
  if (*failure != 0) {
    (void)env->unlink(env->ud, owner_path);
    (void)env->close(env->ud, file);
    return TAKE_FAILED;
  }
  owner->file = file;
  owner->held = true;
  return TAKEN;
}

static Attempt take_over_locked(Owner *owner, const hearth_environment *env, hearth_file file, int *failure) {
  *failure = write_note(env, file, true);
  if (*failure != 0) return TAKE_FAILED;
  owner->file = file;
  owner->held = true;
  return TAKEN;
}

/* There is an owner file: take it over when its owner is gone. `err` is filled when it is busy. */
static Attempt take_old(Owner *owner, const hearth_environment *env, const char *path, const char *owner_path,
                        int *failure, hearth_status *status, hearth_error *err) {
  hearth_file file;
  Note note;
  *failure = env->open(env->ud, owner_path, HEARTH_FILE_WRITE, &file);
  if (*failure == ENOENT) return TAKE_AGAIN;
  if (*failure != 0) return TAKE_FAILED;
  int lock = env->lock(env->ud, file);
  Attempt attempt = TAKE_AGAIN;
  read_note(env, file, &note);
  if (lock != 0 && lock != EAGAIN && lock != ENOTSUP) {
    *failure = lock;
    attempt = TAKE_FAILED;
  } else if (!same_file(env, file, owner_path)) {
    attempt = TAKE_AGAIN; /* its owner closed the store meanwhile */
  } else if (lock == EAGAIN || !is_gone(env, &note, lock == 0)) {
    *status = busy(env, path, owner_path, &note, err);
    attempt = TAKE_FAILED;
  } else if (lock == 0) {
    attempt = take_over_locked(owner, env, file, failure);
  } else {
    *failure = env->unlink(env->ud, owner_path); /* without locks the exclusive making of a new one decides */
    if (*failure == ENOENT) *failure = 0;
    attempt = *failure == 0 ? TAKE_AGAIN : TAKE_FAILED;
  }
  if (attempt != TAKEN) (void)env->close(env->ud, file);
  return attempt;
}

hearth_status owner_take(Owner *owner, const hearth_environment *env, const char *path, const char *owner_path,
                         hearth_error *err) {
  int failure = 0;
  owner->held = false;
  owner->process = env->process(env->ud);
  for (int i = 0; i < TRIES; i++) {
    hearth_status status = HEARTH_OK;
    Attempt attempt = take_new(owner, env, owner_path, &failure);
    if (attempt == TAKE_AGAIN) attempt = take_old(owner, env, path, owner_path, &failure, &status, err);
    if (attempt == TAKEN) return HEARTH_OK;
    if (status != HEARTH_OK) return status;
    if (attempt == TAKE_FAILED) return failure_status(err, path, "make its owner file", failure);
  }
  return hearth_fail(err, HEARTH_BUSY, "%s: busy, other processes keep opening it", path);
}

bool owner_lives(const hearth_environment *env, const char *owner_path) {
  hearth_file file;
  Note note;
  if (env->open(env->ud, owner_path, 0, &file) != 0) return false;
  read_note(env, file, &note);
  (void)env->close(env->ud, file);
  return !is_gone(env, &note, false);
}

void owner_release(Owner *owner, const hearth_environment *env, const char *owner_path) {
  if (!owner->held) return;
  owner->held = false;
  if (env->process(env->ud) == owner->process) { /* a forked child only closes what it inherited */
    if (same_file(env, owner->file, owner_path))
      (void)env->unlink(env->ud, owner_path); /* before the lock goes, or we might remove a successor's */
    (void)env->unlock(env->ud, owner->file);
  }
  (void)env->close(env->ud, owner->file);
}
