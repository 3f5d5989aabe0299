/*
** One owner per store: a file NAME.owner, made exclusively, with the owner's
** process number and boot id in it, and where the system can do it also a lock on it.
**
** One line of text, "hearth PROCESS BOOT LOCK\n", LOCK being "locked" or "unlocked":
** an owner that held a lock is gone when the lock can be had, one that had none
** when its process is gone or the machine was started again.
*/
#ifndef HEARTH_FILE_OWNER_H
#define HEARTH_FILE_OWNER_H

#include "hearth_environment.h"

typedef struct Owner {
  bool held;
  hearth_file file;
  uint64_t process;
} Owner;

/* Becomes the owner. BUSY naming the process that is; READONLY, FULL or IO when the owner file cannot be made. */
hearth_status owner_take(Owner *owner, const hearth_environment *env, const char *path, const char *owner_path,
                         hearth_error *err);

/* Does the owner whom the file names run? For those who must not lock it. In doubt it does. */
bool owner_lives(const hearth_environment *env, const char *owner_path);

/* Gives it up; harmless when it is not held, or held by the process that this one was forked from. */
void owner_release(Owner *owner, const hearth_environment *env, const char *owner_path);

#endif
