/* Lua states that know the samples' type, in C, and the samples as seeds. */
#ifndef HEARTH_FUZZ_SAMPLES_STATE_H
#define HEARTH_FUZZ_SAMPLES_STATE_H

#include "fuzz.h"

/* fuzz_state with point(x, y), a userdata of a registered type, as in the golden blobs; it has decoded before. */
lua_State *samples_state(FuzzMemory *m);

/* [-0, +1] The value of sample i; false: there are fewer. */
bool samples_push(lua_State *L, size_t i);

/* Knows the prototypes of the samples and of the golden blobs (known.h). */
void samples_learn(void);

/* The folder into which a target shall write its first inputs, HEARTH_FUZZ_SEEDS, or NULL; writes one. */
const char *samples_folder(void);
void samples_write(const char *folder, const char *name, size_t number, const void *bytes, size_t size);

#endif
