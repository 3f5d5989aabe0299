/*
** A script of operations on a store in a file, and at each call that these make of the environment or of an allocator
** a child process in which that call fails: once, or with all that follow it. The parent goes on without the fault, so
** that the script runs once, not once for each call.
**
** A child goes on too: it sees what the operation answers, whether everything is as the contract says, some more
** operations, the end (killed, closed, or a power loss) and what is there when the store is opened again; then
** whether all memory and files were given back.
*/
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

#define EXIT_WRONG 1
#define EXIT_LEAK 2
#define CHILDREN 2           /* at a time */
#define OPERATIONS_AFTER 2   /* that a child goes on for */

/* Of so many calls of a kind one fails. Requests for memory are too many for a short run; a longer one has them all. */
#ifndef STRIDE /* the build makes it larger where programs are slow */
#define STRIDE 1
#endif
#define LUA_STRIDE (7 * STRIDE)
#define BACKEND_STRIDE (4 * STRIDE)

typedef enum Duration { ONCE, TWICE, FOR_GOOD } Duration;

typedef struct Fault {
  CallKind kind;
  int code; /* errno value */
  bool half;
  Duration duration;
} Fault;

typedef enum End { END_KILLED_AT_ONCE, END_CLOSED, END_KILLED, END_POWER_LOSS, ENDS } End;

typedef struct Run {
  World world;
  size_t calls[CALL_KINDS], faults[CALL_KINDS];
  size_t stride, lua_stride, backend_stride; /* of so many calls of a kind one fails */
  bool each_duration; /* a request for memory fails once, twice and for good; otherwise in turns */
  uint64_t seed;
  pid_t children[CHILDREN];
  size_t wrong, leaks; /* children that found so */
  /* in a child */
  bool child, healed;
  Fault fault;
  char path[FAULTY_NAME]; /* of the call that failed */
  int more;               /* calls that are to fail yet */
  int left;               /* operations to go on for; -1: the fault's own is not over */
  End end;
} Run;

static Run self;

/* ------------------------------------------------------------------ children */

static void give_up(const char *message) {
  if (!self.child) fail_msg("%s", message);
  (void)fprintf(stderr, "%s\n", message);
  _exit(self.world.leaks ? EXIT_LEAK : EXIT_WRONG);
}

static void reap_one(void) {
  int status;
  for (size_t i = 0; i < CHILDREN; i++) {
    if (self.children[i] == 0) continue;
    if (waitpid(self.children[i], &status, 0) != self.children[i]) fail_msg("waitpid: %s", strerror(errno));
    self.children[i] = 0;
    if (!WIFEXITED(status)) (void)fprintf(stderr, "a child was ended by signal %d\n", WTERMSIG(status));
    bool leak = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_LEAK;
    if (leak) self.leaks++;
    else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) self.wrong++;
    return;
  }
}

static void become_child(const Fault *fault, const char *path, End end) {
  static const char *const durations[] = {"once", "twice", "for good"};
  World *w = &self.world;
  static const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) (void)signal(signals[i], SIG_DFL); /* not cmocka's */
  self.child = true;
  self.fault = *fault;
  self.more = fault->duration == TWICE ? 1 : 0;
  self.left = -1;
  self.end = end;
  w->fails_again = fault->duration != ONCE;
  (void)snprintf(self.path, sizeof self.path, "%s", path);
  (void)snprintf(w->fault, sizeof w->fault, "%s %zu (%s) fails %s with %s%s, end %d", call_names[fault->kind],
                 self.calls[fault->kind], path, durations[fault->duration], strerror(fault->code),
                 fault->half ? " half-way" : "", self.end);
}

/* True in the child. */
static bool fork_with(const Fault *fault, const char *path) {
  size_t slot = 0;
  while (slot < CHILDREN && self.children[slot] != 0) slot++;
  if (slot == CHILDREN) {
    reap_one();
    for (slot = 0; self.children[slot] != 0;) slot++;
  }
  self.faults[fault->kind]++;
  End end = (End)(next_random(&self.seed) % ENDS);
  pid_t pid = fork();
  if (pid < 0) fail_msg("fork: %s", strerror(errno));
  if (pid == 0) {
    become_child(fault, path, end);
    return true;
  }
  self.children[slot] = pid;
  return false;
}

/* -------------------------------------------------------------------- faults */

static bool is_memory(CallKind kind) {
  return kind == CALL_LUA_MEMORY || kind == CALL_BACKEND_MEMORY;
}

