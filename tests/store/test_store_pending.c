/*
** Commits on an asynchronous backend: stacked, completed one by one, failing, and coming back.
*/
#include "pending_testing.h"

/* A graph of everything, and changes of it that do not depend on each other. */
static const char graph[] =
    "local long = ('0123456789'):rep(15000)\n" /* in three chunks */
    "local function closures()\n"
    "  local n, log = 0, {}\n"
    "  return function(d) n = n + (d or 1) log[#log + 1] = n return n end, function() return n, #log end\n"
    "end\n"
    "function hooked(x, y)\n"
    "  return setmetatable({ x = x, y = y }, home.class)\n"
    "end\n"
    "function fill()\n"
    "  home.t, home.shared, home.u = { 1, 2, { 3 } }, { s = 1 }, {}\n"
    "  home.t.shared, home.u.shared = home.shared, home.shared\n"
    "  home.f, home.g = closures()\n"
    "  home.big = {} for i = 1, 150 do home.big[i] = i home.big['k' .. i] = { i } end\n"
    "  home.wide = {} for i = 1, 100 do home.wide[i] = ('w'):rep(50) .. i "
    "home.wide['w' .. i] = { i, ('x'):rep(60) } end\n"
    "  home.long = long .. 'a'\n"
    "  home.shaped = { { alpha = 1, beta = 2 }, { alpha = 3, beta = 4 } }\n"
    "  home.class = { __persist = function(o)\n"
    "    local fields, meta = {}, getmetatable(o)\n"
    "    for k, v in next, o do fields[k] = v end\n"
    "    return function() return setmetatable(fields, meta) end\n"
    "  end }\n"
    "  home.object, home.other = hooked(1, { 2 }), hooked(3, home.shared)\n"
    "  home.point, home.spawn, home.io = point(1, 2), game.spawn, io.stdout\n"
    "  home.weak = setmetatable({ home.t, {} }, { __mode = 'v' })\n"
    "  home.e, home.e2 = external(), external()\n"
    "  home.e.a, home.e.b, home.e.t = 1, 'text', { deep = { 1 } }\n"
    "  home.e.e2, home.e2.back = home.e2, home.e\n"
    "  home.gone = external() home.gone[1] = home.e2 home.gone[2] = { nested = { 1, 2 } }\n"
    "  home.cycle = external() home.cycle.other = {} home.cycle.other.back = home.cycle home.cycle.other.e = home.e\n"
    "end\n"
    "local kept\n"
    "steps = {\n"
    "  function() home.t = home.t or {} home.t[1] = { home.t[1] } end,\n"
    "  function() home.t, home.u = nil, nil end,\n" /* goes, with all that it alone holds */
    "  function() home.t, home.u = { 'new', home.shared }, {} end,\n"
    "  function() kept = kept or home.shared home.shared = nil "
    "for _, t in ipairs { home.t or {}, home.u or {} } do t.shared = nil end end,\n"
    "  function() home.back = kept end,\n"
    "  function() if home.f then home.f(10) end end,\n"
    "  function() home.f, home.kept_f = nil, home.f end,\n"
    "  function() home.f, home.g, home.kept_f = closures() end,\n"
    "  function() home.f, home.g, home.kept_f = nil end,\n"
    "  function() home.big[75] = -75 home.big.k7 = nil home.big.k301 = { home.t } end,\n"
    /* no pages any more */
    "  function() for i = 1, 150 do home.big[i] = nil if i > 5 then home.big['k' .. i] = nil end end end,\n"
    "  function() for i = 1, 200 do home.u = home.u or {} home.u[i] = 'v' .. i end end,\n" /* pages now */
    "  function() home.wide[50] = ('c'):rep(50) home.wide.w7 = home.wide.w7 and ('c'):rep(60) end,\n"
    "  function() home.wide[50], home.wide.w7 = 'w50', nil home.wide.new = { home.shared } end,\n"
    "  function() home.long = nil end,\n"
    "  function() home.long = long .. 'b' end,\n"
    "  function() home.long, home.long2 = long .. 'a', long .. 'a' end,\n"
    "  function() home.shaped = nil end,\n"
    "  function() home.shaped = { { alpha = 1, gamma = 2 }, { alpha = 1, beta = 2, delta = 3 } } end,\n"
    "  function() home.object.x = (home.object.x or 0) + 1 home.other.y = {} end,\n"
    "  function() setmetatable(home.object, nil) end,\n"
    "  function() if home.t then setmetatable(home.t, home.class) home.t.x = 1 end end,\n"
    "  function() home.point, home.spawn, home.io = point(3, 4), nil, nil end,\n"
    "  function() home.spawn, home.io, home.upper = game.spawn, io.stdout, string.upper end,\n"
    "  function() home.code = load('local a = ... return a * ' .. #tostring(home.t)) end,\n"
    "  function() home.e.a, home.e.b, home.e.c = 2, nil, 'new' end,\n"
    "  function() home.e.a = nil home.e.a = 3 end,\n"
    "  function() home.e.t = nil end,\n"
    "  function() home.e.t = { other = home.e2 } end,\n"
    "  function() home.e2.back, home.e.e2 = nil, nil end,\n"
    "  function() home.gone = nil end,\n"
    "  function() if home.gone then home.gone[2], home.gone[1] = nil, home.e end home.gone = nil end,\n"
    "  function() home.gone = external() home.gone[1] = home.e2 home.e2.gone = home.gone end,\n"
    "  function() home.cycle = nil end,\n"
    "  function() home.n1 = external() home.n1.x = { home.e, { home.e2 } } end,\n"
    "  function() if home.n1 then home.n1.x = nil end home.n1 = nil end,\n"
    "}\n"
    "function reset_steps() kept = nil end\n";

