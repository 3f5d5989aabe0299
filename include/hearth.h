/*
** Hearth: durable Lua 5.4 values.
**
** The codec turns a Lua value graph into bytes and back. A store keeps one
** persistent table, `_home`, and everything reachable from it behind a
** backend.
**
** The library links no Lua of its own: the host brings a Lua 5.4. There is no
** global mutable state. Each Lua state, and the stores opened in it, is used by
** one thread at a time.
**
** Conventions. A function that may run Lua takes `L` first and answers a
** status; Lua errors inside are caught and become a status. Where a function
** works on the stack its comment says [-popped, +pushed on success, m]. On failure
** the stack is as before less what is popped, and `err` (may be NULL) is filled.
** Nothing passed in changes owner unless the comment says so.
*/
#ifndef HEARTH_H
#define HEARTH_H

#include <stddef.h>
#include <stdint.h>

#include <lua.h>

#include "hearth_backend.h"
#include "hearth_status.h"

#if LUA_VERSION_NUM != 504
#error "Hearth needs the headers of Lua 5.4, any 5.4.x: docs/LUA.md"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define HEARTH_VERSION_MAJOR 0
#define HEARTH_VERSION_MINOR 1
#define HEARTH_VERSION_PATCH 0
#define HEARTH_VERSION_STRING "0.1.0"

/* The library's version, e.g. "0.1.0". Static text. */
HEARTH_API const char *hearth_version(void);

/* ------------------------------------------------------------- the seal */

#define HEARTH_SEAL_SIZE 32 /* bytes */

/*
** A keyed hash. With a seal set, every prototype is written with
** hash(key, bytes), and one whose hash does not match is refused before its
** bytecode is parsed. `ud` is borrowed as long as the options or the store
** that the seal was given to live. Not 0: there is no hash, and what needed
** it fails with SEAL.
*/
typedef struct hearth_seal {
  int (*hash)(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]);
  void *ud;
} hearth_seal;

/*
** A seal by libsodium (keyed BLAKE2b, crypto_generichash). `key` has 32 bytes
** and is the seal's ud: it must outlive the seal. UNSUPPORTED when Hearth was
** built without libsodium.
*/
HEARTH_API hearth_status hearth_sodium_seal(const unsigned char key[32], hearth_seal *out);

/* ------------------------------------------------------------ the codec */

#define HEARTH_CANONICAL 0x01u         /* encode: the same value gives the same bytes */
#define HEARTH_STRIP 0x02u             /* encode: functions without debug information (Lua 5.4.4's own
                                          debug.getinfo(f, "L") crashes on such a vararg function) */
#define HEARTH_ALLOW_FUNCTIONS 0x04u   /* decode: Lua functions */
#define HEARTH_ALLOW_PERMANENTS 0x08u  /* decode: permanents, C functions among them */
#define HEARTH_ALLOW_METATABLES 0x10u  /* decode: metatables, and what they bring: __gc, hooks, userdata */
/* decode: all of them */
#define HEARTH_TRUSTED (HEARTH_ALLOW_FUNCTIONS | HEARTH_ALLOW_PERMANENTS | HEARTH_ALLOW_METATABLES)
#define HEARTH_PLACEHOLDERS 0x20u      /* decode: stand-ins for unknown permanents and unfit prototypes */
#define HEARTH_MODULES_BY_VALUE 0x40u  /* encode: unregistered modules of package.loaded as data */

typedef struct hearth_codec_options {
  size_t size;             /* sizeof(hearth_codec_options) */
  unsigned flags;          /* HEARTH_CANONICAL ... */
  const hearth_seal *seal; /* NULL: none */
  uint64_t max_bytes;      /* decode: longest input in bytes, encode: longest output; 0: no limit */
  uint64_t max_memory;     /* decode: most memory that the values may take, in bytes, estimated; 0: no limit */
  int permanents;          /* stack index of a table of further permanents, or 0: for encode it maps a value
                              to its name, for decode a name to its value (Pluto's and Eris's convention);
                              names are strings, numbers or booleans. Decode allows these without
                              HEARTH_ALLOW_PERMANENTS: they are listed */
} hearth_codec_options;

/*
** [-0, +1, m] Pushes a string: the value at `index`, encoded. `options` NULL: none.
** UNSTORABLE and CYCLE with the path, RAISED by a hook, LIMIT, NOMEM, INVALID.
*/
HEARTH_API hearth_status hearth_encode(lua_State *L, int index, const hearth_codec_options *options,
                                       hearth_error *err);