static const Fault plans[] = {
    {CALL_KINDS, EIO, false, ONCE}, /* CALL_KINDS: every call but those for memory */
    {CALL_KINDS, EIO, false, FOR_GOOD},
    {CALL_WRITE, EIO, true, ONCE},
    {CALL_WRITE, ENOSPC, false, ONCE},
    {CALL_WRITE, ENOSPC, true, ONCE},
    {CALL_WRITE, ENOSPC, true, FOR_GOOD},
    {CALL_WRITE, EINTR, true, ONCE},
    {CALL_SYNC, ENOSPC, false, ONCE},
    {CALL_SYNC, EINTR, false, ONCE},
    {CALL_READ, EINTR, false, ONCE},
    {CALL_LOCK, EAGAIN, false, ONCE},
    {CALL_LOCK, ENOTSUP, false, ONCE},
};

static Failure fork_at_io(CallKind kind, const char *path) {
  if (self.calls[kind] % self.stride != 0) return (Failure){0};
  for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
    Fault fault = plans[i];
    if (fault.kind != CALL_KINDS && fault.kind != kind) continue;
    fault.kind = kind;
    if (fork_with(&fault, path)) return (Failure){fault.code, fault.half};
  }
  return (Failure){0};
}

static Failure fork_at_memory(CallKind kind) {
  size_t stride = kind == CALL_LUA_MEMORY ? self.lua_stride : self.backend_stride;
  if (self.calls[kind] % stride != 0) return (Failure){0};
  for (Duration duration = ONCE; duration <= FOR_GOOD; duration++) {
    if (!self.each_duration && duration != (Duration)(self.calls[kind] / stride % 3)) continue;
    Fault fault = {.kind = kind, .code = ENOMEM, .duration = duration};
    if (fork_with(&fault, "")) return (Failure){ENOMEM, false};
  }
  return (Failure){0};
}

static bool goes_on(CallKind kind) {
  const Fault *f = &self.fault;
  if (self.healed || is_memory(f->kind) != is_memory(kind)) return false;
  if (f->duration == FOR_GOOD) return f->code != ENOSPC || kind == CALL_WRITE;
  if (f->duration == TWICE && self.more > 0) {
    self.more--;
    return true;
  }
  return false;
}

static Failure asked(World *w, CallKind kind, const char *path) {
  (void)w;
  if (self.child) return goes_on(kind) ? (Failure){self.fault.code, self.fault.half} : (Failure){0};
  self.calls[kind]++;
  return is_memory(kind) ? fork_at_memory(kind) : fork_at_io(kind, path);
}

/* ------------------------------------------------------------------ judging */

static bool is_path(const char *suffix) {
  size_t n = strlen(self.path), m = strlen(suffix);
  return n >= m && strcmp(self.path + n - m, suffix) == 0;
}

static bool is_reader_operation(void) {
  return strstr(self.world.operation, "reader") != NULL;
}

/* May the operation succeed although this call failed? The ballast, and giving up the owner file, help others. */
static bool may_pass(const Fault *f) {
  bool log = is_path(PLACE) || is_path(".new");
  if (is_memory(f->kind) || f->code == ENOSPC || f->code == EAGAIN || f->code == ENOTSUP)
    return f->kind != CALL_SYNC;
  switch (f->kind) {
    case CALL_OPEN: return is_path(".ballast");
    case CALL_STAT: return !log || is_reader_operation(); /* asking for the tables is only a hint to it */
    case CALL_READ:
    case CALL_FILE_STAT: return !log;
    case CALL_WRITE: return is_path(".ballast");
    case CALL_SYNC:
    case CALL_SYNC_FOLDER:
    case CALL_TRUNCATE:
    case CALL_RENAME:
    case CALL_REALPATH:
    case CALL_LOCK:
    case CALL_RANDOM: return false;
    default: return true; /* close, unlink, unlock, boot id */
  }
}

static bool answers_dead(World *w) {
  return hearth_poll(w->L, w->S, NULL) == HEARTH_DEAD;
}

static void heal(void) {
  self.healed = true;
  self.world.fails_again = false;
}

static void expect(World *w, const char *what, hearth_status status, hearth_status expected) {
  if (status != expected)
    wrong(w, "%s answers %s instead of %s: %s", what, hearth_status_name(status), hearth_status_name(expected),
          status == HEARTH_OK ? "" : w->error.message);
}