static void sea_with_graph(Sea *s, uint32_t page_size) {
  sea_init(s, page_size);
  run(s->world.L, graph);
}

static void test_one_by_one(void **state) {
  (void)state;
  on_new_sea(0,
             "is_ok(poll())\n"
             "home.a = 1 is_pending(commit()) is_pending(poll()) eq(pending(), 1)\n"
             "home.b = 2 is_pending(commit()) home.c = external() home.c.x = 1 is_pending(commit())\n"
             "eq(pending(), 3) local written = batches()\n"
             "is_pending(commit()) eq(batches(), written)\n" /* nothing to write, and not complete */
             "home.c.x = 2 eq(home.c.x, 2) home.c.x = 1 is_pending(commit())\n"
             "complete() is_pending(poll()) is_pending(commit()) complete(2) is_pending(poll()) complete()\n"
             "complete() is_ok(poll()) is_ok(commit()) eq(pending(), 0)\n"
             "stored()\n");
}

/* A level that was not asked for is asked for by a commit that has nothing to write. */
static void test_levels(void **state) {
  (void)state;
  on_new_sea(0,
             "home.a = 1 is_ok(commit 'visible') is_ok(poll()) eq(pending(), 1)\n"
             "is_ok(commit 'visible') fails('busy', 'pending', rollback())\n"
             "is_pending(commit 'complete') is_pending(poll()) complete() is_ok(poll()) is_ok(commit 'complete')\n"
             "is_pending(commit 'durable') is_pending(poll()) is_pending(commit()) flush() is_ok(poll()) "
             "is_ok(commit())\n"
             "home.a = 2 is_ok(commit 'visible') fail 'full' fails('full', nil, poll()) is_ok(poll()) stored()\n");
}

