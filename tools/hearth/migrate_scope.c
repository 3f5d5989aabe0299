/*
** What each name means, asked of Lua's own compiler.
**
** A stripped dump holds no names of locals, but that of every global and field as a constant. Three questions follow:
** - All names get fresh ones. What turns up in the dump is a variable's use or a key, what does not is a declaration.
** - All names Memory become m, all _home h, all _ENV e and so on, and in place of a use of m stands a probe,
**     m[function() return "number", m, "end" end]
**   among whose constants is m's text unless it is a local at this place. That it compiles there also proves that the
**   place takes a variable, as a key's place takes ["key"].
** - The same in place of m with h and e: what the new name, and globals at all, would mean there; of others with e.
** Where the compiler is at a limit, 255 upvalues for instance, fewer names are asked for at once.
*/
#include <stdlib.h>
#include <string.h>

#include "migrate.h"

#define LONGEST_PREFIX 16

typedef struct Scope {
  lua_State *L;
  const Source *source;
  NameList *names;
  Buffer dump, other;          /* of the last variants */
  EditList edits;
  char prefix[LONGEST_PREFIX]; /* of fresh names: stands nowhere in the source or in its strings */
} Scope;

static const char marks[NAMES] = {'m', 'h', 'e', 'g', 'l', 's', 'f', 'd'};

static bool contains(const void *bytes, size_t size, const char *text) {
  return size > 0 && memmem(bytes, size, text, strlen(text)) != NULL;
}

/* With the dump of the source itself. False when every prefix is taken: nobody writes such a program by accident. */
static bool choose_prefix(Scope *S) {
  for (int i = 0; i < 10000; i++) {
    (void)snprintf(S->prefix, sizeof S->prefix, "fresh%d_", i);
    if (!contains(S->source->text, S->source->size, S->prefix) && !contains(S->dump.data, S->dump.size, S->prefix))
      return true;
  }
  return false;
}

static bool try_variant(Scope *S, Buffer *dump) {
  bool ok = compile(S->L, S->source, &S->edits, dump);
  lua_settop(S->L, 0);
  return ok;
}

/* ------------------------------------------------------------------ asking */

/* What is asked about names. */
typedef struct Question {
  void (*pose)(Scope *S, size_t index, bool asked); /* adds edits; of names that are not asked for only what must be */
  void (*clear)(Name *name);                        /* before the answers */
  void (*constant)(Scope *S, const char *text, size_t size, Name **current); /* in the dump, behind our prefix */
  void (*unanswered)(Scope *S, Name *name);         /* a single one does not compile */
} Question;

/* Asks for the names from `low` up to and without `high`, all at once where the compiler allows. */
static void ask(Scope *S, const Question *question, size_t low, size_t high) {
  size_t prefix = strlen(S->prefix);
  Name *current = NULL;
  if (low == high) return;
  S->edits.count = 0;
  for (size_t i = 0; i < S->names->count; i++) question->pose(S, i, i >= low && i < high);
  if (!try_variant(S, &S->dump)) {
    if (high - low == 1) {
      question->unanswered(S, &S->names->items[low]);
      return;
    }
    ask(S, question, low, low + (high - low) / 2);
    ask(S, question, low + (high - low) / 2, high);
    return;
  }
  for (size_t i = low; i < high; i++) question->clear(&S->names->items[i]);
  const char *at = (const char *)S->dump.data, *end = at + S->dump.size;
  while ((at = memmem(at, (size_t)(end - at), S->prefix, prefix)) != NULL) {
    at += prefix;
    question->constant(S, at, (size_t)(end - at), &current);
  }
}

/* The name whose number, eight digits, stands behind the mark 'n'; NULL: another mark. */
static Name *numbered(const Scope *S, const char *text, size_t size) {
  char digits[9] = "";
  if (size < 9 || *text != 'n') return NULL;
  memcpy(digits, text + 1, 8);
  unsigned long index = strtoul(digits, NULL, 16);
  return index < S->names->count ? &S->names->items[index] : NULL;
}

/* ----------------------------------------------------------- declarations */

