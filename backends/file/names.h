/* The names that belong to a store: its file by its one true name, and those beside it. */
#ifndef HEARTH_FILE_NAMES_H
#define HEARTH_FILE_NAMES_H

#include "hearth_environment.h"

#define NAMES_SIZE 4096
#define NAMES_LONGEST_SUFFIX 32 /* with its dot and '\0' */
#define NAMES_LONGEST_PART 255 /* bytes between two slashes: NAME_MAX of ext4, xfs, btrfs, tmpfs */

typedef struct Names {
  char path[NAMES_SIZE];    /* the store's file: short enough for every suffix */
  char folder[NAMES_SIZE];  /* the folder that it is in */
  char owner[NAMES_SIZE];   /* path.owner: who has the store */
  char fresh[NAMES_SIZE];   /* path.new: a file that will replace the store's */
  char ballast[NAMES_SIZE]; /* path.ballast: room kept for a full disk */
} Names;

/*
** Resolves `location` (symbolic links, "..", relative names) whether or not its last part exists.
** INVALID for an empty name, or one that has no room for a suffix, NOTFOUND when its folder does not exist, and what
** the environment says.
*/
hearth_status names_resolve(Names *names, const hearth_environment *env, const char *location, hearth_error *err);

/* path.suffix, where path is that of Names. */
void names_beside(const char *path, const char *suffix, char out[NAMES_SIZE]);

#endif