/* Three commits, of which one fails: that one and those after it come back. */
static const char three[] =
    "function three(which, code, how)\n"
    "  fill() is_pending(commit()) complete() is_ok(poll())\n"
    "  local text = { [0] = whole() }\n"
    "  for i = 1, 3 do\n"
    "    home.t[1] = i home['new' .. i] = { i } home.big[i * 50] = 'x' .. i home.wide[i * 20] = ('y'):rep(40) .. i "
    "home.e['new' .. i] = { i }\n"
    "    home.f() home.object.x = i * 100\n"
    "    is_pending(commit()) text[i] = whole()\n"
    "  end\n"
    "  home.after = { 4 } home.e.after = 4 text[4] = whole()\n"
    "  local numbers = {} for k, v in next, home do numbers[k] = number(v) end\n"
    "  for _ = 1, which - 1 do complete() end\n"
    "  fail(code)\n"
    "  is_whole(text[4], 'failed, not told')\n"
    "  if how == 'poll' then fails(code, code, poll()) is_ok(poll()) else\n"
    "    local written = batches() fails(code, code, commit()) eq(batches(), written)\n" /* nothing was submitted */
    "  end\n"
    "  eq(pending(), 0) is_whole(text[4], 'told')\n"
    "  for k, v in next, home do eq(number(v), numbers[k], k) end\n"
    "  if how == 'crash' then reopen(true) is_whole(text[which - 1], 'crash') return stored() end\n"
    "  if how == 'rollback' then assert(rollback()) is_whole(text[which - 1], 'rollback') return stored() end\n"
    "  is_pending(commit())\n"
    "  for k, v in next, home do if numbers[k] then eq(number(v), numbers[k], k) end end\n"
    "  if how == 'again' then fail(code) fails(code, code, poll()) is_whole(text[4], 'again') "
    "is_pending(commit()) end\n"
    "  is_whole(text[4]) stored(how)\n"
    "end\n";

static void test_one_of_three_fails(void **state) {
  (void)state;
  static const char *const codes[] = {"full", "conflict", "nomem"};
  static const char *const ways[] = {"poll", "commit", "crash", "rollback", "again"};
  static const uint32_t page_sizes[] = {128, 1024};
  for (size_t p = 0; p < 2; p++)
    for (int which = 1; which <= 3; which++)
      for (size_t c = 0; c < 3; c++)
        for (size_t h = 0; h < sizeof ways / sizeof *ways; h++) {
          Sea s;
          char call[80];
          sea_with_graph(&s, page_sizes[p]);
          run(s.world.L, three);
          (void)snprintf(call, sizeof call, "three(%d, '%s', '%s')", which, codes[c], ways[h]);
          run(s.world.L, call);
          sea_free(&s);
        }
}

/* The first commit of all: the backend is empty again. */
static void test_first_fails(void **state) {
  (void)state;
  Sea s;
  sea_with_graph(&s, 128);
  run(s.world.L, "fill() is_pending(commit()) home.t[1] = 2 is_pending(commit()) fail('conflict', 2) fail('full')\n"
                 "local text = whole() fails('full', nil, poll()) eq(entries(), 0) is_whole(text)\n"
                 "is_pending(commit()) stored()");
  sea_free(&s);
  sea_with_graph(&s, 0);
  run(s.world.L, "fill() is_pending(commit()) fail('full') fails('full', nil, commit()) assert(rollback())\n"
                 "eq(next(home), nil) home.x = 1 stored() eq(home.x, 1)");
  sea_free(&s);
}

/* Failures are told in the order of the batches, each after what is complete before it. */
static void test_order_of_failures(void **state) {
  (void)state;
  on_new_sea(0,
             "for i = 1, 4 do home[i] = { i } is_pending(commit()) end\n"
             "fail('conflict', 4) fail('full', 3) is_pending(poll()) is_pending(commit())\n"
             "complete() is_pending(poll()) complete()\n"
             "fails('full', nil, poll()) is_ok(poll())\n"
             "local text = whole() reopen(true) eq(#home, 2) home[3], home[4] = { 3 }, { 4 } is_whole(text) "
             "stored()\n");
}

/* One step is committed and fails, another happened since: every pair, on small pages and on usual ones. */
static const char pairs_of_steps[] =
    "function pair(first, second, between)\n"
    "  local what = first .. ', ' .. second .. ', ' .. between\n"
    "  for k in next, home do home[k] = nil end\n"
    "  reset_steps() fill() assert(compact()) complete_all() is_ok(poll())\n"
    "  steps[first]() assert(commit())\n"
    "  if pending() == 0 then idle[first] = true return end\n" /* it undoes what no other did */
    "  if between == 1 then collectgarbage() end\n"
    "  if between == 2 then fail 'full' end\n"
    "  steps[second]()\n"
    "  if between == 2 then fails('full', nil, poll()) else\n"
    "    assert(commit()) fail('conflict') fails('conflict', nil, poll())\n"
    "  end\n"
    "  stored(what)\n"
    "end\n"
    "idle = {}\n"
    "function all_pairs(from)\n"
    "  for first = from, #steps, 4 do for second = 1, #steps do pair(first, second, (first + second) % 3) end end\n"
    "  local count = 0 for _ in pairs(idle) do count = count + 1 end assert(count <= 3)\n"
    "end\n";

