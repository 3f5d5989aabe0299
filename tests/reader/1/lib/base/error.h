/*
** Filling the caller's error record: the one place where it is written.
*/
#ifndef HEARTH_BASE_ERROR_H
#define HEARTH_BASE_ERROR_H

#include <stdarg.h>

#include "hearth_status.h"

#if defined(__GNUC__)
#define HEARTH_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define HEARTH_PRINTF(text, first)
#endif

/* Marks success and answers HEARTH_OK. `err` may be NULL, as everywhere here. */
hearth_status hearth_ok(hearth_error *err);

/* Fills code and message (control characters become '?') and answers the code. */
hearth_status hearth_fail(hearth_error *err, hearth_status code, const char *format, ...) HEARTH_PRINTF(3, 4);

/* The same with a byte position, which the message should mention. */
hearth_status hearth_fail_at(hearth_error *err, hearth_status code, uint64_t position, const char *format, ...)
    HEARTH_PRINTF(4, 5);

hearth_status hearth_vfail(hearth_error *err, hearth_status code, uint64_t position, const char *format,
                           va_list args);

#ifdef __clang_analyzer__ /* which does not look into another file: they answer the code */
#define hearth_fail(err, code, ...) ((void)hearth_fail(err, code, __VA_ARGS__), (code))
#define hearth_fail_at(err, code, ...) ((void)hearth_fail_at(err, code, __VA_ARGS__), (code))
#endif

/* The path in the value; too long a one is cut at the front ("...[3].x"), since its end says more. */
void hearth_error_path(hearth_error *err, const char *path);

#endif