/*
** [-0, +1, m] Pushes the value that `bytes` hold. `options` NULL: untrusted, that is,
** data only. DAMAGED and VERSION with the position, REFUSED, UNKNOWN, LUA, SEAL, LIMIT, CYCLE, RAISED,
** NOMEM, INVALID. Memory, whatever the input: at its peak at most 160 bytes for each byte of the input (1,024
** with HEARTH_PLACEHOLDERS) and 256 KiB, beside what rebuilding functions take; max_memory sets a lower limit.
*/
HEARTH_API hearth_status hearth_decode(lua_State *L, const void *bytes, size_t size,
                                       const hearth_codec_options *options, hearth_error *err);

/*
** [-0, +1, m] Loads a binary chunk, as lua_dump or string.dump wrote it, behind a check of its structure: a damaged
** one, which may crash lua_load, is DAMAGED with the position, and so is one of another version of Lua; LUA when its
** numbers are of other sizes or another byte order. The function's first upvalue, if it has one, is the table at
** `globals` (0: the globals table), the others are nil. The check does not verify instructions: running a chunk that an
** attacker made is as unsafe as in Lua itself. INVALID, NOMEM.
*/
HEARTH_API hearth_status hearth_load_chunk(lua_State *L, const void *bytes, size_t size, int globals,
                                           hearth_error *err);

/* ------------------------------------------------------- permanents, types */

/*
** Permanents are values known by name on both sides; they belong to the Lua
** state and hold for every codec call and every store in it. The standard
** library is known by itself.
*/

/*
** [-0, +0, m] Names the function, table or userdata at `index`. A name may be given again: it then means the
** new value. INVALID.
*/
HEARTH_API hearth_status hearth_register_permanent(lua_State *L, int index, const char *name, hearth_error *err);

/*
** [-0, +0, m] Registers the module at `index` (a table): its functions, and its tables
** that hold functions or serve as metatables, become permanents `name.field`,
** recursively. Other tables in it are data.
*/
HEARTH_API hearth_status hearth_register_module(lua_State *L, int index, const char *name, hearth_error *err);

/*
** [-0, +0, m] Registers a type by name: objects (userdata, or tables) whose metatable is
** the one at `metatable`. encode gets the object and returns one value that
** stands for it, decode gets that value and returns the object.
*/
HEARTH_API hearth_status hearth_register_type(lua_State *L, const char *name, int metatable, lua_CFunction encode,
                                              lua_CFunction decode, hearth_error *err);

/* [-0, +0, m] The same with functions (Lua or C) that stand on the stack at `encode` and `decode`. */
HEARTH_API hearth_status hearth_register_type_at(lua_State *L, const char *name, int metatable, int encode,
                                                 int decode, hearth_error *err);

/*
** [-0, +1, m] Pushes a list of the names of permanent tables whose fields differ from
** what they were when they were registered: changes that no commit stores.
*/
HEARTH_API hearth_status hearth_changed_permanents(lua_State *L, hearth_error *err);

/* ------------------------------------------------------------- the store */

typedef struct hearth_store hearth_store;

typedef enum hearth_alias {
  HEARTH_ALIAS_OFF = 0,  /* no global Memory */
  HEARTH_ALIAS_ON = 1,   /* Memory is a plain global, the same table as _home */
  HEARTH_ALIAS_TRACK = 2 /* resolved on use, uses counted and their places remembered */
} hearth_alias;

#define HEARTH_STORE_STRIP 0x0100u          /* store functions without debug information */
#define HEARTH_STORE_NO_FUNCTIONS 0x0200u   /* refuse Lua functions, on open and on commit; no protection
                                               against an attacker: docs/SECURITY.md */
#define HEARTH_STORE_MODULES_BY_VALUE 0x0400u /* unregistered modules of package.loaded as data */
#define HEARTH_STORE_PLACEHOLDERS 0x0800u     /* stand-ins for unknown permanents, which keep their names */