static void test_pairs_of_steps(void **state) {
  (void)state;
  for (int from = 1; from <= 4; from++) {
    Sea s;
    char call[40];
    sea_with_graph(&s, from % 2 == 1 ? 1024 : 128);
    run(s.world.L, pairs_of_steps);
    (void)snprintf(call, sizeof call, "all_pairs(%d)", from);
    run(s.world.L, call);
    sea_free(&s);
  }
}

/* A batch in parts is stacked and fails like any other. */
static void test_in_parts(void **state) {
  (void)state;
  Sea s;
  sea_init(&s, 0);
  run(s.world.L, "local piece = ('0123456789abcdef'):rep(1 << 16)\n"
                 "home.x = {} is_pending(commit())\n"
                 "for i = 1, 7 do home['large' .. i] = piece .. i end is_pending(commit())\n"
                 "home.x[1] = 1 is_pending(commit())\n"
                 "complete() fail 'full' fails('full', nil, poll())\n");
  size_t before = s.disk.submits;
  run(s.world.L, "is_pending(commit())");
  assert_true(s.disk.submits - before >= 2);
  s.disk.fail_at = s.disk.submits + 1; /* the second part, at once: what is pending stays so */
  run(s.world.L, "for i = 1, 7 do home['large' .. i] = 'again' .. home['large' .. i] end\n"
                 "fails('full', 'at once', commit()) eq(pending(), 1) is_pending(poll()) stored() eq(home.x[1], 1)");
  sea_free(&s);
}

/* What failed while it was pending fails again, at once this time: it still comes back, under its numbers. */
static void test_again_at_once(void **state) {
  (void)state;
  Sea s;
  sea_with_graph(&s, 128);
  /* weak tables hold what was stored, no more */
  run(s.world.L, "fill() is_pending(commit()) complete() for i = 1, #steps do if i ~= 9 then steps[i]() end end\n"
                 "home.new = { home.f, load 'return 5', { delta = 1, omega = 2 } }\n"
                 "is_pending(commit()) fail 'full' fails('full', nil, poll())\n"
                 "collectgarbage() text, f = whole(), number(home.new[2])");
  for (int round = 0; round < 2; round++) {
    s.disk.fail_at = s.disk.submits;
    run(s.world.L, "fails('full', 'at once', commit()) is_whole(text) eq(number(home.new[2]), f)");
  }
  run(s.world.L, "is_pending(commit()) eq(number(home.new[2]), f) is_whole(text) stored() eq(home.new[2](), 5)");
  sea_free(&s);
}

/* What a commit that failed had compared by identity (memo.h; good until the next collection) says nothing any more. */
static void test_without_collection(void **state) {
  (void)state;
  for (int round = 0; round < 3; round++) {
    Sea s;
    sea_init(&s, 256);
    lua_pushinteger(s.world.L, round);
    lua_setglobal(s.world.L, "round");
    run(s.world.L,
        "collectgarbage 'stop'\n"
        "home.wide = {} for i = 1, 400 do home.wide[i] = ('w'):rep(60) .. i end\n"
        "is_pending(commit()) complete() is_ok(poll())\n"
        "home.wide[7] = ('c'):rep(60) is_pending(commit())\n"
        "if round == 1 then home.wide[300] = ('d'):rep(60) is_pending(commit()) end\n"
        "if round == 2 then home.wide[401] = ('d'):rep(60) is_pending(commit()) end\n"
        "fail 'full' fails('full', nil, poll()) local text = whole()\n"
        "is_pending(commit()) complete() is_ok(poll()) reopen() is_whole(text)\n"
        "local written = batches() is_ok(commit()) eq(batches(), written) stored()\n");
    sea_free(&s);
  }
}