/* After IO every call answers DEAD; the graph is there, and can be saved elsewhere. */
static void check_dead(World *w) {
  lua_State *L = w->L;
  expect(w, "poll", hearth_poll(L, w->S, &w->error), HEARTH_DEAD);
  expect(w, "commit", hearth_commit(L, w->S, HEARTH_DURABLE, &w->error), HEARTH_DEAD);
  expect(w, "rollback", hearth_rollback(L, w->S, &w->error), HEARTH_DEAD);
  expect(w, "compact", hearth_compact(L, w->S, 0, &w->error), HEARTH_DEAD);
  lua_getglobal(L, "description");
  expect(w, "a transaction", hearth_transaction(L, w->S, 0, 0, &w->error), HEARTH_DEAD);
  check_live(w);
  expect(w, "encode", encode_sample(w), HEARTH_OK);
}

/* The store is dead, or closed: opened again it has what was committed. */
static void open_again(World *w, bool power_loss) {
  if (w->S != NULL) {
    check_dead(w);
    (void)world_close(w);
    if (w->S != NULL) wrong(w, "a dead store cannot be closed");
  }
  check_no_leak(w);
  if (!self.healed && self.fault.duration == FOR_GOOD && self.fault.code == EIO) {
    expect(w, "opening while every call fails", world_open(w), HEARTH_IO);
    check_no_leak(w);
  }
  heal();
  expect(w, "open", world_open(w), HEARTH_OK);
  check_found(w, power_loss);
}

/* The operation failed and the store must be as before it: the same again, and then with what it needs. */
static void try_again(World *w, const Operation *op, hearth_status status) {
  if (!self.healed && self.fault.duration == FOR_GOOD) {
    hearth_status again = op->call(w);
    if (again != HEARTH_OK) expect(w, "the same again", again, status);
    check_live(w);
  }
  heal();
  if (w->S != NULL && strcmp(op->name, "close") != 0) expect(w, "poll", hearth_poll(w->L, w->S, &w->error), HEARTH_OK);
  if (self.end == END_KILLED_AT_ONCE) return;
  if (w->S == NULL && strcmp(op->name, "open") != 0) return;
  expect(w, "the same again with room", op->call(w), HEARTH_OK);
}

/* Is this status one that the fault explains? */
static bool explains(const Fault *f, hearth_status status) {
  if (is_memory(f->kind)) return status == HEARTH_NOMEM;
  if (f->code == EAGAIN && status == HEARTH_BUSY) return true;
  if (status == HEARTH_FULL) /* a new file that cannot be flushed is given up */
    return f->code == ENOSPC && (f->kind == CALL_WRITE || (f->kind == CALL_SYNC && is_path(".new")));
  if (status == HEARTH_STALE) return is_reader_operation() && f->kind == CALL_STAT;
  if (f->code == ENOSPC && f->kind == CALL_WRITE) return false; /* a full disk kills no store */
  return status == HEARTH_IO || status == HEARTH_DEAD;
}

/* The reader keeps what it had, and the writer is not concerned. */
static void judge_reader(World *w, const Operation *op) {
  heal();
  if (w->reader != NULL && hearth_poll(w->L, w->reader, NULL) == HEARTH_DEAD) wrong(w, "a reader that is dead");
  expect(w, "the reader's operation again", op->call(w), HEARTH_OK);
  if (w->S != NULL) expect(w, "poll", hearth_poll(w->L, w->S, &w->error), HEARTH_OK);
}

/* What the operation answered in whose middle the fault was, or after it, where it goes on. */
static void judge(World *w, const Operation *op, hearth_status status) {
  if (status == HEARTH_OK) {
    check_live(w);
    bool dead = w->S != NULL && answers_dead(w);
    bool concerned = self.left < 0 && self.fault.duration != FOR_GOOD;
    if (concerned && !dead && !may_pass(&self.fault)) wrong(w, "it succeeded");
    if (dead && is_memory(self.fault.kind)) wrong(w, "the store is dead for want of memory");
    if (dead) open_again(w, false);
    return;
  }
  if (!explains(&self.fault, status))
    wrong(w, "it answers %s: %s", hearth_status_name(status), w->error.message);
  if (is_reader_operation()) {
    judge_reader(w, op);
    return;
  }
  check_live(w);
  if (status != HEARTH_IO && status != HEARTH_DEAD) try_again(w, op, status);
  else if (w->S != NULL) open_again(w, false);
  else heal(); /* it was closed, or could not be opened */
  if (w->S == NULL && strcmp(op->name, "open") == 0 && self.end != END_KILLED_AT_ONCE)
    expect(w, "open again", op->call(w), HEARTH_OK);
}

