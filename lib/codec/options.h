/*
** Reading the caller's options record, which may be shorter than ours.
*/
#ifndef HEARTH_CODEC_OPTIONS_H
#define HEARTH_CODEC_OPTIONS_H

#include "error.h"
#include "hearth.h"

/* Copies `options` (NULL: none) to `out`, with absolute stack indices. INVALID for unknown flags or a wrong index. */
hearth_status codec_options_read(lua_State *L, const hearth_codec_options *options, hearth_codec_options *out,
                                 hearth_error *err);

#endif