static void test_rollback(void **state) {
  (void)state;
  on_new_sea(128,
             "home.t = { 1 } is_pending(commit()) local text = whole()\n"
             "home.t[1] = 2 fails('busy', 'pending', rollback()) eq(home.t[1], 2)\n"
             "complete() assert(rollback()) is_whole(text)\n"
             /* what failed is told before anything is rolled back */
             "home.t[1] = 3 is_pending(commit()) fail 'full' fails('full', nil, rollback()) eq(home.t[1], 3)\n"
             "assert(rollback()) eq(home.t[1], 1) is_whole(text) stored()\n");
}

static void test_transactions(void **state) {
  (void)state;
  Sea s;
  sea_with_graph(&s, 128);
  run(s.world.L,
      "fill() is_pending(commit()) complete()\n"
      "home.t[1], home.e.a, home.gone = 'outstanding', 'outstanding', nil\n"
      "local text, handle = whole(), nil\n"
      "local function change()\n"
      "  home.t[1], home.t[2], home.e.a, home.e.new = 'in', { 'in' }, 'in', { 'in' } home.cycle = nil home.f()\n"
      "  handle = external() home.handle = handle\n"
      "end\n"
      /* back to the start, which is pending */
      "fails('raised', 'on purpose', transaction(function() change() error 'on purpose' end))\n"
      "is_whole(text, 'start') eq(pending(), 1) assert(not pcall(function() return handle.x end))\n"
      "fails('raised', nil, transaction(function() change() fails('busy', nil, poll()) error 'again' end)) "
      "is_whole(text, 'start')\n"
      "fail 'full' fails('full', nil, poll()) is_whole(text, 'the start failed')\n"
      "stored('the start failed')\n");
  run(s.world.L,
      "home.t[3] = 1 local text = whole()\n"
      "eq(select('#', transaction(function() home.t[4] = 1 end)), 0) eq(pending(), 2)\n"
      "complete() fail 'conflict' fails('conflict', nil, poll()) stored('the end failed') eq(home.t[4], 1)\n"
      /* the start fails while the function runs: back to it first, and then it is told */
      "home.t[3] = 2 text = whole()\n"
      "fails('full', nil, transaction(function() home.t[4] = 2 home.e.more = { 1 } fail 'full' end)) "
      "is_whole(text, 'told')\n"
      "stored('told at the end') eq(home.t[3], 2) eq(home.t[4], 1)\n"
      "home.t[3] = 3 text = whole()\n"
      "fails('raised', nil, transaction(function() home.t[4] = 3 fail 'full' error 'x' end)) is_whole(text, 'raised')\n"
      "fails('full', nil, transaction(function() error 'not run' end)) is_whole(text, 'raised, told') stored() "
      "eq(home.t[3], 3)\n");
  sea_free(&s);
}

static void test_compaction(void **state) {
  (void)state;
  Sea s;
  sea_with_graph(&s, 128);
  run(s.world.L,
      "fill() is_pending(commit()) home.cycle = nil is_pending(commit()) local tables = entries()\n"
      "home.t[1] = 5 is_pending(compact()) assert(entries() < tables) eq(pending(), 3)\n" /* the cycle went */
      "complete() fail('full') fails('full', nil, compact()) eq(pending(), 0)\n"
      "local text = whole() is_pending(compact()) complete() is_ok(compact()) is_whole(text) stored()\n"
      /* the cycle's drop fails: the next commit, which is none of compact's, drops it */
      "home.cycle = external() home.cycle.me = home.cycle home.cycle.e = home.e stored()\n"
      "home.cycle = nil is_pending(commit()) complete()\n"
      "local before = entries() is_pending(compact()) eq(entries(), before - 1) fail 'full' "
      "fails('full', nil, poll())\n"
      "eq(entries(), before) home.t[1] = 6 is_pending(commit()) eq(entries(), before - 1) stored()\n");
  s.disk.slow_compaction = true;
  run(s.world.L,
      "home.t[1] = 7 is_pending(compact()) complete() is_pending(poll()) compacted() is_ok(poll())\n"
      "is_pending(compact()) home.t[1] = 8 is_pending(commit()) compacted 'full' fails('full', nil, poll())\n");
  s.disk.slow_compaction = false;
  run(s.world.L, "stored() eq(home.t[1], 8)");
  sea_free(&s);
}