/* ----------------------------------------------------------------- the end */

static void change_and_commit(World *w) {
  w->number += 5000;
  change(w, w->number);
  expect(w, "a commit at the end", commit_at(w, HEARTH_DURABLE), HEARTH_OK);
}

_Noreturn static void end_child(World *w) {
  bool power_loss = self.end == END_POWER_LOSS;
  heal();
  w->operation = "the end";
  if (w->S != NULL) check_live(w);
  if (self.end == END_KILLED && w->S != NULL && !answers_dead(w)) change_and_commit(w);
  if (self.end != END_CLOSED) world_kill(w);
  if (power_loss) hearth_disk_power_loss(w->disk, (unsigned)self.calls[self.fault.kind]);
  if (w->S != NULL && !answers_dead(w)) {
    check_file(w);
    expect(w, "close", world_close(w), HEARTH_OK);
  }
  int torn_tails = w->torn_tails;
  open_again(w, power_loss);
  /* only a write that failed by IO, or the power, leaves a torn tail; what there was no room for is cut off at once */
  if (!power_loss && (is_memory(self.fault.kind) || self.fault.code == ENOSPC) && w->torn_tails > torn_tails)
    wrong(w, "a part of a batch was left behind");
  in_graph(w, "change", 0, "i", 1); /* it works */
  expect(w, "the last commit", hearth_commit(w->L, w->S, HEARTH_DURABLE, &w->error), HEARTH_OK);
  world_end(w);
  _exit(0);
}

/* ---------------------------------------------------------------- the script */

static void operate(World *w, const Operation *op) {
  w->operation = op->name;
  if (op->prepare != NULL) op->prepare(w);
  hearth_status status = op->call(w);
  if (self.child && !self.healed) {
    judge(w, op, status);
    if (self.left < 0) self.left = self.end == END_KILLED_AT_ONCE ? 0 : OPERATIONS_AFTER;
    if (self.fault.duration != FOR_GOOD) heal();
  } else {
    expect(w, "it", status, HEARTH_OK);
  }
  check_no_leak(w);
  if (w->S != NULL) check_file(w);
  if (self.child && self.left-- == 0) end_child(w);
  if (!self.child && w->S != NULL) check_live(w); /* a child compares at its end */
}

static void report(void) {
  size_t all = 0;
  (void)printf("faults:");
  for (size_t i = 0; i < CALL_KINDS; i++) {
    (void)printf("%s %zu %s", i == 0 ? "" : ",", self.faults[i], call_names[i]);
    all += self.faults[i];
  }
  (void)printf("\nfigure: %zu injected faults in %zu store operations, %zu wrong outcomes, %zu leaks\n", all,
               operation_count(), self.wrong, self.leaks);
}

static size_t coarser = 1; /* so many times fewer faults */

static size_t stride(size_t usual) {
  size_t more = rounds(1);
  usual *= coarser;
  return usual > more ? usual / more : 1; /* NOLINT(*DivideZero): rounds(1) is one at least */
}

static void every_call_fails(void **state) {
  (void)state;
  World *w = &self.world;
  self.seed = 1;
  self.each_duration = rounds(1) > 1;
  self.stride = stride(STRIDE);
  self.lua_stride = stride(LUA_STRIDE);
  self.backend_stride = stride(BACKEND_STRIDE);
  (void)fflush(stdout);
  world_init(w, asked, give_up);
  for (size_t i = 0; i < operation_count(); i++) {
    w->number = i;
    hearth_disk_set_clock(w->disk, 1700000000000 + i * 700);
    operate(w, operation_at(i));
  }
  /* a child that outlives the script ends here */
  if (self.child) end_child(w);
  for (size_t i = 0; i < CHILDREN; i++) reap_one();
  w->operation = "the end";
  world_end(w);
  report();
  (void)fflush(stdout);
  assert_true(operation_count() >= 500);
  assert_int_equal(self.wrong, 0);
  assert_int_equal(self.leaks, 0);
}

/* With an argument so many times fewer faults. */
int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_fails)};
  if (argc > 1) coarser = (size_t)strtoul(argv[1], NULL, 10);
  return cmocka_run_group_tests_name("every fault", tests, NULL, NULL);
}
