/*
** Hearth's status codes and the error record that every function fills.
**
** The numbers are stable: a code is never renumbered and never reused.
** Zero is success, positive is "accepted, not finished", negative is failure.
*/
#ifndef HEARTH_STATUS_H
#define HEARTH_STATUS_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__) && !defined(HEARTH_NO_VISIBILITY)
#define HEARTH_API __attribute__((visibility("default")))
#else
#define HEARTH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hearth_status {
  HEARTH_PENDING = 1,     /* accepted by an asynchronous store; completion comes later */
  HEARTH_OK = 0,
  HEARTH_NOMEM = -1,      /* memory exhausted; nothing changed */
  HEARTH_INVALID = -2,    /* a wrong argument, option, URI or path */
  HEARTH_UNSTORABLE = -3, /* a value that cannot be stored (a coroutine, a nameless C function, ...) */
  HEARTH_DAMAGED = -4,    /* bytes that are not what Hearth wrote; the error has the position */
  HEARTH_VERSION = -5,    /* written by a newer format than this library reads */
  HEARTH_LUA = -6,        /* a prototype that does not fit this Lua (version, number sizes, byte order) */
  HEARTH_REFUSED = -7,    /* untrusted decode met a function, a permanent or a metatable */
  HEARTH_UNKNOWN = -8,    /* a permanent or a registered type whose name this program does not know */
  HEARTH_LIMIT = -9,      /* a limit that the caller set, or one of the format, was exceeded */
  HEARTH_SEAL = -10,      /* a prototype without the right seal */
  HEARTH_RAISED = -11,    /* Lua code that was called (a hook, a transaction's function) raised an error */
  HEARTH_BUSY = -12,      /* another owner has the store, or the store was re-entered */
  HEARTH_DEAD = -13,      /* the store failed earlier, or another one has taken it; it must be reopened */
  HEARTH_FULL = -14,      /* no space left; nothing was written, and the batch can be retried */
  HEARTH_IO = -15,        /* input or output failed; the store is dead afterwards, and the batch there or not */
  HEARTH_CONFLICT = -16,  /* a check in the batch failed; nothing was written */
  HEARTH_STALE = -17,     /* the store moved on under a read-only opener, or a handle's table is gone */
  HEARTH_READONLY = -18,  /* a write to a store that was opened read-only, or that cannot be written */
  HEARTH_NOTFOUND = -19,  /* no store at that place, or nothing at that path */
  HEARTH_NOTSTORE = -20,  /* what is there is not a Hearth store (another file, a directory), or an unfinished copy */
  HEARTH_REPLACED = -21,  /* the program replaced the global _home by something else */
  HEARTH_CYCLE = -22,     /* rebuilding functions that need each other's results */
  HEARTH_CLOSED = -23,    /* the store was closed */
  HEARTH_TOOBIG = -24,    /* a key over 1,024 encoded bytes, or a batch over the backend's limit */
  HEARTH_FOREIGN = -25,   /* an external entry that would refer to the home graph or to another store */
  HEARTH_UNSUPPORTED = -26, /* the backend cannot do this */
  HEARTH_EXISTS = -27,    /* there is something already where a new store or file was to be made */
  HEARTH_INSECURE = -28,  /* the browser offers no locks here (an insecure origin) */
  HEARTH_LOST = -29       /* the browser lost a store that was there */
} hearth_status;

/* No byte position belongs to this error. */
#define HEARTH_NO_POSITION UINT64_MAX

/*
** Filled by every function that takes one; the caller owns it, and NULL is
** allowed. On success only `code` is set (to HEARTH_OK or HEARTH_PENDING).
*/
typedef struct hearth_error {
  hearth_status code;
  uint64_t position;  /* byte offset in the input, or HEARTH_NO_POSITION */
  char path[256];     /* "root.players[3].on_hit", or "" */
  char message[512];  /* one line, with path and position already in it */
} hearth_error;

/* The name of a code, as Lua and JavaScript report it: "busy", "damaged", ... Static text. */
HEARTH_API const char *hearth_status_name(hearth_status code);

/* One sentence about a code. Static text. */
HEARTH_API const char *hearth_status_text(hearth_status code);

/*
** Memory as lua_Alloc does it: nsize 0 frees, otherwise (re)allocates; NULL
** means that memory is exhausted. `ud` is borrowed for the life of its user.
*/
typedef struct hearth_allocator {
  void *(*alloc)(void *ud, void *ptr, size_t osize, size_t nsize); /* sizes in bytes: the old one, the new one */
  void *ud;                                                        /* passed first to alloc */
} hearth_allocator;

/* Called with one line of text, without line end; valid during the call. */
typedef void (*hearth_warn)(void *ud, const char *message);

#ifdef __cplusplus
}
#endif

#endif