/* After IO the store is dead; what is in memory stays. */
static void test_dead(void **state) {
  (void)state;
  Sea s;
  sea_with_graph(&s, 128);
  run(s.world.L,
      "fill() is_pending(commit()) complete() local text = describe(home)\n"
      "home.t[1] = 'lost' is_pending(commit()) home.e.a = 'lost' is_pending(commit()) local now = describe(home)\n"
      "fail('io')\n"
      "fails('io', nil, poll()) fails('dead', nil, poll()) fails('dead', nil, commit()) "
      "fails('dead', nil, rollback())\n"
      "fails('dead', nil, compact()) fails('dead', nil, transaction(function() error 'not run' end))\n"
      "local ok, message = pcall(function() return home.e.a end) assert(not ok and message:find 'dead', message)\n"
      "ok, message = pcall(function() home.e.a = 1 end) assert(not ok and message:find 'dead', message)\n"
      "eq(home.t[1], 'lost') home.t[1] = 'kept' home.e, home.e2, home.gone, home.cycle = nil, nil, nil, nil\n"
      "eq(dec(enc(home)).t[1], 'kept')\n"
      "reopen(true) eq(describe(home), text) stored()\n"
      /* a barrier that fails */
      "home.t[1] = 9 is_pending(commit 'complete') complete() is_pending(commit 'durable')\n");
  pending_disk_fail_flush(&s.disk);
  run(s.world.L, "fails('io', nil, poll()) fails('dead', nil, commit()) reopen(true) eq(home.t[1], 9) stored()");
  sea_free(&s);
}

/* Closed while commits are pending: they are still written, or lost. */
static void test_close(void **state) {
  (void)state;
  on_new_sea(0,
             "home.a = 1 is_pending(commit()) home.b = external() home.b.x = 2 is_pending(commit())\n"
             "home.c = 3 reopen() eq(home.a, 1) eq(home.b.x, 2) eq(home.c, nil)\n"
             "home.a = 4 is_pending(commit()) reopen(true) eq(home.a, 1) stored()\n");
}

/* Handles: of tables that failed commits made, and of such that only a handle keeps. */
static void test_handles(void **state) {
  (void)state;
  on_new_sea(0,
             "local made = external() made.x = 1 home.made = made is_pending(commit())\n"
             "made.y = { 2 } local inner = made.y home.made = nil is_pending(commit())\n"
             "fail 'full' fails('full', nil, poll()) eq(made.x, 1) eq(made.y, inner) eq(inner[1], 2)\n"
             "made.z = 3 inner[2] = made is_pending(commit()) eq(made.x, 1) complete() check_counts()\n"
             "local next = next_number() home.again = made stored() eq(home.again.y[2], home.again) "
             "assert(next_number() >= next)\n"
             /* a loop goes on over what is there now */
             "local e = home.again for i = 1, 300 do e[i] = ('x'):rep(40) .. i end is_pending(commit())\n"
             "local seen, told = 0, false\n"
             "for k, v in pairs(e) do\n"
             "  seen = seen + 1\n"
             "  if seen == 10 then fail 'full' end\n"
             "  if seen == 50 then fails('full', nil, poll()) e[301] = 'late' end\n"
             "end\n"
             "eq(seen, 304) stored()\n");
}

/* Numbers are not given twice, whatever failed. */
static void test_numbers(void **state) {
  (void)state;
  on_new_sea(0,
             "local used = {}\n"
             "for round = 1, 20 do\n"
             "  local new = { round } home[round % 3] = new assert(commit())\n"
             "  local n = number(new) assert(not used[n]) used[n] = true\n"
             "  if round % 4 == 0 then fail 'full' fails('full', nil, poll()) eq(number(new), n) end\n"
             "  if round % 8 == 0 then assert(rollback()) end\n"
             "  if round % 5 == 0 then complete_all() end\n"
             "end\n"
             "assert(commit()) stored()\n");
}