static void pose_role(Scope *S, size_t index, bool asked) {
  const Name *name = &S->names->items[index];
  if (asked) edit(&S->edits, name->start, name->end, "%sn%08zx", S->prefix, index);
}

static void clear_role(Name *name) {
  name->role = ROLE_DECLARATION;
}

static void constant_of_role(Scope *S, const char *text, size_t size, Name **current) {
  Name *name = numbered(S, text, size);
  (void)current;
  if (name != NULL) name->role = name->in_constructor ? ROLE_KEY : ROLE_VARIABLE; /* the probes prove which */
}

/*
** A fresh name instead of a local's makes a global of it, and needs one upvalue more: too many, perhaps. Where Memory.x
** stands for Memory only the syntax changes, and what minds it is no variable.
*/
static void guess_role(Scope *S, Name *name) {
  S->edits.count = 0;
  edit(&S->edits, name->end, name->end, ".%sx", S->prefix);
  name->role = ROLE_VARIABLE;
  if (!compile(S->L, S->source, &S->edits, &S->dump)) {
    const char *text = lua_tostring(S->L, -1);
    bool syntax = text != NULL && (strstr(text, " expected near") != NULL || strstr(text, "unexpected symbol") != NULL);
    name->role = !syntax ? ROLE_UNKNOWN : name->in_constructor ? ROLE_KEY : ROLE_DECLARATION;
  }
  lua_settop(S->L, 0);
}

static const Question about_roles = {pose_role, clear_role, constant_of_role, guess_role};

/* ----------------------------------------------------------------- probes */

static void put_probe(Scope *S, size_t index, const char *constants) {
  const Name *name = &S->names->items[index];
  const char *p = S->prefix;
  char own = marks[name->which], list[3 * LONGEST_PREFIX] = "";
  for (const char *c = constants; *c != '\0'; c++)
    (void)snprintf(list + strlen(list), sizeof list - strlen(list), ",%s%c", p, *c);
  bool before = name->keyword != NO_KEYWORD; /* `function NAME` takes a name only: the probe stands before it */
  if (before)
    edit(&S->edits, name->keyword, name->keyword, " %s%c[function()return\"%sn%08zx\"%s,\"%sz\"end]=nil ", p, own, p,
         index, list, p);
  edit(&S->edits, name->start, name->end, "%s%c", p, own);
  if (!before)
    edit(&S->edits, name->end, name->end, "[function()return\"%sn%08zx\"%s,\"%sz\"end]", p, index, list, p);
}

static void rename_all(Scope *S, const Name *name) {
  edit(&S->edits, name->start, name->end, "%s%c", S->prefix, marks[name->which]);
}

static void pose_own(Scope *S, size_t index, bool asked) {
  const Name *name = &S->names->items[index];
  const char own[] = {marks[name->which], '\0'};
  if (name->role == ROLE_VARIABLE && asked)
    put_probe(S, index, own);
  else if (name->role == ROLE_KEY && asked)
    edit(&S->edits, name->start, name->end, "[\"%sk\"]", S->prefix);
  else if (name->role != ROLE_KEY)
    rename_all(S, name);
}

static void pose_others(Scope *S, size_t index, bool asked) {
  const Name *name = &S->names->items[index];
  if (asked && name->role == ROLE_VARIABLE && name->which != NAME_ENV && name->free[name->which])
    put_probe(S, index, name->which == NAME_MEMORY ? "he" : "e");
  else if (name->role != ROLE_KEY)
    rename_all(S, name);
}

static void clear_own(Name *name) {
  name->free[name->which] = false;
}

static void clear_others(Name *name) {
  if (name->which == NAME_MEMORY) name->free[NAME_HOME] = false;
  if (name->which != NAME_ENV) name->free[NAME_ENV] = false;
}

/* A probe's constants stand together, its number first and its end last. */
static void constant_of_probe(Scope *S, const char *text, size_t size, Name **current) {
  Name *name = numbered(S, text, size);
  if (name != NULL) *current = name;
  if (*current == NULL || size == 0) return;
  const char *mark = memchr(marks, *text, NAMES);
  if (mark != NULL) (*current)->free[mark - marks] = true;
  if (*text == 'z') *current = NULL;
}

