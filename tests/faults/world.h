/*
** A store in a file on a disk in memory, used from a Lua state, and a model of what must be in it. Each call that the
** store makes of its environment or allocators can fail: who drives it decides (test_every_fault.c).
*/
#ifndef HEARTH_TESTS_FAULTS_WORLD_H
#define HEARTH_TESTS_FAULTS_WORLD_H

#include "../codec/codec_testing.h"

#include "hearth_testkit_disk.h"
#include "faulty_environment.h"

#define PLACE "/world.hearth"

typedef struct World {
  hearth_disk *disk;
  Faulty faulty;
  hearth_backend backend; /* the file backend over them */
  Memory memory;       /* of the Lua state */
  lua_State *L;
  lua_State *model;    /* what must be there; no fault reaches it */
  hearth_store *S;     /* NULL: closed */
  hearth_store *reader; /* the same store, opened read-only; NULL: closed */
  hearth_error error;
  bool armed;          /* the library is at work */
  bool body_raises;    /* what the function in the transaction does */
  bool body_ran;
  size_t bodies;       /* how many there were */
  bool fails_again;    /* more may fail than one call: rolling back a transaction that failed, too */
  size_t number;       /* of the operation */
  const char *operation; /* its name */
  char fault[256];     /* the injected fault in words, "" in the parent */
  bool leaks;          /* what is wrong is a leak */
  int torn_tails;      /* that an opener told of */
  Failure (*ask)(struct World *w, CallKind kind, const char *path);
  void (*give_up)(const char *message); /* does not return */
} World;

/* Fails the test (in a child: the child) with the operation and the fault. */
_Noreturn void wrong(World *w, const char *format, ...);

void world_init(World *w, Failure (*ask)(World *w, CallKind kind, const char *path),
                void (*give_up)(const char *message));
/* Closes everything; nothing may be left of it. */
void world_end(World *w);

/* Calls of the library between these can fail. */
void arm(World *w);
void disarm(World *w);

/*
** Calls a function of graph.lua, or of model.lua; `kinds` says what follows: i integer, s string, z string or NULL
** for nil, b boolean.
*/
void in_graph(World *w, const char *function, int results, const char *kinds, ...);
void in_model(World *w, const char *function, int results, const char *kinds, ...);

/* Pushes arguments as above. */
void push_arguments(lua_State *L, const char *kinds, va_list args);

/* Changes the graph in Lua, and lets the model know. */
void change(World *w, size_t n);

hearth_status world_open(World *w);
hearth_status world_close(World *w);
hearth_status reader_open(World *w);
hearth_status reader_close(World *w);
/* The process ends without closing anything. */
void world_kill(World *w);

/* The graph, and the external tables while they can be read, are what the model has. */
void check_live(World *w);
/* The reader has what was committed last. */
void check_reader(World *w);
/* The store that was opened just now has a committed state, the last one or, after a power loss, a durable one. */
void check_found(World *w, bool power_loss);
/* What the backend says of its file is so. */
void check_file(World *w);
/* Nothing is open and nothing held by the backends but by those stores that are open. */
void check_no_leak(World *w);

/* Number of the last batch, 0 when that cannot be said. */
uint64_t last_batch(World *w);

/* ---------------------------------------------------------- operations.c */

typedef struct Operation {
  const char *name;
  void (*prepare)(World *w);       /* NULL: nothing */
  hearth_status (*call)(World *w); /* may be called again when it failed */
} Operation;

size_t operation_count(void);
const Operation *operation_at(size_t i);
/* Encodes a part of the graph, and decodes it again. */
hearth_status encode_sample(World *w);
hearth_status commit_at(World *w, hearth_durability level);

#endif