/* ---------------------------------------------------------------- memory */

/* Memory fails at every place while a failure is taken back; nothing is lost, and what needs it answers nomem. */
static void test_memory(void **state) {
  (void)state;
  for (size_t n = 0, failed = 1; failed != 0; n++) {
    Sea s;
    World *w = &s.world;
    hearth_error e;
    sea_with_graph(&s, 128);
    run(w->L, "fill() assert(commit()) complete() steps[7]() steps[15]() steps[31]() steps[34]() assert(commit())\n"
              "steps[10]() steps[35]() steps[26]() steps[13]() assert(commit()) steps[12]() text = whole() "
              "fail('full')");
    world_fail(w, n, NEVER);
    assert_int_equal(hearth_poll(w->L, w->S, &e), HEARTH_FULL);
    failed = w->failed;
    if (failed) {
      assert_true(w->S->unsettled);
      assert_int_equal(hearth_poll(w->L, w->S, &e), HEARTH_NOMEM);
      assert_non_null(strstr(e.message, "no memory to take back"));
      assert_int_equal(hearth_commit(w->L, w->S, HEARTH_DEFAULT_DURABILITY, &e), HEARTH_NOMEM);
      assert_int_equal(hearth_rollback(w->L, w->S, &e), HEARTH_NOMEM);
    }
    world_mend(w);
    if (n % 2 == 0) /* whatever comes first takes it back */
      run(w->L, "is_whole(text)");
    else
      run(w->L, "is_pending(commit()) is_whole(text)");
    assert_false(w->S->unsettled);
    run(w->L, "stored()");
    sea_free(&s);
  }
}

/* A commit that finds no memory while others are pending changes nothing. */
static void test_memory_of_commits(void **state) {
  (void)state;
  hearth_status status = HEARTH_NOMEM;
  for (size_t n = 0; status != HEARTH_PENDING; n += 1 + n / 16) {
    Sea s;
    World *w = &s.world;
    hearth_error e;
    sea_with_graph(&s, 128);
    run(w->L, "fill() assert(commit()) steps[31]() steps[7]() steps[13]() assert(commit())\n"
              "steps[10]() steps[27]() steps[34]() steps[8]() steps[25]() text = whole()");
    world_fail(w, n, NEVER);
    status = hearth_commit(w->L, w->S, HEARTH_DEFAULT_DURABILITY, &e);
    world_mend(w);
    assert_true(status == HEARTH_PENDING || status == HEARTH_NOMEM);
    run(w->L, "is_whole(text) complete() fail('full') fails('full', nil, poll())");
    world_fail(w, n, NEVER);
    hearth_status again = hearth_commit(w->L, w->S, HEARTH_DEFAULT_DURABILITY, &e);
    assert_int_equal(again, w->failed ? HEARTH_NOMEM : HEARTH_PENDING);
    world_mend(w);
    run(w->L, "is_whole(text) is_pending(commit()) is_whole(text) stored()");
    sea_free(&s);
  }
}

/* With an argument only the tests whose names fit it, as in "test_order_*". */
int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_by_one),       cmocka_unit_test(test_levels),
      cmocka_unit_test(test_one_of_three_fails), cmocka_unit_test(test_first_fails),
      cmocka_unit_test(test_order_of_failures), cmocka_unit_test(test_pairs_of_steps),
      cmocka_unit_test(test_in_parts),         cmocka_unit_test(test_again_at_once),
      cmocka_unit_test(test_without_collection),
      cmocka_unit_test(test_rollback),
      cmocka_unit_test(test_transactions),     cmocka_unit_test(test_compaction),
      cmocka_unit_test(test_dead),             cmocka_unit_test(test_close),
      cmocka_unit_test(test_handles),          cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_memory),           cmocka_unit_test(test_memory_of_commits),
  };
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