static void unknown_role(Scope *S, Name *name) {
  (void)S;
  name->role = ROLE_UNKNOWN;
}

static const Question about_own = {pose_own, clear_own, constant_of_probe, unknown_role};
static const Question about_others = {pose_others, clear_others, constant_of_probe, unknown_role};

/* ------------------------------------------------------------- assignments */

static bool is_free_variable(const Name *name, int which) {
  return name->role == ROLE_VARIABLE && name->which == which && name->free[which];
}

/* May one of the names from low up be assigned in a list? They become one constant, around the source as a function. */
static bool any_in_list(Scope *S, int which, size_t low, size_t high) {
  bool any = false;
  S->edits.count = 0;
  edit(&S->edits, S->source->body, S->source->body, "local %sc<const> =... return function(...) ", S->prefix);
  for (size_t i = low; i < high; i++) {
    const Name *name = &S->names->items[i];
    if (!is_free_variable(name, which) || !name->free[NAME_ENV] || !name->may_assign) continue;
    edit(&S->edits, name->start, name->end, "%sc", S->prefix);
    any = true;
  }
  edit(&S->edits, S->source->size, S->source->size, "\nend");
  return any && !try_variant(S, &S->dump);
}

static bool any_assigned(Scope *S, int which) {
  for (size_t i = 0; i < S->names->count; i++)
    if (is_free_variable(&S->names->items[i], which) && S->names->items[i].assigned) return true;
  return any_in_list(S, which, 0, S->names->count);
}

/* Lists them; halves the names, since the compiler says only that there is one. */
static void find_in_lists(Scope *S, int which, Reason reason, size_t low, size_t high, FindingList *findings) {
  if (low == high || !any_in_list(S, which, low, high)) return;
  if (high - low == 1) {
    found(findings, S->names->items[low].start, reason);
    return;
  }
  find_in_lists(S, which, reason, low, low + (high - low) / 2, findings);
  find_in_lists(S, which, reason, low + (high - low) / 2, high, findings);
}

static void find_assigned(Scope *S, int which, Reason reason, FindingList *findings) {
  for (size_t i = 0; i < S->names->count; i++) {
    const Name *name = &S->names->items[i];
    bool itself = which == NAME_HOME && !name->after_comma && assigns_home_itself(S->source, S->names, name->end);
    bool certain = is_free_variable(name, which) && name->free[NAME_ENV] && name->assigned && !itself;
    bool perhaps = which == NAME_HOME && name->which == which && name->role == ROLE_UNKNOWN &&
                   (name->assigned || name->may_assign);
    if (certain || perhaps) found(findings, name->start, reason);
  }
  find_in_lists(S, which, reason, 0, S->names->count, findings);
}

/* --------------------------------------------------------------- decisions */

static Reason decide(const Name *name, bool environment_assigned) {
  if (name->role == ROLE_UNKNOWN) return LEFT_LIMIT;
  if (!name->free[NAME_ENV]) return LEFT_LOCAL_ENV;
  if (environment_assigned) return LEFT_ASSIGNED_ENV;
  return name->free[NAME_HOME] ? REWRITTEN : LEFT_HIDDEN;
}

/* A declaration of unknown extent could hide any use. */
static bool has_unknown(const NameList *names) {
  for (size_t i = 0; i < names->count; i++)
    if (names->items[i].role == ROLE_UNKNOWN && names->items[i].which < DECIDING_NAMES) return true;
  return false;
}

static void decide_all(Scope *S, bool roles_known, FindingList *findings) {
  bool environment_assigned = any_assigned(S, NAME_ENV);
  S->names->environment_assigned = environment_assigned;
  for (size_t i = 0; i < S->names->count; i++) {
    const Name *name = &S->names->items[i];
    if (name->which != NAME_MEMORY || name->role == ROLE_DECLARATION || name->role == ROLE_KEY) continue;
    if (!roles_known)
      found(findings, name->start, LEFT_LIMIT);
    else if (name->role == ROLE_UNKNOWN || name->free[NAME_MEMORY])
      found(findings, name->start, decide(name, environment_assigned));
  }
}