typedef struct hearth_options {
  size_t size;                     /* sizeof(hearth_options) */
  unsigned flags;                  /* HEARTH_OPEN_... and HEARTH_STORE_... */
  hearth_durability durability;    /* for commits that do not say theirs; default: the backend's best */
  hearth_alias alias;              /* what the global Memory is to be */
  const hearth_seal *seal;         /* borrowed until close */
  uint32_t page_size;              /* bytes, 64 to 1 MiB, for a new store; 0: 4,096. An existing store keeps its own */
  const struct hearth_environment *environment; /* for the backend; NULL: the operating system's */
  hearth_warn warn;                /* told of a torn tail that was cut off, e.g.; NULL: Lua's warn, which luaL_newstate
                                      has off until warn("@on") or lua_setwarnf */
  void *warn_ud;                   /* passed first to warn */
  void *backend_ud;                /* hearth_backend_config.ud, for a backend that asks for one; borrowed until close */
  const hearth_backend *const *backends; /* for hearth_open_uri: others than the library's own, the last followed by
                                            NULL; NULL: none */
  uint64_t at;                     /* with HEARTH_OPEN_READONLY: the store as it was after this batch (its number is
                                      hearth_backend_stat.sequence, and hearth log lists them); 0: as it is */
  unsigned keep;                   /* commits that a compaction which starts by itself keeps for `at` */
} hearth_options;

/*
** [-0, +0, m] Opens a store. It is closed by hearth_close, or when L is closed. The store
** keeps only the main thread of L. Everything that the backend's open answers, and
** DAMAGED, VERSION, UNKNOWN, LUA, SEAL, REFUSED, INVALID, RAISED, CYCLE. `options` NULL: none.
*/
HEARTH_API hearth_status hearth_open(lua_State *L, const hearth_backend *backend, const char *location,
                                     const hearth_options *options, hearth_store **out, hearth_error *err);

/*
** [-0, +0, m] hearth_open by URI: "memory:", "file:PATH", or SCHEME:LOCATION of a backend of that name in
** options->backends. INVALID for another scheme.
*/
HEARTH_API hearth_status hearth_open_uri(lua_State *L, const char *uri, const hearth_options *options,
                                         hearth_store **out, hearth_error *err);

/*
** The backend of a URI's scheme, of the library's own and `others` (the last followed by NULL; NULL: none), and where
** its location begins. NULL with INVALID for an unknown scheme (*location is NULL then), or where a place is missing.
*/
HEARTH_API const hearth_backend *hearth_backend_for_uri(const char *uri, const hearth_backend *const *others,
                                                        const char **location, hearth_error *err);

/*
** [-0, +0, m] Closes without committing. Afterwards _home is a plain table that nothing saves. NULL is allowed. It does
** not wait: what an asynchronous backend accepted is still being written, and what becomes of it is not told.
*/
HEARTH_API hearth_status hearth_close(lua_State *L, hearth_store *store);

/* [-0, +0, m] Sets _home and ext, and Memory by policy, in the globals table. */
HEARTH_API hearth_status hearth_install(lua_State *L, hearth_store *store);

/*
** [-0, +0, m] Sets them in the table at `index`, which becomes the permanent _G of this store: stored
** functions whose globals table was the permanent _G get it. Where it is not the globals table itself the
** store is read again for that, so install before you change anything.
*/
HEARTH_API hearth_status hearth_install_at(lua_State *L, hearth_store *store, int index, hearth_error *err);

/* [-0, +1, -] Pushes the home table. */
HEARTH_API void hearth_push_home(lua_State *L, hearth_store *store);

/*
** [-0, +0, m] Stores what changed, as one atomic batch, at the level given. On failure
** nothing changed in memory, and after every failure but IO nothing on the backend. After IO the store is dead, and the
** batch is there or not, as a whole, when it is opened again. PENDING from an asynchronous backend: accepted, the level
** is reached later, or hearth_poll tells the failure; further commits are stacked on it. With nothing to store the
** level is asked for what was stored before, and PENDING as long as that has not reached it. Begins as hearth_poll
** does: the failure of an earlier commit is the answer, nothing is submitted then, and the next commit stores
** everything. UNSTORABLE and CYCLE (it could not be opened again) with the path, REPLACED, READONLY, FULL, IO, DEAD,
** BUSY, RAISED, NOMEM; STALE after a rollback that failed half-way: roll back again first.
*/
HEARTH_API hearth_status hearth_commit(lua_State *L, hearth_store *store, hearth_durability durability,
                                       hearth_error *err);

/*
** [-0, +0, m] What became of pending commits. OK: every commit so far has reached its level. PENDING: some have not.
** Else why one failed, told once: FULL, NOMEM, TOOBIG or CONFLICT, and it and all commits after it are not stored; what
** they would have stored is in the graph and in the external tables as it was, with what changed since, and the next
** commit stores all of it, under the same numbers. After IO the store is DEAD: the graph stays, to be read and
** encoded. Where there is no memory to take a failed commit back, that is tried again by whatever needs it, which
** answers NOMEM so long. STALE for a read-only store that has moved on, and after a rollback that failed
** half-way; BUSY in a transaction, CLOSED, DAMAGED. An asynchronous host calls this when the backend has news.
*/
HEARTH_API hearth_status hearth_poll(lua_State *L, hearth_store *store, hearth_error *err);