/* ------------------------------------------------------------------- proof */

/* A declaration, or a use of one. */
static bool is_local(const Name *name) {
  return name->role == ROLE_DECLARATION || (name->role == ROLE_VARIABLE && !name->free[name->which]);
}

/* What is rewritten gets one fresh name, and locals of one of the names a second one, which may be the same. */
static void pose_proof(Scope *S, const FindingList *findings, int which, char declared) {
  size_t next = 0;
  S->edits.count = 0;
  for (size_t i = 0; i < S->names->count; i++) {
    const Name *name = &S->names->items[i];
    const Finding *f = NULL;
    while (next < findings->count && findings->items[next].at < name->start) next++;
    if (next < findings->count) f = &findings->items[next];
    if (f != NULL && f->at == name->start && f->reason == REWRITTEN)
      edit(&S->edits, name->start, name->end, "%sp", S->prefix);
    else if (name->which == which && is_local(name))
      edit(&S->edits, name->start, name->end, "%s%c", S->prefix, declared);
  }
}

/*
** The whole file again, apart from the probes: if the locals of a name may be called as what is rewritten is called,
** and the program stays the same one, none of them is in the way.
*/
static bool is_proven(Scope *S, const FindingList *findings) {
  for (int which = 0; which < DECIDING_NAMES; which++) {
    pose_proof(S, findings, which, 'q');
    if (!try_variant(S, &S->dump)) return false;
    pose_proof(S, findings, which, 'p');
    if (!try_variant(S, &S->other)) return false;
    if (S->dump.size != S->other.size || memcmp(S->dump.data, S->other.data, S->dump.size) != 0) return false;
  }
  S->edits.count = 0;
  for (size_t i = 0; i < findings->count; i++)
    if (findings->items[i].reason == REWRITTEN)
      edit(&S->edits, findings->items[i].at, findings->items[i].at + strlen(OLD_NAME), "%s", NEW_NAME);
  return try_variant(S, &S->dump);
}

static bool say(Buffer *message, const char *text) {
  buffer_clear(message);
  buffer_put(message, text, strlen(text) + 1);
  return false;
}

/* A file that only reads _home has nothing to ask for. */
static bool has_question(const NameList *names) {
  for (size_t i = 0; i < names->count; i++) {
    const Name *name = &names->items[i];
    if (name->which != NAME_HOME || name->assigned || name->may_assign) return true;
  }
  return false;
}

static bool decide_scopes(Scope *S, FindingList *findings, Buffer *message) {
  if (!compile(S->L, S->source, &S->edits, &S->dump)) {
    const char *text = lua_tostring(S->L, -1);
    (void)say(message, text == NULL ? " it does not compile" : text + (*text == ':'));
    lua_settop(S->L, 0);
    return false;
  }
  if (!has_question(S->names)) return true;
  if (!choose_prefix(S)) return say(message, " its names leave none that are fresh");
  ask(S, &about_roles, 0, S->names->count);
  bool roles_known = !has_unknown(S->names);
  ask(S, &about_own, 0, S->names->count);
  ask(S, &about_others, 0, S->names->count);
  decide_all(S, roles_known, findings);
  if (!is_proven(S, findings)) return say(message, " what would be rewritten cannot be proven to mean the same");
  find_assigned(S, NAME_MEMORY, ASSIGNED, findings);
  find_assigned(S, NAME_HOME, HOME_ASSIGNED, findings);
  return true;
}

bool scope_decide(lua_State *L, const Source *source, NameList *names, FindingList *findings, Buffer *message) {
  Scope S = {.L = L, .source = source, .names = names};
  buffer_init(&S.dump, &hearth_libc_allocator);
  buffer_init(&S.other, &hearth_libc_allocator);
  bool ok = decide_scopes(&S, findings, message);
  buffer_free(&S.dump);
  buffer_free(&S.other);
  free(S.edits.items);
  return ok;
}