/*
** [-0, +0, m] Back to the last commit, in the same tables. BUSY while a commit is pending, since it may fail; the
** failure of one, told as by hearth_poll with nothing rolled back. On failure nothing changed, unless rebuilding
** functions had to run: then the graph may be half-way, and is not committed before a rollback succeeds. BUSY, IO,
** DEAD, DAMAGED, NOMEM, RAISED.
*/
HEARTH_API hearth_status hearth_rollback(lua_State *L, hearth_store *store, hearth_error *err);

/*
** [-(nargs + 1), +nresults, m] Commits what is outstanding, calls the function below its `nargs`
** arguments, commits when it returns, and rolls back and answers RAISED when it
** raises (the error value is then pushed: +1). BUSY when nested. Rolling back goes to the state at its start, also when
** that is still pending: the backend shows it. PENDING when the last commit is; an earlier commit that failed
** meanwhile is told as by hearth_poll, after rolling back.
*/
HEARTH_API hearth_status hearth_transaction(lua_State *L, hearth_store *store, int nargs, int nresults,
                                            hearth_error *err);

/*
** [-0, +1, m] Pushes a new external table. Its entries stay in the backend; of what a program reads again and again, of
** all external tables of a store, at most 1 MiB is kept in the Lua heap.
*/
HEARTH_API hearth_status hearth_push_table(lua_State *L, hearth_store *store, hearth_error *err);

/*
** [-0, +0, m] Gives back space: collects cycles among external tables, commits, and compacts the backend; keep as
** in hearth_backend. PENDING when the commit or the compaction goes on; hearth_poll tells what becomes of them.
*/
HEARTH_API hearth_status hearth_compact(lua_State *L, hearth_store *store, unsigned keep, hearth_error *err);

/* [-0, +0, m] A read-only store is read again, into the same tables. */
HEARTH_API hearth_status hearth_refresh(lua_State *L, hearth_store *store, hearth_error *err);

/*
** [-0, +0, m] Sets the alias policy at run time, in the table that the store is installed in. A global Memory of
** another value gives way to on and track; off leaves it. While uses are tracked the name is resolved by that table's
** metatable, which goes on to what its __index and __newindex were; assigning another value to it raises. A program
** that sets these fields, or another metatable, itself afterwards ends that: set the policy again. What rawget, next
** and the like do is not seen. When tracking ends, the metatable is as it was.
** A warning, once a place: by the warn of the options, else by Lua's, which the lua program has off until "@on".
*/
HEARTH_API hearth_status hearth_set_alias(lua_State *L, hearth_store *store, hearth_alias alias, hearth_error *err);

typedef struct hearth_stat {
  size_t size;                 /* sizeof(hearth_stat), set by the caller */
  uint64_t home_id;            /* homeTableId */
  uint64_t next_id;            /* nextTableId */
  uint64_t saved_at;           /* milliseconds since 1970 of the last commit that wrote, 0: never */
  uint64_t objects;            /* objects of the last commit */
  uint64_t externals;          /* external tables */
  uint64_t committed_entries;  /* backend entries that the last commit put or deleted */
  uint64_t committed_bytes;    /* their bytes */
  uint64_t alias_uses;         /* uses of Memory, counted while the policy is track */
  uint32_t page_size;          /* bytes, as the store was made with */
  const char *backend;         /* its name; static */
  hearth_backend_stat storage; /* what the backend says of itself */
  uint64_t memory_id;          /* memoryTableId, as read or as written last (then it is homeTableId); 0: it has none */
} hearth_stat;

/* Fills as much of `stat` as its size has room for. Everything that the backend's stat answers, CLOSED, INVALID. */
HEARTH_API hearth_status hearth_store_stat(hearth_store *store, hearth_stat *stat, hearth_error *err);

/*
** What the store is kept in, for who reads or exports all of it: its backend, and in *storage the backend's store. Both
** belong to the store and go when it is closed; what is written there the store does not see: close it then. NULL once
** it is closed.
*/
HEARTH_API const hearth_backend *hearth_store_backend(hearth_store *store, hearth_backend_store **storage);

/*
** [-0, +1, m] Pushes a list of places where Memory was used, at most 100, oldest first: "source:line";
** "source:first-last", the lines of the function, without debug information; "[C]" or "[C] called from source:line"
** for C code.
*/
HEARTH_API hearth_status hearth_push_alias_places(lua_State *L, hearth_store *store, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
